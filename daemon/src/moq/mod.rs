//! Media over QUIC: cameras as broadcasts of a relay elsewhere, which carries them to any number of viewers.
//!
//! ```text
//! cameras ─▶ broadcasts: one a camera, its tracks fed from the hub while somebody watches ─▶ link ─▶ moq-relay ─▶ viewers
//! ```
//! The hub dials one relay, and sends it each track once, however many watch. Nothing is sent that nobody asked for.

mod broadcasts;
mod catalog;
mod config;
mod link;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use moq_net::origin;

pub use broadcasts::Sources;
pub use config::Config;
pub use link::StartError;

use crate::{parts::Trouble, tasks::Tasks};

/// Whether the relay is reached; clones share it.
#[derive(Clone, Default)]
pub struct Reached(Arc<AtomicBool>);

impl Reached {
    /// What is the matter, if something is.
    pub fn trouble(&self) -> Option<Trouble> {
        let away = || Trouble::warning("away", "the relay of moq.url is not reached: the log says why");
        (!self.0.load(Ordering::Relaxed)).then(away)
    }

    fn set(&self, is_reached: bool) {
        self.0.store(is_reached, Ordering::Relaxed);
        metrics::gauge!("larder_moq_up").set(if is_reached { 1.0 } else { 0.0 });
    }
}

/// Begins to publish to the configured relay, until the tasks stop; `None` when none is configured. It need not be there
/// yet.
///
/// # Errors
/// When the token or the authority can't be read, or no UDP socket can be had.
pub fn start(config: &Config, sources: Sources, tasks: &Tasks) -> Result<Option<Reached>, StartError> {
    let Some(link) = link::Link::prepare(config)? else { return Ok(None) };
    let (published, driver) = origin::Producer::new(origin::Config::default());
    tasks.spawn_until_stop(async move {
        let ended = moq_net::time::run(driver).await;
        tracing::debug!(cause = %ended, "the broadcasts ended");
    });
    let reached = Reached::default();
    reached.set(false);
    let broadcasts = broadcasts::Broadcasts::new(config, sources, published.clone(), tasks.clone());
    tasks.spawn_until_stop(broadcasts.follow());
    tasks.spawn(link.keep(published, reached.clone(), tasks.stopping()));
    Ok(Some(reached))
}
