//! Which folder the rows speak of. One database belongs to one folder at a time: files of another one are not gone, they are
//! elsewhere, and nothing that is missing here says anything of them.

use std::{collections::HashSet, sync::atomic::Ordering};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use uuid::Uuid;

use super::{Error, Store, keeping::PINNED};

/// How the location of what lies in another folder begins; its id follows.
const FOLDER: &str = "folder:";

/// Recordings that are in none of the folders that are there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Elsewhere {
    /// Files.
    pub segments: u64,
    /// Of all of them.
    pub bytes: u64,
    /// The folders' ids.
    pub folders: Vec<String>,
}

impl Store {
    /// The hub whose rows these are, and their database while it is there.
    pub fn owner(&self) -> (Uuid, Option<Uuid>) {
        (self.db.hub().id, self.db.id())
    }

    /// When the hub was alive last before it began, as far as the database knows.
    pub fn last_alive_at(&self) -> Option<Timestamp> {
        self.db.last_written_at()
    }

    /// From now on it is not known of which folder rows speak: none of files is written until [`Store::bind_folder`].
    pub fn unbind_folder(&self) {
        self.is_unbound.store(true, Ordering::Relaxed);
    }

    /// Says in which folder local files are. Rows of files in the one that was bound before are kept as being elsewhere;
    /// those of files in this one are local again. `is_known`: it is the folder that rows spoke of before they named one.
    ///
    /// # Errors
    /// When the database is away; then nothing has changed.
    pub async fn bind_folder(&self, folder: Uuid, is_known: bool) -> Result<(), Error> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        // Without a lock: also a database that can't write can be read. The hub has it for itself.
        let bound: Option<Uuid> = transaction.query_one("SELECT recordings_folder FROM hub", &[]).await?.try_get(0)?;
        if bound != Some(folder) {
            if bound.is_some() || !is_known {
                let before = bound.map_or_else(|| format!("{FOLDER}unknown"), |before| format!("{FOLDER}{before}"));
                let leave = "UPDATE segments SET location = $1, closed = true WHERE location = 'local'";
                let left = transaction.execute(leave, &[&before]).await?;
                let end = "UPDATE runs r SET end_reason = 'hub_down', ended_at = coalesce(
                    (SELECT max(s.ended_at) FROM segments s WHERE s.run_id = r.id), r.started_at) WHERE ended_at IS NULL";
                transaction.execute(end, &[]).await?;
                let take = "UPDATE segments SET location = 'local' WHERE location = $1";
                let taken = transaction.execute(take, &[&format!("{FOLDER}{folder}")]).await?;
                if left > 0 || taken > 0 {
                    tracing::warn!(
                        segments.left = left,
                        segments.taken = taken,
                        "the recordings folder is another one; what was recorded before is kept as being elsewhere"
                    );
                }
            }
            transaction.execute("UPDATE hub SET recordings_folder = $1", &[&folder]).await?;
        }
        transaction.commit().await?;
        self.is_unbound.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Refuses while it is not known of which folder rows speak.
    ///
    /// # Errors
    /// [`Error::Unavailable`] then.
    pub fn expect_folder(&self) -> Result<(), Error> {
        if self.is_unbound.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("the recordings folder was not compared with it yet".into()));
        }
        Ok(())
    }

    /// The cameras whose files rows can speak of.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn cameras(&self) -> Result<HashSet<CameraId>, Error> {
        let rows = self.client().await?.query("SELECT id FROM cameras", &[]).await?;
        rows.iter().map(|row| Ok(CameraId(row.try_get(0)?))).collect()
    }

    /// What lies in other folders; `None` when nothing does.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn elsewhere(&self) -> Result<Option<Elsewhere>, Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT count(*), coalesce(sum(size_bytes), 0)::bigint, array_agg(DISTINCT substr(location, 8))
                 FROM segments WHERE location LIKE 'folder:%' HAVING count(*) > 0",
            )
            .await?;
        let row = client.query_opt(&statement, &[]).await?;
        row.map(|row| {
            Ok(Elsewhere {
                segments: super::unsigned(row.try_get(0)?),
                bytes: super::unsigned(row.try_get(1)?),
                folders: row.try_get(2)?,
            })
        })
        .transpose()
    }

    /// Removes the rows of segments that are elsewhere, because somebody said so; those that a pin holds stay. How many went.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn forget_elsewhere(&self, ids: &[i64]) -> Result<u64, Error> {
        let client = self.client().await?;
        let sql =
            format!("SELECT s.id FROM segments s WHERE s.id = ANY($1) AND s.location LIKE 'folder:%' AND NOT {PINNED}");
        let rows = client.query(&sql, &[&ids]).await?;
        let chosen: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        drop(client);
        if !chosen.is_empty() {
            self.remove_segments(&chosen).await?;
        }
        Ok(u64::try_from(chosen.len()).unwrap_or(u64::MAX))
    }
}
