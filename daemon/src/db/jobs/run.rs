//! The jobs of the hub: who takes them, does them, and answers for them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::{Notify, broadcast},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Error, Failed, Filter, Job, JobId, Outcome, Progress, Wanted, Watch, Worker,
    queue::{Cancelled, Ended, Now, Queue},
    rows::Rows,
    store::Store,
};
use crate::{
    clock::Clock,
    db::{Change, Db},
    outcome::chain,
    repeats, secrets,
    tasks::Tasks,
};

/// What tells of new rows.
const CHANNEL: &str = "jobs";
/// How often rows are looked at when nothing tells of them.
const LOOK: Duration = Duration::from_secs(60);
/// A pause before a failed look is repeated.
const RETRY: Duration = Duration::from_secs(2);
/// Changes that a slow watcher may lag behind.
const CHANGES: usize = 256;
/// Progress is told to watchers no more often than this, and written no more often than that.
const TELL: Duration = Duration::from_millis(200);
const KEEP: Duration = Duration::from_secs(2);

/// The jobs of the hub; clones share them.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    clock: Clock,
    db: Db,
    store: Store,
    rows: Rows,
    queue: Mutex<Queue>,
    workers: Mutex<BTreeMap<&'static str, Arc<dyn Worker>>>,
    /// Ends attempts.
    running: Mutex<HashMap<JobId, CancellationToken>>,
    wake: Notify,
    changes: broadcast::Sender<Arc<Job>>,
}

impl Jobs {
    /// Jobs in a database. Nothing is done before [`Jobs::run`].
    pub fn new(db: Db, clock: Clock) -> Self {
        let store = Store(db.clone());
        Self(Arc::new(Inner {
            clock,
            db,
            rows: Rows::new(store.clone()),
            store,
            queue: Mutex::default(),
            workers: Mutex::default(),
            running: Mutex::default(),
            wake: Notify::new(),
            changes: broadcast::Sender::new(CHANGES),
        }))
    }

    /// Brings a worker, before [`Jobs::run`]. Rows of kinds that nobody brings are left alone.
    pub fn register(&self, worker: Arc<dyn Worker>) {
        let kind = worker.kind();
        self.queue().register(kind, worker.policy());
        lock(&self.0.workers).insert(kind, worker);
    }

    /// Begins to do jobs, those too that were left by the hub before.
    pub fn run(&self, tasks: &Tasks) {
        tasks.spawn(self.0.rows.clone().run(tasks.stopping()));
        tasks.spawn_until_stop(self.clone().follow());
        tasks.spawn_until_stop(self.clone().work(tasks.clone()));
    }

    /// Takes a job whose row is written first: what was answered holds after a kill.
    ///
    /// # Errors
    /// When the database is away, or too many of the kind wait.
    pub async fn start(&self, wanted: Wanted) -> Result<Job, Error> {
        let (kind, job) = (wanted.kind, self.job(wanted));
        let has_room = || {
            let queue = self.queue();
            let most = queue.policy(kind).map_or(0, |policy| policy.most_waiting);
            if queue.len(kind) < most { Ok(()) } else { Err(Error::TooMany(most)) }
        };
        let take = || {
            self.told(&job);
            self.push(&mut self.queue(), job.clone(), self.now());
        };
        self.0.rows.insert(&job, has_room, take).await?;
        self.0.wake.notify_one();
        Ok(job)
    }

    /// Takes a job at once; its row follows. Never waits. When too many wait, the oldest of the longest lane is given
    /// up.
    pub fn tell(&self, wanted: Wanted) -> JobId {
        let job = self.job(wanted);
        let (id, now) = (job.id, self.now());
        self.told(&job);
        let mut queue = self.queue();
        self.keep(&queue, job.clone());
        self.push(&mut queue, job, now);
        drop(queue);
        self.0.wake.notify_one();
        id
    }

    fn job(&self, wanted: Wanted) -> Job {
        let now = self.0.clock.now();
        Job {
            id: JobId(Uuid::now_v7()),
            kind: wanted.kind.to_owned(),
            lane: wanted.lane,
            about: wanted.about,
            title: wanted.title,
            input: wanted.input,
            priority: wanted.priority,
            created_at: now,
            attempts: 0,
            next_attempt_at: now,
            progress: None,
            error: None,
            finished: None,
            is_running: false,
        }
    }

