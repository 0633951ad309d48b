//! What is done next: one lane after another within a kind, one job at a time within a lane: pure.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Finished, Job, JobId, Outcome, Policy, Progress};

/// The moment, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) instant: Instant,
    pub(super) wall: Timestamp,
}

/// How an attempt ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Ended {
    Done,
    /// It may work later.
    Failed(String),
    /// It will never work as it is.
    Refused(String),
}

/// What cancelling a job comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Cancelled {
    /// It is out of the queue; as it stands now.
    Out(Box<Job>),
    /// It was not in the queue.
    Unknown,
}

/// All jobs that are not finished.
#[derive(Default)]
pub(super) struct Queue {
    kinds: BTreeMap<&'static str, Kind>,
}

struct Kind {
    policy: Policy,
    lanes: BTreeMap<String, Lane>,
    /// Attempts that have not ended, also those whose job is gone.
    running: BTreeSet<JobId>,
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Job>,
    /// The first is not tried before.
    not_before: Option<Instant>,
    /// The attempt that has not ended, also when its job was cancelled: nothing else is begun beside it.
    under_way: Option<JobId>,
}

impl Lane {
    /// The first, unless an attempt is under way or it is not its time.
    fn ready(&self, now: Now) -> Option<&Job> {
        let is_time = self.not_before.is_none_or(|at| at <= now.instant);
        self.waiting.front().filter(|_| is_time && self.under_way.is_none())
    }

    /// Behind what is under way and what is as urgent.
    fn insert(&mut self, job: Job) {
        let before = self.waiting.iter().take_while(|other| other.is_running || other.priority >= job.priority);
        let at = before.count();
        self.waiting.insert(at, job);
    }
}

impl Kind {
    fn len(&self) -> usize {
        self.lanes.values().map(|lane| lane.waiting.len()).sum()
    }

    fn free(&self) -> usize {
        self.policy.parallel.saturating_sub(self.running.len())
    }

    /// The oldest of the longest lane that is not under way: a lane that stands still must not cost the others theirs.
    fn give_up_oldest(&mut self, now: Now) -> Option<Job> {
        let lane = self.lanes.values_mut().max_by_key(|lane| lane.waiting.len())?;
        let at = lane.waiting.iter().position(|job| !job.is_running)?;
        let lost = lane.waiting.remove(at)?;
        if at == 0 {
            lane.not_before = None;
        }
        let error = Some("too many waited".to_owned());
        Some(Job { error, ..finished(lost, Outcome::Failed, now) })
    }

    /// Lanes that have nothing left are dropped, so that their number stays bounded.
    fn tidy(&mut self, lane: &str) {
        if self.lanes.get(lane).is_some_and(|lane| lane.waiting.is_empty() && lane.under_way.is_none()) {
            self.lanes.remove(lane);
        }
    }
}

impl Queue {
    /// Takes jobs of this kind from now on.
    pub(super) fn register(&mut self, kind: &'static str, policy: Policy) {
        self.kinds.insert(kind, Kind { policy, lanes: BTreeMap::new(), running: BTreeSet::new() });
    }

