//! Refused connections, counted always and logged now and then, so that a stranger can't fill the log.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// One line for each reason in this time.
const QUIET: Duration = Duration::from_secs(10);

/// When each reason was logged last, and how many came since.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<&'static str, (Instant, u64)>>);

impl Refusals {
    /// Counts a refusal. `Some(unlogged)` when it is to be logged: how many of the same reason were not.
    pub(super) fn note(&self, reason: &'static str) -> Option<u64> {
        metrics::counter!("larder_camera_connections_refused_total", "reason" => reason).increment(1);
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(reason) {
            Some((logged, unlogged)) if now.duration_since(*logged) < QUIET => {
                *unlogged += 1;
                None
            }
            _ => known.insert(reason, (now, 0)).map(|(_, unlogged)| unlogged).or(Some(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_reason_is_logged_once_in_ten_seconds_with_the_number_left_out() {
        let refusals = Refusals::default();
        assert_eq!(refusals.note("busy"), Some(0));
        assert_eq!(refusals.note("unproven"), Some(0));
        assert_eq!((refusals.note("busy"), refusals.note("busy")), (None, None));
        tokio::time::advance(QUIET).await;
        assert_eq!(refusals.note("busy"), Some(2));
        assert_eq!(refusals.note("busy"), None);
    }
}
