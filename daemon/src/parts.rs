//! Which parts of the hub work, asked when somebody wants to know.

use std::sync::Arc;

/// One part and whether it works.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    /// `database`, `recorder`, ...
    pub name: &'static str,
    /// What is wrong and what to do; absent when it works.
    pub trouble: Option<String>,
}

type Ask = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// Every part; clones share them.
#[derive(Clone, Default)]
pub struct Parts(Arc<Vec<(&'static str, Ask)>>);

impl Parts {
    /// The parts, each with the question what is wrong with it; the answers must not wait.
    pub fn new(parts: Vec<(&'static str, Ask)>) -> Self {
        Self(Arc::new(parts))
    }

    /// Asks every part.
    pub fn ask(&self) -> Vec<Part> {
        self.0.iter().map(|(name, ask)| Part { name, trouble: ask() }).collect()
    }
}
