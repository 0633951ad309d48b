//! Enumerations as the words that people, JSON and command lines use: `GAP_REASON_DISK_FULL` is `disk_full`.

use crate::pb;

/// An enumeration with a word for each value. The unspecified value has none: it is the empty word.
pub trait Words: Copy + Sized {
    /// The value's word.
    fn word(self) -> String;

    /// The value with that word. `None` for the empty word too.
    fn from_word(word: &str) -> Option<Self>;

    /// The word of a number of the wire; empty when this version does not know it.
    fn word_of(number: i32) -> String;
}

macro_rules! words {
    ($($name:ident: $prefix:literal),* $(,)?) => {$(
        impl Words for pb::$name {
            fn word(self) -> String {
                if self == Self::default() {
                    return String::new();
                }
                self.as_str_name().strip_prefix($prefix).unwrap_or_default().to_ascii_lowercase()
            }

            fn from_word(word: &str) -> Option<Self> {
                let named = Self::from_str_name(&format!(concat!($prefix, "{}"), word.to_ascii_uppercase()));
                named.filter(|value| *value != Self::default())
            }

            fn word_of(number: i32) -> String {
                Self::try_from(number).unwrap_or_default().word()
            }
        }
    )*};
}

words! {
    AlarmDeliveryState: "ALARM_DELIVERY_STATE_",
    AlarmOccasion: "ALARM_OCCASION_",
    BackupKind: "BACKUP_KIND_",
    EndReason: "END_REASON_",
    EventKind: "EVENT_KIND_",
    GapReason: "GAP_REASON_",
    JobState: "JOB_STATE_",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_and_its_word_stand_for_each_other() {
        assert_eq!(pb::GapReason::DiskFull.word(), "disk_full");
        assert_eq!(pb::GapReason::from_word("disk_full"), Some(pb::GapReason::DiskFull));
        assert_eq!(pb::EventKind::from_word("camera_offline"), Some(pb::EventKind::CameraOffline));
        assert_eq!(pb::EndReason::word_of(pb::EndReason::Midnight.into()), "midnight");
    }

    #[test]
    fn what_is_not_known_has_no_word() {
        assert_eq!(pb::GapReason::Unspecified.word(), "");
        assert_eq!(pb::GapReason::word_of(-1), "");
        for wrong in ["", "unspecified", "nonsense", "GAP_REASON_STALLED"] {
            assert_eq!(pb::GapReason::from_word(wrong), None, "{wrong:?}");
        }
    }
}
