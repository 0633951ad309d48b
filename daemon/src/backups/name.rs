//! Names of backups: what each is and when it was begun, so that they sort by time. Pure.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// In UTC, to the second: `20261130T021500Z`.
const TIME: &str = "%Y%m%dT%H%M%SZ";
const END: &str = ".dump";

/// Why a backup was made.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// At night, or because somebody asked.
    Regular,
    /// Of what a restore replaced.
    BeforeRestore,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Regular, Self::BeforeRestore];

    fn start(self) -> &'static str {
        match self {
            Self::Regular => "larder-",
            Self::BeforeRestore => "before-restore-",
        }
    }
}

/// A backup's name, and that of its file.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Name {
    /// When it was begun, to the second.
    pub at: Timestamp,
    /// Why it was made.
    pub kind: Kind,
}

/// That a text names no backup.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no such backup \"{0}\"")]
pub struct NotOne(pub String);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.to_zoned(TimeZone::UTC).strftime(TIME);
        write!(f, "{}{at}{END}", self.kind.start())
    }
}

impl FromStr for Name {
    type Err = NotOne;

    fn from_str(text: &str) -> Result<Self, NotOne> {
        let read = |kind: Kind| {
            let time = text.strip_prefix(kind.start())?.strip_suffix(END)?;
            let at = DateTime::strptime(TIME, time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
            Some(Self { at, kind })
        };
        let name = Kind::ALL.into_iter().find_map(read).filter(|name| name.to_string() == text);
        name.ok_or_else(|| NotOne(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_sorts_by_time() {
        let name = |kind, at: &str| Name { at: at.parse().unwrap(), kind };
        let nightly = name(Kind::Regular, "2026-11-30T02:15:00Z");
        assert_eq!(nightly.to_string(), "larder-20261130T021500Z.dump");
        let before = name(Kind::BeforeRestore, "2026-11-30T02:15:01Z");
        assert_eq!(before.to_string(), "before-restore-20261130T021501Z.dump");
        for name in [nightly, before] {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert!(nightly < before);
    }

    #[test]
    fn what_was_not_made_by_the_hub_is_no_backup() {
        for text in [
            "",
            "larder-20261130T021500Z.dump.part",
            "larder-20261130T021500Z",
            "larder-20261330T021500Z.dump",
            "larder-2026113T0215000Z.dump",
            "../larder-20261130T021500Z.dump",
            "mine.dump",
        ] {
            assert_eq!(text.parse::<Name>(), Err(NotOne(text.to_owned())));
        }
    }
}
