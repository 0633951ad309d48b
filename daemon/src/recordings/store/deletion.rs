//! What somebody chose to delete.

use std::collections::HashMap;

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{
    Error, Pin, RunId, Store,
    keeping::PINNED,
    pins,
    reading::{REACHES, reach},
};
use crate::{clock, recordings::Deletion};

/// The part of a statement that chooses segments `s`, and its parameters from `$1` on.
struct Chosen {
    sql: String,
    parameters: Vec<Box<dyn ToSql + Send + Sync>>,
}

impl Chosen {
    fn of(what: &Deletion) -> Self {
        match what {
            Deletion::Runs(runs) => {
                Self { sql: "s.run_id = ANY($1)".to_owned(), parameters: vec![Box::new(runs.clone())] }
            }
            Deletion::Span { camera, from_us, to_us, last } => {
                let range = clock::from_us(*from_us)..clock::from_us(*to_us);
                let reach = reach(&range);
                let parameters: Vec<Box<dyn ToSql + Send + Sync>> = vec![
                    Box::new(*camera),
                    Box::new(range.start),
                    Box::new(range.end),
                    Box::new(reach),
                    Box::new(*last),
                ];
                Self { sql: format!("{REACHES} AND s.id <= $5"), parameters }
            }
        }
    }

    fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.parameters.iter().map(|parameter| -> &(dyn ToSql + Sync) { &**parameter }).collect()
    }
}

/// Files that are here, and rows of those that are in a folder that is not.
const DELETABLE: &str = "(s.location = 'local' OR s.location LIKE 'folder:%')";

/// What a deletion has left.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Deletable {
    /// Files.
    pub segments: u64,
    /// Of all of them.
    pub bytes: u64,
}

impl Store {
    /// The newest segment's row.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn last_segment(&self) -> Result<i64, Error> {
        let row = self.client().await?.query_one("SELECT coalesce(max(id), 0) FROM segments", &[]).await?;
        Ok(row.try_get(0)?)
    }

    /// What a deletion has left.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn deletable_size(&self, what: &Deletion) -> Result<Deletable, Error> {
        let chosen = Chosen::of(what);
        let sql = format!(
            "SELECT count(*), coalesce(sum(s.size_bytes), 0)::bigint FROM segments s
             WHERE {} AND s.closed AND {DELETABLE} AND NOT {PINNED}",
            chosen.sql
        );
        let row = self.client().await?.query_one(&sql, &chosen.parameters()).await?;
        Ok(Deletable { segments: super::unsigned(row.try_get(0)?), bytes: super::unsigned(row.try_get(1)?) })
    }

    /// The oldest segments of a deletion, so many at most: the closed ones that no pin holds.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn deletable(&self, what: &Deletion, most: u32) -> Result<Vec<i64>, Error> {
        let chosen = Chosen::of(what);
        let sql = format!(
            "SELECT s.id FROM segments s WHERE {} AND s.closed AND {DELETABLE} AND NOT {PINNED}
             ORDER BY s.started_at LIMIT {most}",
            chosen.sql
        );
        let rows = self.client().await?.query(&sql, &chosen.parameters()).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    /// The pins that hold something of a deletion, the oldest first.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn pins_against(&self, what: &Deletion) -> Result<Vec<Pin>, Error> {
        let chosen = Chosen::of(what);
        let sql = format!(
            "SELECT p.id, p.camera_id, p.started_at, p.ended_at, p.note, p.created_at FROM pins p
             WHERE EXISTS (SELECT FROM segments s WHERE {} AND s.closed AND s.camera_id = p.camera_id
                           AND s.started_at < p.ended_at AND s.ended_at > p.started_at)
             ORDER BY p.started_at, p.id",
            chosen.sql
        );
        let rows = self.client().await?.query(&sql, &chosen.parameters()).await?;
        rows.iter().map(pins::pin).collect()
    }

    /// Which of these runs there are, and whether each has ended.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn ended(&self, runs: &[Uuid]) -> Result<HashMap<RunId, bool>, Error> {
        let sql = "SELECT id, ended_at IS NOT NULL FROM runs WHERE id = ANY($1)";
        let rows = self.client().await?.query(sql, &[&runs]).await?;
        rows.iter().map(|row| Ok((RunId(row.try_get(0)?), row.try_get(1)?))).collect()
    }
}
