//! Which parts of the hub work, asked when somebody wants to know.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long after the last time something still counts as the matter: longer than the longest pause between two tries.
const RECENT: Duration = Duration::from_secs(15);

/// What is the matter with a part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// One word for programs and for strangers: `disk_full`. A contract: monitors compare it.
    pub reason: &'static str,
    /// What is wrong and what to do, for people who may know.
    pub detail: String,
    /// Whether the part works all the same.
    pub is_warning: bool,
}

impl Trouble {
    /// The part does not work.
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), is_warning: false }
    }

    /// The part works, and somebody should look at it.
    pub fn warning(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { is_warning: true, ..Self::new(reason, detail) }
    }
}

/// One part and whether it works.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    /// `database`, `recorder`, ...
    pub name: &'static str,
    /// What is the matter; absent when nothing is.
    pub trouble: Option<Trouble>,
}

impl Part {
    /// Whether it works.
    pub fn is_ready(&self) -> bool {
        self.trouble.as_ref().is_none_or(|trouble| trouble.is_warning)
    }
}

/// Asks what is the matter with a part; must not wait.
pub type Ask = Box<dyn Fn() -> Option<Trouble> + Send + Sync>;

/// Every part; clones share them.
#[derive(Clone, Default)]
pub struct Parts(Arc<Vec<(&'static str, Ask)>>);

impl Parts {
    /// The parts, each with the question what is the matter with it; the answers must not wait.
    pub fn new(parts: Vec<(&'static str, Ask)>) -> Self {
        Self(Arc::new(parts))
    }

    /// Asks every part.
    pub fn ask(&self) -> Vec<Part> {
        self.0.iter().map(|(name, ask)| Part { name, trouble: ask() }).collect()
    }
}

/// Something that went wrong a moment ago, for parts that try again by themselves; clones share it.
#[derive(Clone, Default)]
pub struct Recent(Arc<Mutex<Option<(Instant, Trouble)>>>);

impl Recent {
    /// It went wrong now.
    pub fn note(&self, trouble: Trouble) {
        *self.last() = Some((Instant::now(), trouble));
    }

    /// It went well now.
    pub fn clear(&self) {
        self.last().take();
    }

    /// What went wrong last, unless it went well or was long ago.
    pub fn ask(&self) -> Option<Trouble> {
        self.last().as_ref().filter(|(at, _)| at.elapsed() < RECENT).map(|(_, trouble)| trouble.clone())
    }

    fn last(&self) -> MutexGuard<'_, Option<(Instant, Trouble)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_went_wrong_is_told_until_it_goes_well_or_is_long_ago() {
        let recent = Recent::default();
        let trouble = Trouble::new("accept_failed", "too many open files");
        recent.note(trouble.clone());
        assert_eq!(recent.clone().ask(), Some(trouble.clone()));
        recent.clear();
        assert_eq!(recent.ask(), None);
        recent.note(trouble);
        tokio::time::advance(RECENT).await;
        assert_eq!(recent.ask(), None);
    }

    #[test]
    fn a_part_with_a_warning_is_ready() {
        let part = |trouble| Part { name: "certificates", trouble: Some(trouble) };
        assert!(part(Trouble::warning("expiring", "renew it")).is_ready());
        assert!(!part(Trouble::new("expired", "renew it")).is_ready());
    }
}
