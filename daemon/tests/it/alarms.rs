//! Alarms of a whole hub: rules and alarms over gRPC and `larderctl`, readings as they come in.

use std::{net::IpAddr, process::Command, time::Duration};

use jiff::Timestamp;
use larder_daemon::temperatures::{Heard, Source, Taken};
use larder_proto::{
    pb::{self, AlarmRuleState, alarm_condition},
    wire::camera::MilliCelsius,
};
use tonic::Code;

use crate::{
    ctl::larderctl,
    support::{Hub, get_with, until},
};

/// Where the sensor's text would come from.
const ADDRESS: &str = "192.0.2.7";

pub(crate) async fn add_sensor(hub: &Hub, name: &str) -> String {
    let device = pb::sensor_source::TextDevice { address: ADDRESS.to_owned(), device: name.to_owned() };
    let source = pb::SensorSource { source: Some(pb::sensor_source::Source::Text(device)) };
    let sensor = pb::Sensor { name: name.to_owned(), source: Some(source), ..Default::default() };
    let request = pb::CreateSensorRequest { sensor: Some(sensor) };
    hub.clients.temperatures.clone().create_sensor(request).await.unwrap().into_inner().id
}

pub(crate) fn hear(hub: &Hub, name: &str, celsius: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "a temperature")]
    let value = MilliCelsius((celsius * 1000.0) as i32);
    let source = Source::Text { address: ADDRESS.parse::<IpAddr>().unwrap(), device: name.to_owned() };
    let now = Timestamp::now();
    let heard = Heard { source, captured_at: now, received_at: now, value: Some(value) };
    assert_eq!(hub.temperatures().offer(heard), Taken::Kept);
}

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

pub(crate) fn above(sensor: &str, after: i64) -> pb::AlarmCondition {
    let threshold = alarm_condition::Threshold {
        sensor_id: sensor.to_owned(),
        celsius: 5.0,
        r#for: seconds(after),
        hysteresis_celsius: None,
    };
    pb::AlarmCondition { condition: Some(alarm_condition::Condition::Above(threshold)) }
}

pub(crate) async fn add_rule(
    hub: &Hub,
    name: &str,
    condition: pb::AlarmCondition,
) -> Result<pb::AlarmRule, tonic::Status> {
    let rule =
        pb::AlarmRule { name: name.to_owned(), condition: Some(condition), hold: seconds(2), ..Default::default() };
    let request = pb::CreateAlarmRuleRequest { rule: Some(rule) };
    Ok(hub.clients.alarms.clone().create_alarm_rule(request).await?.into_inner())
}

async fn state(hub: &Hub, rule: &str) -> AlarmRuleState {
    let request = pb::GetAlarmRuleRequest { rule: rule.to_owned() };
    hub.clients.alarms.clone().get_alarm_rule(request).await.unwrap().into_inner().state()
}

async fn until_state(hub: &Hub, rule: &str, wanted: AlarmRuleState) {
    until(wanted.as_str_name(), || async { (state(hub, rule).await == wanted).then_some(()) }).await;
}

