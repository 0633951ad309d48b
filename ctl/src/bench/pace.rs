//! Looking at regular times.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

/// Calls `look` so often for so long.
pub(super) async fn every(period: Duration, length: Duration, mut look: impl FnMut(Duration)) {
    let began = Instant::now();
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while began.elapsed() < length {
        ticks.tick().await;
        look(began.elapsed());
    }
}
