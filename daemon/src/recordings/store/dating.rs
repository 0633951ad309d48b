//! Runs of a clock that was wrong: their rows move to where they belong, and what a wrong clock left is found.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use larder_proto::wire::CameraId;
use uuid::Uuid;

use super::{Dated, EndReason, Error, RunId, Store};
use crate::{
    db::Transaction,
    recordings::timeline::{overlap, without},
};

/// Less than this between two runs is no gap: the picture that ended one began the next.
const NO_GAP: SignedDuration = SignedDuration::from_secs(1);

/// Longer than time is in rows, and than any shift: rows are moved out of each other's way by it.
const AWAY: &str = "interval '2600000 hours'";

/// A camera's recordings that have dates after now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Future {
    /// Its name.
    pub camera: String,
    /// Files.
    pub segments: u64,
    /// Start of the first.
    pub from: Timestamp,
    /// End of the last.
    pub to: Timestamp,
}

/// A run's times before it moves.
struct Before {
    id: Uuid,
    camera: CameraId,
    shift_us: i64,
}

impl Store {
    /// Gives a camera's runs the times that their files say, with their segments, the pins on them and the gaps around
    /// them. All or nothing; again is the same as once.
    ///
    /// # Errors
    /// When the database is away; then nothing has moved.
    pub async fn redate(&self, camera: CameraId, runs: &[(RunId, Dated)], now: Timestamp) -> Result<(), Error> {
        self.expect_folder()?;
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        for (run, dated) in runs {
            let sql = "SELECT id, camera_id, shift_us FROM runs WHERE id = $1 FOR UPDATE";
            let Some(row) = transaction.query_opt(sql, &[&run.0]).await? else { continue };
            let before = Before { id: row.try_get(0)?, camera: CameraId(row.try_get(1)?), shift_us: row.try_get(2)? };
            let by_us = dated.shift_us.saturating_sub(before.shift_us);
            if by_us != 0 {
                move_pins(&transaction, &before, by_us).await?;
                forget_gaps(&transaction, &before).await?;
                move_rows(&transaction, &before, by_us).await?;
            }
            let sql = "UPDATE runs SET shift_us = $2, date_known = $3,
                           placed_at = CASE WHEN $3 THEN started_at ELSE placed_at END WHERE id = $1";
            transaction.execute(sql, &[&run.0, &dated.shift_us, &dated.is_known]).await?;
        }
        fill_gaps(&transaction, camera, now).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// A camera's runs whose folders are not named by their day.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn shifted_runs(&self, camera: CameraId) -> Result<HashSet<RunId>, Error> {
        let client = self.client().await?;
        let statement = client.prepare_cached("SELECT id FROM runs WHERE camera_id = $1 AND shift_us <> 0").await?;
        let rows = client.query(&statement, &[&camera.0]).await?;
        rows.iter().map(|row| Ok(RunId(row.try_get(0)?))).collect()
    }

    /// What has dates after now, by camera: a clock was wrong when it was made.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn future(&self, now: Timestamp) -> Result<Vec<Future>, Error> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT c.name, ahead.segments, ahead.began, ahead.ended FROM cameras c
                 CROSS JOIN LATERAL (
                     SELECT count(*) AS segments, min(s.started_at) AS began, max(s.ended_at) AS ended
                     FROM segments s JOIN runs r ON r.id = s.run_id
                     WHERE s.camera_id = c.id AND s.started_at > $1 AND r.date_known) ahead
                 WHERE ahead.segments > 0 ORDER BY c.name",
            )
            .await?;
        let rows = client.query(&statement, &[&now]).await?;
        let future = rows.iter().map(|row| {
            Ok(Future {
                camera: row.try_get(0)?,
                segments: super::unsigned(row.try_get(1)?),
                from: row.try_get(2)?,
                to: row.try_get(3)?,
            })
        });
        future.collect()
    }
}

