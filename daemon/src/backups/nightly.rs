//! When the next backup is due, and who begins it.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use tokio::time::{Instant, interval};

use super::Backups;
use crate::{outcome::chain, repeats};

/// How often it is looked whether one is due.
const LOOK: Duration = Duration::from_secs(10);
/// After one that failed.
const PAUSE: Duration = Duration::from_mins(30);

/// When one is due after the newest: at the first such hour. With none there, at once.
fn due(newest: Option<Timestamp>, hour: i8, zone: &TimeZone) -> Timestamp {
    let Some(newest) = newest else { return Timestamp::MIN };
    let after = newest.to_zoned(zone.clone());
    let on = |date: jiff::civil::Date| date.at(hour, 0, 0, 0).to_zoned(zone.clone()).ok();
    let days = [Ok(after.date()), after.date().tomorrow()];
    let hours = days.into_iter().filter_map(|date| on(date.ok()?));
    hours.map(|at| at.timestamp()).find(|at| *at > newest).unwrap_or(Timestamp::MAX)
}

/// Whether one is due now.
pub(super) fn is_due(now: Timestamp, newest: Option<Timestamp>, hour: i8, zone: &TimeZone) -> bool {
    due(newest, hour, zone) <= now
}

impl Backups {
    /// Begins one each night, and soon after a start that slept over it. While the database is away, or the clock says
    /// what can't be, none is begun.
    pub(super) async fn each_night(self) {
        let mut ticks = interval(LOOK);
        let mut rest_until = None;
        loop {
            ticks.tick().await;
            let rests = rest_until.is_some_and(|until| Instant::now() < until);
            if rests || !self.is_wanted_now().await {
                continue;
            }
            match self.begin(true).await {
                // Not before it has ended, as long as it waits in the queue; and when it failed, not at once.
                Ok(_) => rest_until = Some(Instant::now() + PAUSE),
                Err(error) => repeats::say!(warn, "", { cause = chain(&error) }, "the nightly backup cannot begin yet"),
            }
        }
    }

    async fn is_wanted_now(&self) -> bool {
        self.0.db.id().is_some()
            && self.0.clock.trouble().is_none()
            && !self.is_under_way()
            && self.is_due().await.unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_due_at_its_hour_and_when_a_night_was_slept_over() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let is_due = |now, newest: Option<&str>| is_due(at(now), newest.map(at), 3, &zone);
        assert!(is_due("2026-11-30T12:00:00Z", None));
        // Three at night is two in UTC.
        let last = Some("2026-11-30T02:00:00.5Z");
        assert!(!is_due("2026-11-30T02:00:01Z", last));
        assert!(!is_due("2026-12-01T01:59:59Z", last));
        assert!(is_due("2026-12-01T02:00:00Z", last));
        assert!(is_due("2026-12-01T09:00:00Z", last), "the hub was off at night");
        let by_hand = Some("2026-11-30T01:50:00Z");
        assert!(is_due("2026-11-30T02:00:00Z", by_hand));
    }

    #[test]
    fn a_night_without_that_hour_has_one_all_the_same() {
        // Clocks are put forward from two to three.
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let last = "2026-03-28T12:00:00Z".parse().unwrap();
        let next = due(Some(last), 2, &zone);
        assert_eq!(next, "2026-03-29T01:00:00Z".parse().unwrap());
    }
}
