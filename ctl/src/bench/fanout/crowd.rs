//! Many viewers at once.

use std::{io, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use super::{
    super::{samples::Samples, stamp::Epoch},
    viewer::{Endpoint, Seen, Tally, watch},
};
use crate::Failure;

/// For all first pictures: longer than the slowest machine that is worth measuring needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Viewers that look until this is dropped.
pub(super) struct Crowd {
    viewers: JoinSet<io::Result<()>>,
    tallies: Vec<Arc<Tally>>,
    began_ns: u64,
    epoch: Epoch,
}

/// What a crowd has seen together.
#[derive(Debug, Default)]
pub(super) struct Together {
    pub(super) delays: Samples,
    pub(super) skipped: u64,
}

impl Crowd {
    /// Connects all of them at once, and waits until each has its first picture or too long has passed.
    pub(super) async fn gather(endpoint: &Endpoint, count: usize, epoch: Epoch) -> Self {
        let first = Arc::new(Semaphore::new(0));
        let endpoint = Arc::new(endpoint.clone());
        let tallies: Vec<Arc<Tally>> = (0..count).map(|_| Arc::default()).collect();
        let began_ns = epoch.now_ns();
        let mut viewers = JoinSet::new();
        for tally in &tallies {
            let (endpoint, tally, first) = (Arc::clone(&endpoint), Arc::clone(tally), Arc::clone(&first));
            viewers.spawn(async move { watch(&endpoint, epoch, &tally, &first).await });
        }
        let all = u32::try_from(count).unwrap_or(u32::MAX);
        // Who is missing afterwards is found by its tally.
        let _all_here = timeout(PATIENCE, first.acquire_many(all)).await;
        Self { viewers, tallies, began_ns, epoch }
    }

    /// When each first picture came, since the first connect.
    pub(super) fn firsts(&self) -> Samples {
        let mut samples = Samples::default();
        for first_ns in self.tallies.iter().filter_map(|tally| tally.take().first_ns) {
            samples.add(Duration::from_nanos(first_ns.saturating_sub(self.began_ns)));
        }
        samples
    }

    /// Forgets what was seen so far.
    pub(super) fn begin(&self) {
        self.tallies.iter().for_each(|tally| drop(tally.take()));
    }

    /// What was seen since, by all; how long that was is the caller's to know.
    ///
    /// # Errors
    ///
    /// A viewer was lost: what is left would be measured wrongly.
    pub(super) fn together(&mut self) -> Result<Together, Failure> {
        if let Some(ended) = self.viewers.try_join_next() {
            let why = match ended {
                Ok(Err(error)) => error.to_string(),
                Ok(Ok(())) | Err(_) => "it ended".to_owned(),
            };
            let at = Duration::from_nanos(self.epoch.now_ns().saturating_sub(self.began_ns)).as_secs();
            return Err(Failure::Other(format!("a viewer was lost within {at} s: {why}")));
        }
        let mut together = Together::default();
        for tally in &self.tallies {
            let Seen { delays, skipped, .. } = tally.take();
            together.delays.append(delays);
            together.skipped += skipped;
        }
        Ok(together)
    }
}
