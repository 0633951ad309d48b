//! What `/metrics` says of backups.

use jiff::Timestamp;

/// One was made that holds what was so then.
pub(super) fn made(at: Timestamp) {
    metrics::gauge!("larder_backup_newest_timestamp_seconds").set(at.as_duration().as_secs_f64());
}

/// One failed.
pub(super) fn failed() {
    metrics::counter!("larder_backup_failures_total").increment(1);
}
