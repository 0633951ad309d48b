//! What is watched: `larderctl alarm rule …`.

use std::{str::FromStr, time::Duration};

use clap::{Args, Subcommand};
use larder_proto::pb::{
    AlarmCondition, AlarmPreset, AlarmRule, CreateAlarmRuleRequest, DeleteAlarmRuleRequest, GetAlarmRuleRequest,
    ListAlarmPresetsRequest, ListAlarmRulesRequest, UpdateAlarmRuleRequest,
    alarm_condition::{CameraOffline, Condition, DiskFloor, RateOfChange, RecordingStalled, SensorSilent, Threshold},
};
use prost_types::FieldMask;
use serde::Serialize;

use super::{
    degrees::{Difference, Temperature},
    view::{self, Names, RuleView},
};
use crate::{
    Failure, Out,
    client::{Hub, quick},
    pages, units,
};

/// What `larderctl alarm rule` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum RuleCommand {
    /// List the rules and how they stand
    #[command(visible_alias = "ls")]
    List,
    /// Show everything about one rule
    Show {
        /// Its name or id
        rule: String,
    },
    /// Add a rule, for example: add warm --sensor fridge --above 5C --for 2h --repeat 30m
    Add(AddArgs),
    /// Change a rule; a raised alarm goes on when the rule still says so
    Update(UpdateArgs),
    /// Remove a rule; its raised alarm is over, its history stays
    #[command(visible_alias = "rm")]
    Remove {
        /// Its name or id
        rule: String,
    },
    /// List conditions made from food-safety advice, with their sources
    Presets,
}

/// A new rule.
#[derive(Args, Clone, Debug)]
pub struct AddArgs {
    /// Its name: 1 to 32 of a-z, 0-9 and `-`, beginning with a letter
    pub name: String,
    /// Take the condition of a preset; see `larderctl alarm rule presets`
    #[arg(long, value_name = "PRESET", conflicts_with = "kind")]
    pub preset: Option<String>,
    /// When it raises its alarm.
    #[command(flatten)]
    pub when: When,
    /// How it tells.
    #[command(flatten)]
    pub settings: Settings,
    /// Add it switched off
    #[arg(long)]
    pub disabled: bool,
}

/// A changed rule.
#[derive(Args, Clone, Debug)]
pub struct UpdateArgs {
    /// Its name or id
    pub rule: String,
    /// Give it another name
    #[arg(long = "name", value_name = "NAME")]
    pub new_name: Option<String>,
    /// When it raises its alarm.
    #[command(flatten)]
    pub when: When,
    /// How it tells.
    #[command(flatten)]
    pub settings: Settings,
    /// Tell all channels
    #[arg(long, conflicts_with = "channels")]
    pub all_channels: bool,
    /// Switch it on
    #[arg(long, conflicts_with = "disable")]
    pub enable: bool,
    /// Switch it off; its raised alarm is over
    #[arg(long)]
    pub disable: bool,
}

/// When a rule raises its alarm.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Condition")]
pub struct When {
    /// Which sensor: its name or id
    #[arg(long)]
    pub sensor: Option<String>,
    /// Which camera: its name or id
    #[arg(long)]
    pub camera: Option<String>,
    /// What is watched for.
    #[command(flatten)]
    pub kind: Kind,
    /// The cause must be there this long: 2h, 90s, 1h30m
    #[arg(long = "for", value_name = "DURATION", value_parser = units::duration)]
    pub after: Option<Duration>,
    /// The time of a rise or fall: 1m to 1d
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub within: Option<Duration>,
    /// How far a value must come back before it counts as well again [default: 0.5C]
    #[arg(long, value_name = "DEGREES")]
    pub hysteresis: Option<Difference>,
}

/// What is watched for: one of these.
#[derive(Args, Clone, Debug, Default)]
#[group(id = "kind", multiple = false)]
pub struct Kind {
    /// The sensor is above this: 5C, 41F
    #[arg(long, value_name = "TEMPERATURE", allow_hyphen_values = true)]
    pub above: Option<Temperature>,
    /// The sensor is below this
    #[arg(long, value_name = "TEMPERATURE", allow_hyphen_values = true)]
    pub below: Option<Temperature>,
    /// The sensor rises by this, --within a time
    #[arg(long, value_name = "DEGREES")]
    pub rises: Option<Difference>,
    /// The sensor falls by this, --within a time
    #[arg(long, value_name = "DEGREES")]
    pub falls: Option<Difference>,
    /// The sensor sends nothing
    #[arg(long)]
    pub silent: bool,
    /// The camera sends no pictures
    #[arg(long)]
    pub offline: bool,
    /// The camera sends pictures, but they are not recorded
    #[arg(long)]
    pub stalled: bool,
    /// The disk of the recordings has less free than its floor
    #[arg(long)]
    pub disk_low: bool,
}