/// Pins on the run go along. One that holds other footage as well stays, too.
async fn move_pins(transaction: &Transaction<'_>, run: &Before, by_us: i64) -> Result<(), Error> {
    let copy = format!(
        "INSERT INTO pins (id, camera_id, started_at, ended_at, note, created_at)
         SELECT gen_random_uuid(), p.camera_id, greatest(p.started_at, r.started_at) + $2::bigint * {MICROSECOND},
                least(p.ended_at, r.ended_at) + $2::bigint * {MICROSECOND}, p.note, p.created_at
         FROM pins p JOIN runs r ON {ON_IT}
         WHERE r.id = $1 AND {HOLDS_OTHERS}"
    );
    transaction.execute(&copy, &[&run.id, &by_us]).await?;
    let carry = format!(
        "UPDATE pins p SET started_at = p.started_at + $2::bigint * {MICROSECOND}, ended_at = p.ended_at + $2::bigint * {MICROSECOND}
         FROM runs r WHERE r.id = $1 AND {ON_IT} AND NOT {HOLDS_OTHERS}"
    );
    transaction.execute(&carry, &[&run.id, &by_us]).await?;
    Ok(())
}

const MICROSECOND: &str = "interval '1 microsecond'";
const ON_IT: &str = "p.camera_id = r.camera_id AND p.started_at < r.ended_at AND p.ended_at > r.started_at";
const HOLDS_OTHERS: &str = "EXISTS (SELECT FROM runs o WHERE o.camera_id = r.camera_id AND o.id <> r.id
                            AND o.started_at < p.ended_at AND coalesce(o.ended_at, 'infinity') > p.started_at)";

/// Gaps from the run to the next were dated by the same clock; what is missing then is filled from the runs themselves.
async fn forget_gaps(transaction: &Transaction<'_>, run: &Before) -> Result<(), Error> {
    let sql = "DELETE FROM gaps g USING runs r WHERE r.id = $1 AND g.camera_id = r.camera_id AND g.reason <> 'deleted'
               AND g.started_at >= r.started_at AND g.started_at <= greatest(r.ended_at, (
                   SELECT next.started_at FROM runs next WHERE next.camera_id = r.camera_id
                   AND next.ordinal > r.ordinal ORDER BY next.ordinal LIMIT 1))";
    transaction.execute(sql, &[&run.id]).await?;
    Ok(())
}

/// In two steps: by one, a segment could come to stand where the next one still is.
async fn move_rows(transaction: &Transaction<'_>, run: &Before, by_us: i64) -> Result<(), Error> {
    let away = format!("UPDATE segments SET started_at = started_at + {AWAY} WHERE run_id = $1");
    transaction.execute(&away, &[&run.id]).await?;
    let back = format!(
        "UPDATE segments SET started_at = started_at - {AWAY} + $2::bigint * {MICROSECOND},
                             ended_at = ended_at + $2::bigint * {MICROSECOND} WHERE run_id = $1"
    );
    transaction.execute(&back, &[&run.id, &by_us]).await?;
    let whole = format!(
        "UPDATE runs SET started_at = started_at + $2::bigint * {MICROSECOND}, ended_at = ended_at + $2::bigint * {MICROSECOND}
         WHERE id = $1"
    );
    transaction.execute(&whole, &[&run.id, &by_us]).await?;
    tracing::info!(run.id = %run.id, camera.id = %run.camera, dated.by_us = by_us, "a run shows at its time");
    Ok(())
}

