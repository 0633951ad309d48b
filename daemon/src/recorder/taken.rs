//! Who takes the disk, in words. Pure.

use std::fmt;

/// Less growth a minute than this is not worth a word.
const GROWTH: u64 = 1_000_000;

/// Bytes of the recordings' file system, by who takes them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Taken {
    /// Recordings.
    pub recordings_bytes: u64,
    /// The hub's own database, if it lies there.
    pub database_bytes: Option<u64>,
    /// All other files; absent until recordings were counted.
    pub other_bytes: Option<u64>,
    /// By how much other files grew within the last minute.
    pub other_growth_bytes: u64,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recordings: {}", Size(self.recordings_bytes))?;
        if let Some(bytes) = self.database_bytes {
            write!(f, ", database: {}", Size(bytes))?;
        }
        if let Some(bytes) = self.other_bytes {
            write!(f, ", other files: {}", Size(bytes))?;
            if self.other_growth_bytes >= GROWTH {
                write!(f, ", growing by {} a minute", Size(self.other_growth_bytes))?;
            }
        }
        Ok(())
    }
}

/// Bytes as people read them, by thousands.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
        let Some((unit, name)) = units.into_iter().find(|(unit, _)| self.0 >= *unit) else {
            return write!(f, "{} B", self.0);
        };
        let tenths = self.0 / (unit / 10);
        if tenths >= 100 {
            write!(f, "{} {name}", tenths / 10)
        } else {
            write!(f, "{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_who_takes_the_disk() {
        let mut taken = Taken { recordings_bytes: 37_400_000_000, ..Taken::default() };
        assert_eq!(taken.to_string(), "recordings: 37 GB");
        taken.other_bytes = Some(195_000_000_000);
        taken.other_growth_bytes = 999_999;
        assert_eq!(taken.to_string(), "recordings: 37 GB, other files: 195 GB");
        taken.database_bytes = Some(52_340_000);
        taken.other_growth_bytes = 2_149_000_000;
        let all = "recordings: 37 GB, database: 52 MB, other files: 195 GB, growing by 2.1 GB a minute";
        assert_eq!(taken.to_string(), all);
        assert_eq!((Size(0).to_string(), Size(1_250).to_string()), ("0 B".to_owned(), "1.2 kB".to_owned()));
    }
}