/// How a rule tells.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Telling")]
pub struct Settings {
    /// The cause must be gone this long before the alarm is over [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub hold: Option<Duration>,
    /// Tell again after this while nobody acknowledges it; `none`: never [default: none]
    #[arg(long, value_name = "DURATION")]
    pub repeat: Option<Repeat>,
    /// Tell this channel; may be repeated [default: all]
    #[arg(long = "channel", value_name = "CHANNEL")]
    pub channels: Vec<String>,
}

/// A time, or `none`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Repeat(pub Option<Duration>);

impl FromStr for Repeat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" { Ok(Self(None)) } else { units::duration(text).map(Some).map(Self) }
    }
}

pub(super) async fn run(hub: &Hub, command: RuleCommand, out: &mut Out) -> Result<(), Failure> {
    match command {
        RuleCommand::List => list(hub, out).await,
        RuleCommand::Show { rule } => show(hub, get(hub, rule).await?, out).await,
        RuleCommand::Add(args) => add(hub, args, out).await,
        RuleCommand::Update(args) => update(hub, args, out).await,
        RuleCommand::Remove { rule } => {
            hub.alarms().delete_alarm_rule(quick(DeleteAlarmRuleRequest { rule: rule.clone() })).await?;
            out.done(&format!("removed {rule}"))
        }
        RuleCommand::Presets => list_presets(hub, out).await,
    }
}

async fn list(hub: &Hub, out: &mut Out) -> Result<(), Failure> {
    let names = Names::ask(hub).await;
    let rules = pages::all(async |page_size, page_token| {
        let request = ListAlarmRulesRequest { page_size, page_token };
        let page = hub.alarms().list_alarm_rules(quick(request)).await?.into_inner();
        Ok((page.rules, page.next_page_token))
    });
    let views: Vec<_> = rules.await?.into_iter().map(|rule| RuleView::new(rule, &names)).collect();
    if views.is_empty() && !out.is_json() {
        return out.line("no rules yet; add one: larderctl alarm rule add warm --sensor fridge --above 5C --for 2h");
    }
    view::rules(&views, out)
}

async fn get(hub: &Hub, rule: String) -> Result<AlarmRule, Failure> {
    Ok(hub.alarms().get_alarm_rule(quick(GetAlarmRuleRequest { rule })).await?.into_inner())
}

async fn show(hub: &Hub, rule: AlarmRule, out: &mut Out) -> Result<(), Failure> {
    view::rule(&RuleView::new(rule, &Names::ask(hub).await), out)
}

async fn add(hub: &Hub, args: AddArgs, out: &mut Out) -> Result<(), Failure> {
    let base = match &args.preset {
        Some(name) => Some(preset(hub, name).await?.condition.unwrap_or_default()),
        None => None,
    };
    let condition = args.when.apply(base)?.ok_or_else(|| {
        Failure::Usage(
            "say when: --above, --below, --rises, --falls, --silent, --offline, --stalled, --disk-low or --preset"
                .to_owned(),
        )
    })?;
    let rule = AlarmRule {
        name: args.name,
        condition: Some(condition),
        enabled: Some(!args.disabled),
        hold: args.settings.hold.map(units::to_wire),
        repeat: args.settings.repeat.and_then(|repeat| repeat.0).map(units::to_wire),
        channels: args.settings.channels,
        ..Default::default()
    };
    let rule = hub.alarms().create_alarm_rule(quick(CreateAlarmRuleRequest { rule: Some(rule) })).await?.into_inner();
    show(hub, rule, out).await
}

