use jiff::SignedDuration;
use larder_proto::wire::CameraId;
use proptest::prelude::*;

use super::*;
use crate::temperatures::SensorId;

fn at(second: i64) -> Moment {
    Moment(SignedDuration::from_secs(second))
}

fn there(second: i64) -> Cause {
    Cause::There { since: at(second) }
}

fn threshold(celsius: i32) -> Threshold {
    Threshold {
        sensor: SensorId::random(),
        limit: MilliCelsius(celsius * 1000),
        after: Duration::ZERO,
        hysteresis: MilliCelsius(500),
    }
}

/// Hears each value and asks right after.
fn told(watched: &mut Watched, rows: &[(i64, i32, Cause)]) {
    for (second, milli, expected) in rows {
        watched.hear(at(*second), MilliCelsius(*milli));
        assert_eq!(watched.cause(at(*second)), *expected, "{milli} at {second} s");
    }
}

#[test]
fn a_value_is_beyond_above_its_limit_and_comes_back_by_the_hysteresis() {
    let mut above = Watched::new(&Condition::Above(threshold(5)), at(0));
    assert_eq!(above.cause(at(0)), Cause::Unknown);
    told(
        &mut above,
        &[
            (1, 5_000, Cause::Gone),
            (2, 5_001, there(2)),
            (3, 5_000, there(2)),
            (4, 4_501, there(2)),
            (5, 4_500, Cause::Gone),
            (6, 5_000, Cause::Gone),
            (7, 9_000, there(7)),
        ],
    );
    let mut below = Watched::new(&Condition::Below(threshold(-20)), at(0));
    told(
        &mut below,
        &[(1, -20_000, Cause::Gone), (2, -20_001, there(2)), (3, -19_501, there(2)), (4, -19_500, Cause::Gone)],
    );
}

#[test]
fn a_missing_value_counts_as_the_last_one_for_ten_minutes() {
    let mut above = Watched::new(&Condition::Above(threshold(5)), at(0));
    told(&mut above, &[(0, 6_000, there(0))]);
    assert_eq!(above.cause(at(600)), there(0));
    assert_eq!(above.cause(at(601)), Cause::Unknown);
    told(&mut above, &[(1_000, 6_000, there(1_000)), (1_600, 6_000, there(1_000)), (2_201, 4_700, there(2_201))]);
}

#[test]
fn a_cause_from_before_a_restart_goes_on_unless_it_was_seen_too_long_ago() {
    for (seen, since) in [(-300, -7_000), (-700, 0)] {
        let mut above = Watched::new(&Condition::Above(threshold(5)), at(0));
        above.resume(at(-7_000), at(seen));
        told(&mut above, &[(0, 6_000, there(since))]);
        let mut offline =
            Watched::new(&Condition::CameraOffline { camera: CameraId::random(), after: Duration::ZERO }, at(0));
        offline.resume(at(-7_000), at(seen));
        offline.look(at(0), Some(true));
        assert_eq!(offline.cause(at(0)), there(since));
    }
}

#[test]
fn a_changed_limit_begins_anew_and_a_changed_time_does_not() {
    let old = threshold(5);
    let mut above = Watched::new(&Condition::Above(old), at(0));
    told(&mut above, &[(10, 6_000, there(10))]);
    let longer = Threshold { after: Duration::from_secs(60), hysteresis: MilliCelsius(2_000), ..old };
    let mut above = above.changed(&Condition::Above(longer), at(20));
    told(&mut above, &[(20, 3_500, there(10))]);
    let other = Threshold { limit: MilliCelsius(7_000), ..old };
    assert_eq!(above.clone().changed(&Condition::Above(other), at(30)).cause(at(30)), Cause::Unknown);
    assert_eq!(above.changed(&Condition::Below(longer), at(30)).cause(at(30)), Cause::Unknown);
}

