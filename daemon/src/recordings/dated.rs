//! How far a run's times are to be believed, and what they were taken for when it was made.

use jiff::Timestamp;

use crate::clock::{BootMoment, from_us};

/// What is known of when a run was.
///
/// Folders and files keep the names that they got from the clock of that time; everything else has the true times.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dated {
    /// Whether its times are true. If not, they are what a clock said that had not been set, and only tell how long it
    /// was.
    pub is_known: bool,
    /// How much later it was than its folder and files are named, in microseconds.
    pub shift_us: i64,
    /// Its start by the kernel's boot. Not in rows: files tell.
    pub boot: Option<BootMoment>,
}

impl Default for Dated {
    /// By a clock that was right.
    fn default() -> Self {
        Self { is_known: true, shift_us: 0, boot: None }
    }
}

impl Dated {
    /// As names have a time.
    pub fn named(self, at: Timestamp) -> Timestamp {
        from_us(at.as_microsecond().saturating_sub(self.shift_us))
    }

    /// The time behind one that a name has.
    pub fn of_name(self, named: Timestamp) -> Timestamp {
        from_us(named.as_microsecond().saturating_add(self.shift_us))
    }

    /// The file of a segment that starts then.
    pub fn file_name(self, started_at: Timestamp) -> String {
        format!("{}.m4s", self.named(started_at).as_microsecond())
    }

    /// Whether rows say the same.
    pub fn is_same(self, row: Self) -> bool {
        (self.is_known, self.shift_us) == (row.is_known, row.shift_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_time_of_the_clock_that_was_wrong() {
        let dated = Dated { shift_us: 1_780_000_000_000_000, ..Dated::default() };
        let at = dated.of_name(from_us(5_000_000));
        assert_eq!(at, from_us(1_780_000_005_000_000));
        assert_eq!(dated.named(at), from_us(5_000_000));
        assert_eq!(dated.file_name(at), "5000000.m4s");
        assert_eq!(Dated { shift_us: i64::MAX, ..dated }.of_name(at), Timestamp::MAX, "a file may say anything");
    }
}
