//! What holds a view's rate and size down: the viewer's wish, and its line.

use std::time::Duration;

use larder_proto::wire::relay::{LimitedBy, Rate, Wish};
use tokio::time::Instant;

use super::{
    ladder::{Ladder, Second},
    scaled::Scale,
};
use crate::viewers;

/// One viewer's.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    wish: Wish,
    ladder: Ladder,
    /// What became of frames in the present second.
    second: Second,
    /// Of the camera's pictures, when one was seen.
    whole: Option<(u16, u16)>,
}

impl Limits {
    pub(super) fn new(wish: Wish, now: Instant) -> Self {
        Self { wish, ladder: Ladder::new(now), second: Second::default(), whole: None }
    }

    /// The viewer wants something else.
    pub(super) fn wish(&mut self, wish: Wish) {
        self.wish = wish;
    }

    /// The size of the camera's pictures.
    pub(super) fn whole(&mut self, size: (u16, u16)) {
        self.whole = Some(size);
    }

    /// A frame got through.
    pub(super) fn arrived(&mut self) {
        self.second.arrived += 1;
    }

    /// A frame was given up whose sending began then.
    pub(super) fn given_up(&mut self, began: Instant) {
        if began >= self.ladder.changed_at() {
            self.second.given_up += 1;
        }
    }

    /// A frame was sent late, or others were skipped for it, because the line had no room.
    pub(super) fn late(&mut self) {
        self.second.late += 1;
    }

    /// To be called once a second; with whether the viewer acknowledged anything in it. `true` when the limits changed.
    pub(super) fn tick(&mut self, now: Instant, is_heard: bool) -> bool {
        let second = Second { is_heard, ..std::mem::take(&mut self.second) };
        self.ladder.second(now, second, self.wish.rate)
    }

    /// The size to send: the largest that both the wish and the line allow.
    pub(super) fn scale(&self) -> Scale {
        let wished = |whole| Scale::to_fit(whole, self.wish.width, self.wish.height);
        self.whole.map(wished).unwrap_or_default().max(self.ladder.scale())
    }

    /// The most that is sent now.
    pub(super) fn present(&self) -> Wish {
        let rate = [self.wish.rate, self.ladder.rate()].into_iter().flatten().min();
        let by_line = self.whole.filter(|_| self.ladder.scale() != Scale::Whole);
        let by_line = by_line.map(|whole| self.ladder.scale().of(whole)).unzip();
        let side = |one: Option<u16>, other: Option<u16>| [one, other].into_iter().flatten().min();
        Wish { rate, width: side(self.wish.width, by_line.0), height: side(self.wish.height, by_line.1) }
    }

    /// Where that comes from.
    pub(super) fn limited_by(&self) -> LimitedBy {
        if self.present() != self.wish {
            LimitedBy::Line
        } else if self.wish != Wish::default() {
            LimitedBy::Wish
        } else {
            LimitedBy::Nothing
        }
    }

    /// The least time from frame to frame; zero without a limit.
    pub(super) fn interval(&self) -> Duration {
        self.present().rate.map_or(Duration::ZERO, Rate::interval)
    }

    /// As the list of viewers shows it.
    pub(super) fn shown(&self) -> Option<viewers::Limits> {
        let Wish { rate, width, height } = self.present();
        (self.limited_by() != LimitedBy::Nothing).then(|| viewers::Limits {
            fps: rate.map(|rate| f64::from(rate.tenths()) / 10.0),
            width,
            height,
            by_line: self.limited_by() == LimitedBy::Line,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stalled(limits: &mut Limits, seconds: u32) {
        let mut now = Instant::now();
        for _ in 0..seconds {
            limits.given_up(now);
            now += Duration::from_secs(1);
            limits.tick(now, true);
        }
    }

    #[test]
    fn limits_tell_whether_they_are_the_wish_or_the_lines() {
        let wish = Wish { rate: Rate::from_tenths(50), width: Some(400), height: None };
        let mut limits = Limits::new(Wish::default(), Instant::now());
        assert_eq!((limits.limited_by(), limits.shown()), (LimitedBy::Nothing, None));
        limits.whole((640, 480));
        limits.wish(wish);
        assert_eq!((limits.limited_by(), limits.present(), limits.scale()), (LimitedBy::Wish, wish, Scale::Half));
        stalled(&mut limits, 60);
        assert_eq!(limits.limited_by(), LimitedBy::Line);
        let least = Wish { rate: Rate::from_tenths(10), width: Some(80), height: Some(60) };
        assert_eq!((limits.present(), limits.scale()), (least, Scale::Eighth));
        assert!(limits.shown().is_some_and(|shown| shown.by_line && shown.fps == Some(1.0)));
        limits.wish(Wish { rate: Rate::from_tenths(2), width: Some(40), height: Some(40) });
        assert_eq!(limits.limited_by(), LimitedBy::Wish, "less is wished than the line carries");
    }
}
