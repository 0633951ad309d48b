//! What a view has come to: rates, ages and counts, for people and programs. Pure.

use std::{collections::VecDeque, time::Duration};

use larder_proto::wire::relay::{LimitedBy, Presence, Status};
use serde::Serialize;
use tokio::time::Instant;

use super::picture::Picture;

/// Rates are over so long.
const WINDOW: Duration = Duration::from_secs(3);
/// Ages are counted by the millisecond up to here; older ones are as this.
const OLDEST_MS: usize = 20_000;

/// Counts a view.
#[derive(Debug)]
pub(crate) struct Tally {
    recent: VecDeque<(Instant, usize)>,
    began: Instant,
    frames: u64,
    bytes: u64,
    skipped: u64,
    connects: u64,
    ages: Vec<u32>,
    newest_age: Option<Duration>,
    size: Option<(u16, u16)>,
    round_trip: Option<Duration>,
    status: Option<Status>,
}

/// What programs read, and what the status line shows.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    /// Pictures a second, over the last three seconds.
    pub(crate) fps: f64,
    pub(crate) bytes_per_second: f64,
    /// From the newest picture's capture to its arrival.
    pub(crate) age_ms: Option<u64>,
    pub(crate) age_p50_ms: Option<u64>,
    pub(crate) age_p95_ms: Option<u64>,
    pub(crate) round_trip_ms: Option<f64>,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    /// Pictures of the camera that did not come.
    pub(crate) skipped: u64,
    pub(crate) connects: u64,
    pub(crate) width: Option<u16>,
    pub(crate) height: Option<u16>,
    /// `online`, `stalled` or `offline`.
    pub(crate) presence: Option<&'static str>,
    /// The present limits and whether the line holds them down.
    pub(crate) max_fps: Option<f64>,
    pub(crate) max_width: Option<u16>,
    pub(crate) max_height: Option<u16>,
    pub(crate) limited_by: Option<&'static str>,
}

impl Tally {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            recent: VecDeque::new(),
            began: now,
            frames: 0,
            bytes: 0,
            skipped: 0,
            connects: 0,
            ages: vec![0; OLDEST_MS + 1],
            newest_age: None,
            size: None,
            round_trip: None,
            status: None,
        }
    }

    pub(crate) fn connected(&mut self) {
        self.connects += 1;
        self.status = None;
    }

    pub(crate) fn picture(&mut self, picture: &Picture) {
        self.frames += 1;
        self.bytes += u64::from(picture.header.length);
        self.skipped += u64::from(picture.header.skipped);
        self.size = Some((picture.header.width, picture.header.height));
        self.recent.push_back((picture.arrived, picture.jpeg.len()));
        self.forget(picture.arrived);
        self.newest_age = picture.age;
        if let Some(age) = picture.age {
            let at = usize::try_from(age.as_millis()).unwrap_or(OLDEST_MS).min(OLDEST_MS);
            self.ages[at] = self.ages[at].saturating_add(1);
        }
    }

    pub(crate) fn status(&mut self, status: Status) {
        self.status = Some(status);
    }

    pub(crate) fn round_trip(&mut self, round_trip: Duration) {
        self.round_trip = Some(round_trip);
    }

    /// All of it, now.
    pub(crate) fn figures(&mut self, now: Instant) -> Figures {
        self.forget(now);
        let span = now.saturating_duration_since(self.began).min(WINDOW).as_secs_f64().max(0.001);
        let bytes: usize = self.recent.iter().map(|(_, bytes)| bytes).sum();
        let limits = self.status.map(|status| status.limits).unwrap_or_default();
        Figures {
            fps: tenth(self.recent.len() as f64 / span),
            bytes_per_second: (bytes as f64 / span).round(),
            age_ms: self.newest_age.and_then(|age| u64::try_from(age.as_millis()).ok()),
            age_p50_ms: self.age_percentile(50),
            age_p95_ms: self.age_percentile(95),
            round_trip_ms: self.round_trip.map(|round_trip| tenth(round_trip.as_secs_f64() * 1e3)),
            frames: self.frames,
            bytes: self.bytes,
            skipped: self.skipped,
            connects: self.connects,
            width: self.size.map(|(width, _)| width),
            height: self.size.map(|(_, height)| height),
            presence: self.status.map(|status| presence(status.presence)),
            max_fps: limits.rate.map(|rate| f64::from(rate.tenths()) / 10.0),
            max_width: limits.width,
            max_height: limits.height,
            limited_by: self.status.map(|status| limited_by(status.limited_by)),
        }
    }

    /// By nearest rank.
    fn age_percentile(&self, percent: u64) -> Option<u64> {
        let all: u64 = self.ages.iter().map(|count| u64::from(*count)).sum();
        let rank = (all * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let at = self.ages.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        })?;
        u64::try_from(at).ok()
    }

    fn forget(&mut self, now: Instant) {
        while self.recent.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW) {
            self.recent.pop_front();
        }
    }
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn presence(presence: Presence) -> &'static str {
    match presence {
        Presence::Offline => "offline",
        Presence::Online => "online",
        Presence::Stalled => "stalled",
    }
}

