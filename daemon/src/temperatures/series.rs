//! How a graph's points are made of what is kept: pure.

use std::{ops::Range, time::Duration};

use jiff::Timestamp;
use larder_proto::wire::camera::MilliCelsius;

use super::SensorId;
use crate::clock::from_us;

/// What is kept, from the finest. Each is made of whole ones of the one before.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Level {
    Single,
    Minute,
    Hour,
    Day,
}

impl Level {
    pub(super) const ALL: [Self; 4] = [Self::Single, Self::Minute, Self::Hour, Self::Day];

    /// The time a row stands for, in microseconds; nothing for a single reading.
    pub(super) fn width_us(self) -> i64 {
        match self {
            Self::Single => 0,
            Self::Minute => 60_000_000,
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
        }
    }

    fn coarser(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |level| *level > self)
    }
}

/// When the oldest row of each level begins; nothing where there is none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Begins(pub(super) [Option<Timestamp>; 4]);

impl Begins {
    pub(super) fn of(self, level: Level) -> Option<Timestamp> {
        let [single, minute, hour, day] = self.0;
        match level {
            Level::Single => single,
            Level::Minute => minute,
            Level::Hour => hour,
            Level::Day => day,
        }
    }

    /// Whether a level has all there is since then: no coarser one begins earlier.
    fn reaches(self, level: Level, from: Timestamp) -> bool {
        let begin = self.of(level);
        if begin.is_some_and(|begin| begin <= from) {
            return true;
        }
        level.coarser().all(|coarser| match (begin, self.of(coarser)) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(begin), Some(earlier)) => {
                earlier.as_microsecond() >= floor(begin.as_microsecond(), coarser.width_us())
            }
        })
    }
}

/// From which rows a graph is made, and how many of them stand in a point.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Plan {
    pub(super) level: Level,
    /// A point's time in microseconds: a multiple of the level's width.
    pub(super) step_us: i64,
}

impl Plan {
    /// At most `points` (2 or more) points for a range.
    pub(super) fn new(range: &Range<Timestamp>, points: u32, begins: Begins) -> Self {
        let length = (range.end.as_microsecond() - range.start.as_microsecond()).max(1);
        // One less, for whole points stick out at both ends.
        let parts = i64::from(points.max(2)) - 1;
        let wanted = (length + parts - 1) / parts;
        let fits = |level: &Level| level.width_us() <= wanted && *level != Level::Single;
        let by_step = Level::ALL.into_iter().rev().find(fits).unwrap_or(Level::Single);
        let reaching = Level::ALL.into_iter().find(|level| begins.reaches(*level, range.start)).unwrap_or(Level::Day);
        let level = by_step.max(reaching);
        // Whole seconds, so that panning finds the same points again.
        let unit = level.width_us().max(1_000_000);
        Self { level, step_us: (wanted + unit - 1) / unit * unit }
    }

    /// The range in whole points.
    pub(super) fn widened(self, range: &Range<Timestamp>) -> Range<Timestamp> {
        let end = range.end.as_microsecond();
        let begin = floor(range.start.as_microsecond(), self.step_us);
        from_us(begin)..from_us(floor(end - 1, self.step_us) + self.step_us)
    }
}

fn floor(us: i64, step_us: i64) -> i64 {
    if step_us == 0 { us } else { us.div_euclid(step_us) * step_us }
}

/// One point of a graph.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Point {
    /// The middle of its time.
    pub at: Timestamp,
    /// The least value.
    pub least: MilliCelsius,
    /// The largest.
    pub most: MilliCelsius,
    /// The mean.
    pub mean: MilliCelsius,
    /// How many readings it stands for.
    pub count: u32,
}

/// One sensor's readings in a range.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Series {
    /// Whose.
    pub sensor: SensorId,
    /// Rising in time. Where readings are missing, there is none.
    pub points: Vec<Point>,
    /// The time a point stands for; zero when points are single readings.
    pub step: Duration,
    /// Points further apart than this have a gap between them.
    pub gap_after: Duration,
}

/// Beyond which distance of two points readings are missing: three were lost in a row, or a whole point was.
/// `interval`: how often the sensor sends now, for when the points do not tell.
pub(super) fn gap_after(points: &[Point], step: Duration, interval: Duration) -> Duration {
    let us = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    let spacing = median(points.windows(2).map(|pair| pair[1].at.as_microsecond() - pair[0].at.as_microsecond()));
    let step = us(step);
    let then = match (spacing, median(points.iter().map(|point| i64::from(point.count)))) {
        // Points lie closely: a point's readings tell how often they came.
        (Some(spacing), Some(count)) if step > 0 && spacing <= step => step / count.max(1),
        (Some(spacing), _) => spacing,
        (None, _) => us(interval),
    };
    let gap = then.saturating_mul(3).max(step.saturating_add(step / 2));
    Duration::from_micros(gap.unsigned_abs())
}