async fn update(hub: &Hub, args: UpdateArgs, out: &mut Out) -> Result<(), Failure> {
    let known = get(hub, args.rule).await?;
    let mut paths = Vec::new();
    let mut rule = AlarmRule { id: known.id, ..Default::default() };
    if let Some(name) = args.new_name {
        rule.name = name;
        paths.push("name");
    }
    if !args.when.is_empty() {
        rule.condition = args.when.apply(known.condition)?;
        paths.push("condition");
    }
    if args.enable || args.disable {
        rule.enabled = Some(args.enable);
        paths.push("enabled");
    }
    if let Some(hold) = args.settings.hold {
        rule.hold = Some(units::to_wire(hold));
        paths.push("hold");
    }
    if let Some(Repeat(repeat)) = args.settings.repeat {
        rule.repeat = repeat.map(units::to_wire);
        paths.push("repeat");
    }
    if args.all_channels || !args.settings.channels.is_empty() {
        rule.channels = args.settings.channels;
        paths.push("channels");
    }
    if paths.is_empty() {
        return Err(Failure::Usage("nothing to change: see `larderctl alarm rule update --help`".to_owned()));
    }
    let update_mask = Some(FieldMask { paths: paths.into_iter().map(str::to_owned).collect() });
    let request = UpdateAlarmRuleRequest { rule: Some(rule), update_mask };
    let rule = hub.alarms().update_alarm_rule(quick(request)).await?.into_inner();
    show(hub, rule, out).await
}

impl When {
    fn is_empty(&self) -> bool {
        self.sensor.is_none()
            && self.camera.is_none()
            && self.kind.is_empty()
            && self.after.is_none()
            && self.within.is_none()
            && self.hysteresis.is_none()
    }

    /// The condition: of the kind that was given, or the known one with what was given changed.
    fn apply(&self, known: Option<AlarmCondition>) -> Result<Option<AlarmCondition>, Failure> {
        let known = known.and_then(|known| known.condition);
        let Some(mut condition) = self.kind.condition(known.as_ref()).or(known) else { return Ok(None) };
        let after = self.after.map(units::to_wire);
        let refuse = |given: bool, option: &str| match given {
            true => Err(Failure::Usage(format!("{option} does not go with this condition"))),
            false => Ok(()),
        };
        let is_about_sensor = matches!(
            condition,
            Condition::Above(_) | Condition::Below(_) | Condition::Rate(_) | Condition::SensorSilent(_)
        );
        let is_about_camera = matches!(condition, Condition::CameraOffline(_) | Condition::RecordingStalled(_));
        let is_rate = matches!(condition, Condition::Rate(_));
        let is_limit = matches!(condition, Condition::Above(_) | Condition::Below(_));
        refuse(self.sensor.is_some() && !is_about_sensor, "--sensor")?;
        refuse(self.camera.is_some() && !is_about_camera, "--camera")?;
        refuse(self.within.is_some() && !is_rate, "--within")?;
        refuse(after.is_some() && is_rate, "--for")?;
        refuse(self.hysteresis.is_some() && !is_limit, "--hysteresis")?;
        match &mut condition {
            Condition::Above(limit) | Condition::Below(limit) => {
                set(&mut limit.sensor_id, self.sensor.as_ref());
                limit.r#for = after.or(limit.r#for);
                limit.hysteresis_celsius = self.hysteresis.map(|back| back.0).or(limit.hysteresis_celsius);
            }
            Condition::Rate(rate) => {
                set(&mut rate.sensor_id, self.sensor.as_ref());
                rate.within = self.within.map(units::to_wire).or(rate.within);
            }
            Condition::SensorSilent(silent) => {
                set(&mut silent.sensor_id, self.sensor.as_ref());
                silent.r#for = after.or(silent.r#for);
            }
            Condition::CameraOffline(offline) => {
                set(&mut offline.camera_id, self.camera.as_ref());
                offline.r#for = after.or(offline.r#for);
            }
            Condition::RecordingStalled(stalled) => {
                set(&mut stalled.camera_id, self.camera.as_ref());
                stalled.r#for = after.or(stalled.r#for);
            }
            Condition::DiskFloor(floor) => floor.r#for = after.or(floor.r#for),
        }
        require_subject(&condition)?;
        Ok(Some(AlarmCondition { condition: Some(condition) }))
    }
}

fn set(field: &mut String, given: Option<&String>) {
    if let Some(given) = given {
        field.clone_from(given);
    }
}

