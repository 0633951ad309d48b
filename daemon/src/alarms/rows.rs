//! Alarms on their way into rows: in memory while the database is away, written when it is there.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Alarm, AlarmId, RuleId, board::Pending, store::Store};
use crate::{db, outcome::chain, repeats};

/// Alarms that wait at most: each is kept once, as it stands, so this many were raised while the database was away.
/// Beyond, the oldest that are over are lost.
const MOST: usize = 1000;
/// Between two attempts while the database is away.
const RETRY: Duration = Duration::from_secs(2);
/// A value that gets worse with every reading is written this often.
const PACE: Duration = Duration::from_secs(1);
/// Given to the last write when the hub stops.
const LAST: Duration = Duration::from_secs(3);

/// What is to be written; clones share it.
#[derive(Clone, Default)]
pub(super) struct Rows(Arc<Inner>);

#[derive(Default)]
struct Inner {
    waiting: Mutex<Waiting>,
    wake: Notify,
    /// One writer at a time, so that whoever flushes sees what the other was about to write.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    alarms: BTreeMap<AlarmId, Alarm>,
    pending: BTreeMap<RuleId, Option<Pending>>,
}

impl Rows {
    /// An alarm as it stands now. Never waits.
    pub(super) fn alarm(&self, alarm: &Alarm) {
        let mut waiting = self.waiting();
        waiting.alarms.insert(alarm.id, alarm.clone());
        if waiting.alarms.len() > MOST {
            let over = waiting.alarms.values().find(|alarm| alarm.cleared_at.is_some()).map(|alarm| alarm.id);
            if let Some(lost) = over {
                waiting.alarms.remove(&lost);
                metrics::counter!("larder_alarm_rows_lost_total").increment(1);
                repeats::say!(error, "", { alarm.id = %lost }, "an alarm is lost: the database is away for too long");
            }
        }
        drop(waiting);
        self.0.wake.notify_one();
    }

    /// What is pending of a rule now. Never waits.
    pub(super) fn pending(&self, rule: RuleId, pending: Option<Pending>) {
        self.waiting().pending.insert(rule, pending);
        self.0.wake.notify_one();
    }

    /// Writes for as long as the hub runs, and once more when it stops.
    pub(super) async fn run(self, store: Store, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.0.wake.notified() => {}
            }
            let pause = match self.write(&store).await {
                Ok(()) => PACE,
                Err(error) => {
                    repeats::say!(warn, "", { cause = chain(&error) }, "alarms cannot be written down yet");
                    self.0.wake.notify_one();
                    RETRY
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        if !matches!(tokio::time::timeout(LAST, self.write(&store)).await, Ok(Ok(()))) {
            tracing::warn!("the last alarms could not be written down");
        }
    }

    /// Writes what waits; what can't be written waits on.
    ///
    /// # Errors
    /// When the database is away.
    pub(super) async fn write(&self, store: &Store) -> Result<(), db::Error> {
        let _one_at_a_time = self.0.writing.lock().await;
        let (alarms, pending) = {
            let waiting = self.waiting();
            (waiting.alarms.clone(), waiting.pending.clone())
        };
        for (id, alarm) in &alarms {
            tolerated(store.keep(alarm).await)?;
            let mut waiting = self.waiting();
            // Unless it changed meanwhile.
            if waiting.alarms.get(id) == Some(alarm) {
                waiting.alarms.remove(id);
            }
        }
        for (rule, now) in &pending {
            tolerated(store.keep_pending(*rule, *now).await)?;
            let mut waiting = self.waiting();
            if waiting.pending.get(rule) == Some(now) {
                waiting.pending.remove(rule);
            }
        }
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A row that the database refuses is given up, so that the others get through.
fn tolerated(written: Result<(), db::Error>) -> Result<(), db::Error> {
    match written {
        Err(error @ (db::Error::Statement(_) | db::Error::Broken { .. })) => {
            repeats::say!(error, "", { cause = chain(&error) }, "an alarm's row was refused");
            Ok(())
        }
        other => other,
    }
}
