//! Tasks with an owner: everything spawned is joined, and told to stop by one token.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A group of tasks; clones share it. Dropping it stops nothing: call [`Tasks::stop`].
#[derive(Clone, Default)]
pub struct Tasks(Arc<Inner>);

#[derive(Default)]
struct Inner {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// An empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a task that is joined by [`Tasks::stop`]; it must watch [`Tasks::stopping`] or end by itself.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
        tokio::spawn(self.0.tracker.track_future(future))
    }

    /// Runs a task that is dropped at its next await when the group stops.
    pub fn spawn_until_stop<F>(&self, future: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stopping();
        self.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = future => {}
            }
        })
    }

    /// Ends when the group is told to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.0.stop.clone()
    }

    /// How many tasks are alive.
    pub fn count(&self) -> usize {
        self.0.tracker.len()
    }

    /// Tells all tasks to stop and waits for them. `false` when some overran `grace`; they are left running.
    pub async fn stop(&self, grace: Duration) -> bool {
        self.0.stop.cancel();
        self.0.tracker.close();
        tokio::time::timeout(grace, self.0.tracker.wait()).await.is_ok()
    }
}

/// Runs what blocks, on a thread for it.
#[expect(clippy::panic, reason = "only a panic of the work itself gets here; it goes on where it came from")]
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("the runtime has ended: {}", error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_joins_every_task_and_names_an_overrun() {
        let tasks = Tasks::new();
        tasks.spawn_until_stop(std::future::pending());
        assert!(tasks.stop(Duration::from_secs(1)).await);

        let stuck = Tasks::new();
        stuck.spawn(std::future::pending::<()>());
        assert!(!stuck.stop(Duration::from_secs(1)).await);
        assert_eq!(stuck.count(), 1);
    }
}
