//! `[temperatures]`: how long readings are kept.

use serde::Deserialize;

/// How long readings are kept. Hours and days, by their least, largest and mean value, are kept for ever: ten years of
/// four sensors are less than 30 MB.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Single readings, 1 to 36500 days.
    pub keep_readings_days: u32,
    /// Minutes, not shorter than single readings.
    pub keep_minutes_days: u32,
    /// Readings that wait for the database, MiB on the disk, 1 to 1024. One MiB holds three days of three sensors; when
    /// it is full, the oldest go.
    pub queue_mib: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { keep_readings_days: 90, keep_minutes_days: 1100, queue_mib: 16 }
    }
}

impl Config {
    /// What is wrong, naming the key.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let ranges = [
            ("keep_readings_days", self.keep_readings_days, 36_500),
            ("keep_minutes_days", self.keep_minutes_days, 36_500),
            ("queue_mib", self.queue_mib, 1024),
        ];
        for (key, value, most) in ranges {
            if !(1..=most).contains(&value) {
                wrong.push(format!("temperatures.{key} is {value}, not within 1 to {most}"));
            }
        }
        if self.keep_minutes_days < self.keep_readings_days {
            wrong.push(format!(
                "temperatures.keep_minutes_days is {}, less than keep_readings_days ({})",
                self.keep_minutes_days, self.keep_readings_days
            ));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_outlive_single_readings() {
        assert_eq!(Config::default().check(), Vec::<String>::new());
        let wrong = Config { keep_readings_days: 0, keep_minutes_days: 40_000, queue_mib: 0 };
        assert_eq!(wrong.check().len(), 3);
        let early = Config { keep_readings_days: 90, keep_minutes_days: 30, ..Config::default() };
        assert!(early.check()[0].contains("less than keep_readings_days (90)"));
    }
}
