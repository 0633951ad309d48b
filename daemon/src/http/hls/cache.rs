//! Closed ranges, built once and kept compressed.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;

use super::answer::Text;
use crate::recordings::Stamp;

/// An hour is about 15 kB compressed: some five hundred hours, or sixteen days of four cameras' pages.
const MOST_BYTES: usize = 8 << 20;
/// What an entry costs beside its text.
const ENTRY: usize = 256;

type Key = (CameraId, Timestamp, Timestamp);
/// What a text was made of: the state of its segments, and how many temperatures.
type Content = (Stamp, usize);

/// Texts by camera and range. When it is full, those that were asked for longest ago go.
#[derive(Default)]
pub(super) struct Cache(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    turn: u64,
}

struct Entry {
    stamp: Content,
    text: Text,
    used: u64,
}

impl Cache {
    /// The text of a range, if what is stored of it is still the same.
    pub(super) fn find(&self, camera: CameraId, range: &Range<Timestamp>, stamp: &Content) -> Option<Text> {
        let mut inner = self.inner();
        inner.turn += 1;
        let turn = inner.turn;
        let entry = inner.entries.get_mut(&(camera, range.start, range.end))?;
        if entry.stamp != *stamp {
            return None;
        }
        entry.used = turn;
        Some(entry.text.clone())
    }

    /// Keeps the text of a range.
    pub(super) fn keep(&self, camera: CameraId, range: &Range<Timestamp>, stamp: Content, text: &Text) {
        let mut inner = self.inner();
        inner.turn += 1;
        let entry = Entry { stamp, text: text.clone(), used: inner.turn };
        inner.bytes += entry.cost();
        if let Some(old) = inner.entries.insert((camera, range.start, range.end), entry) {
            inner.bytes -= old.cost();
        }
        while inner.bytes > MOST_BYTES {
            // Rare, and over a few hundred entries: no list is kept for it.
            let oldest = inner.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
            let Some(removed) = oldest.and_then(|key| inner.entries.remove(&key)) else { break };
            inner.bytes -= removed.cost();
        }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn cost(&self) -> usize {
        self.text.size_bytes() + ENTRY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(hour: i64) -> Range<Timestamp> {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        at(hour)..at(hour + 1)
    }

    #[test]
    fn a_range_that_changed_is_built_anew() {
        let (cache, camera) = (Cache::default(), CameraId::random());
        cache.keep(camera, &range(0), (Stamp::for_test(1), 0), &Text::new("one"));
        assert!(cache.find(camera, &range(0), &(Stamp::for_test(1), 0)).is_some());
        assert!(cache.find(camera, &range(0), &(Stamp::for_test(2), 0)).is_none());
        assert!(cache.find(camera, &range(0), &(Stamp::for_test(1), 60)).is_none(), "readings came late");
        assert!(cache.find(CameraId::random(), &range(0), &(Stamp::for_test(1), 0)).is_none());
    }

    #[test]
    fn what_was_asked_for_longest_ago_goes_first() {
        let (cache, camera) = (Cache::default(), CameraId::random());
        // Random digits do not compress: 100 kB of them are some 45 kB.
        let mut seed = 1u64;
        let mut noise = || {
            let mut text = String::new();
            while text.len() < 200_000 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(&format!("{:x}", seed >> 16));
            }
            Text::new(&text)
        };
        for hour in 0..200 {
            cache.keep(camera, &range(hour), (Stamp::for_test(hour), 0), &noise());
            assert!(
                cache.find(camera, &range(0), &(Stamp::for_test(0), 0)).is_some(),
                "asked for again at hour {hour}"
            );
        }
        assert!(cache.find(camera, &range(1), &(Stamp::for_test(1), 0)).is_none());
        let inner = cache.inner();
        assert!(inner.bytes <= MOST_BYTES);
        assert_eq!(inner.bytes, inner.entries.values().map(Entry::cost).sum::<usize>());
    }
}
