//! What happens again and again is said once, then counted, and then the count is said: a stranger can't fill the log,
//! and nobody has to guess how often.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The first silence after something was said. Each further one is twice as long while it goes on.
const FIRST_QUIET: Duration = Duration::from_secs(10);
/// A flood that lasts for days says six lines an hour.
const LONGEST_QUIET: Duration = Duration::from_mins(10);
/// How often counts that are due are looked for.
const CHECK: Duration = Duration::from_secs(5);
/// Different things that are told apart. What comes beyond is counted under its message alone, so that a text of a
/// stranger's making takes no memory.
const MOST: usize = 256;

/// What was said when, and how often since; clones share it.
#[derive(Clone, Default)]
pub struct Repeats(Arc<Mutex<Known>>);

/// By message, then by what is told apart under it.
type Known = BTreeMap<(&'static str, String), Said>;

struct Said {
    at: Instant,
    quiet: Duration,
    unsaid: u64,
}

impl Said {
    fn now() -> Self {
        Self { at: Instant::now(), quiet: FIRST_QUIET, unsaid: 0 }
    }

    fn is_due(&self) -> bool {
        self.at.elapsed() >= self.quiet
    }

    /// How often it was left out; the next silence is longer.
    fn say(&mut self) -> u64 {
        self.at = Instant::now();
        self.quiet = (self.quiet * 2).min(LONGEST_QUIET);
        std::mem::take(&mut self.unsaid)
    }
}

/// The one for places that have no owner to keep one of their own, as the log itself has none.
pub fn of_the_process() -> &'static Repeats {
    static PROCESS: LazyLock<Repeats> = LazyLock::new(Repeats::default);
    &PROCESS
}

/// Logs unless the same was said just before, then counts: `say!(warn, "what is told apart", { fields }, "message")`.
macro_rules! say {
    ($level:ident, $what:expr, { $($fields:tt)* }, $message:literal) => {
        if let Some(unsaid) = $crate::repeats::of_the_process().note($message, $what) {
            tracing::$level!({ $($fields)*, unsaid }, $message);
        }
    };
}
pub(crate) use say;

impl Repeats {
    /// Counts one of these. `Some(unsaid)` when it is to be said now: how many of the same were not.
    pub fn note(&self, message: &'static str, what: &str) -> Option<u64> {
        let mut known = self.known();
        let mut key = (message, what.to_owned());
        if known.len() >= MOST && !known.contains_key(&key) {
            key.1.clear();
        }
        let Some(said) = known.get_mut(&key) else {
            known.insert(key, Said::now());
            return Some(0);
        };
        if said.is_due() {
            // Nothing came for so long that it begins anew.
            if said.unsaid == 0 {
                *said = Said::now();
                return Some(0);
            }
            return Some(said.say());
        }
        said.unsaid += 1;
        None
    }

    /// Says the counts of what has ended or still goes on, until dropped: without it the last count would stay unsaid
    /// until the next time. Cancel safe.
    pub async fn tell_counts(self) {
        let mut ticks = tokio::time::interval(CHECK);
        loop {
            ticks.tick().await;
            for (message, what, unsaid) in self.due() {
                tracing::info!(repeated = message, what, unsaid, "the same again, counted instead of told");
            }
        }
    }

    /// The counts to be said now. What did not come again is forgotten.
    fn due(&self) -> Vec<(&'static str, String, u64)> {
        let mut known = self.known();
        known.retain(|_, said| said.unsaid > 0 || !said.is_due());
        let due = known.iter_mut().filter(|(_, said)| said.is_due());
        due.map(|((message, what), said)| (*message, what.clone(), said.say())).collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_thing_is_said_once_and_then_with_the_number_left_out() {
        let repeats = Repeats::default();
        assert_eq!(repeats.note("refused", "busy"), Some(0));
        assert_eq!(repeats.note("refused", "unproven"), Some(0));
        assert_eq!((repeats.note("refused", "busy"), repeats.note("refused", "busy")), (None, None));
        tokio::time::advance(FIRST_QUIET).await;
        assert_eq!(repeats.note("refused", "busy"), Some(2));
        assert_eq!(repeats.note("refused", "busy"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_of_flood_says_about_six_lines_an_hour() {
        let repeats = Repeats::default();
        let mut lines = 0;
        for _ in 0..24 * 3600 {
            lines += usize::from(repeats.note("refused", "busy").is_some());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!((144..=156).contains(&lines), "{lines}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_count_is_said_after_the_last_and_then_all_is_forgotten() {
        let repeats = Repeats::default();
        for _ in 0..1000 {
            repeats.note("refused", "busy");
        }
        assert_eq!(repeats.due(), []);
        tokio::time::advance(FIRST_QUIET).await;
        assert_eq!(repeats.due(), [("refused", "busy".to_owned(), 999)]);
        tokio::time::advance(2 * FIRST_QUIET).await;
        assert_eq!(repeats.due(), []);
        assert!(repeats.known().is_empty());
        assert_eq!(repeats.note("refused", "busy"), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn texts_of_a_strangers_making_take_no_memory() {
        let repeats = Repeats::default();
        let said = (0..10_000).filter_map(|n| repeats.note("asked for", &n.to_string())).count();
        assert_eq!(said, MOST + 1);
        assert_eq!(repeats.known().len(), MOST + 1);
    }
}
