//! Rules and alarms.

use std::{collections::VecDeque, sync::Arc};

use futures_util::{Stream, stream};
use larder_proto::{pb, wire::CameraId};
use tokio::sync::broadcast::error::RecvError;
use tonic::Status;

use super::{Parts, Service};
use crate::{
    alarms::{
        Alarm, ChannelId, Error,
        messages::{self, After},
        parse::{self, Names},
        rule::Rule,
    },
    outcome::{Kind, Refusal},
    pb_page::{self, List},
    temperatures::SensorId,
};

impl Names for Parts {
    fn sensor(&self, id_or_name: &str) -> Option<SensorId> {
        self.temperatures.find(id_or_name).map(|sensor| sensor.id)
    }

    fn camera(&self, id_or_name: &str) -> Option<CameraId> {
        self.cameras.find(id_or_name).map(|camera| camera.id)
    }

    fn channel(&self, id_or_name: &str) -> Option<ChannelId> {
        self.channels.find(id_or_name).map(|channel| channel.id)
    }
}

impl Service {
    fn rule(&self, rule: &Rule) -> pb::AlarmRule {
        messages::rule(rule, self.0.alarms.state(rule.id))
    }

    fn find(&self, id_or_name: &str) -> Result<Arc<Rule>, Error> {
        self.0.alarms.find_rule(id_or_name).ok_or_else(|| Error::NoSuchRule(id_or_name.to_owned()))
    }

    async fn changed(&self, rule: &Rule, what: &str) -> Result<(), Refusal> {
        self.0.alarms.reload().await?;
        tracing::info!(alarm.rule = rule.name, change = what, "an alarm rule was changed");
        Ok(())
    }

    pub(super) async fn create_rule(&self, wanted: Option<&pb::AlarmRule>) -> Result<pb::AlarmRule, Refusal> {
        let wanted = wanted.ok_or_else(|| Refusal::field("rule", "is not set"))?;
        let rule = parse::new_rule(wanted, self.0.as_ref(), self.0.clock.now())?;
        let rule = self.0.alarms.store().insert(&rule).await?;
        self.changed(&rule, "added").await?;
        Ok(self.rule(&rule))
    }

    pub(super) fn get_rule(&self, id_or_name: &str) -> Result<pb::AlarmRule, Refusal> {
        let rule = self.find(id_or_name)?;
        Ok(self.rule(&rule))
    }

    pub(super) fn list_rules(
        &self,
        request: &pb::ListAlarmRulesRequest,
    ) -> Result<pb::ListAlarmRulesResponse, Refusal> {
        let all = self.0.alarms.rules();
        let (page, next_page_token) =
            pb_page::by_name(List("alarm rules"), &all, request.page_size, &request.page_token)?;
        let rules = page.iter().map(|rule| self.rule(rule)).collect();
        Ok(pb::ListAlarmRulesResponse { rules, next_page_token })
    }

    pub(super) async fn update_rule(&self, request: pb::UpdateAlarmRuleRequest) -> Result<pb::AlarmRule, Refusal> {
        let wanted = request.rule.ok_or_else(|| Refusal::field("rule", "is not set"))?;
        let known = self.find(&wanted.id)?;
        let rule = parse::updated(&known, &wanted, request.update_mask.as_ref(), self.0.as_ref())?;
        let rule = self.0.alarms.store().update(&rule).await?;
        self.changed(&rule, "changed").await?;
        Ok(self.rule(&rule))
    }

    pub(super) async fn delete_rule(&self, id_or_name: &str) -> Result<(), Refusal> {
        let rule = self.find(id_or_name)?;
        self.0.alarms.store().delete(rule.id).await?;
        self.changed(&rule, "removed").await
    }

    /// Raised ones come from memory: they are told of while the database is away.
    pub(super) async fn list(&self, request: &pb::ListAlarmsRequest) -> Result<pb::ListAlarmsResponse, Refusal> {
        let size = usize::from(pb_page::size(request.page_size)?);
        let after = After::parse(&request.page_token)?;
        let mut page: Vec<Alarm> = Vec::new();
        if after.is_none_or(|after| !after.is_over) {
            let is_after =
                |alarm: &Alarm| after.is_none_or(|after| (alarm.raised_at, alarm.id) < (after.raised_at, after.id));
            page.extend(self.0.alarms.raised().into_iter().filter(is_after));
        }
        if !request.raised_only && page.len() <= size {
            self.0.alarms.flush().await?;
            // One more than fits tells whether there is another page.
            let most = i64::try_from(size + 1 - page.len()).unwrap_or(i64::MAX);
            let over = after.filter(|after| after.is_over);
            page.extend(self.0.alarms.store().over(over, most).await.map_err(Error::from)?);
        }
        let is_more = page.len() > size;
        page.truncate(size);
        let next = page.last().filter(|_| is_more).map(|alarm| After::of(alarm).token());
        let alarms = page.iter().map(messages::alarm).collect();
        Ok(pb::ListAlarmsResponse { alarms, next_page_token: next.unwrap_or_default() })
    }

    pub(super) async fn acknowledge(&self, which: &str, by: &str) -> Result<pb::Alarm, Refusal> {
        let alarm = self.0.alarms.acknowledge(which, by).await?;
        tracing::info!(alarm.id = %alarm.id, alarm.rule = alarm.rule_name, by, "an alarm was acknowledged");
        Ok(messages::alarm(&alarm))
    }

    /// Raised alarms, then each change. A reader that is too slow to be told all is told so, and watches again.
    pub(super) fn watch(&self) -> impl Stream<Item = Result<pb::Alarm, Status>> + Send + use<> {
        // In this order: what changes in between is told twice rather than never.
        let changes = self.0.alarms.watch();
        let raised: VecDeque<Alarm> = self.0.alarms.raised().into();
        stream::unfold(Some((changes, raised)), |state| async move {
            let (mut changes, mut raised) = state?;
            if let Some(alarm) = raised.pop_front() {
                return Some((Ok(messages::alarm(&alarm)), Some((changes, raised))));
            }
            match changes.recv().await {
                Ok(alarm) => Some((Ok(messages::alarm(&alarm)), Some((changes, raised)))),
                Err(RecvError::Lagged(missed)) => {
                    let why = format!("{missed} changes were missed; watch again");
                    Some((Err(Refusal::new(Kind::Unavailable, why).into()), None))
                }
                Err(RecvError::Closed) => None,
            }
        })
    }
}