/// Cuts a camera's gaps where runs begin, and writes one down wherever nothing says why a time between two runs is
/// empty: by then the run before it has told.
async fn fill_gaps(transaction: &Transaction<'_>, camera: CameraId, now: Timestamp) -> Result<(), Error> {
    let cut = "UPDATE gaps g SET ended_at = begun.at FROM (
                   SELECT g.id, min(r.started_at) AS at FROM gaps g JOIN runs r ON r.camera_id = g.camera_id
                   WHERE g.camera_id = $1 AND r.date_known AND r.started_at <= $2 AND r.started_at > g.started_at
                   GROUP BY g.id) begun
               WHERE g.id = begun.id AND (g.ended_at IS NULL OR g.ended_at > begun.at)";
    transaction.execute(cut, &[&camera.0, &now]).await?;
    let sql = "SELECT started_at, ended_at, end_reason FROM runs
               WHERE camera_id = $1 AND date_known AND started_at <= $2 ORDER BY ordinal";
    let mut runs: Vec<(Timestamp, Option<Timestamp>, Option<EndReason>)> = Vec::new();
    for row in transaction.query(sql, &[&camera.0, &now]).await? {
        let reason = row.try_get::<_, Option<&str>>(2)?.and_then(EndReason::from_name);
        runs.push((row.try_get(0)?, row.try_get(1)?, reason));
    }
    let sql = "SELECT started_at, coalesce(ended_at, $2) FROM gaps WHERE camera_id = $1 ORDER BY started_at";
    let mut covered = Vec::new();
    for row in transaction.query(sql, &[&camera.0, &now]).await? {
        covered.push(row.try_get::<_, Timestamp>(0)?..row.try_get::<_, Timestamp>(1)?);
    }
    for pair in runs.windows(2) {
        let [(_, Some(from), reason), (to, ..)] = pair else { continue };
        let Some(reason) = reason.and_then(EndReason::gap) else { continue };
        let inside: Vec<_> = covered.iter().filter(|gap| overlap(gap, &(*from..*to))).cloned().collect();
        for hole in without(&(*from..*to), &inside) {
            if hole.end.duration_since(hole.start) < NO_GAP {
                continue;
            }
            let insert = "INSERT INTO gaps (camera_id, started_at, ended_at, reason) VALUES ($1, $2, $3, $4)
                          ON CONFLICT (camera_id, started_at) DO NOTHING";
            transaction.execute(insert, &[&camera.0, &hole.start, &hole.end, &reason.name()]).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recordings::{
        Gap, GapReason, Run,
        testing::{Bench, at, ended, run, segment},
    };

    /// A run that began so many seconds after 1970 by its clock, and its two minutes of segments.
    async fn of_1970(store: &Store, camera: CameraId, ordinal: i64, sequence: i64, second: i64) -> Run {
        let start = second - at(0).as_second();
        let wrong = Dated { is_known: false, ..Dated::default() };
        let made = Run { dated: wrong, ..run(camera, ordinal, sequence, start) };
        let made = ended(made, start + 120, EndReason::Stalled);
        store.insert_run(&made).await.unwrap();
        for minute in 0..2 {
            store.upsert_segment(&segment(&made, sequence + 30 * minute, start + 60 * minute, 30)).await.unwrap();
        }
        made
    }

    #[tokio::test]
    async fn a_run_moves_with_its_segments_pins_and_gaps_and_its_files_stay() {
        let bench = Bench::start().await;
        let (store, camera) = (&bench.store, bench.camera("fridge").await);
        let before = ended(run(camera, 0, 0, -7200), -7140, EndReason::HubDown);
        store.insert_run(&before).await.unwrap();
        store.upsert_segment(&segment(&before, 0, -7200, 30)).await.unwrap();
        let open = Gap { camera, started_at: at(-7140), ended_at: None, reason: GapReason::HubDown };
        store.open_gap(&open).await.unwrap();
        let wrong = of_1970(store, camera, 1, 30, 10).await;
        let pinned = wrong.started_at + SignedDuration::from_secs(70)..wrong.started_at + SignedDuration::from_secs(80);
        store.pin(camera, &pinned, "milk").await.unwrap();
        let after = run(camera, 2, 90, 300);
        store.insert_run(&after).await.unwrap();
        store.upsert_segment(&segment(&after, 90, 300, 30)).await.unwrap();
        let listed =
            |runs: Vec<crate::recordings::RunSummary>| runs.iter().map(|run| run.run.ordinal).collect::<Vec<_>>();
        assert_eq!(listed(store.runs(None, None, None, 9).await.unwrap()), [2, 1, 0], "it has its place");
        let near = at(-7300)..at(-7100);
        assert_eq!(listed(store.runs(None, Some(&near), None, 9).await.unwrap()), [1, 0]);

        // The second time by the length of a segment: each comes to stand where another was.
        for (start, again) in [(60, false), (0, false), (0, true)] {
            let shift_us = at(start).as_microsecond() - 10_000_000;
            let dated = Dated { shift_us, ..Dated::default() };
            store.redate(camera, &[(wrong.id, dated)], at(1000)).await.unwrap();
            let moved = store.run(wrong.id).await.unwrap().unwrap();
            assert_eq!((moved.started_at, moved.ended_at), (at(start), Some(at(start + 120))), "{again}");
            assert_eq!(moved.folder(), wrong.folder());
            let segments = store.segments_known(wrong.id).await.unwrap();
            assert_eq!(
                segments.iter().map(|segment| segment.started_at).collect::<Vec<_>>(),
                [at(start), at(start + 60)]
            );
            assert_eq!(segments[1].path(), format!("{}/70000000.m4s", wrong.folder()));
            let named = Timestamp::from_second(70).unwrap();
            assert_eq!(store.segment(wrong.id, named).await.unwrap().unwrap().0, segments[1]);
            assert!(start == 0 || store.shifted_runs(camera).await.unwrap().contains(&wrong.id));
            assert_eq!(store.pins_of(camera).await.unwrap(), [at(start + 70)..at(start + 80)]);
            let timeline = store.timeline(camera, &(at(-8000)..at(350))).await.unwrap();
            let gap = |from: i64, to: i64, reason| Gap { camera, started_at: at(from), ended_at: Some(at(to)), reason };
            let holes: Vec<_> = timeline.gaps.into_iter().filter(|gap| gap.reason != GapReason::Deleted).collect();
            let mut from = -7140;
            for hole in holes {
                assert_eq!(hole.started_at, at(from), "{hole:?}");
                let to = hole.ended_at.unwrap();
                let reason = if to <= at(start) { GapReason::HubDown } else { GapReason::Stalled };
                assert_eq!(hole, gap(from, to.as_second() - at(0).as_second(), reason));
                from = if to == at(start) { start + 120 } else { to.as_second() - at(0).as_second() };
            }
            assert_eq!(from, 300, "every hole has its reason");
        }
        bench.stop().await;
    }

    #[tokio::test]
    async fn what_has_no_date_has_no_age_and_what_is_dated_ahead_is_named() {
        let bench = Bench::start().await;
        let (store, camera) = (&bench.store, bench.camera("fridge").await);
        of_1970(store, camera, 0, 0, 10).await;
        let old = ended(run(camera, 1, 60, 0), 60, EndReason::Stopped);
        store.insert_run(&old).await.unwrap();
        store.upsert_segment(&segment(&old, 60, 0, 30)).await.unwrap();
        let ahead = ended(run(camera, 2, 90, 40_000_000), 40_000_060, EndReason::ClockStepped);
        store.insert_run(&ahead).await.unwrap();
        store.upsert_segment(&segment(&ahead, 90, 40_000_000, 30)).await.unwrap();
        let sequences = |segments: &[crate::recordings::StoredSegment]| {
            segments.iter().map(|segment| segment.first_sequence).collect::<Vec<_>>()
        };
        assert_eq!(sequences(&store.oldest_aged(camera, at(1000), 9).await.unwrap()), [60]);
        assert_eq!(sequences(&store.oldest_unpinned(camera, i64::MAX, 9).await.unwrap()), [0, 30, 60, 90]);
        assert_eq!(sequences(&store.oldest_unpinned(camera, 60, 9).await.unwrap()), [0, 30]);
        let newest = store.newest_before(camera, 90, 2).await.unwrap();
        assert_eq!(newest.iter().map(|segment| segment.sequence).collect::<Vec<_>>(), [60, 30]);
        let future = Future { camera: "fridge".to_owned(), segments: 1, from: at(40_000_000), to: at(40_000_060) };
        assert_eq!(store.future(at(1000)).await.unwrap(), [future]);
        let timeline = store.timeline(camera, &(Timestamp::UNIX_EPOCH..at(-1_000_000))).await.unwrap();
        assert!(!timeline.stretches[0].is_date_known);
        bench.stop().await;
    }
}