fn require_subject(condition: &Condition) -> Result<(), Failure> {
    let (subject, option) = match condition {
        Condition::Above(limit) | Condition::Below(limit) => (&limit.sensor_id, "--sensor"),
        Condition::Rate(rate) => (&rate.sensor_id, "--sensor"),
        Condition::SensorSilent(silent) => (&silent.sensor_id, "--sensor"),
        Condition::CameraOffline(offline) => (&offline.camera_id, "--camera"),
        Condition::RecordingStalled(stalled) => (&stalled.camera_id, "--camera"),
        Condition::DiskFloor(_) => return Ok(()),
    };
    if subject.is_empty() { Err(Failure::Usage(format!("name which with {option}"))) } else { Ok(()) }
}

impl Kind {
    fn is_empty(&self) -> bool {
        self.condition(None).is_none()
    }

    /// A condition of the given kind, with what the known one has and this one needs.
    fn condition(&self, known: Option<&Condition>) -> Option<Condition> {
        let (sensor_id, camera_id) = subjects(known);
        let limit = |celsius: Temperature| {
            let old = match known {
                Some(Condition::Above(old) | Condition::Below(old)) => old.clone(),
                _ => Threshold::default(),
            };
            Threshold { sensor_id: sensor_id.clone(), celsius: celsius.0, ..old }
        };
        let rate = |celsius: f64| {
            let within = if let Some(Condition::Rate(old)) = known { old.within } else { None };
            Condition::Rate(RateOfChange { sensor_id: sensor_id.clone(), celsius, within })
        };
        if let Some(above) = self.above {
            Some(Condition::Above(limit(above)))
        } else if let Some(below) = self.below {
            Some(Condition::Below(limit(below)))
        } else if let Some(rises) = self.rises {
            Some(rate(rises.0.abs()))
        } else if let Some(falls) = self.falls {
            Some(rate(-falls.0.abs()))
        } else if self.silent {
            Some(Condition::SensorSilent(SensorSilent { sensor_id, r#for: None }))
        } else if self.offline {
            Some(Condition::CameraOffline(CameraOffline { camera_id, r#for: None }))
        } else if self.stalled {
            Some(Condition::RecordingStalled(RecordingStalled { camera_id, r#for: None }))
        } else if self.disk_low {
            Some(Condition::DiskFloor(DiskFloor { r#for: None }))
        } else {
            None
        }
    }
}

/// The sensor and the camera of a condition; empty when it has none.
fn subjects(condition: Option<&Condition>) -> (String, String) {
    let (sensor, camera) = match condition {
        Some(Condition::Above(limit) | Condition::Below(limit)) => (limit.sensor_id.as_str(), ""),
        Some(Condition::Rate(rate)) => (rate.sensor_id.as_str(), ""),
        Some(Condition::SensorSilent(silent)) => (silent.sensor_id.as_str(), ""),
        Some(Condition::CameraOffline(offline)) => ("", offline.camera_id.as_str()),
        Some(Condition::RecordingStalled(stalled)) => ("", stalled.camera_id.as_str()),
        Some(Condition::DiskFloor(_)) | None => ("", ""),
    };
    (sensor.to_owned(), camera.to_owned())
}

/// A preset, for programs.
#[derive(Serialize)]
struct PresetView {
    name: String,
    description: String,
    condition: String,
    source_title: String,
    source_url: String,
}

async fn presets(hub: &Hub) -> Result<Vec<AlarmPreset>, Failure> {
    Ok(hub.alarms().list_alarm_presets(quick(ListAlarmPresetsRequest {})).await?.into_inner().presets)
}

async fn preset(hub: &Hub, name: &str) -> Result<AlarmPreset, Failure> {
    let presets = presets(hub).await?;
    let known = presets.iter().map(|preset| preset.name.clone()).collect::<Vec<_>>().join(", ");
    let found = presets.into_iter().find(|preset| preset.name == name);
    found.ok_or_else(|| Failure::Usage(format!("there is no preset \"{name}\"; there are {known}")))
}

async fn list_presets(hub: &Hub, out: &mut Out) -> Result<(), Failure> {
    let views: Vec<_> = presets(hub).await?.into_iter().map(PresetView::from).collect();
    if out.is_json() {
        return out.list(&views, &[], |_| Vec::new());
    }
    for (index, view) in views.iter().enumerate() {
        if index > 0 {
            out.line("")?;
        }
        out.fields(&[
            ("Preset", view.name.clone()),
            ("When", view.condition.clone()),
            ("Why", view.description.clone()),
            ("Source", view.source_title.clone()),
            ("", view.source_url.clone()),
        ])?;
    }
    Ok(())
}

impl From<AlarmPreset> for PresetView {
    fn from(preset: AlarmPreset) -> Self {
        Self {
            condition: view::condition_words(preset.condition.as_ref()),
            name: preset.name,
            description: preset.description,
            source_title: preset.source_title,
            source_url: preset.source_url,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        when: When,
    }

    fn apply(line: &[&str], known: Option<Condition>) -> Result<Option<Condition>, String> {
        let line = Line::try_parse_from([&["x"], line].concat()).map_err(|error| error.to_string())?;
        let known = known.map(|known| AlarmCondition { condition: Some(known) });
        let condition = line.when.apply(known).map_err(|failure| failure.to_string())?;
        Ok(condition.and_then(|condition| condition.condition))
    }

    fn seconds(seconds: i64) -> Option<prost_types::Duration> {
        Some(prost_types::Duration { seconds, nanos: 0 })
    }

    fn above() -> Condition {
        let sensor_id = "fridge".to_owned();
        Condition::Above(Threshold { sensor_id, celsius: 5.0, r#for: seconds(7_200), hysteresis_celsius: Some(1.0) })
    }

    #[test]
    fn conditions_are_written_as_people_say_them() {
        let written = apply(&["--sensor", "fridge", "--above", "41F", "--for", "2h", "--hysteresis", "1C"], None);
        assert_eq!(written, Ok(Some(above())));
        let below = apply(&["--sensor", "fridge", "--below", "-20C"], None);
        let limit = Threshold { sensor_id: "fridge".into(), celsius: -20.0, ..Default::default() };
        assert_eq!(below, Ok(Some(Condition::Below(limit))));
        let falls = apply(&["--sensor", "fridge", "--falls", "9F", "--within", "10m"], None);
        let rate = RateOfChange { sensor_id: "fridge".into(), celsius: -5.0, within: seconds(600) };
        assert_eq!(falls, Ok(Some(Condition::Rate(rate))));
        let offline = apply(&["--camera", "cam", "--offline", "--for", "1m"], None);
        let expected = CameraOffline { camera_id: "cam".into(), r#for: seconds(60) };
        assert_eq!(offline, Ok(Some(Condition::CameraOffline(expected))));
        assert_eq!(apply(&["--disk-low"], None), Ok(Some(Condition::DiskFloor(DiskFloor { r#for: None }))));
        assert_eq!(apply(&[], None), Ok(None));
    }

    #[test]
    fn a_change_keeps_what_was_not_named() {
        let Condition::Above(known) = above() else { panic!("it is one") };
        let changed = apply(&["--for", "1h"], Some(above()));
        assert_eq!(changed, Ok(Some(Condition::Above(Threshold { r#for: seconds(3_600), ..known.clone() }))));
        let changed = apply(&["--below", "0C"], Some(above()));
        assert_eq!(changed, Ok(Some(Condition::Below(Threshold { celsius: 0.0, ..known }))));
        let changed = apply(&["--silent", "--for", "10m"], Some(above()));
        let silent = SensorSilent { sensor_id: "fridge".into(), r#for: seconds(600) };
        assert_eq!(changed, Ok(Some(Condition::SensorSilent(silent))));
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        for (line, said) in [
            (&["--above", "5C"][..], "--sensor"),
            (&["--offline"], "--camera"),
            (&["--sensor", "fridge", "--above", "5C", "--within", "1m"], "--within"),
            (&["--sensor", "fridge", "--rises", "5C", "--for", "1m"], "--for"),
            (&["--sensor", "fridge", "--silent", "--hysteresis", "1C"], "--hysteresis"),
            (&["--sensor", "fridge", "--camera", "cam", "--silent"], "--camera"),
            (&["--sensor", "fridge", "--above", "5C", "--below", "1C"], "cannot be used with"),
            (&["--sensor", "fridge", "--above", "warm"], "is no temperature"),
        ] {
            let refused = apply(line, None).expect_err("it is taken");
            assert!(refused.contains(said), "{line:?}: {refused}");
        }
    }
}