    /// The kinds that are taken.
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.kinds.keys().copied().collect()
    }

    /// How many of a kind wait or run.
    pub(super) fn len(&self, kind: &str) -> usize {
        self.kinds.get(kind).map_or(0, Kind::len)
    }

    /// How many attempts of a kind go on.
    pub(super) fn running(&self, kind: &str) -> usize {
        self.kinds.get(kind).map_or(0, |kind| kind.running.len())
    }

    /// How a kind is done.
    pub(super) fn policy(&self, kind: &str) -> Option<Policy> {
        self.kinds.get(kind).map(|kind| kind.policy)
    }

    /// Adds a job of a kind that is taken; the one that is given up for it, when there are too many.
    pub(super) fn push(&mut self, job: Job, now: Now) -> Option<Job> {
        let kind = self.kinds.get_mut(job.kind.as_str())?;
        let lane = kind.lanes.entry(job.lane.clone()).or_default();
        // Of one that was tried before the hub's start.
        if lane.waiting.is_empty() && job.attempts > 0 {
            let left = job.next_attempt_at.duration_since(now.wall);
            let left = if left.is_negative() { Duration::ZERO } else { left.unsigned_abs() };
            lane.not_before = Some(now.instant + left.min(kind.policy.longest_pause));
        }
        lane.insert(job);
        if kind.len() <= kind.policy.most_waiting { None } else { kind.give_up_oldest(now) }
    }

    /// What is to be tried now, the most urgent and then the oldest first; it is under way then.
    pub(super) fn due(&mut self, now: Now) -> Vec<Job> {
        let mut due = Vec::new();
        for kind in self.kinds.values_mut() {
            let free = kind.free();
            let mut ready: Vec<_> = kind.lanes.values_mut().filter(|lane| lane.ready(now).is_some()).collect();
            ready.sort_by_key(|lane| lane.waiting.front().map(|job| (u8::MAX - job.priority, job.id)));
            for lane in ready.into_iter().take(free) {
                let Some(first) = lane.waiting.front_mut() else { continue };
                first.is_running = true;
                lane.under_way = Some(first.id);
                kind.running.insert(first.id);
                due.push(first.clone());
            }
        }
        due
    }

    /// When the next is due; `None` while all wait for nothing but what is under way.
    pub(super) fn next_at(&self, now: Now) -> Option<Instant> {
        let lanes = self.kinds.values().filter(|kind| kind.free() > 0).flat_map(|kind| kind.lanes.values());
        let idle = lanes.filter(|lane| lane.under_way.is_none() && !lane.waiting.is_empty());
        idle.map(|lane| lane.not_before.unwrap_or(now.instant)).min()
    }

    /// Notes how an attempt ended; the job as it stands now. `None` when it was cancelled or given up meanwhile.
    /// `chance` is 0 to 1 and spreads the pauses.
    pub(super) fn ended(&mut self, tried: &Job, ended: Ended, now: Now, chance: f64) -> Option<Job> {
        let kind = self.kinds.get_mut(tried.kind.as_str())?;
        kind.running.remove(&tried.id);
        let policy = kind.policy;
        let lane = kind.lanes.get_mut(&tried.lane)?;
        lane.under_way = lane.under_way.filter(|id| *id != tried.id);
        let Some(first) = lane.waiting.front_mut().filter(|first| first.id == tried.id) else {
            kind.tidy(&tried.lane);
            return None;
        };
        first.is_running = false;
        first.attempts += 1;
        let (error, outcome) = match ended {
            Ended::Done => (None, Some(Outcome::Succeeded)),
            Ended::Refused(why) => (Some(why), Some(Outcome::Failed)),
            Ended::Failed(why) => {
                let is_old = now.wall.duration_since(first.created_at) >= policy.give_up_after;
                (Some(why), is_old.then_some(Outcome::Failed))
            }
        };
        first.error = error;
        if let Some(outcome) = outcome {
            lane.not_before = None;
            let job = lane.waiting.pop_front()?;
            kind.tidy(&tried.lane);
            return Some(finished(job, outcome, now));
        }
        let pause = pause(policy, first.attempts, chance);
        lane.not_before = Some(now.instant + pause);
        first.next_attempt_at = now.wall.saturating_add(pause).unwrap_or(Timestamp::MAX);
        Some(first.clone())
    }

    /// Notes how far a job is; the job as it stands now. `None` when it is gone.
    pub(super) fn progress(&mut self, id: JobId, progress: Progress) -> Option<Job> {
        let job = self.jobs_mut().find(|job| job.id == id)?;
        job.progress = Some(progress);
        Some(job.clone())
    }

    /// Takes a job out. An attempt that goes on ends for nothing.
    pub(super) fn cancel(&mut self, id: JobId, now: Now) -> Cancelled {
        for kind in self.kinds.values_mut() {
            let found = kind.lanes.iter().find(|(_, lane)| lane.waiting.iter().any(|job| job.id == id));
            let Some(name) = found.map(|(name, _)| name.clone()) else { continue };
            let Some(lane) = kind.lanes.get_mut(&name) else { continue };
            let Some(at) = lane.waiting.iter().position(|job| job.id == id) else { continue };
            if at == 0 {
                lane.not_before = None;
            }
            let Some(job) = lane.waiting.remove(at) else { continue };
            kind.tidy(&name);
            return Cancelled::Out(Box::new(finished(job, Outcome::Cancelled, now)));
        }
        Cancelled::Unknown
    }

    /// A lane whose way was mended is tried at once.
    pub(super) fn hurry(&mut self, kind: &str, lane: &str) {
        if let Some(lane) = self.kinds.get_mut(kind).and_then(|kind| kind.lanes.get_mut(lane)) {
            lane.not_before = None;
        }
    }

    /// Drops a lane; the jobs that were in it, cancelled.
    pub(super) fn forget(&mut self, kind: &str, lane: &str, now: Now) -> Vec<Job> {
        let lane = self.kinds.get_mut(kind).and_then(|kind| kind.lanes.remove(lane));
        let jobs = lane.into_iter().flat_map(|lane| lane.waiting);
        jobs.map(|job| finished(job, Outcome::Cancelled, now)).collect()
    }

    /// The lanes of a kind.
    pub(super) fn lanes(&self, kind: &str) -> Vec<String> {
        self.kinds.get(kind).map(|kind| kind.lanes.keys().cloned().collect()).unwrap_or_default()
    }

    /// One job.
    pub(super) fn get(&self, id: JobId) -> Option<&Job> {
        self.jobs().find(|job| job.id == id)
    }

    /// All jobs, in no order.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.kinds.values().flat_map(|kind| kind.lanes.values()).flat_map(|lane| &lane.waiting)
    }

    fn jobs_mut(&mut self) -> impl Iterator<Item = &mut Job> {
        self.kinds.values_mut().flat_map(|kind| kind.lanes.values_mut()).flat_map(|lane| &mut lane.waiting)
    }
}

