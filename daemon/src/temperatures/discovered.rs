//! Sources that were heard and belong to no sensor: remembered until the hub ends, as many as there is room for.

use std::collections::HashMap;

use jiff::Timestamp;
use larder_proto::wire::camera::MilliCelsius;

use super::{Heard, Source};

/// A house has a few; anybody on the network can make up more.
const MOST: usize = 256;

/// A source that no sensor has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Discovered {
    /// Which.
    pub source: Source,
    /// When it was heard first.
    pub first_heard_at: Timestamp,
    /// And last.
    pub last_heard_at: Timestamp,
    /// How often.
    pub readings: u64,
    /// The newest value. `None`: the probe failed.
    pub value: Option<MilliCelsius>,
}

#[derive(Default)]
pub(super) struct Unknown(HashMap<Source, Discovered>);

impl Unknown {
    pub(super) fn note(&mut self, heard: Heard) {
        let Heard { source, received_at, value, .. } = heard;
        if let Some(known) = self.0.get_mut(&source) {
            known.last_heard_at = received_at;
            known.readings += 1;
            known.value = value;
            return;
        }
        if self.0.len() >= MOST {
            self.forget_one();
        }
        let new = Discovered {
            source: source.clone(),
            first_heard_at: received_at,
            last_heard_at: received_at,
            readings: 1,
            value,
        };
        self.0.insert(source, new);
    }

    /// The one that was heard least goes, and of those the one that was silent longest: made-up ones come once.
    fn forget_one(&mut self) {
        let least = self.0.values().min_by_key(|known| (known.readings, known.last_heard_at));
        if let Some(source) = least.map(|known| known.source.clone()) {
            self.0.remove(&source);
        }
    }

    /// Forgets what has become a sensor's.
    pub(super) fn retain(&mut self, unknown: impl Fn(&Source) -> bool) {
        self.0.retain(|source, _| unknown(source));
    }

    /// All of them, the newest first.
    pub(super) fn all(&self) -> Vec<Discovered> {
        let mut all: Vec<_> = self.0.values().cloned().collect();
        all.sort_by(|one, other| {
            other.last_heard_at.cmp(&one.last_heard_at).then_with(|| one.source.cmp(&other.source))
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::clock::from_us;

    fn heard(device: &str, second: i64) -> Heard {
        let at = from_us(second * 1_000_000);
        let source = Source::Text { address: IpAddr::from([10, 0, 0, 1]), device: device.to_owned() };
        Heard { source, captured_at: at, received_at: at, value: Some(MilliCelsius(4000)) }
    }

    #[test]
    fn the_newest_comes_first_and_each_is_counted() {
        let mut unknown = Unknown::default();
        for (device, second) in [("a", 1), ("b", 2), ("a", 3)] {
            unknown.note(heard(device, second));
        }
        let all = unknown.all();
        assert_eq!(all.iter().map(|known| known.readings).collect::<Vec<_>>(), [2, 1]);
        assert_eq!((all[0].first_heard_at, all[0].last_heard_at), (from_us(1_000_000), from_us(3_000_000)));
        unknown.retain(|source| *source != all[0].source);
        assert_eq!(unknown.all().len(), 1);
    }

    #[test]
    fn made_up_names_take_bounded_memory_and_do_not_drive_out_a_real_one() {
        let mut unknown = Unknown::default();
        unknown.note(heard("real", 0));
        unknown.note(heard("real", 30));
        for second in 0..10_000 {
            unknown.note(heard(&format!("made-up-{second}"), second + 60));
        }
        let all = unknown.all();
        assert_eq!(all.len(), MOST);
        assert!(all.iter().any(|known| known.source == heard("real", 0).source));
    }
}
