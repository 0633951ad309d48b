//! One direction of a line, on whatever clock the caller keeps: pure.
//!
//! A packet waits in the queue of the router before the line, is put on it at the line's rate, may be lost there, and
//! arrives a delay later. What finds the queue full is dropped, as routers do.

use std::time::Duration;

use crate::simulate::Dice;

/// By how much a packet that is overtaken is late.
const OVERTAKEN_BY: Duration = Duration::from_millis(8);

/// How a line is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Bits a second, of whole IP packets; `None`: as fast as they come.
    pub rate_bits: Option<u64>,
    /// From one end to the other.
    pub delay: Duration,
    /// The share of packets that vanish, 0 to 1.
    pub loss: f64,
    /// The share of packets that later ones overtake, 0 to 1.
    pub reordering: f64,
    /// What the router before the line holds, in bytes.
    pub queue_bytes: usize,
}

impl Conditions {
    /// A line that changes nothing.
    pub const PERFECT: Self =
        Self { rate_bits: None, delay: Duration::ZERO, loss: 0.0, reordering: 0.0, queue_bytes: usize::MAX };

    /// So many bits a second, with a delay, and a queue of a tenth of a second.
    pub fn new(rate_bits: u64, delay: Duration) -> Self {
        let queue_bytes = usize::try_from(rate_bits / 8 / 10).unwrap_or(usize::MAX);
        Self { rate_bits: Some(rate_bits), delay, queue_bytes, ..Self::PERFECT }
    }

    /// How long so many bytes take to be put on the line.
    pub(crate) fn time_of(&self, bytes: usize) -> Duration {
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        self.rate_bits.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bits as f64 / rate.max(1) as f64))
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    /// It arrives then.
    Arrives(Duration),
    /// It was on the line and does not arrive.
    Lost,
    /// The queue was full.
    Dropped,
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Line {
    conditions: Conditions,
    dice: Dice,
    /// When all that was taken is on the line.
    free_at: Duration,
}

impl Line {
    /// The seed decides who is lost.
    pub(crate) fn new(conditions: Conditions, seed: u64) -> Self {
        Self { conditions, dice: Dice::new(seed), free_at: Duration::ZERO }
    }

    /// Takes a packet of so many bytes.
    pub(crate) fn offer(&mut self, now: Duration, bytes: usize) -> Fate {
        if !self.has_room(now, bytes) {
            return Fate::Dropped;
        }
        let arrives = self.put(now, bytes);
        // Both are thrown for each packet, so that one probability does not decide whom the other one hits.
        let (lost, overtaken) = (self.dice.share(), self.dice.share());
        if lost < self.conditions.loss {
            Fate::Lost
        } else if overtaken < self.conditions.reordering {
            Fate::Arrives(arrives + OVERTAKEN_BY)
        } else {
            Fate::Arrives(arrives)
        }
    }

    /// Takes a piece of a byte stream, of which nothing may be missing: one that is lost arrives when the other end has
    /// found out and had it sent again, a round trip later. Whoever asks first whether there is room loses nothing.
    pub(crate) fn carry(&mut self, now: Duration, bytes: usize) -> Duration {
        let arrives = self.put(now, bytes);
        if self.dice.share() < self.conditions.loss { arrives + 2 * self.conditions.delay } else { arrives }
    }

    /// Whether the queue has room for so many bytes more. One packet always fits an empty queue.
    pub(crate) fn has_room(&self, now: Duration, bytes: usize) -> bool {
        let waiting = self.free_at.saturating_sub(now);
        let room = self.conditions.time_of(self.conditions.queue_bytes);
        waiting.is_zero() || waiting + self.conditions.time_of(bytes) <= room
    }

    fn put(&mut self, now: Duration, bytes: usize) -> Duration {
        self.free_at = self.free_at.max(now) + self.conditions.time_of(bytes);
        self.free_at + self.conditions.delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    /// A millisecond of a line of 8 Mbit/s.
    const PACKET: usize = 1000;

    fn eight_mbit() -> Conditions {
        Conditions { queue_bytes: 10 * PACKET, ..Conditions::new(8_000_000, 20 * MS) }
    }

    #[test]
    fn packets_leave_at_the_lines_rate_and_arrive_a_delay_later() {
        let mut line = Line::new(eight_mbit(), 1);
        assert_eq!(line.offer(Duration::ZERO, PACKET), Fate::Arrives(21 * MS));
        assert_eq!(line.offer(Duration::ZERO, PACKET), Fate::Arrives(22 * MS));
        // The line was idle meanwhile: what it did not carry is not made up for.
        assert_eq!(line.offer(100 * MS, PACKET), Fate::Arrives(121 * MS));
    }

    #[test]
    fn what_finds_the_queue_full_is_dropped_and_what_comes_later_is_not() {
        let mut line = Line::new(eight_mbit(), 1);
        let fates: Vec<_> = (0..15).map(|_| line.offer(Duration::ZERO, PACKET)).collect();
        assert_eq!(fates.iter().filter(|fate| **fate == Fate::Dropped).count(), 5);
        assert_eq!(fates[9], Fate::Arrives(30 * MS));
        assert_eq!(line.offer(3 * MS, PACKET), Fate::Arrives(31 * MS));
    }

    #[test]
    fn a_line_carries_its_rate_however_it_is_pushed() {
        for every_us in [100, 900, 1000] {
            let mut line = Line::new(eight_mbit(), 1);
            let mut bytes = 0;
            for step in 0..10_000_000 / every_us {
                if let Fate::Arrives(at) = line.offer(Duration::from_micros(step * every_us), PACKET)
                    && at <= Duration::from_secs(10)
                {
                    bytes += PACKET;
                }
            }
            let rate = bytes as f64 * 8.0 / 10.0;
            assert!((7_970_000.0..=8_000_000.0).contains(&rate), "{rate} bits/s at one in {every_us} µs");
        }
    }

    #[test]
    fn so_many_are_lost_and_overtaken_and_the_seed_says_which() {
        let conditions = Conditions { loss: 0.1, reordering: 0.05, ..eight_mbit() };
        let fates = |seed| {
            let mut line = Line::new(conditions, seed);
            (0..20_000).map(|number| line.offer(2 * MS * number, PACKET)).collect::<Vec<_>>()
        };
        let first = fates(7);
        assert_eq!(first, fates(7));
        assert_ne!(first, fates(8));
        let lost = first.iter().filter(|fate| **fate == Fate::Lost).count();
        assert!((1800..=2200).contains(&lost), "{lost} of 20000");
        let arrivals: Vec<_> =
            first.iter().filter_map(|fate| if let Fate::Arrives(at) = fate { Some(*at) } else { None }).collect();
        let overtaken = arrivals.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!((700..=1100).contains(&overtaken), "{overtaken} of 20000");
    }

    #[test]
    fn a_lost_piece_of_a_stream_comes_a_round_trip_later() {
        let mut line = Line::new(Conditions { loss: 1.0, ..eight_mbit() }, 1);
        assert!(line.has_room(Duration::ZERO, 10 * PACKET));
        assert_eq!(line.carry(Duration::ZERO, 10 * PACKET), 70 * MS);
        assert!(!line.has_room(Duration::ZERO, PACKET));
        assert!(line.has_room(MS, PACKET));
    }

    #[test]
    fn a_perfect_line_changes_nothing() {
        let mut line = Line::new(Conditions::PERFECT, 1);
        assert_eq!(line.offer(5 * MS, 1 << 30), Fate::Arrives(5 * MS));
        assert_eq!(line.offer(5 * MS, 1 << 30), Fate::Arrives(5 * MS));
    }
}
