//! Whether the database works, as its own statements say: those of the probe and those of the hub.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::{
    Error,
    cause::{self, Cause, Place},
};
use crate::{outcome::chain, parts::Trouble};

/// What is known of the database; clones share it.
#[derive(Clone)]
pub(super) struct Health(Arc<Inner>);

struct Inner {
    place: Place,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the last probe found.
    probed: Option<Trouble>,
    /// What a statement of the hub met, and until when it counts.
    met: Option<(Instant, Trouble)>,
}

impl Health {
    pub(super) fn new(place: Place) -> Self {
        Self(Arc::new(Inner { place, state: Mutex::default() }))
    }

    /// What is wrong, if something is.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        let state = self.state();
        let met = state.met.as_ref().filter(|(until, _)| Instant::now() < *until);
        state.probed.clone().or_else(|| met.map(|(_, trouble)| trouble.clone()))
    }

    /// What is wrong while the hub does not have it.
    pub(super) fn away(&self, error: &Error) -> Trouble {
        match error {
            Error::Statement(error) => {
                Cause::of(error).unwrap_or(Cause::Away).trouble(&cause::words(error), &self.0.place)
            }
            other => {
                Cause::Away.trouble(&std::error::Error::source(other).map(chain).unwrap_or_default(), &self.0.place)
            }
        }
    }

    /// A probe has ended. Logged when it ends otherwise than the one before.
    pub(super) fn probed(&self, found: Result<(), (Cause, String)>) {
        let trouble = found.err().map(|(cause, why)| cause.trouble(&why, &self.0.place));
        let mut state = self.state();
        let before = std::mem::replace(&mut state.probed, trouble.clone());
        if trouble.is_none() && before.is_some() {
            // What the probe was able to see is over: a statement that still fails says so again.
            state.met = None;
        }
        drop(state);
        // That it is away is logged by whoever listens to it, who knows first.
        let said = |trouble: &Trouble| trouble.reason != Cause::Away.reason();
        let (before, trouble) = (before.filter(said), trouble.filter(said));
        match (before, trouble) {
            (before, Some(trouble)) if before.as_ref().map(|before| before.reason) != Some(trouble.reason) => {
                tracing::error!(reason = trouble.reason, detail = trouble.detail, "the database does not work");
            }
            (Some(_), None) => tracing::info!("the database works again"),
            _ => {}
        }
    }

    /// A statement of the hub was answered; notes what says something about the database. That it is away is known from
    /// elsewhere, at once and until it is back.
    pub(super) fn answered<T>(&self, answer: Result<T, tokio_postgres::Error>) -> Result<T, tokio_postgres::Error> {
        if let Err(error) = &answer
            && let Some(cause) = Cause::of(error).filter(|cause| *cause != Cause::Away)
        {
            self.met(cause, &cause::words(error));
        }
        answer
    }

    /// The hub met this when it wanted to do something.
    pub(super) fn met(&self, cause: Cause, why: &str) {
        let trouble = cause.trouble(why, &self.0.place);
        self.state().met = Some((Instant::now() + cause.counts_for(), trouble));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(health: &Health) -> Option<&'static str> {
        health.trouble().map(|trouble| trouble.reason)
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_probe_cannot_see_counts_for_a_while_and_what_it_saw_ends_with_it() {
        let health = Health::new(Place::Server("db.example".to_owned()));
        health.met(Cause::Damaged, "invalid page in block 7");
        health.probed(Ok(()));
        assert_eq!(reason(&health), Some("damaged"), "the probe reads the first page only");
        tokio::time::advance(Cause::Damaged.counts_for()).await;
        assert_eq!(reason(&health), None);

        health.probed(Err((Cause::Locked, "canceling statement due to lock timeout".to_owned())));
        health.met(Cause::Slow, "canceling statement due to statement timeout");
        assert_eq!(reason(&health), Some("locked"));
        health.probed(Ok(()));
        assert_eq!(reason(&health), None);
    }
}
