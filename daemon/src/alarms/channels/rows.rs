//! Deliveries on their way into rows: in memory while the database is away, written when it is there.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Delivery, DeliveryId, store::Store};
use crate::{db, outcome::chain, repeats};

/// Between two attempts while the database is away.
const RETRY: Duration = Duration::from_secs(2);
/// Given to the last write when the hub stops.
const LAST: Duration = Duration::from_secs(3);
/// Finished deliveries whose rows wait at most; beyond, the oldest get none.
const MOST: usize = 2000;

/// What is to be written; clones share it.
#[derive(Clone, Default)]
pub(super) struct Rows(Arc<Inner>);

#[derive(Default)]
struct Inner {
    waiting: Mutex<BTreeMap<DeliveryId, Delivery>>,
    wake: Notify,
    /// One writer at a time, so that whoever flushes sees what the other was about to write.
    writing: tokio::sync::Mutex<()>,
}

impl Rows {
    /// A delivery as it stands now. Never waits.
    pub(super) fn keep(&self, delivery: Delivery) {
        let mut waiting = self.waiting();
        waiting.insert(delivery.id, delivery);
        if waiting.len() > MOST {
            let finished = waiting.values().find(|delivery| delivery.finished.is_some()).map(|delivery| delivery.id);
            waiting.retain(|id, _| Some(*id) != finished);
        }
        drop(waiting);
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
            let Err(error) = self.write(&store).await else { continue };
            repeats::say!(warn, "", { cause = chain(&error) }, "alarms' deliveries cannot be written down yet");
            self.0.wake.notify_one();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
        if !matches!(tokio::time::timeout(LAST, self.write(&store)).await, Ok(Ok(()))) {
            tracing::warn!("the last deliveries of alarms could not be written down");
        }
    }

    /// Writes what waits; what can't be written waits on.
    ///
    /// # Errors
    /// When the database is away.
    pub(super) async fn write(&self, store: &Store) -> Result<(), db::Error> {
        let _one_at_a_time = self.0.writing.lock().await;
        let deliveries = self.waiting().clone();
        for (id, delivery) in &deliveries {
            match store.keep(delivery).await {
                // It would be refused for ever, and hold up the others.
                Err(error @ (db::Error::Statement(_) | db::Error::Broken { .. })) => {
                    repeats::say!(error, "", { cause = chain(&error) }, "a delivery's row was refused");
                }
                written => written?,
            }
            let mut waiting = self.waiting();
            // Unless it changed meanwhile.
            if waiting.get(id) == Some(delivery) {
                waiting.remove(id);
            }
        }
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<DeliveryId, Delivery>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
