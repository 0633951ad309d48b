//! Jobs in PostgreSQL.

use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use super::{Finished, Job, JobId, Outcome, Progress};
use crate::db::{Db, Error, Transaction};

const COLUMNS: &str = "id, kind, lane, about, title, input, priority, created_at, attempts, next_attempt_at, done, \
                       total, unit, error, finished_at, outcome";

/// Which jobs of a list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only of this kind.
    pub kind: Option<&'a str>,
    /// Only about this.
    pub about: Option<Uuid>,
    /// Only those made before this one.
    pub before: Option<JobId>,
}

/// Rows of jobs; clones share the pool.
#[derive(Clone)]
pub(super) struct Store(pub(super) Db);

impl Store {
    /// Writes a job as it stands. Again is the same as once. Of each lane only the newest finished ones are kept.
    pub(super) async fn keep(&self, job: &Job, kept: Option<u32>) -> Result<(), Error> {
        let mut client = self.0.client().await?;
        let transaction = client.transaction().await?;
        upsert(&transaction, job).await?;
        if let Some(kept) = kept.filter(|_| job.finished.is_some()) {
            let old = "DELETE FROM jobs WHERE kind = $1 AND lane = $2 AND finished_at IS NOT NULL AND id <= ( \
                       SELECT id FROM jobs WHERE kind = $1 AND lane = $2 AND finished_at IS NOT NULL \
                       ORDER BY id DESC OFFSET $3 LIMIT 1)";
            transaction.execute(old, &[&job.kind, &job.lane, &i64::from(kept)]).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Jobs of these kinds that are not finished, the oldest first.
    pub(super) async fn unfinished(&self, kinds: &[&str]) -> Result<Vec<Job>, Error> {
        let client = self.0.client().await?;
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE finished_at IS NULL AND kind = ANY($1) ORDER BY id");
        client.query(&sql, &[&kinds]).await?.iter().map(job).collect()
    }

    /// One job.
    pub(super) async fn get(&self, id: JobId) -> Result<Option<Job>, Error> {
        let client = self.0.client().await?;
        let row = client.query_opt(&format!("SELECT {COLUMNS} FROM jobs WHERE id = $1"), &[&id.0]).await?;
        row.as_ref().map(job).transpose()
    }

    /// The newest jobs that a filter lets through.
    pub(super) async fn list(&self, filter: Filter<'_>, most: usize) -> Result<Vec<Job>, Error> {
        let client = self.0.client().await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs WHERE ($1::text IS NULL OR kind = $1) AND ($2::uuid IS NULL OR about = $2) \
             AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4"
        );
        let before = filter.before.map(|before| before.0);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        client.query(&sql, &[&filter.kind, &filter.about, &before, &most]).await?.iter().map(job).collect()
    }

    /// Removes all jobs of a lane.
    pub(super) async fn forget(&self, kind: &str, lane: &str) -> Result<(), Error> {
        let client = self.0.client().await?;
        client.execute("DELETE FROM jobs WHERE kind = $1 AND lane = $2", &[&kind, &lane]).await?;
        Ok(())
    }
}

async fn upsert(client: &Transaction<'_>, job: &Job) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO jobs ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
         ON CONFLICT (id) DO UPDATE SET attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at, \
         done = excluded.done, total = excluded.total, unit = excluded.unit, error = excluded.error, \
         finished_at = excluded.finished_at, outcome = excluded.outcome"
    );
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let progress = job.progress.as_ref();
    client
        .execute(
            &sql,
            &[
                &job.id.0,
                &job.kind,
                &job.lane,
                &job.about,
                &job.title,
                &Json(&job.input),
                &i16::from(job.priority),
                &job.created_at,
                &i32::try_from(job.attempts).unwrap_or(i32::MAX),
                &job.next_attempt_at,
                &progress.map(|progress| number(progress.done)),
                &progress.map(|progress| number(progress.total)),
                &progress.map(|progress| progress.unit.as_str()),
                &job.error,
                &job.finished.map(|finished| finished.at),
                &job.finished.map(|finished| finished.outcome.name()),
            ],
        )
        .await?;
    Ok(())
}

fn job(row: &Row) -> Result<Job, Error> {
    let Json(input) = row.try_get("input")?;
    let finished_at: Option<jiff::Timestamp> = row.try_get("finished_at")?;
    Ok(Job {
        id: JobId(row.try_get("id")?),
        kind: row.try_get("kind")?,
        lane: row.try_get("lane")?,
        about: row.try_get("about")?,
        title: row.try_get("title")?,
        input,
        priority: u8::try_from(row.try_get::<_, i16>("priority")?).unwrap_or_default(),
        created_at: row.try_get("created_at")?,
        attempts: row.try_get::<_, i32>("attempts")?.unsigned_abs(),
        next_attempt_at: row.try_get("next_attempt_at")?,
        progress: progress(row)?,
        error: row.try_get("error")?,
        finished: finished_at.map(|at| Ok::<_, Error>(Finished { at, outcome: outcome(row)? })).transpose()?,
        is_running: false,
    })
}

fn progress(row: &Row) -> Result<Option<Progress>, Error> {
    let Some(done) = row.try_get::<_, Option<i64>>("done")? else { return Ok(None) };
    let total: Option<i64> = row.try_get("total")?;
    let unit: Option<String> = row.try_get("unit")?;
    let number = |value: i64| u64::try_from(value).unwrap_or_default();
    Ok(Some(Progress { done: number(done), total: number(total.unwrap_or_default()), unit: unit.unwrap_or_default() }))
}

fn outcome(row: &Row) -> Result<Outcome, Error> {
    let name: Option<&str> = row.try_get("outcome")?;
    let outcome = name.and_then(Outcome::from_name);
    outcome.ok_or_else(|| Error::Broken { table: "jobs", why: format!("outcome {name:?}") })
}
