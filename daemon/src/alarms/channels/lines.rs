//! What waits to be sent: one line a channel, in order, one under way at a time: pure.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{ChannelId, Delivery, DeliveryId, Finished};

/// Deliveries that wait at most, over all channels: a day of a house's worst.
const MOST: usize = 1000;
/// After the first failure; each further one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// What could not be sent for so long is given up: it would be no news any more.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);

/// How an attempt ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    Delivered,
    /// It may work later.
    Failed(String),
    /// It will never work as it is.
    Refused(String),
}

/// The moment, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) instant: Instant,
    pub(super) wall: Timestamp,
}

/// All lines.
#[derive(Default)]
pub(super) struct Lines {
    by_channel: BTreeMap<ChannelId, Line>,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Delivery>,
    /// Which is under way: the first, unless that was dropped meanwhile.
    under_way: Option<DeliveryId>,
    /// The first is not tried before.
    not_before: Option<Instant>,
}

impl Lines {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.by_channel.values().map(|line| line.waiting.len()).sum()
    }

    /// Adds a delivery; the one that is given up for it, when there are too many.
    pub(super) fn push(&mut self, delivery: Delivery, now: Now) -> Option<Delivery> {
        let line = self.by_channel.entry(delivery.channel).or_default();
        // Of one that was tried before the hub's start.
        if line.waiting.is_empty() && delivery.attempts > 0 {
            let left = delivery.next_attempt_at.duration_since(now.wall);
            let left = if left.is_negative() { Duration::ZERO } else { left.unsigned_abs() };
            line.not_before = Some(now.instant + left.min(LONGEST_PAUSE));
        }
        line.waiting.push_back(delivery);
        if self.len() <= MOST { None } else { self.give_up_oldest(now) }
    }

    /// The oldest of the longest line: a channel that is down must not cost the others theirs.
    fn give_up_oldest(&mut self, now: Now) -> Option<Delivery> {
        let line = self.by_channel.values_mut().max_by_key(|line| line.waiting.len())?;
        let mut lost = line.waiting.pop_front()?;
        line.not_before = None;
        lost.finished = Some(Finished { at: now.wall, delivered: false });
        lost.error = Some("too many messages waited".to_owned());
        Some(lost)
    }

    /// What is to be tried now; it is under way then.
    pub(super) fn due(&mut self, now: Now) -> Vec<Delivery> {
        let mut due = Vec::new();
        for line in self.by_channel.values_mut() {
            let is_time = line.not_before.is_none_or(|at| at <= now.instant);
            if let Some(first) = line.waiting.front()
                && line.under_way.is_none()
                && is_time
            {
                line.under_way = Some(first.id);
                due.push(first.clone());
            }
        }
        due
    }

    /// When the next is due; `None` while all wait for nothing but what is under way.
    pub(super) fn next_at(&self, now: Now) -> Option<Instant> {
        let idle = self.by_channel.values().filter(|line| line.under_way.is_none() && !line.waiting.is_empty());
        idle.map(|line| line.not_before.unwrap_or(now.instant)).min()
    }

    /// Notes how an attempt ended; the delivery as it stands now. `None` when it was dropped meanwhile. `chance` is 0
    /// to 1 and spreads the pauses.
    pub(super) fn ended(&mut self, tried: &Delivery, outcome: Outcome, now: Now, chance: f64) -> Option<Delivery> {
        let line = self.by_channel.get_mut(&tried.channel)?;
        line.under_way = line.under_way.filter(|id| *id != tried.id);
        let first = line.waiting.front_mut().filter(|first| first.id == tried.id)?;
        first.attempts += 1;
        let (error, delivered) = match outcome {
            Outcome::Delivered => (None, Some(true)),
            Outcome::Refused(why) => (Some(why), Some(false)),
            Outcome::Failed(why) => {
                let is_old = now.wall.duration_since(first.created_at) >= GIVE_UP;
                (Some(why), is_old.then_some(false))
            }
        };
        first.error = error;
        if let Some(delivered) = delivered {
            first.finished = Some(Finished { at: now.wall, delivered });
            line.not_before = None;
            return line.waiting.pop_front();
        }
        let pause = pause(first.attempts, chance);
        line.not_before = Some(now.instant + pause);
        first.next_attempt_at = now.wall.saturating_add(pause).unwrap_or(Timestamp::MAX);
        Some(first.clone())
    }

    /// A channel that was changed is tried at once.
    pub(super) fn hurry(&mut self, channel: ChannelId) {
        if let Some(line) = self.by_channel.get_mut(&channel) {
            line.not_before = None;
        }
    }

    /// Drops what waits for channels that are gone.
    pub(super) fn keep_only(&mut self, is_there: impl Fn(ChannelId) -> bool) {
        self.by_channel.retain(|channel, _| is_there(*channel));
    }
}