fn finished(job: Job, outcome: Outcome, now: Now) -> Job {
    Job { is_running: false, finished: Some(Finished { at: now.wall, outcome }), ..job }
}

/// Doubles, and spreads over the upper half, so that all who lost the same thing do not come back at once.
fn pause(policy: Policy, attempts: u32, chance: f64) -> Duration {
    let doubled = policy.first_pause.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
    doubled.min(policy.longest_pause).mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;

    const POLICY: Policy = Policy {
        parallel: 4,
        attempt: Duration::from_secs(60),
        first_pause: Duration::from_secs(2),
        longest_pause: Duration::from_mins(10),
        give_up_after: SignedDuration::from_hours(24),
        most_waiting: 10,
        kept: 5,
    };

    fn now(start: Instant, seconds: u64) -> Now {
        let wall = Timestamp::UNIX_EPOCH + Duration::from_secs(seconds);
        Now { instant: start + Duration::from_secs(seconds), wall }
    }

    fn job(lane: &str, priority: u8) -> Job {
        Job {
            id: JobId(Uuid::now_v7()),
            kind: "work".to_owned(),
            lane: lane.to_owned(),
            about: None,
            title: String::new(),
            input: Value::Null,
            priority,
            created_at: Timestamp::UNIX_EPOCH,
            attempts: 0,
            next_attempt_at: Timestamp::UNIX_EPOCH,
            progress: None,
            error: None,
            finished: None,
            is_running: false,
        }
    }

    fn queue(policy: Policy) -> Queue {
        let mut queue = Queue::default();
        queue.register("work", policy);
        queue
    }

    fn ids(jobs: &[Job]) -> Vec<JobId> {
        jobs.iter().map(|job| job.id).collect()
    }

    fn outcome(job: &Job) -> Option<Outcome> {
        job.finished.map(|finished| finished.outcome)
    }

    fn failed() -> Ended {
        Ended::Failed("down".to_owned())
    }

    #[test]
    fn a_lanes_jobs_are_done_in_order_and_hold_up_no_other_lane() {
        let start = Instant::now();
        let (first, second, other) = (job("phone", 0), job("phone", 0), job("mail", 0));
        let mut queue = queue(POLICY);
        for job in [&first, &second, &other] {
            assert_eq!(queue.push(job.clone(), now(start, 0)), None);
        }
        assert_eq!(ids(&queue.due(now(start, 0))), [first.id, other.id]);
        assert_eq!((queue.due(now(start, 0)), queue.next_at(now(start, 0))), (vec![], None), "both are under way");
        let after = queue.ended(&first, failed(), now(start, 1), 1.0).unwrap();
        assert_eq!((after.attempts, after.error.as_deref(), after.finished), (1, Some("down"), None));
        assert_eq!(queue.next_at(now(start, 1)), Some(now(start, 3).instant));
        assert!(queue.due(now(start, 2)).is_empty(), "the second waits for the first");
        assert_eq!(ids(&queue.due(now(start, 3))), [first.id]);
        let after = queue.ended(&first, Ended::Done, now(start, 3), 1.0).unwrap();
        assert_eq!((outcome(&after), after.error), (Some(Outcome::Succeeded), None));
        assert_eq!(ids(&queue.due(now(start, 3))), [second.id]);
    }

    #[test]
    fn no_more_run_at_once_than_the_policy_says_and_urgent_ones_come_first() {
        let start = Instant::now();
        let mut queue = queue(Policy { parallel: 2, ..POLICY });
        let (usual, urgent, other) = (job("a", 0), job("b", 9), job("c", 0));
        let behind = job("b", 0);
        let before = job("b", 5);
        for job in [&usual, &urgent, &other, &behind] {
            queue.push(job.clone(), now(start, 0));
        }
        assert_eq!(ids(&queue.due(now(start, 0))), [urgent.id, usual.id]);
        assert_eq!((queue.running("work"), queue.next_at(now(start, 0))), (2, None), "no place is free");
        queue.push(before.clone(), now(start, 0));
        queue.ended(&urgent, Ended::Done, now(start, 1), 1.0).unwrap();
        assert_eq!(ids(&queue.due(now(start, 1))), [before.id], "before what is less urgent in its lane and elsewhere");
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_what_never_works_is_given_up() {
        let seconds = |attempts| pause(POLICY, attempts, 1.0).as_secs();
        assert_eq!(
            [seconds(1), seconds(2), seconds(3), seconds(9), seconds(10), seconds(99)],
            [2, 4, 8, 512, 600, 600]
        );
        assert_eq!(pause(POLICY, 1, 0.0), Duration::from_secs(1));
        let start = Instant::now();
        let mut queue = queue(POLICY);
        let (old, refused) = (job("a", 0), job("a", 0));
        queue.push(old.clone(), now(start, 0));
        queue.push(refused.clone(), now(start, 0));
        queue.due(now(start, 0));
        let day = 24 * 3600;
        let after = queue.ended(&old, failed(), now(start, day), 1.0).unwrap();
        assert_eq!(outcome(&after), Some(Outcome::Failed), "a day is too long");
        queue.due(now(start, day));
        let after = queue.ended(&refused, Ended::Refused("410 Gone".to_owned()), now(start, day), 1.0).unwrap();
        assert_eq!((after.attempts, after.error.as_deref()), (1, Some("410 Gone")));
        assert_eq!((queue.len("work"), queue.lanes("work")), (0, vec![]));
    }

    #[test]
    fn a_lane_is_hurried_or_forgotten() {
        let start = Instant::now();
        let waiting = job("a", 0);
        let mut queue = queue(POLICY);
        queue.push(waiting.clone(), now(start, 0));
        queue.due(now(start, 0));
        queue.ended(&waiting, failed(), now(start, 0), 1.0);
        queue.hurry("work", "a");
        assert_eq!(queue.due(now(start, 0)).len(), 1);
        let forgotten = queue.forget("work", "a", now(start, 0));
        assert_eq!((ids(&forgotten), outcome(&forgotten[0])), (vec![waiting.id], Some(Outcome::Cancelled)));
        assert_eq!(queue.ended(&waiting, Ended::Done, now(start, 1), 1.0), None);
        assert_eq!(queue.running("work"), 0, "its place is free again");
    }

    #[test]
    fn a_cancelled_job_is_out_whether_it_runs_or_waits() {
        let start = Instant::now();
        let (runs, waits) = (job("a", 0), job("a", 0));
        let mut queue = queue(POLICY);
        queue.push(runs.clone(), now(start, 0));
        queue.push(waits.clone(), now(start, 0));
        queue.due(now(start, 0));
        for job in [&waits, &runs] {
            let Cancelled::Out(cancelled) = queue.cancel(job.id, now(start, 1)) else { panic!("it was not found") };
            assert_eq!((outcome(&cancelled), cancelled.is_running), (Some(Outcome::Cancelled), false));
        }
        assert_eq!(queue.cancel(runs.id, now(start, 1)), Cancelled::Unknown);
        let next = job("a", 0);
        queue.push(next.clone(), now(start, 1));
        assert!(queue.due(now(start, 1)).is_empty(), "the cancelled attempt has not ended yet");
        assert_eq!(queue.ended(&runs, Ended::Done, now(start, 1), 1.0), None);
        assert_eq!(ids(&queue.due(now(start, 1))), [next.id]);
        queue.ended(&next, Ended::Done, now(start, 1), 1.0).unwrap();
        assert_eq!((queue.len("work"), queue.running("work"), queue.lanes("work")), (0, 0, vec![]));
    }

    #[test]
    fn too_many_cost_the_longest_lane_its_oldest_but_not_what_is_under_way() {
        let start = Instant::now();
        let (under_way, oldest) = (job("down", 0), job("down", 0));
        let mut queue = queue(POLICY);
        queue.push(under_way.clone(), now(start, 0));
        queue.due(now(start, 0));
        queue.push(oldest.clone(), now(start, 0));
        for _ in 2..POLICY.most_waiting {
            assert_eq!(queue.push(job("down", 0), now(start, 0)), None);
        }
        let lost = queue.push(job("fine", 0), now(start, 0)).unwrap();
        assert_eq!((lost.id, outcome(&lost)), (oldest.id, Some(Outcome::Failed)));
        assert_eq!(queue.len("work"), POLICY.most_waiting);
        assert!(queue.ended(&under_way, Ended::Done, now(start, 1), 1.0).is_some());
    }

    #[test]
    fn one_that_was_tried_before_a_restart_keeps_its_pause() {
        let start = Instant::now();
        let mut queue = queue(POLICY);
        let next_attempt_at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(30);
        queue.push(Job { attempts: 3, next_attempt_at, ..job("a", 0) }, now(start, 10));
        assert!(queue.due(now(start, 29)).is_empty());
        assert_eq!(queue.due(now(start, 30)).len(), 1);
    }
}
