//! What people are sent: pure.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use super::{Alarm, Occasion};

/// What is sent on an occasion, for every kind of channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// One line.
    pub subject: String,
    /// Sentences, one a line.
    pub text: String,
    /// Why it is sent.
    pub occasion: Occasion,
    /// About which alarm.
    pub alarm: Alarm,
}

impl Message {
    /// The message of an alarm at `now`; times are written in `zone`.
    pub fn new(alarm: &Alarm, occasion: Occasion, now: Timestamp, zone: &TimeZone) -> Self {
        let subject = match occasion {
            Occasion::Raised => format!("Alarm: {}", alarm.rule_name),
            Occasion::Repeated => format!("Still alarm: {}", alarm.rule_name),
            Occasion::Cleared => format!("Over: {}", alarm.rule_name),
        };
        let lasted = |to: Timestamp| show(to.duration_since(alarm.since).unsigned_abs());
        let mut lines = vec![alarm.message.clone()];
        match occasion {
            Occasion::Raised => {}
            Occasion::Repeated => lines.push(format!("It has lasted {}; nobody has acknowledged it.", lasted(now))),
            Occasion::Cleared => {
                let end = alarm.cleared_at.unwrap_or(now);
                lines.push(format!("It is over since {}, after {}.", at(end, zone), lasted(end)));
            }
        }
        if occasion != Occasion::Raised
            && let Some(extreme) = alarm.extreme
        {
            lines.push(format!("The worst value was {:.1} °C.", extreme.celsius()));
        }
        Self { subject, text: lines.join("\n"), occasion, alarm: alarm.clone() }
    }
}

/// A time for people, to the minute, with its zone.
pub(super) fn at(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// A duration for people: its two largest units.
pub(super) fn show(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let mut parts = Vec::new();
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)] {
        if rest >= length {
            parts.push(format!("{} {unit}", rest / length));
            rest %= length;
        } else if !parts.is_empty() {
            break;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use larder_proto::wire::camera::MilliCelsius;

    use super::{
        super::{AlarmId, RuleId},
        *,
    };

    fn alarm() -> Alarm {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        Alarm {
            id: AlarmId(uuid::Uuid::nil()),
            rule: RuleId(uuid::Uuid::nil()),
            rule_name: "warm".to_owned(),
            message: "fridge is above 5.0 °C".to_owned(),
            since: time("2026-07-01T10:00:00Z"),
            raised_at: time("2026-07-01T12:00:00Z"),
            cleared_at: None,
            acknowledged: None,
            extreme: Some(MilliCelsius(8_250)),
            sensor: None,
            camera: None,
        }
    }

    #[test]
    fn each_occasion_says_what_is_new() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let told = |alarm: &Alarm, occasion, now: &str| {
            let message = Message::new(alarm, occasion, now.parse().unwrap(), &zone);
            format!("{}\n{}", message.subject, message.text)
        };
        let mut alarm = alarm();
        insta::assert_snapshot!(told(&alarm, Occasion::Raised, "2026-07-01T12:00:00Z"), @r"
        Alarm: warm
        fridge is above 5.0 °C
        ");
        insta::assert_snapshot!(told(&alarm, Occasion::Repeated, "2026-07-01T12:30:05Z"), @r"
        Still alarm: warm
        fridge is above 5.0 °C
        It has lasted 2 h 30 min; nobody has acknowledged it.
        The worst value was 8.2 °C.
        ");
        alarm.cleared_at = Some("2026-07-02T13:01:00Z".parse().unwrap());
        insta::assert_snapshot!(told(&alarm, Occasion::Cleared, "2026-07-03T00:00:00Z"), @r"
        Over: warm
        fridge is above 5.0 °C
        It is over since 2026-07-02 15:01 CEST, after 1 d 3 h.
        The worst value was 8.2 °C.
        ");
    }

    #[test]
    fn durations_are_shown_by_their_two_largest_units() {
        let shown = |seconds| show(Duration::from_secs(seconds));
        assert_eq!([shown(0), shown(59), shown(3_601), shown(7_320)], ["0 s", "59 s", "1 h", "2 h 2 min"]);
    }

    #[test]
    fn occasions_come_back_from_their_names() {
        for occasion in Occasion::ALL {
            assert_eq!(Occasion::from_name(occasion.name()), Some(occasion));
        }
    }
}
