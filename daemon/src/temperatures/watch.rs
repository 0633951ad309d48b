//! Readings as a stream.

use std::collections::VecDeque;

use futures_util::{Stream, stream};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Reading, SensorId, Temperatures};

struct Watch {
    /// Empty: all.
    wanted: Vec<SensorId>,
    first: VecDeque<Reading>,
    then: broadcast::Receiver<Reading>,
}

/// The newest reading of every wanted sensor, then each one that comes. A slow reader misses the oldest.
pub(super) fn readings(
    temperatures: &Temperatures,
    wanted: Vec<SensorId>,
) -> impl Stream<Item = Reading> + Send + use<> {
    // Before the newest are looked at, so that none is missed between; one that comes just then is told twice.
    let then = temperatures.watch();
    let known = temperatures.all();
    let first = known.iter().filter(|sensor| wanted.is_empty() || wanted.contains(&sensor.id));
    let first = first.filter_map(|sensor| temperatures.latest(sensor.id)).collect();
    stream::unfold(Watch { wanted, first, then }, |mut watch| async move {
        if let Some(reading) = watch.first.pop_front() {
            return Some((reading, watch));
        }
        loop {
            match watch.then.recv().await {
                Ok(reading) if watch.wanted.is_empty() || watch.wanted.contains(&reading.sensor) => {
                    return Some((reading, watch));
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
}
