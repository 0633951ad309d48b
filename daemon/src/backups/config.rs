//! `[backups]`: how many backups of the database are kept, and when one is made.

use serde::Deserialize;

/// A year of nights.
const MOST: usize = 366;

/// The table `[backups]`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many are kept beside the recordings, 0 to 366: the newest. With 0 none is made.
    pub keep: usize,
    /// The hour of the night at which one is made, 0 to 23, by the machine's time zone.
    pub hour: i8,
}

impl Default for Config {
    fn default() -> Self {
        Self { keep: 7, hour: 3 }
    }
}

impl Config {
    /// What is wrong with it, each naming its key.
    pub fn check(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if self.keep > MOST {
            complaints.push(format!("backups.keep is {}, must be 0 to {MOST}", self.keep));
        }
        if !(0..=23).contains(&self.hour) {
            complaints.push(format!("backups.hour is {}, must be 0 to 23", self.hour));
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_name_their_key() {
        assert_eq!(Config::default().check(), Vec::<String>::new());
        let complaints = Config { keep: 367, hour: 24 }.check();
        assert_eq!(complaints, ["backups.keep is 367, must be 0 to 366", "backups.hour is 24, must be 0 to 23"]);
    }
}