fn median(values: impl Iterator<Item = i64>) -> Option<i64> {
    let mut values: Vec<_> = values.collect();
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable(middle).1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400;

    fn at(second: i64) -> Timestamp {
        from_us(second * 1_000_000)
    }

    /// Since when single readings, minutes, hours and days are kept.
    fn begins(seconds: [i64; 4]) -> Begins {
        Begins(seconds.map(|second| Some(at(second))))
    }

    fn plan(from: i64, to: i64, points: u32, begins: Begins) -> (Level, i64) {
        let plan = Plan::new(&(at(from)..at(to)), points, begins);
        (plan.level, plan.step_us / 1_000_000)
    }

    fn point(second: i64, count: u32) -> Point {
        Point { at: at(second), least: MilliCelsius(0), most: MilliCelsius(0), mean: MilliCelsius(0), count }
    }

    #[test]
    fn the_step_decides_which_rows_are_read() {
        let all = begins([0; 4]);
        assert_eq!(plan(0, 3600, 500, all), (Level::Single, 8));
        assert_eq!(plan(0, DAY, 500, all), (Level::Minute, 180));
        assert_eq!(plan(0, 30 * DAY, 500, all), (Level::Hour, 2 * 3600));
        assert_eq!(plan(0, 365 * DAY, 500, all), (Level::Hour, 18 * 3600));
        assert_eq!(plan(0, 3650 * DAY, 500, all), (Level::Day, 8 * DAY));
    }

    #[test]
    fn where_finer_rows_are_no_longer_kept_coarser_ones_stand_in() {
        let old = begins([900 * DAY, 100 * DAY, 0, 0]);
        assert_eq!(plan(950 * DAY, 950 * DAY + 3600, 500, old).0, Level::Single);
        assert_eq!(plan(200 * DAY, 200 * DAY + 3600, 500, old), (Level::Minute, 60));
        assert_eq!(plan(50 * DAY, 50 * DAY + 3600, 500, old), (Level::Hour, 3600));
        // A range from before the first reading of all is no reason.
        let young = begins([1000 * DAY + 7, 1000 * DAY, 1000 * DAY, 1000 * DAY]);
        assert_eq!(plan(1000 * DAY - 1800, 1000 * DAY + 1800, 500, young).0, Level::Single);
        assert_eq!(plan(0, 3600, 500, Begins::default()).0, Level::Single);
    }

    #[test]
    fn a_gap_is_three_lost_readings_or_a_lost_point() {
        let half_minute = Duration::from_secs(30);
        let single: Vec<_> = [0, 30, 60, 90, 600, 630].map(|second| point(second, 1)).into();
        assert_eq!(gap_after(&single, Duration::ZERO, half_minute), Duration::from_secs(90));
        let minutes: Vec<_> = (0..10).map(|minute| point(minute * 60, 2)).collect();
        assert_eq!(gap_after(&minutes, Duration::from_secs(60), half_minute), Duration::from_secs(90));
        let hours: Vec<_> = (0..10).map(|hour| point(hour * 3600, 120)).collect();
        assert_eq!(gap_after(&hours, Duration::from_secs(3600), half_minute), Duration::from_secs(5400));
        let seldom: Vec<_> = (0..10).map(|reading| point(reading * 300, 1)).collect();
        assert_eq!(gap_after(&seldom, Duration::from_secs(60), half_minute), Duration::from_secs(900));
        assert_eq!(gap_after(&[], Duration::ZERO, half_minute), Duration::from_secs(90));
    }

    proptest! {
        #[test]
        fn there_are_never_more_points_than_wanted_and_they_cover_the_range(
            start in -4_000_000_000_i64..4_000_000_000, length in 1_i64..400_000_000, points in 2_u32..5000,
            kept in proptest::array::uniform4(proptest::option::of(-4_000_000_000_i64..4_000_000_000)),
        ) {
            let range = at(start)..at(start + length);
            let plan = Plan::new(&range, points, Begins(kept.map(|second| second.map(at))));
            let widened = plan.widened(&range);
            prop_assert!(widened.start <= range.start && widened.end >= range.end);
            let span = widened.end.as_microsecond() - widened.start.as_microsecond();
            prop_assert_eq!(span % plan.step_us, 0);
            prop_assert!(span / plan.step_us <= i64::from(points), "{:?}", plan);
            prop_assert_eq!(plan.step_us % plan.level.width_us().max(1), 0);
        }

        #[test]
        fn regular_readings_have_no_gaps_and_a_hole_is_one(
            interval in 1_i64..600, count in 20_i64..400, step in 0_i64..7200, hole in 2_i64..9,
        ) {
            let bucketed = |seconds: Vec<i64>| -> Vec<Point> {
                let mut points: Vec<Point> = Vec::new();
                for second in seconds {
                    let middle = if step == 0 { second } else { second.div_euclid(step) * step + step / 2 };
                    match points.last_mut().filter(|point| point.at == at(middle)) {
                        Some(point) => point.count += 1,
                        None => points.push(point(middle, 1)),
                    }
                }
                points
            };
            let gaps = |points: &[Point]| {
                let gap = gap_after(points, Duration::from_secs(step.unsigned_abs()), Duration::from_secs(30));
                let gap = i64::try_from(gap.as_micros()).unwrap();
                (points.windows(2).filter(|pair| pair[1].at.as_microsecond() - pair[0].at.as_microsecond() > gap).count(), gap)
            };
            let regular: Vec<i64> = (0..count).map(|index| index * interval).collect();
            let (none, gap) = gaps(&bucketed(regular.clone()));
            prop_assert_eq!(none, 0);
            // A hole that is longer than a gap and a point together.
            let moved = gap / 1_000_000 + step * 2 + hole;
            let holed: Vec<i64> =
                regular.iter().map(|second| if *second >= count / 2 * interval { second + moved } else { *second }).collect();
            let points = bucketed(holed);
            if points.len() > 8 {
                prop_assert_eq!(gaps(&points).0, 1);
            }
        }
    }
}
