//! Alarms that are raised and that are over.

use larder_proto::pb::{AcknowledgeAlarmRequest, ListAlarmsRequest};

use super::view::{self, AlarmView};
use crate::{
    Failure, Out,
    client::{Hub, quick},
    pages,
};

/// How far back one alarm is looked for.
const SEARCHED: usize = 20_000;

/// Raised alarms, the newest first.
///
/// # Errors
///
/// The hub refuses or goes away.
pub async fn raised(hub: &Hub) -> Result<Vec<AlarmView>, Failure> {
    let request = ListAlarmsRequest { raised_only: true, page_size: 1000, ..Default::default() };
    let answer = hub.alarms().list_alarms(quick(request)).await?.into_inner();
    Ok(answer.alarms.into_iter().map(AlarmView::from).collect())
}

pub(super) async fn list(hub: &Hub, out: &mut Out) -> Result<(), Failure> {
    let views = raised(hub).await?;
    if views.is_empty() && !out.is_json() {
        return out.line("no alarm is raised");
    }
    view::alarms(&views, out)
}

pub(super) async fn history(hub: &Hub, limit: usize, out: &mut Out) -> Result<(), Failure> {
    let views = newest(hub, limit, |_| false).await?;
    if views.is_empty() && !out.is_json() {
        return out.line("there was no alarm yet");
    }
    view::alarms(&views, out)
}

pub(super) async fn show(hub: &Hub, which: &str, out: &mut Out) -> Result<(), Failure> {
    let is_meant = |view: &AlarmView| view.id == which || view.rule_name == which;
    let found = newest(hub, SEARCHED, is_meant).await?.into_iter().find(is_meant);
    let found =
        found.ok_or_else(|| Failure::Other(format!("no such alarm \"{which}\"; see: larderctl alarm history")))?;
    view::alarm(&found, out)
}

pub(super) async fn acknowledge(hub: &Hub, alarm: String, out: &mut Out) -> Result<(), Failure> {
    let alarm = hub.alarms().acknowledge_alarm(quick(AcknowledgeAlarmRequest { alarm })).await?.into_inner();
    let view = AlarmView::from(alarm);
    out.one(&view, |out| out.line(&format!("{} is acknowledged: {}", view.rule_name, view.message)))
}

/// The newest alarms, raised ones first; no page after one with an alarm that is meant.
async fn newest(hub: &Hub, limit: usize, is_meant: impl Fn(&AlarmView) -> bool) -> Result<Vec<AlarmView>, Failure> {
    let alarms = pages::up_to(limit.max(1), async |page_size, page_token| {
        let request = ListAlarmsRequest { page_size, page_token, ..Default::default() };
        let page = hub.alarms().list_alarms(quick(request)).await?.into_inner();
        let views: Vec<_> = page.alarms.into_iter().map(AlarmView::from).collect();
        let next = if views.iter().any(&is_meant) { String::new() } else { page.next_page_token };
        Ok((views, next))
    });
    Ok(alarms.await?.0)
}
