//! Everything that is kept of some sensors in a range, a window of time after the other.

use std::{collections::HashMap, ops::Range, sync::Arc, vec};

use futures_util::{Stream, stream};
use jiff::{SignedDuration, Timestamp};

use super::{
    Reading, Sensor, SensorId, handle,
    store::{Since, Store},
};
use crate::db;

/// What is read at once: some ten thousand rows of a house full of sensors.
const OF_READINGS: SignedDuration = SignedDuration::from_hours(6);
const OF_MINUTES: SignedDuration = SignedDuration::from_hours(24);
const OF_HOURS: SignedDuration = SignedDuration::from_hours(60 * 24);
/// Readings of one message: about 60 kB.
const BATCH: usize = 1000;

struct Export {
    store: Store,
    sensors: HashMap<i32, SensorId>,
    /// Empty until the first window.
    since: Vec<Since>,
    rest: Range<Timestamp>,
    ready: vec::IntoIter<Reading>,
}

/// The readings of a range, oldest first, in batches. Where single ones are no longer kept, the means of minutes, then
/// of hours, stand in.
pub(super) fn export(
    store: Store,
    sensors: &[Arc<Sensor>],
    range: Range<Timestamp>,
) -> impl Stream<Item = Result<Vec<Reading>, db::Error>> + Send + use<> {
    let sensors = sensors.iter().map(|sensor| (sensor.key, sensor.id)).collect();
    let export = Export { store, sensors, since: Vec::new(), rest: range, ready: Vec::new().into_iter() };
    stream::try_unfold(export, |mut export| async move {
        let batch = export.next().await?;
        Ok((!batch.is_empty()).then_some((batch, export)))
    })
}

impl Export {
    /// The next batch; empty at the end.
    async fn next(&mut self) -> Result<Vec<Reading>, db::Error> {
        if self.since.is_empty() {
            let keys: Vec<i32> = self.sensors.keys().copied().collect();
            self.since = self.store.since(&keys).await?;
            self.skip(&keys).await?;
        }
        while self.ready.len() == 0 && self.rest.start < self.rest.end {
            let window = self.rest.start..self.window_end();
            let kept = self.store.kept(&self.since, &window).await?;
            let readings: Vec<Reading> = kept
                .iter()
                .filter_map(|kept| self.sensors.get(&kept.key).map(|sensor| handle::reading(*sensor, kept)))
                .collect();
            self.rest.start = window.end;
            if readings.is_empty() {
                let keys: Vec<i32> = self.sensors.keys().copied().collect();
                self.skip(&keys).await?;
            }
            self.ready = readings.into_iter();
        }
        Ok(self.ready.by_ref().take(BATCH).collect())
    }

    /// Goes on to where the next row is, so that empty years cost nothing.
    async fn skip(&mut self, keys: &[i32]) -> Result<(), db::Error> {
        let next = self.store.first_from(keys, self.rest.start).await?;
        self.rest.start = next.unwrap_or(self.rest.end).max(self.rest.start);
        Ok(())
    }

    fn window_end(&self) -> Timestamp {
        let from = self.rest.start;
        let readings = self.since.iter().map(|since| since.readings).min().unwrap_or(Timestamp::MIN);
        let minutes = self.since.iter().map(|since| since.minutes).min().unwrap_or(Timestamp::MIN);
        let (length, bound) = if from >= readings {
            (OF_READINGS, Timestamp::MAX)
        } else if from >= minutes {
            (OF_MINUTES, readings)
        } else {
            (OF_HOURS, minutes)
        };
        from.checked_add(length).unwrap_or(Timestamp::MAX).min(bound).min(self.rest.end)
    }
}