fn limited_by(limited_by: LimitedBy) -> &'static str {
    match limited_by {
        LimitedBy::Nothing => "nothing",
        LimitedBy::Wish => "wish",
        LimitedBy::Line => "line",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::Bytes;
    use larder_proto::wire::relay::{FrameHeader, Rate, Wish};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    pub(in crate::view) fn picture(sequence: u64, arrived: Instant, age: Option<Duration>) -> Picture {
        let jpeg = Bytes::from_static(&[0xff, 0xd8, 0xff, 0xd9]);
        let header = FrameHeader {
            is_scaled: false,
            skipped: 1,
            sequence,
            captured_at_us: i64::try_from(sequence).unwrap() * 100_000,
            sent_at_us: 0,
            width: 640,
            height: 480,
            length: 4,
        };
        Picture { header, jpeg, arrived, age }
    }

    #[test]
    fn rates_are_those_of_the_last_three_seconds() {
        let began = Instant::now();
        let mut tally = Tally::new(began);
        for number in 0..100 {
            tally.picture(&picture(number, began + 100 * MS * u32::try_from(number).unwrap(), None));
        }
        let figures = tally.figures(began + 10_000 * MS);
        assert_eq!((figures.fps, figures.frames, figures.skipped), (10.0, 100, 100));
        assert_eq!(tally.figures(began + 60_000 * MS).fps, 0.0);
        let mut young = Tally::new(began);
        young.picture(&picture(0, began + 100 * MS, None));
        assert_eq!(young.figures(began + 500 * MS).fps, 2.0);
    }

    #[test]
    fn ages_have_percentiles_and_none_when_no_clock_is_known() {
        let began = Instant::now();
        let mut tally = Tally::new(began);
        tally.picture(&picture(0, began, None));
        assert_eq!((tally.figures(began).age_ms, tally.figures(began).age_p50_ms), (None, None));
        for age in 1..=100 {
            tally.picture(&picture(age, began, Some(MS * u32::try_from(age).unwrap())));
        }
        let figures = tally.figures(began);
        assert_eq!((figures.age_ms, figures.age_p50_ms, figures.age_p95_ms), (Some(100), Some(50), Some(95)));
    }

    #[test]
    fn what_holds_the_view_down_is_told() {
        let mut tally = Tally::new(Instant::now());
        let limits = Wish { rate: Rate::from_tenths(25), width: Some(320), height: None };
        let presence = Presence::Online;
        tally.status(Status { presence, delivered: 1, skipped: 2, window: 3, limits, limited_by: LimitedBy::Line });
        let figures = tally.figures(Instant::now());
        assert_eq!((figures.max_fps, figures.max_width, figures.limited_by), (Some(2.5), Some(320), Some("line")));
    }
}
