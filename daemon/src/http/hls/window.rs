//! Which fragments a playlist lists: pure.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;

use crate::recordings::{Played, RunId};

/// How much the live playlist lists: seven target durations, where RFC 8216 (6.2.2) asks for three.
const LIVE: Duration = Duration::from_secs(60);

/// A fragment, with what a playlist says of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// Its run.
    pub(super) run: RunId,
    /// The run's ordinal.
    pub(super) ordinal: i64,
    /// Its own number.
    pub(super) sequence: i64,
    /// Capture time of its first frame.
    pub(super) start: Timestamp,
    /// Until the next fragment.
    pub(super) duration: Duration,
    /// The segment's file name.
    pub(super) file: Arc<str>,
    /// Where in the file.
    pub(super) bytes: Range<u64>,
}

impl Item {
    pub(super) fn end(&self) -> Timestamp {
        self.start + self.duration
    }

    /// Whether `next` carries this one's numbers on.
    fn is_just_before(&self, next: &Self) -> bool {
        let same_run = self.run == next.run;
        self.sequence + 1 == next.sequence && (same_run || self.ordinal + 1 == next.ordinal)
    }
}

/// The fragments of segments, in their order.
pub(super) fn items(played: &[Played]) -> Vec<Item> {
    let mut items = Vec::new();
    for Played { run, segment } in played {
        let file: Arc<str> = run.dated.file_name(segment.started_at).into();
        let numbered = (segment.first_sequence..).zip(segment.fragments.fragments());
        // What is damaged is a hole: players fail at it, and at what follows.
        for (sequence, fragment) in numbered.filter(|(_, fragment)| !fragment.is_damaged) {
            items.push(Item {
                run: run.id,
                ordinal: run.ordinal,
                sequence,
                start: segment.started_at + fragment.start,
                duration: fragment.duration,
                file: Arc::clone(&file),
                bytes: fragment.offset..fragment.offset + fragment.size,
            });
        }
    }
    items
}

/// Those that reach into a range.
pub(super) fn between(items: &[Item], range: &Range<Timestamp>) -> Vec<Item> {
    items.iter().filter(|item| item.start < range.end && item.end() > range.start).cloned().collect()
}

/// The newest minute, as far back as numbers go without a hole: a playlist counts its fragments from the first, so
/// a hole would give every fragment behind it another number. `floor` is told the first and the last number, and
/// answers with the least that may be listed.
pub(super) fn live(items: &[Item], floor: impl FnOnce(i64, i64) -> i64) -> Vec<Item> {
    let Some(last) = items.last() else { return Vec::new() };
    let mut first = items.len() - 1;
    let mut length = last.duration;
    while length < LIVE && first > 0 && items[first - 1].is_just_before(&items[first]) {
        first -= 1;
        length += items[first].duration;
    }
    let floor = floor(items[first].sequence, last.sequence);
    items[first..].iter().filter(|item| item.sequence >= floor).cloned().collect()
}

/// The first number of each camera's last live playlist. Fragments that are found late could lengthen the window
/// backward; players hold a live playlist that goes back for another stream.
#[derive(Default)]
pub(super) struct Floors(Mutex<HashMap<CameraId, i64>>);

impl Floors {
    /// Raises a camera's floor to `first` and answers with it. A `last` below the floor means that numbering began
    /// anew, and so does the floor.
    pub(super) fn raise(&self, camera: CameraId, first: i64, last: i64) -> i64 {
        let mut floors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let floor = floors.entry(camera).or_insert(first);
        *floor = if last < *floor { first } else { first.max(*floor) };
        *floor
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn item(ordinal: i64, sequence: i64) -> Item {
        let start = Timestamp::from_second(sequence * 2).unwrap();
        let run = RunId(Uuid::from_u128(u128::try_from(ordinal).unwrap()));
        let duration = Duration::from_secs(2);
        Item { run, ordinal, sequence, start, duration, file: "0.m4s".into(), bytes: 0..1 }
    }

    fn sequences(items: &[Item]) -> Vec<i64> {
        items.iter().map(|item| item.sequence).collect()
    }

    #[test]
    fn the_live_window_is_the_newest_minute() {
        let items: Vec<_> = (0..100).map(|sequence| item(0, sequence)).collect();
        assert_eq!(sequences(&live(&items, |first, _| first)), (70..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_live_window_ends_at_a_hole_in_the_numbers() {
        let lost_fragment = [item(0, 5), item(0, 7), item(0, 8)];
        assert_eq!(sequences(&live(&lost_fragment, |first, _| first)), [7, 8]);
        let lost_run = [item(0, 5), item(2, 6), item(2, 7)];
        assert_eq!(sequences(&live(&lost_run, |first, _| first)), [6, 7]);
        let next_run = [item(0, 5), item(1, 6), item(1, 7)];
        assert_eq!(sequences(&live(&next_run, |first, _| first)), [5, 6, 7]);
    }

    #[test]
    fn fragments_found_late_do_not_move_the_live_window_back() {
        let (floors, camera) = (Floors::default(), CameraId::random());
        let with_hole = [item(0, 5), item(0, 7), item(0, 8)];
        live(&with_hole, |first, last| floors.raise(camera, first, last));
        let filled = [item(0, 5), item(0, 6), item(0, 7), item(0, 8), item(0, 9)];
        assert_eq!(sequences(&live(&filled, |first, last| floors.raise(camera, first, last))), [7, 8, 9]);
        let anew = [item(0, 0), item(0, 1)];
        assert_eq!(sequences(&live(&anew, |first, last| floors.raise(camera, first, last))), [0, 1]);
    }

    #[test]
    fn a_range_takes_the_fragments_that_reach_into_it() {
        let items: Vec<_> = (0..10).map(|sequence| item(0, sequence)).collect();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(sequences(&between(&items, &(at(3)..at(8)))), [1, 2, 3]);
        assert_eq!(sequences(&between(&items, &(at(4)..at(5)))), [2]);
        assert!(between(&items, &(at(20)..at(30))).is_empty());
    }

    proptest! {
        /// What is stored grows at the end, loses fragments to deletion and finds some late.
        #[test]
        fn successive_live_windows_never_renumber(
            run_lengths in proptest::collection::vec(1i64..40, 1..8),
            steps in proptest::collection::vec((1usize..12, proptest::collection::vec(any::<prop::sample::Index>(), 0..4)), 1..20),
        ) {
            let mut all = Vec::new();
            for (ordinal, length) in (0i64..).zip(run_lengths) {
                for _ in 0..length {
                    all.push(item(ordinal, i64::try_from(all.len()).unwrap()));
                }
            }
            let (floors, camera) = (Floors::default(), CameraId::random());
            let mut stored = 0;
            let mut before: Option<Vec<Item>> = None;
            for (grown, missing) in steps {
                stored = (stored + grown).min(all.len());
                let mut now = all[..stored].to_vec();
                for index in missing {
                    if now.len() > 1 {
                        // The newest is never the one that is missing: it is the one being written.
                        let gone = index.index(now.len() - 1);
                        now.remove(gone);
                    }
                }
                let window = live(&now, |first, last| floors.raise(camera, first, last));
                prop_assert!(!window.is_empty());
                for pair in window.windows(2) {
                    prop_assert!(pair[0].is_just_before(&pair[1]));
                }
                if let Some(before) = before {
                    prop_assert!(before[0].sequence <= window[0].sequence);
                    prop_assert!(before.last().unwrap().sequence <= window.last().unwrap().sequence);
                }
                before = Some(window);
            }
        }
    }
}