async fn list(hub: &Hub, raised_only: bool) -> Vec<pb::Alarm> {
    let request = pb::ListAlarmsRequest { raised_only, ..Default::default() };
    hub.clients.alarms.clone().list_alarms(request).await.unwrap().into_inner().alarms
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_raised_once_seen_held_over_a_restart_and_cleared() {
    let hub = Hub::start().await;
    add_sensor(&hub, "fridge").await;
    let rule = add_rule(&hub, "warm", above("fridge", 2)).await.unwrap();
    assert_eq!(rule.state(), AlarmRuleState::Idle);
    let watch = pb::WatchAlarmsRequest {};
    let mut watched = hub.clients.alarms.clone().watch_alarms(watch).await.unwrap().into_inner();
    let kinds = vec![pb::EventKind::AlarmRaised.into()];
    let events = pb::WatchEventsRequest { kinds };
    let mut events = hub.clients.system.clone().watch_events(events).await.unwrap().into_inner();

    hear(&hub, "fridge", 4.0);
    until_state(&hub, "warm", AlarmRuleState::Ok).await;
    hear(&hub, "fridge", 6.0);
    until_state(&hub, "warm", AlarmRuleState::Pending).await;
    until_state(&hub, "warm", AlarmRuleState::Raised).await;
    let raised = list(&hub, true).await;
    let [alarm] = raised.as_slice() else { panic!("one alarm: {raised:?}") };
    assert!(alarm.message.starts_with("fridge is above 5.0 °C since "), "{}", alarm.message);
    assert_eq!((alarm.extreme_celsius, alarm.rule_id.as_str()), (Some(6.0), rule.id.as_str()));
    assert!(alarm.since.as_ref().unwrap().seconds < alarm.raised_at.as_ref().unwrap().seconds + 1);
    assert_eq!(watched.message().await.unwrap().as_ref(), Some(alarm));
    assert!(events.message().await.unwrap().unwrap().message.starts_with("warm: fridge is above"));
    let token = hub.token("prometheus", pb::Role::Viewer).await;
    let metrics = get_with(hub.http(), "/metrics", &[("authorization", &format!("Bearer {token}"))]).await;
    assert!(metrics.text().contains("larder_alarm_transitions_total{occasion=\"raised\"}"), "{}", metrics.text());

    let seen = pb::AcknowledgeAlarmRequest { alarm: "warm".to_owned() };
    let seen = hub.clients.alarms.clone().acknowledge_alarm(seen).await.unwrap().into_inner();
    assert_eq!((seen.id.as_str(), seen.acknowledged_by.as_str()), (alarm.id.as_str(), "local"));
    assert_eq!(watched.message().await.unwrap(), Some(seen.clone()));
    drop((watched, events));

    let hub = hub.restart().await;
    assert_eq!(
        list(&hub, false).await,
        std::slice::from_ref(&seen),
        "neither raised again nor forgotten who has seen it"
    );
    assert_eq!(state(&hub, "warm").await, AlarmRuleState::Raised);
    hear(&hub, "fridge", 4.9);
    assert_eq!(state(&hub, "warm").await, AlarmRuleState::Raised, "not back by the hysteresis");
    hear(&hub, "fridge", 4.0);
    until_state(&hub, "warm", AlarmRuleState::Holding).await;
    until_state(&hub, "warm", AlarmRuleState::Ok).await;
    let all = list(&hub, false).await;
    let [over] = all.as_slice() else { panic!("one alarm: {all:?}") };
    assert!(over.id == seen.id && over.cleared_at.is_some() && over.acknowledged_at == seen.acknowledged_at);
    let late = pb::AcknowledgeAlarmRequest { alarm: over.id.clone() };
    let refused = hub.clients.alarms.clone().acknowledge_alarm(late).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_raised_while_the_database_is_away_and_its_row_follows() {
    let hub = Hub::start().await;
    add_sensor(&hub, "fridge").await;
    add_rule(&hub, "warm", above("fridge", 0)).await.unwrap();
    hear(&hub, "fridge", 4.0);
    let pid = std::fs::read_to_string(hub.state().join("postgres/data/postmaster.pid")).unwrap();
    let pid = pid.lines().next().unwrap().to_owned();
    let ended = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(ended.success());
    hear(&hub, "fridge", 7.0);
    until("the alarm", || async { (list(&hub, true).await.len() == 1).then_some(()) }).await;
    hear(&hub, "fridge", 1.0);
    until("its end", || async { list(&hub, true).await.is_empty().then_some(()) }).await;
    // The hub starts its cluster again.
    let over = until("its row", || async {
        let request = pb::ListAlarmsRequest::default();
        hub.clients.alarms.clone().list_alarms(request).await.ok()?.into_inner().alarms.pop()
    })
    .await;
    assert!(over.cleared_at.is_some());
    assert_eq!(over.extreme_celsius, Some(7.0));
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_refused_by_field_and_go_with_their_sensor() {
    let hub = Hub::start().await;
    let sensor = add_sensor(&hub, "fridge").await;
    let refused = add_rule(&hub, "Warm", above("attic", -1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    for field in ["rule.name", "rule.condition.above.sensor_id"] {
        assert!(refused.message().contains(field), "{}", refused.message());
    }
    add_rule(&hub, "warm", above(&sensor, 0)).await.unwrap();
    assert_eq!(add_rule(&hub, "warm", above("fridge", 0)).await.unwrap_err().code(), Code::AlreadyExists);
    hear(&hub, "fridge", 9.0);
    until_state(&hub, "warm", AlarmRuleState::Raised).await;
    let gone = pb::DeleteSensorRequest { sensor };
    hub.clients.temperatures.clone().delete_sensor(gone).await.unwrap();
    until("the alarm to be over", || async { list(&hub, true).await.is_empty().then_some(()) }).await;
    let rules = pb::ListAlarmRulesRequest::default();
    assert_eq!(hub.clients.alarms.clone().list_alarm_rules(rules).await.unwrap().into_inner().rules, []);
    let history = list(&hub, false).await;
    assert!(history.len() == 1 && history[0].cleared_at.is_some(), "its history stays: {history:?}");
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_adds_a_rule_sees_its_alarm_and_says_so() {
    let hub = Hub::start().await;
    add_sensor(&hub, "fridge").await;
    let folder = hub.state().to_str().unwrap().to_owned();
    let done = async |words: &[&str]| {
        let (ended, text) = larderctl(&folder, words).await;
        ended.unwrap_or_else(|failure| panic!("{words:?}: {failure}"));
        text
    };
    let presets = done(&["alarm", "rule", "presets"]).await;
    assert!(presets.contains("fridge-warm") && presets.contains("https://www.fda.gov/"), "{presets}");
    let rule = ["alarm", "rule", "add", "warm", "--sensor", "fridge", "--above", "41F", "--for", "0s", "--hold", "1s"];
    let shown = done(&rule).await;
    assert!(shown.contains("fridge above 5.0 °C"), "{shown}");
    let frozen = done(&["alarm", "rule", "add", "frozen", "--preset", "freezer-warm", "--sensor", "fridge"]).await;
    assert!(frozen.contains("fridge above -15.0 °C for 1h"), "{frozen}");
    done(&["alarm", "rule", "update", "frozen", "--disable", "--repeat", "30m"]).await;
    assert_eq!(done(&["alarm", "list"]).await.trim(), "no alarm is raised");

    hear(&hub, "fridge", 8.0);
    until("the alarm", || async { larderctl(&folder, &["alarm", "list"]).await.1.contains("RAISED").then_some(()) })
        .await;
    let status = done(&["status"]).await;
    assert!(status.starts_with("1 alarm is raised"), "{status}");
    let rules = done(&["alarm", "rule", "list"]).await;
    assert!(rules.contains("RAISED") && rules.contains("off"), "{rules}");
    assert!(done(&["alarm", "ack", "warm"]).await.contains("warm is acknowledged"));
    let shown: serde_json::Value = serde_json::from_str(&done(&["alarm", "show", "warm", "--json"]).await).unwrap();
    assert_eq!((&shown["acknowledged_by"], &shown["extreme_celsius"]), (&"local".into(), &8.0.into()));
    done(&["alarm", "rule", "remove", "warm"]).await;
    assert!(done(&["alarm", "history"]).await.contains("over"));
    let (missing, _) = larderctl(&folder, &["alarm", "ack", "warm"]).await;
    assert!(missing.unwrap_err().to_string().contains("no such alarm \"warm\""));
    tokio::time::timeout(Duration::from_secs(30), hub.stop()).await.unwrap();
}
