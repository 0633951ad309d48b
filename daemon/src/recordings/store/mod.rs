//! The SQL of recordings, by who needs it: [`recording`] for what is being written, [`folder`] for where it is, [`keeping`]
//! for retention and deletion, [`dating`] for runs of a wrong clock, [`deletion`] for what somebody chose to delete, [`reading`]
//! for playback and lists, [`pins`] for pins and manual recording, [`verifying`] for what is compared with checksums.

mod dating;
mod deletion;
mod folder;
mod keeping;
mod pins;
mod reading;
mod recording;
mod verifying;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tokio::sync::broadcast;
use tokio_postgres::Row;
use uuid::Uuid;

pub use dating::Future;
pub use deletion::Deletable;
pub use folder::Elsewhere;
pub use keeping::{Recorded, RemovedRun};
pub use pins::PinError;
pub use reading::{Played, Position, RunSummary, Stamp};
pub use recording::Ordinals;
pub use verifying::{Damage, Extent};

use super::{Dated, EndReason, FragmentIndex, Gap, GapReason, Pin, Run, RunId, Segment};
use crate::db::{self, Change, Client, Db, Error};

/// Longer than any segment: a row can cover a moment only when it began at most this long before. It bounds every
/// search by time to a short stretch of the index.
const LONGEST_SEGMENT: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// Rows of runs, segments, gaps and pins; clones share the pool.
#[derive(Clone)]
pub struct Store {
    db: Db,
    /// Whether it is not known of which folder rows speak.
    is_unbound: Arc<AtomicBool>,
}

/// A segment's row without its fragments.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredSegment {
    /// The row.
    pub id: i64,
    /// Of which run.
    pub run: RunId,
    /// Whose.
    pub camera: CameraId,
    /// The run's folder below the recordings root.
    pub folder: String,
    /// Media sequence of its first fragment.
    pub first_sequence: i64,
    /// Start of its first fragment.
    pub started_at: Timestamp,
    /// End of its last fragment.
    pub ended_at: Timestamp,
    /// The file's bytes that are registered.
    pub size_bytes: u64,
    /// How many.
    pub fragments: u32,
    /// Whether it is complete.
    pub closed: bool,
    /// Where the file is.
    pub place: Place,
    /// Whether its deletion has begun.
    pub deleting: bool,
    /// How far its run's times are to be believed.
    pub dated: Dated,
}

/// Where a segment's file is. The names are kept in rows: a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// Below the recordings root.
    Local,
    /// It should be, and is not; a pin keeps its row.
    Missing,
    /// In a folder or a storage that is not there now.
    Elsewhere,
}

impl Place {
    fn of(location: &str) -> Self {
        match location {
            "local" => Self::Local,
            "missing" => Self::Missing,
            _ => Self::Elsewhere,
        }
    }
}

impl StoredSegment {
    /// Whether the file is below the recordings root.
    pub fn is_local(&self) -> bool {
        self.place == Place::Local
    }

    /// The file below the run's folder.
    pub fn file_name(&self) -> String {
        self.dated.file_name(self.started_at)
    }

    /// The file below the recordings root.
    pub fn path(&self) -> String {
        format!("{}/{}", self.folder, self.file_name())
    }
}

impl Store {
    /// A store on a database.
    pub fn new(db: Db) -> Self {
        Self { db, is_unbound: Arc::default() }
    }

    /// What happens to the database, for whoever has to write down what it missed.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.db.changes()
    }

    /// The folder of the hub's own cluster; `None` when the server is another's.
    pub fn database_folder(&self) -> Option<PathBuf> {
        self.db.folder()
    }

    /// Whether the database is known to be away.
    pub fn is_away(&self) -> bool {
        self.db.trouble().is_some()
    }

    async fn client(&self) -> Result<Client, Error> {
        self.db.client().await
    }
}

/// The columns that [`stored_segment`] reads, of `segments s JOIN runs r`.
const SEGMENT_COLUMNS: &str = "s.id, s.run_id, s.camera_id, s.first_sequence, s.started_at, s.ended_at, s.size_bytes,
    s.fragments, s.closed, s.location, s.deleting_since, r.started_at AS run_started_at, r.shift_us, r.date_known";

fn stored_segment(row: &Row) -> Result<StoredSegment, Error> {
    let run = RunId(row.try_get("run_id")?);
    let camera = CameraId(row.try_get("camera_id")?);
    let dated = dated(row)?;
    Ok(StoredSegment {
        id: row.try_get("id")?,
        run,
        camera,
        folder: super::run_folder(camera, dated.named(row.try_get("run_started_at")?), run),
        first_sequence: row.try_get("first_sequence")?,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        size_bytes: unsigned(row.try_get("size_bytes")?),
        fragments: u32::try_from(row.try_get::<_, i32>("fragments")?).unwrap_or_default(),
        closed: row.try_get("closed")?,
        place: Place::of(row.try_get("location")?),
        deleting: row.try_get::<_, Option<Timestamp>>("deleting_since")?.is_some(),
        dated,
    })
}

fn dated(row: &Row) -> Result<Dated, Error> {
    Ok(Dated { is_known: row.try_get("date_known")?, shift_us: row.try_get("shift_us")?, boot: None })
}

/// The columns that [`run`] reads.
const RUN_COLUMNS: &str = "r.id AS run_id, r.camera_id, r.ordinal, r.first_sequence AS run_first_sequence,
    r.started_at AS run_started_at, r.ended_at AS run_ended_at, r.end_reason, r.width, r.height, r.codec,
    r.shift_us, r.date_known";

fn run(row: &Row) -> Result<Run, Error> {
    let end_reason = row
        .try_get::<_, Option<&str>>("end_reason")?
        .map(|name| EndReason::from_name(name).ok_or_else(|| broken("runs", format!("end_reason {name:?}"))))
        .transpose()?;
    Ok(Run {
        id: RunId(row.try_get("run_id")?),
        camera: CameraId(row.try_get("camera_id")?),
        ordinal: row.try_get("ordinal")?,
        first_sequence: row.try_get("run_first_sequence")?,
        started_at: row.try_get("run_started_at")?,
        ended_at: row.try_get("run_ended_at")?,
        end_reason,
        size: (pixels(row, "width")?, pixels(row, "height")?),
        codec: row.try_get("codec")?,
        dated: dated(row)?,
    })
}

fn gap(row: &Row) -> Result<Gap, Error> {
    let reason: &str = row.try_get("reason")?;
    Ok(Gap {
        camera: CameraId(row.try_get("camera_id")?),
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        reason: GapReason::from_name(reason).ok_or_else(|| broken("gaps", format!("reason {reason:?}")))?,
    })
}

fn pixels(row: &Row, column: &str) -> Result<u16, Error> {
    let value: i32 = row.try_get(column)?;
    u16::try_from(value).ok().ok_or_else(|| broken("runs", format!("{column} {value}")))
}

fn broken(table: &'static str, why: String) -> Error {
    db::Error::Broken { table, why }
}

/// Counts and sizes are never negative in rows.
fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn uuid_of(camera: Option<CameraId>) -> Option<Uuid> {
    camera.map(|camera| camera.0)
}

#[cfg(test)]
mod tests;
