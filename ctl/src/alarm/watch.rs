//! `larderctl alarm watch`: every change of any alarm.

use std::collections::BTreeMap;

use larder_proto::pb::WatchAlarmsRequest;
use tokio_util::sync::CancellationToken;

use super::{degrees, view::AlarmView};
use crate::{
    Failure, Out,
    client::{Hub, next},
    when,
};

pub(super) async fn watch(hub: &Hub, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    let mut stream = hub.alarms().watch_alarms(WatchAlarmsRequest {}).await?.into_inner();
    let mut known = BTreeMap::new();
    loop {
        let Some(alarm) = next(&mut stream, &stop).await? else { return Ok(()) };
        let view = AlarmView::from(alarm);
        if out.is_json() {
            out.json_line(&view)?;
            continue;
        }
        let before = known.insert(view.id.clone(), (view.state(), view.extreme_celsius));
        if let Some(line) = line(before, &view, out) {
            out.line(&line)?;
        }
        if view.cleared_at.is_some() {
            known.remove(&view.id);
        }
    }
}

/// What is new of an alarm; nothing when it was told just so.
fn line(before: Option<(&'static str, Option<f64>)>, view: &AlarmView, out: &Out) -> Option<String> {
    let now = (view.state(), view.extreme_celsius);
    if before == Some(now) {
        return None;
    }
    let what = match (view.extreme_celsius, before) {
        (Some(extreme), Some((state, _))) if state == now.0 => format!("worse: {}", degrees::show(extreme)),
        _ => view.message.clone(),
    };
    Some(format!("{}  {:<12}  {:<12}  {what}", when::show(out.now(), out.zone()), now.0, view.rule_name))
}

#[cfg(test)]
mod tests {
    use larder_proto::pb::Alarm;

    use super::*;
    use crate::output::tests::Written;

    #[test]
    fn a_line_says_what_is_new() {
        let out = Written::default().out(false);
        let mut alarm = Alarm { rule_name: "warm".into(), message: "fridge is warm.".into(), ..Default::default() };
        let mut before = None;
        let mut told = |alarm: &Alarm| {
            let view = AlarmView::from(alarm.clone());
            let line = line(before, &view, &out);
            before = Some((view.state(), view.extreme_celsius));
            line
        };
        alarm.extreme_celsius = Some(7.0);
        assert_eq!(told(&alarm).as_deref(), Some("2026-11-22 15:00:00  RAISED        warm          fridge is warm."));
        assert_eq!(told(&alarm), None);
        alarm.extreme_celsius = Some(8.0);
        assert_eq!(told(&alarm).as_deref(), Some("2026-11-22 15:00:00  RAISED        warm          worse: 8.0 °C"));
        alarm.cleared_at = Some(prost_types::Timestamp::default());
        assert_eq!(told(&alarm).as_deref(), Some("2026-11-22 15:00:00  over          warm          fridge is warm."));
    }
}