/// Doubles, and spreads over the upper half, so that channels of one server do not come at once.
fn pause(attempts: u32, chance: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
    doubled.min(LONGEST_PAUSE).mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{
        super::{AlarmId, note::Note},
        *,
    };

    fn now(start: Instant, seconds: u64) -> Now {
        let wall = Timestamp::UNIX_EPOCH + Duration::from_secs(seconds);
        Now { instant: start + Duration::from_secs(seconds), wall }
    }

    fn delivery(channel: ChannelId) -> Delivery {
        Delivery {
            id: DeliveryId(Uuid::now_v7()),
            alarm: AlarmId(Uuid::nil()),
            about: None,
            channel,
            note: Note::test(Timestamp::UNIX_EPOCH),
            created_at: Timestamp::UNIX_EPOCH,
            attempts: 0,
            next_attempt_at: Timestamp::UNIX_EPOCH,
            finished: None,
            error: None,
        }
    }

    fn failed() -> Outcome {
        Outcome::Failed("down".to_owned())
    }

    #[test]
    fn a_channels_messages_go_out_in_order_and_hold_up_no_other_channel() {
        let start = Instant::now();
        let (phone, mail) = (ChannelId::random(), ChannelId::random());
        let (first, second, other) = (delivery(phone), delivery(phone), delivery(mail));
        let mut lines = Lines::default();
        for delivery in [&first, &second, &other] {
            assert_eq!(lines.push(delivery.clone(), now(start, 0)), None);
        }
        let due: Vec<_> = lines.due(now(start, 0)).into_iter().map(|delivery| delivery.id).collect();
        assert!(due.len() == 2 && due.contains(&first.id) && due.contains(&other.id));
        assert_eq!((lines.due(now(start, 0)), lines.next_at(now(start, 0))), (vec![], None), "both are under way");
        let after = lines.ended(&first, failed(), now(start, 1), 1.0).unwrap();
        assert_eq!((after.attempts, after.error.as_deref(), after.finished), (1, Some("down"), None));
        assert_eq!(lines.next_at(now(start, 1)), Some(now(start, 3).instant));
        assert!(lines.due(now(start, 2)).is_empty(), "the second waits for the first");
        assert_eq!(lines.due(now(start, 3))[0].id, first.id);
        let after = lines.ended(&first, Outcome::Delivered, now(start, 3), 1.0).unwrap();
        assert!(after.finished.unwrap().delivered && after.error.is_none());
        assert_eq!(lines.due(now(start, 3))[0].id, second.id);
    }

    #[test]
    fn pauses_double_up_to_ten_minutes_and_what_never_works_is_given_up() {
        let seconds = |attempts| pause(attempts, 1.0).as_secs();
        assert_eq!(
            [seconds(1), seconds(2), seconds(3), seconds(9), seconds(10), seconds(99)],
            [2, 4, 8, 512, 600, 600]
        );
        assert_eq!(pause(1, 0.0), Duration::from_secs(1));
        let start = Instant::now();
        let channel = ChannelId::random();
        let mut lines = Lines::default();
        let (old, refused) = (delivery(channel), delivery(channel));
        lines.push(old.clone(), now(start, 0));
        lines.push(refused.clone(), now(start, 0));
        lines.due(now(start, 0));
        let day = 24 * 3600;
        let after = lines.ended(&old, failed(), now(start, day), 1.0).unwrap();
        assert_eq!(after.finished.map(|finished| finished.delivered), Some(false), "a day is too long");
        lines.due(now(start, day));
        let outcome = Outcome::Refused("410 Gone".to_owned());
        let after = lines.ended(&refused, outcome, now(start, day), 1.0).unwrap();
        assert_eq!((after.attempts, after.error.as_deref()), (1, Some("410 Gone")));
        assert_eq!(lines.len(), 0);
    }

    #[test]
    fn a_changed_channel_is_tried_at_once_and_a_removed_one_not_at_all() {
        let start = Instant::now();
        let channel = ChannelId::random();
        let mut lines = Lines::default();
        let waiting = delivery(channel);
        lines.push(waiting.clone(), now(start, 0));
        lines.due(now(start, 0));
        lines.ended(&waiting, failed(), now(start, 0), 1.0);
        lines.hurry(channel);
        assert_eq!(lines.due(now(start, 0)).len(), 1);
        lines.keep_only(|_| false);
        assert_eq!(lines.ended(&waiting, Outcome::Delivered, now(start, 1), 1.0), None);
    }

    #[test]
    fn too_many_cost_the_longest_line_its_oldest() {
        let start = Instant::now();
        let (down, fine) = (ChannelId::random(), ChannelId::random());
        let mut lines = Lines::default();
        let oldest = delivery(down);
        lines.push(oldest.clone(), now(start, 0));
        for _ in 0..MOST - 1 {
            assert_eq!(lines.push(delivery(down), now(start, 0)), None);
        }
        let lost = lines.push(delivery(fine), now(start, 0)).unwrap();
        assert_eq!((lost.id, lost.finished.map(|finished| finished.delivered)), (oldest.id, Some(false)));
        assert_eq!(lines.len(), MOST);
    }
}
