//! From a camera's clock to the hub's.
//!
//! A frame can't arrive before it was captured, and the least delayed one tells the difference of the two clocks best:
//! `captured = t + min(received - t)` over a sliding minute. A minimum that never forgot would drift with the camera's
//! crystal (20 ppm are 1.7 s a day); one that forgets rises, and is followed by at most [`SLEW_PPM`].

use std::collections::VecDeque;

/// How long a delay is remembered.
const WINDOW_US: i64 = 60_000_000;
/// Delays are kept as one minimum a second.
const BUCKET_US: i64 = 1_000_000;
/// The fastest rise of the offset: well above any crystal's error, and half a millisecond a second to a viewer.
const SLEW_PPM: i64 = 500;

/// The map of one session. All times in microseconds.
#[derive(Debug, Default)]
pub(super) struct ClockMap {
    /// Seconds of arrival and the least offset in each; offsets rise from front to back.
    least: VecDeque<(i64, i128)>,
    state: Option<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    offset: i128,
    last_t: u64,
    last_received: i64,
    last_captured: i64,
}

impl ClockMap {
    /// When a frame was captured, on the hub's clock: never after it was received, strictly after the one before.
    ///
    /// A camera's clock that goes back begins a new map, as one that was restarted.
    pub(super) fn map(&mut self, t_us: u64, received_us: i64) -> i64 {
        if self.state.is_some_and(|state| t_us < state.last_t || received_us < state.last_received) {
            self.restart();
        }
        let sample = i128::from(received_us) - i128::from(t_us);
        self.remember(received_us, sample);
        let target = self.least.front().map_or(sample, |(_, least)| *least);
        let offset = self.state.map_or(target, |state| {
            let elapsed = i128::from(received_us - state.last_received);
            let most = elapsed * i128::from(SLEW_PPM) / 1_000_000;
            // Down at once: a higher offset would have this frame captured after it was received.
            target.min(state.offset + most)
        });
        let mapped = i64::try_from(i128::from(t_us) + offset).unwrap_or(received_us).min(received_us);
        let captured = self.state.map_or(mapped, |state| mapped.max(state.last_captured + 1));
        self.state = Some(State { offset, last_t: t_us, last_received: received_us, last_captured: captured });
        captured
    }

    /// Learns from a message that is no frame: its `t` is the time of its sending, so it tells the delay of the line,
    /// before the first frame too.
    pub(super) fn learn(&mut self, t_us: u64, received_us: i64) {
        self.remember(received_us, i128::from(received_us) - i128::from(t_us));
    }

    /// What is added to the camera's time now, for what comes by another way. `None`: nothing was learned yet.
    pub(super) fn offset(&self) -> Option<i64> {
        self.least.front().and_then(|(_, least)| i64::try_from(*least).ok())
    }

    /// Forgets everything but where it was, so that times go on rising. For a step of the camera's clock.
    fn restart(&mut self) {
        self.least.clear();
        if let Some(state) = &mut self.state {
            // The next sample is the target, and lies below this.
            state.offset = i128::MAX / 2;
        }
    }

