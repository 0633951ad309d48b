//! What was recorded in a range, what was not, and why: pure.

use std::ops::Range;

use jiff::Timestamp;
use larder_proto::wire::CameraId;

use super::{Gap, GapReason, RunId};

/// Segments of one run that follow each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stretch {
    /// Of which run.
    pub run: RunId,
    /// From the first fragment's start to the last one's end.
    pub range: Range<Timestamp>,
    /// Bytes of the segments.
    pub size_bytes: u64,
    /// Whether its times are true.
    pub is_date_known: bool,
}

/// A range's stretches and gaps, each in the order of time; no gap overlaps a stretch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// What was recorded.
    pub stretches: Vec<Stretch>,
    /// What was not.
    pub gaps: Vec<Gap>,
}

impl Timeline {
    /// Cuts stretches and gaps to a range. A gap gives way to footage (footage found late by the sweep may lie in
    /// it), and where an ended run lacks segments the gap's reason is that they were deleted.
    pub fn new(
        camera: CameraId,
        range: &Range<Timestamp>,
        stretches: Vec<Stretch>,
        gaps: Vec<Gap>,
        ended_runs: &[Range<Timestamp>],
    ) -> Self {
        let mut kept: Vec<Stretch> = stretches
            .into_iter()
            .filter_map(|stretch| Some(Stretch { range: cut(&stretch.range, range)?, ..stretch }))
            .collect();
        kept.sort_by_key(|stretch| stretch.range.start);

        let deleted = ended_runs.iter().map(|run| (run.clone(), false, GapReason::Deleted));
        let known = gaps.into_iter().map(|gap| {
            let end = gap.ended_at.unwrap_or(Timestamp::MAX);
            (gap.started_at..end, gap.ended_at.is_none(), gap.reason)
        });
        let mut covered: Vec<Range<Timestamp>> = kept.iter().map(|stretch| stretch.range.clone()).collect();
        let mut found = Vec::new();
        // Known gaps first: they have the better reason.
        for (wanted, open, reason) in known.chain(deleted) {
            let Some(inside) = cut(&wanted, range) else { continue };
            for free in without(&inside, &covered) {
                // Still going on, as far as this range tells.
                let open = open && free.end == range.end;
                let ended_at = (!open).then_some(free.end);
                found.push(Gap { camera, started_at: free.start, ended_at, reason });
                covered.push(free);
            }
            covered.sort_by_key(|range| range.start);
        }
        found.sort_by_key(|gap| gap.started_at);
        Self { stretches: kept, gaps: found }
    }
}

fn cut(range: &Range<Timestamp>, to: &Range<Timestamp>) -> Option<Range<Timestamp>> {
    let inside = range.start.max(to.start)..range.end.min(to.end);
    (!inside.is_empty()).then_some(inside)
}

/// Whether two ranges have a time in common.
pub(super) fn overlap(one: &Range<Timestamp>, other: &Range<Timestamp>) -> bool {
    one.start < other.end && one.end > other.start
}

/// What is left of a range without others, which are sorted by their start.
pub(super) fn without(range: &Range<Timestamp>, others: &[Range<Timestamp>]) -> Vec<Range<Timestamp>> {
    let mut left = Vec::new();
    let mut at = range.start;
    for other in others.iter().filter(|other| overlap(other, range)) {
        if other.start > at {
            left.push(at..other.start);
        }
        at = at.max(other.end);
    }
    if at < range.end {
        left.push(at..range.end);
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn camera() -> CameraId {
        CameraId(Uuid::from_u128(1))
    }

    fn stretch(from: i64, to: i64) -> Stretch {
        Stretch { run: RunId(Uuid::from_u128(2)), range: at(from)..at(to), size_bytes: 1, is_date_known: true }
    }

    fn gap(from: i64, to: Option<i64>, reason: GapReason) -> Gap {
        Gap { camera: camera(), started_at: at(from), ended_at: to.map(at), reason }
    }

    #[test]
    fn an_open_gap_stays_open_and_is_cut_at_the_start_of_the_range() {
        let timeline = Timeline::new(
            camera(),
            &(at(100)..at(200)),
            vec![stretch(50, 120)],
            vec![gap(120, None, GapReason::CameraOffline)],
            &[],
        );
        assert_eq!(timeline.stretches, vec![stretch(100, 120)]);
        assert_eq!(timeline.gaps, vec![gap(120, None, GapReason::CameraOffline)]);
    }

    #[test]
    fn a_hole_in_an_ended_run_reads_deleted() {
        let timeline = Timeline::new(
            camera(),
            &(at(0)..at(1000)),
            vec![stretch(10, 70), stretch(130, 190)],
            vec![gap(190, Some(250), GapReason::Stalled)],
            &[at(10)..at(190)],
        );
        let expected = vec![gap(70, Some(130), GapReason::Deleted), gap(190, Some(250), GapReason::Stalled)];
        assert_eq!(timeline.gaps, expected);
    }

    #[test]
    fn footage_found_late_takes_its_place_in_a_gap() {
        let gaps = vec![gap(0, Some(300), GapReason::HubDown)];
        let timeline = Timeline::new(camera(), &(at(0)..at(300)), vec![stretch(100, 160)], gaps, &[]);
        let expected = vec![gap(0, Some(100), GapReason::HubDown), gap(160, Some(300), GapReason::HubDown)];
        assert_eq!(timeline.gaps, expected);
    }

    proptest! {
        #[test]
        fn gaps_and_footage_never_overlap_and_rise(
            stretches in proptest::collection::vec((0i64..500, 1i64..60), 0..8),
            gaps in proptest::collection::vec((0i64..500, proptest::option::of(1i64..90)), 0..8),
            runs in proptest::collection::vec((0i64..500, 1i64..200), 0..4),
            from in 0i64..300, length in 1i64..300,
        ) {
            let range = at(from)..at(from + length);
            let stretches = stretches.into_iter().map(|(start, length)| stretch(start, start + length)).collect();
            let gaps = gaps.into_iter()
                .map(|(start, length)| gap(start, length.map(|length| start + length), GapReason::Stalled)).collect();
            let runs: Vec<_> = runs.into_iter().map(|(start, length)| at(start)..at(start + length)).collect();
            let timeline = Timeline::new(camera(), &range, stretches, gaps, &runs);
            for gap in &timeline.gaps {
                let gap = gap.started_at..gap.ended_at.unwrap_or(range.end);
                prop_assert!(gap.start < gap.end && gap.start >= range.start && gap.end <= range.end);
                for stretch in &timeline.stretches {
                    prop_assert!(gap.end <= stretch.range.start || gap.start >= stretch.range.end);
                }
            }
            for pair in timeline.gaps.windows(2) {
                prop_assert!(pair[0].ended_at.is_some_and(|end| end <= pair[1].started_at));
            }
        }
    }
}
