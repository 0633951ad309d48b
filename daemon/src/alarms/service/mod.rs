//! `AlarmService` over gRPC: [`rules`] and alarms, [`channels`] and deliveries.

mod channels;
mod rules;

use std::{pin::Pin, sync::Arc};

use futures_util::Stream;
use larder_proto::pb::{self, alarm_service_server::AlarmService};
use tonic::{Request, Response, Status};

use super::{Alarms, Channels};
use crate::{access::Caller, cameras::Directory, clock::Clock, temperatures::Temperatures};

/// What the service commands.
#[derive(Clone)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Parts {
    pub alarms: Alarms,
    pub channels: Channels,
    pub temperatures: Temperatures,
    pub cameras: Directory,
    pub clock: Clock,
}

/// `AlarmService`.
#[derive(Clone)]
pub struct Service(Arc<Parts>);

impl Service {
    /// A service over the hub's parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

#[tonic::async_trait]
impl AlarmService for Service {
    async fn create_alarm_rule(
        &self,
        request: Request<pb::CreateAlarmRuleRequest>,
    ) -> Result<Response<pb::AlarmRule>, Status> {
        Ok(Response::new(self.create_rule(request.get_ref().rule.as_ref()).await?))
    }

    async fn get_alarm_rule(
        &self,
        request: Request<pb::GetAlarmRuleRequest>,
    ) -> Result<Response<pb::AlarmRule>, Status> {
        Ok(Response::new(self.get_rule(&request.get_ref().rule)?))
    }

    async fn list_alarm_rules(
        &self,
        request: Request<pb::ListAlarmRulesRequest>,
    ) -> Result<Response<pb::ListAlarmRulesResponse>, Status> {
        Ok(Response::new(self.list_rules(request.get_ref())?))
    }

    async fn update_alarm_rule(
        &self,
        request: Request<pb::UpdateAlarmRuleRequest>,
    ) -> Result<Response<pb::AlarmRule>, Status> {
        Ok(Response::new(self.update_rule(request.into_inner()).await?))
    }

    async fn delete_alarm_rule(
        &self,
        request: Request<pb::DeleteAlarmRuleRequest>,
    ) -> Result<Response<pb::DeleteAlarmRuleResponse>, Status> {
        self.delete_rule(&request.get_ref().rule).await?;
        Ok(Response::new(pb::DeleteAlarmRuleResponse {}))
    }

    async fn list_alarm_presets(
        &self,
        _: Request<pb::ListAlarmPresetsRequest>,
    ) -> Result<Response<pb::ListAlarmPresetsResponse>, Status> {
        Ok(Response::new(pb::ListAlarmPresetsResponse { presets: super::presets::all() }))
    }

    async fn list_alarms(
        &self,
        request: Request<pb::ListAlarmsRequest>,
    ) -> Result<Response<pb::ListAlarmsResponse>, Status> {
        Ok(Response::new(self.list(request.get_ref()).await?))
    }

    async fn acknowledge_alarm(
        &self,
        request: Request<pb::AcknowledgeAlarmRequest>,
    ) -> Result<Response<pb::Alarm>, Status> {
        let caller = Caller::of_rpc(&request)?.name.clone();
        Ok(Response::new(self.acknowledge(&request.get_ref().alarm, &caller).await?))
    }

    type WatchAlarmsStream = Pin<Box<dyn Stream<Item = Result<pb::Alarm, Status>> + Send>>;

    async fn watch_alarms(
        &self,
        request: Request<pb::WatchAlarmsRequest>,
    ) -> Result<Response<Self::WatchAlarmsStream>, Status> {
        let caller = Caller::of_rpc(&request)?.clone();
        Ok(Response::new(Box::pin(caller.until_revoked(self.watch()))))
    }

    async fn create_alarm_channel(
        &self,
        request: Request<pb::CreateAlarmChannelRequest>,
    ) -> Result<Response<pb::AlarmChannel>, Status> {
        Ok(Response::new(self.create_channel(request.get_ref().channel.as_ref()).await?))
    }

    async fn list_alarm_channels(
        &self,
        request: Request<pb::ListAlarmChannelsRequest>,
    ) -> Result<Response<pb::ListAlarmChannelsResponse>, Status> {
        Ok(Response::new(self.list_channels(request.get_ref())?))
    }

    async fn update_alarm_channel(
        &self,
        request: Request<pb::UpdateAlarmChannelRequest>,
    ) -> Result<Response<pb::AlarmChannel>, Status> {
        Ok(Response::new(self.update_channel(request.into_inner()).await?))
    }

    async fn delete_alarm_channel(
        &self,
        request: Request<pb::DeleteAlarmChannelRequest>,
    ) -> Result<Response<pb::DeleteAlarmChannelResponse>, Status> {
        self.delete_channel(&request.get_ref().channel).await?;
        Ok(Response::new(pb::DeleteAlarmChannelResponse {}))
    }

    async fn test_alarm_channel(
        &self,
        request: Request<pb::TestAlarmChannelRequest>,
    ) -> Result<Response<pb::TestAlarmChannelResponse>, Status> {
        Ok(Response::new(self.test_channel(&request.get_ref().channel).await?))
    }

    async fn list_alarm_deliveries(
        &self,
        request: Request<pb::ListAlarmDeliveriesRequest>,
    ) -> Result<Response<pb::ListAlarmDeliveriesResponse>, Status> {
        Ok(Response::new(self.list_deliveries(request.get_ref()).await?))
    }
}