    /// Forgets everything. For a step of the hub's clock, after which times do not compare.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    fn remember(&mut self, received_us: i64, sample: i128) {
        let second = received_us.div_euclid(BUCKET_US);
        while self.least.front().is_some_and(|(oldest, _)| (second - oldest) * BUCKET_US > WINDOW_US) {
            self.least.pop_front();
        }
        // An older and larger minimum will never be the least again.
        while self.least.back().is_some_and(|(_, least)| *least >= sample) {
            self.least.pop_back();
        }
        if self.least.back().is_none_or(|(newest, _)| *newest != second) {
            self.least.push_back((second, sample));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const START: i64 = 1_700_000_000_000_000;

    #[test]
    fn a_frame_that_was_held_up_keeps_its_capture_time() {
        let mut map = ClockMap::default();
        assert_eq!(map.map(5_000_000, START), START);
        assert_eq!(map.map(5_100_000, START + 100_000), START + 100_000);
        assert_eq!(map.map(5_200_000, START + 7_200_000), START + 200_000, "7 s late");
    }

    #[test]
    fn the_least_delayed_frame_decides_at_once() {
        let mut map = ClockMap::default();
        map.map(0, START + 80_000);
        assert_eq!(map.map(100_000, START + 103_000), START + 103_000);
        let later = map.map(200_000, START + 240_000);
        assert!((START + 203_000..START + 203_100).contains(&later), "the first frame's 80 ms are forgotten");
    }

    #[test]
    fn a_message_before_the_first_frame_tells_the_delay_of_the_line() {
        let mut map = ClockMap::default();
        map.learn(1_000, START + 3_000);
        assert_eq!(map.map(100_000, START + 140_000), START + 102_000, "the frame was held up by 38 ms");
        // A later message with less delay is believed at once.
        map.learn(150_000, START + 150_500);
        assert_eq!(map.map(200_000, START + 240_000), START + 200_500);
    }

    #[test]
    fn a_drifting_crystal_is_followed_both_ways() {
        for ppm in [-100_i64, 100] {
            let mut map = ClockMap::default();
            let mut worst = 0;
            for frame in 0..36_000_i64 {
                let true_us = frame * 100_000;
                let t = u64::try_from(true_us + true_us * ppm / 1_000_000).unwrap();
                // Delays of 2 to 42 ms, the least one every third of a second.
                let delay = 2_000 + (frame * 7_919 % 3) * 20_000;
                worst = worst.max((map.map(t, START + true_us + delay) - START - true_us - 2_000).abs());
            }
            assert!(worst < 7_000, "{ppm} ppm over an hour: off by {worst} µs instead of 360 ms");
        }
    }

    #[test]
    fn a_crystal_that_drifts_by_50_ppm_for_a_day_moves_no_picture_by_5_ms() {
        for ppm in [-50_i64, 50] {
            let mut map = ClockMap::default();
            let (mut worst, mut chance) = (0, 1_u64);
            for frame in 0..864_000_i64 {
                let true_us = frame * 100_000;
                let t = u64::try_from(true_us + true_us * ppm / 1_000_000).unwrap();
                // Delays by chance: mostly a few milliseconds, sometimes ten times that.
                chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let delay =
                    1_000 + i64::try_from((chance >> 33) % if frame % 97 == 96 { 80_000 } else { 8_000 }).unwrap();
                let off = (map.map(t, START + true_us + delay) - START - true_us - 1_000).abs();
                // The first frames know no delay but their own.
                worst = if frame < 50 { 0 } else { worst.max(off) };
            }
            assert!(worst < 5_000, "{ppm} ppm over a day: off by {worst} µs instead of 4.3 s");
        }
    }

    #[test]
    fn a_rise_is_slewed() {
        let mut map = ClockMap::default();
        let mut last = map.map(0, START);
        // From now on every frame takes 50 ms longer, as after a move to a slower access point.
        for frame in 1..3_000_u32 {
            let us = i64::from(frame) * 100_000;
            let captured = map.map(us.unsigned_abs(), START + us + 50_000);
            assert!((captured - last - 100_000).abs() <= 100, "500 ppm of 100 ms are 50 µs");
            last = captured;
        }
        assert_eq!(last, START + 2_999 * 100_000 + 50_000);
    }

    #[test]
    fn a_camera_clock_that_steps_begins_a_new_map() {
        let mut map = ClockMap::default();
        map.map(10_000_000, START);
        assert_eq!(map.map(3, START + 100_000), START + 100_000, "back");
        assert_eq!(map.map(3_600_000_000, START + 200_000), START + 200_000, "far ahead");
        assert_eq!(map.map(200_003, START + 300_000), START + 300_000, "and back");
        assert_eq!(map.map(u64::MAX, START + 400_000), START + 400_000);
    }

    #[test]
    fn after_a_reset_earlier_times_are_possible() {
        let mut map = ClockMap::default();
        map.map(10, START);
        map.reset();
        assert_eq!(map.map(20, START - 3_600_000_000), START - 3_600_000_000);
    }

    proptest! {
        #[test]
        fn times_rise_strictly_and_are_never_in_the_future(
            frames in vec((1_i64..2_000_000, prop_oneof![0_u64..100_000_000, any::<u64>()]), 1..200),
        ) {
            let mut map = ClockMap::default();
            let (mut received, mut last) = (START, i64::MIN);
            for (step, t) in frames {
                received += step;
                let captured = map.map(t, received);
                prop_assert!(captured > last && captured <= received);
                last = captured;
                prop_assert!(map.least.len() <= 62);
            }
        }
    }
}
