//! Backups as messages: pure.

use larder_proto::pb;

use super::{Backup, Kind, Outcome};
use crate::pb_time::timestamp;

/// A backup.
pub(super) fn backup(backup: Backup) -> pb::Backup {
    let kind = match backup.name.kind {
        Kind::Regular => pb::BackupKind::Regular,
        Kind::BeforeRestore => pb::BackupKind::BeforeRestore,
    };
    pb::Backup {
        name: backup.name.to_string(),
        kind: kind.into(),
        created_at: Some(timestamp(backup.name.at)),
        size_bytes: backup.size_bytes,
    }
}

/// How a restore went.
pub(super) fn outcome(outcome: &Outcome) -> pb::RestoreOutcome {
    let (error, kept) = match &outcome.result {
        Ok(kept) => (String::new(), kept.map(|name| name.to_string()).unwrap_or_default()),
        Err(why) => (why.clone(), String::new()),
    };
    pb::RestoreOutcome {
        id: outcome.order.id.to_string(),
        name: outcome.order.name.to_string(),
        finished_at: Some(timestamp(outcome.at)),
        error,
        kept,
    }
}