#[test]
fn a_rise_within_the_time_is_seen_and_passes() {
    let rate = Rate { sensor: SensorId::random(), change: MilliCelsius(5_000), within: Duration::from_mins(10) };
    let mut rise = Watched::new(&Condition::Rate(rate), at(0));
    told(
        &mut rise,
        &[
            (0, 4_000, Cause::Gone),
            (60, 3_000, Cause::Gone),
            (120, 7_999, Cause::Gone),
            (180, 8_000, there(60)),
            (240, 5_000, Cause::Gone),
            (300, 8_500, there(60)),
            // The lowest is ten minutes old, and the rise since the next one is smaller.
            (661, 9_000, Cause::Gone),
        ],
    );
    assert_eq!(rise.cause(at(661 + 601)), Cause::Unknown);
    let mut fall = Watched::new(&Condition::Rate(Rate { change: MilliCelsius(-5_000), ..rate }), at(0));
    told(&mut fall, &[(0, 4_000, Cause::Gone), (60, 9_500, Cause::Gone), (120, 4_500, there(60))]);
}

#[test]
fn silence_is_counted_from_the_last_value_with_a_grace_at_the_start() {
    let condition = Condition::SensorSilent { sensor: SensorId::random(), after: Duration::from_mins(30) };
    let mut silent = Watched::new(&condition, at(0));
    let Watched::Silence(silence) = &mut silent else { panic!("it is one") };
    silence.heard_before(at(-7_200));
    assert_eq!(silent.cause(at(119)), Cause::Gone);
    assert_eq!(silent.cause(at(120)), there(-7_200));
    silent.hear(at(130), MilliCelsius(0));
    assert_eq!(silent.cause(at(130 + 1_799)), Cause::Gone);
    assert_eq!(silent.cause(at(130 + 1_800)), there(130));
}

#[test]
fn a_flag_that_nobody_tells_of_is_not_known() {
    let mut flag = Watched::new(&Condition::DiskFloor { after: Duration::ZERO }, at(0));
    assert_eq!(flag.cause(at(0)), Cause::Unknown);
    flag.look(at(1), Some(true));
    flag.look(at(2), None);
    flag.look(at(3), Some(true));
    assert_eq!(flag.cause(at(3)), there(1));
    flag.look(at(4), Some(false));
    assert_eq!(flag.cause(at(4)), Cause::Gone);
    assert_eq!(flag.cause(at(605)), Cause::Unknown);
}

#[test]
fn a_sensor_that_sends_without_a_pause_takes_no_memory() {
    let rate = Rate { sensor: SensorId::random(), change: MilliCelsius(5_000), within: Duration::from_hours(24) };
    let mut rise = Watched::new(&Condition::Rate(rate), at(0));
    for second in 0..200_000 {
        rise.hear(at(second), MilliCelsius(i32::try_from(second).unwrap() / 100));
        rise.cause(at(second));
    }
    let Watched::Change(change) = rise else { panic!("it is one") };
    assert!((500..=1100).contains(&change.turns.len()), "{}", change.turns.len());
}

proptest! {
    /// Beside the plain way: the newest value against every one within the time.
    #[test]
    fn a_change_is_found_as_by_looking_at_every_value(
        steps in prop::collection::vec((1..60_i64, -3_000..3_000_i32), 1..80),
        falls: bool,
    ) {
        let change = MilliCelsius(if falls { -4_000 } else { 4_000 });
        let rate = Rate { sensor: SensorId::random(), change, within: Duration::from_mins(5) };
        let mut watched = Watched::new(&Condition::Rate(rate), at(0));
        let (mut second, mut milli, mut all) = (0, 0, Vec::new());
        for (seconds, by) in steps {
            second += seconds;
            milli += by;
            all.push((second, milli));
            watched.hear(at(second), MilliCelsius(milli));
            let by = |earlier: i32| if falls { earlier - milli } else { milli - earlier };
            let expected = all.iter().any(|(then, value)| second - then <= 300 && by(*value) >= 4_000);
            prop_assert_eq!(matches!(watched.cause(at(second)), Cause::There { .. }), expected);
        }
    }
}
