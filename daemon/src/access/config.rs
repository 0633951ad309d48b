//! `[access]`.

use std::{num::NonZeroU32, time::Duration};

use serde::Deserialize;

/// How signing in is guarded.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How often one address may try to sign in before it must wait.
    pub sign_in_attempts: u32,
    /// How long it waits for each further try, in seconds.
    pub sign_in_wait_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { sign_in_attempts: 10, sign_in_wait_seconds: 6 }
    }
}

impl Config {
    /// What is wrong with it, by key.
    pub fn check(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if !(1..=1000).contains(&self.sign_in_attempts) {
            complaints.push(format!("access.sign_in_attempts is {}: must be 1 to 1000", self.sign_in_attempts));
        }
        if !(1..=3600).contains(&self.sign_in_wait_seconds) {
            complaints.push(format!("access.sign_in_wait_seconds is {}: must be 1 to 3600", self.sign_in_wait_seconds));
        }
        complaints
    }

    pub(super) fn attempts(&self) -> NonZeroU32 {
        NonZeroU32::new(self.sign_in_attempts).unwrap_or(NonZeroU32::MIN)
    }

    pub(super) fn wait(&self) -> Duration {
        Duration::from_secs(self.sign_in_wait_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_has_nothing_wrong_and_each_mistake_names_its_key() {
        assert_eq!(Config::default().check(), Vec::<String>::new());
        let complaints = Config { sign_in_attempts: 0, sign_in_wait_seconds: 0 }.check();
        assert!(complaints[0].starts_with("access.sign_in_attempts is 0"));
        assert!(complaints[1].starts_with("access.sign_in_wait_seconds is 0"));
    }
}
