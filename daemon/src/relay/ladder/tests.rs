//! Lines of every kind, a second at a time.

use super::*;

/// A ladder and its clock.
struct Line {
    ladder: Ladder,
    now: Instant,
    wished: Option<Rate>,
}

impl Line {
    fn new() -> Self {
        let now = Instant::now();
        Self { ladder: Ladder::new(now), now, wished: None }
    }

    fn wishing(tenths: u16) -> Self {
        Self { wished: Rate::from_tenths(tenths), ..Self::new() }
    }

    fn second(&mut self, arrived: u32, given_up: u32) -> bool {
        self.next(Second { arrived, given_up, late: 0, is_heard: true })
    }

    fn next(&mut self, second: Second) -> bool {
        self.now += Duration::from_secs(1);
        self.ladder.second(self.now, second, self.wished)
    }

    /// Nothing is heard, and frames are given up.
    fn cut(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.next(Second { given_up: 1, ..Second::default() });
        }
    }

    fn seconds(&mut self, seconds: u32, arrived: u32, given_up: u32) {
        for _ in 0..seconds {
            self.second(arrived, given_up);
        }
    }

    /// Frames in ten seconds, and the size.
    fn limits(&self) -> (Option<u16>, Scale) {
        (self.ladder.rate().map(Rate::tenths), self.ladder.scale())
    }

    /// Seconds without a stall until the limits change.
    fn calm_until_change(&mut self) -> u32 {
        (1..1000).find(|_| self.second(2, 0)).expect("a change")
    }
}

#[test]
fn a_line_that_carries_what_comes_has_no_limit() {
    let mut line = Line::new();
    line.seconds(1000, 20, 0);
    assert_eq!(line.limits(), (None, Scale::Whole));
}

#[test]
fn a_thin_line_without_stalls_has_no_limit_and_single_losses_are_none() {
    let mut line = Line::new();
    line.seconds(500, 3, 0);
    line.seconds(500, 6, 1);
    assert_eq!(line.limits(), (None, Scale::Whole));
}

#[test]
fn stalls_lower_the_rate_first_and_then_the_size() {
    let mut line = Line::new();
    let mut seen = Vec::new();
    for _ in 0..7 {
        line.seconds(4, 15, 0);
        assert!(line.second(12, 5));
        seen.push(line.limits());
    }
    let rates: Vec<_> = seen.iter().map(|(rate, _)| rate.unwrap()).collect();
    assert_eq!(rates, [100, 50, 20, 20, 20, 10, 10]);
    let first_small = seen.iter().position(|(_, scale)| *scale != Scale::Whole).unwrap();
    assert_eq!(first_small, 3);
    assert_eq!(seen[6], (Some(10), Scale::Eighth));
    assert!(!line.second(0, 1), "there is nothing below");
}

#[test]
fn a_rate_that_is_above_what_gets_through_is_passed_over() {
    let mut line = Line::new();
    line.seconds(5, 1, 0);
    assert!(line.second(1, 1));
    assert_eq!(line.limits(), (Some(20), Scale::Half), "1 of a second: 2 a second would not help");
    let mut line = Line::wishing(50);
    line.seconds(5, 5, 0);
    assert!(line.second(3, 2));
    assert_eq!(line.limits(), (Some(20), Scale::Whole), "10 and 5 a second are no less than was wished");
}

#[test]
fn a_step_up_that_fails_at_once_is_taken_back_alone() {
    let mut line = Line::new();
    line.seconds(5, 20, 0);
    assert!(line.second(12, 5));
    assert!(line.second(10, 5));
    assert_eq!(line.limits().0, Some(50));
    line.seconds(5, 5, 0);
    assert_eq!(line.limits().0, Some(100), "a trial");
    assert!(line.second(8, 3));
    assert_eq!(line.limits().0, Some(50), "one second tells what gets through as five do");
}

#[test]
fn a_cut_is_no_thin_line() {
    let mut line = Line::new();
    line.seconds(10, 20, 0);
    line.cut(10);
    let (rate, scale) = line.limits();
    assert_eq!(scale, Scale::Whole, "ten seconds of silence cost some of the rate alone: {rate:?}");
    line.second(1, 2);
    assert_eq!(line.limits(), (rate, scale), "what the cut held up tells nothing of the line that is back");
    line.seconds(20, 10, 0);
    assert_eq!(line.limits(), (None, Scale::Whole), "and that comes back soon");
}

#[test]
fn a_line_on_which_nothing_gets_through_ends_at_the_smallest() {
    for heard in [true, false] {
        let mut line = Line::new();
        if heard {
            line.seconds(12, 0, 1);
        } else {
            line.cut(60);
        }
        assert_eq!(line.limits(), (Some(10), Scale::Eighth));
    }
}

#[test]
fn a_line_too_thin_for_a_whole_picture_is_sent_small_ones_soon() {
    let mut line = Line::new();
    line.second(0, 0);
    assert!(line.second(0, 1));
    assert_eq!(line.limits(), (Some(20), Scale::Half), "no rate helps when no picture gets through");
}

#[test]
fn a_line_that_is_full_is_given_no_more() {
    let mut line = Line::new();
    line.seconds(5, 3, 0);
    assert!(line.second(3, 2));
    assert_eq!(line.limits(), (Some(20), Scale::Whole));
    for _ in 0..1000 {
        assert!(!line.next(Second { arrived: 1, late: 1, is_heard: true, ..Second::default() }));
    }
    assert!((4..=6).contains(&line.calm_until_change()), "it has room now");
}

#[test]
fn steps_up_that_fail_are_tried_less_often_and_those_that_stand_more() {
    let mut line = Line::new();
    line.seconds(5, 20, 0);
    assert!(line.second(10, 10));
    let mut waits = Vec::new();
    for _ in 0..8 {
        waits.push(line.calm_until_change());
        line.second(0, 3);
    }
    assert!(waits[0] <= 6, "{waits:?}");
    assert!(waits.windows(2).all(|pair| pair[1] >= pair[0]), "{waits:?}");
    assert!((160..=162).contains(&waits[7]), "{waits:?}");
    // The line is good again: all the way up, faster and faster.
    line.seconds(1000, 2, 0);
    assert_eq!(line.limits(), (None, Scale::Whole));
    line.seconds(5, 20, 0);
    line.second(1, 10);
    assert!(line.calm_until_change() < 160);
}

#[test]
fn without_frames_nothing_is_raised() {
    let mut line = Line::new();
    line.second(5, 5);
    let before = line.limits();
    line.seconds(1000, 0, 0);
    assert_eq!(line.limits(), before, "a camera that is off tells nothing of the line");
}