    /// Adds to the queue; when that is too much, the oldest of the longest lane is given up.
    fn push(&self, queue: &mut Queue, job: Job, now: Now) {
        let Some(lost) = queue.push(job, now) else { return };
        metrics::counter!("larder_jobs_total", "kind" => lost.kind.clone(), "result" => "dropped").increment(1);
        repeats::say!(
            error, &lost.kind, { job.kind = lost.kind, job.id = %lost.id },
            "too many jobs wait: the oldest is given up"
        );
        self.told(&lost);
        self.keep(queue, lost);
    }

    /// One job.
    ///
    /// # Errors
    /// When there is none, or the database is away and it is not at hand.
    pub async fn get(&self, id: JobId) -> Result<Job, Error> {
        if let Some(job) = self.at_hand(id) {
            return Ok(job);
        }
        self.0.store.get(id).await?.ok_or(Error::NoSuchJob(id))
    }

    fn at_hand(&self, id: JobId) -> Option<Job> {
        let queued = self.queue().get(id).cloned();
        queued.or_else(|| self.0.rows.get(id))
    }

    /// The newest jobs that a filter lets through, as they stand now.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn list(&self, filter: Filter<'_>, most: usize) -> Result<Vec<Job>, Error> {
        self.0.rows.flush().await?;
        let mut jobs = self.0.store.list(filter, most).await?;
        let queue = self.queue();
        for job in &mut jobs {
            // Or it has ended since the rows were read.
            if let Some(now) = queue.get(job.id).cloned().or_else(|| self.0.rows.get(job.id)) {
                *job = now;
            }
        }
        Ok(jobs)
    }

    /// All jobs that wait or run, the newest first. Needs no database.
    pub fn unfinished(&self) -> Vec<Job> {
        let mut jobs: Vec<Job> = self.queue().jobs().cloned().collect();
        jobs.sort_by_key(|job| std::cmp::Reverse(job.id));
        jobs
    }

    /// Ends a job where it stands.
    ///
    /// # Errors
    /// When there is none, or it is finished. When the database is away: then it has ended, and is done again after a
    /// restart unless its row can be written before.
    pub async fn cancel(&self, id: JobId) -> Result<Job, Error> {
        let Some(job) = self.take_out(id) else {
            let job = self.get(id).await?;
            return Err(if job.finished.is_some() { Error::Finished(id) } else { Error::NotTaken(id) });
        };
        self.0.wake.notify_one();
        metrics::counter!("larder_jobs_total", "kind" => job.kind.clone(), "result" => "cancelled").increment(1);
        // What was answered holds after a kill.
        self.0.rows.flush().await?;
        Ok(job)
    }

    /// Out of the queue, cancelled.
    fn take_out(&self, id: JobId) -> Option<Job> {
        let now = self.now();
        let mut queue = self.queue();
        let Cancelled::Out(job) = queue.cancel(id, now) else { return None };
        self.keep(&queue, (*job).clone());
        self.end(&queue, id);
        self.told(&job);
        Some(*job)
    }

    /// Tries a lane's first job at once: what held it up was mended.
    pub fn hurry(&self, kind: &str, lane: &str) {
        self.queue().hurry(kind, lane);
        self.0.wake.notify_one();
    }

    /// Drops all jobs of a lane, finished ones too.
    ///
    /// # Errors
    /// When the database is away; then its jobs have ended, and their rows stay.
    pub async fn forget(&self, kind: &str, lane: &str) -> Result<(), Error> {
        let clear = || {
            let mut queue = self.queue();
            for job in queue.forget(kind, lane, self.now()) {
                self.end(&queue, job.id);
                self.told(&job);
            }
        };
        Ok(self.0.rows.forget(kind, lane, clear).await?)
    }

    /// The lanes in which jobs of a kind wait or run.
    pub fn lanes(&self, kind: &str) -> Vec<String> {
        self.queue().lanes(kind)
    }

    /// Watches one job until it is finished, or all.
    ///
    /// # Errors
    /// When that one does not exist, or can't be read.
    pub async fn watch(&self, only: Option<JobId>) -> Result<Watch, Error> {
        // Before the present state is read, so that no change between the two is missed.
        let changes = self.0.changes.subscribe();
        let present = match only {
            Some(id) => vec![self.get(id).await?],
            None => self.unfinished(),
        };
        Ok(Watch::new(self.clone(), only, present, changes))
    }

    /// Sets the gauges of what waits and runs.
    pub fn measure(&self) {
        let queue = self.queue();
        for kind in queue.kinds() {
            let running = queue.running(kind);
            let waiting = queue.len(kind).saturating_sub(running);
            metrics::gauge!("larder_jobs_waiting", "kind" => kind).set(number(waiting));
            metrics::gauge!("larder_jobs_running", "kind" => kind).set(number(running));
        }
    }

    /// Reads rows that the queue does not know, at the start, when the database says that there are some, and now and
    /// then.
    async fn follow(self) {
        let mut changes = self.0.db.changes();
        loop {
            // What is told up to now is seen by one look.
            while changes.try_recv().is_ok() {}
            let wait = match self.load().await {
                Ok(()) => LOOK,
                Err(error) => {
                    repeats::say!(warn, "", { cause = chain(&error) }, "jobs cannot be read yet");
                    RETRY
                }
            };
            let until = Instant::now() + wait;
            loop {
                let told = tokio::select! {
                    () = tokio::time::sleep_until(until) => break,
                    told = changes.recv() => told,
                };
                match told {
                    Ok(Change::Notice(channel)) if channel == CHANNEL => break,
                    Ok(Change::Connected) | Err(broadcast::error::RecvError::Lagged(_)) => break,
                    Ok(Change::Notice(_) | Change::Lost) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        }
    }

    async fn load(&self) -> Result<(), Error> {
        let kinds = self.queue().kinds();
        let take = |jobs: Vec<Job>| {
            let now = self.now();
            let mut queue = self.queue();
            for job in jobs {
                // One whose row waits, or could not be written, has ended.
                if queue.get(job.id).is_none() && !self.0.rows.knows(job.id) {
                    self.told(&job);
                    self.push(&mut queue, job, now);
                }
            }
        };
        self.0.rows.unfinished(&kinds, take).await?;
        self.0.wake.notify_one();
        Ok(())
    }

    async fn work(self, tasks: Tasks) {
        let mut under_way: FuturesUnordered<JoinHandle<(Job, Option<Ended>)>> = FuturesUnordered::new();
        loop {
            let now = self.now();
            let (due, next_at) = {
                let mut queue = self.queue();
                // Under the lock, so that whoever cancels a job finds what ends its attempt.
                let due: Vec<_> = queue.due(now).into_iter().map(|job| (self.begin(&job, &tasks), job)).collect();
                (due, queue.next_at(now))
            };
            for (cancelled, job) in due {
                under_way.push(self.attempt(job, cancelled, &tasks));
            }
            tokio::select! {
                biased;
                Some(ended) = under_way.next(), if !under_way.is_empty() => match ended {
                    Ok((job, ended)) => self.ended(&job, ended),
                    // A worker's panic is caught within the attempt; this is the runtime's end.
                    Err(error) => tracing::error!(%error, "a job's attempt was lost"),
                },
                () = self.0.wake.notified() => {}
                () = tokio::time::sleep_until(next_at.unwrap_or_else(|| Instant::now() + LOOK)) => {}
            }
        }
    }

    /// What ends the attempt that begins now.
    fn begin(&self, job: &Job, tasks: &Tasks) -> CancellationToken {
        let cancelled = tasks.stopping().child_token();
        lock(&self.0.running).insert(job.id, cancelled.clone());
        self.told(job);
        cancelled
    }

    /// Ends the attempt at a job that is out of the queue, under the queue's lock.
    fn end(&self, _queue: &Queue, id: JobId) {
        if let Some(attempt) = lock(&self.0.running).get(&id) {
            attempt.cancel();
        }
    }

    /// Does a job once, on a task of its own. `None` when it was cancelled or the hub stops.
    fn attempt(&self, job: Job, cancelled: CancellationToken, tasks: &Tasks) -> JoinHandle<(Job, Option<Ended>)> {
        let worker = lock(&self.0.workers).get(job.kind.as_str()).cloned();
        let attempt = Attempt { job: job.clone(), jobs: self.clone(), said: Mutex::default() };
        let doing = tasks.spawn(async move {
            let Some(worker) = worker else { return Some(Ended::Failed("nobody does this kind of job".to_owned())) };
            let longest = worker.policy().attempt;
            tokio::select! {
                biased;
                () = cancelled.cancelled() => None,
                done = tokio::time::timeout(longest, worker.attempt(&attempt)) => Some(match done {
                    Ok(Ok(())) => Ended::Done,
                    Ok(Err(Failed { why, is_permanent: true })) => Ended::Refused(why),
                    Ok(Err(Failed { why, is_permanent: false })) => Ended::Failed(why),
                    Err(_elapsed) => Ended::Failed(format!("it took more than {} s", longest.as_secs())),
                }),
            }
        });
        tasks.spawn(async move {
            let ended = doing.await.unwrap_or_else(|error| Some(Ended::Failed(format!("its worker broke: {error}"))));
            (job, ended)
        })
    }

    fn ended(&self, tried: &Job, ended: Option<Ended>) {
        lock(&self.0.running).remove(&tried.id);
        let now = self.now();
        let chance = secrets::random::<1>().map_or(0.5, |[byte]| f64::from(byte) / 255.0);
        // What was cancelled is out of the queue already, and gives its place back here.
        let ended = ended.unwrap_or_else(|| Ended::Failed("it was ended".to_owned()));
        let mut queue = self.queue();
        let Some(job) = queue.ended(tried, ended, now, chance) else { return };
        self.keep(&queue, job.clone());
        drop(queue);
        let result = match job.finished.map(|finished| finished.outcome) {
            Some(Outcome::Succeeded) => "succeeded",
            Some(Outcome::Failed | Outcome::Cancelled) => "failed",
            None => "retried",
        };
        metrics::counter!("larder_jobs_total", "kind" => job.kind.clone(), "result" => result).increment(1);
        if let Some(cause) = &job.error {
            if job.finished.is_some() {
                repeats::say!(error, &job.lane, { job.kind, job.title, cause }, "a job was given up");
            } else {
                repeats::say!(warn, &job.lane, { job.kind, job.title, cause }, "a job failed; it is tried again");
            }
        }
        self.told(&job);
    }

    /// Under the queue's lock: a job that left the queue is among the rows that wait, or its row is written.
    fn keep(&self, queue: &Queue, job: Job) {
        let kept = queue.policy(&job.kind).map_or(0, |policy| policy.kept);
        self.0.rows.keep(job, kept);
    }

    fn told(&self, job: &Job) {
        // An error means that nobody watches.
        let _ = self.0.changes.send(Arc::new(job.clone()));
    }

    fn now(&self) -> Now {
        let instant = Instant::now();
        Now { instant, wall: self.0.clock.at(instant) }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.0.queue)
    }
}

/// One attempt, as its worker sees it.
pub struct Attempt {
    job: Job,
    jobs: Jobs,
    said: Mutex<Said>,
}

/// When progress was told and written last.
#[derive(Default)]
struct Said {
    told: Option<Instant>,
    kept: Option<Instant>,
}

impl Attempt {
    /// The job as it was when the attempt began.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Says how far it is: as often as one likes, watchers and rows are told a few times a second at most.
    pub fn progress(&self, progress: Progress) {
        let mut queue = self.jobs.queue();
        let Some(job) = queue.progress(self.job.id, progress) else { return };
        let mut said = lock(&self.said);
        let due = |last: Option<Instant>, pause| last.is_none_or(|last| last.elapsed() >= pause);
        if due(said.told, TELL) {
            said.told = Some(Instant::now());
            self.jobs.told(&job);
        }
        if due(said.kept, KEEP) {
            said.kept = Some(Instant::now());
            self.jobs.keep(&queue, job);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(value: usize) -> f64 {
    f64::from(u32::try_from(value).unwrap_or(u32::MAX))
}
