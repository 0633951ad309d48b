//! What holds a view's rate and size down.

use std::time::Duration;

use larder_proto::wire::relay::{LimitedBy, Rate, Wish};

use crate::viewers;

/// The viewer's wish.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    wish: Wish,
}

impl Limits {
    pub(super) fn new(wish: Wish) -> Self {
        Self { wish }
    }

    /// The viewer wants something else.
    pub(super) fn wish(&mut self, wish: Wish) {
        self.wish = wish;
    }

    /// The most that is sent now.
    pub(super) fn present(&self) -> Wish {
        self.wish
    }

    /// Where that comes from.
    pub(super) fn limited_by(&self) -> LimitedBy {
        if self.wish == Wish::default() { LimitedBy::Nothing } else { LimitedBy::Wish }
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
