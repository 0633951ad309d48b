//! Channels and deliveries.

use larder_proto::pb;
use tonic::Status;

use super::Service;

fn not_yet() -> Status {
    Status::unimplemented("this hub has no alarm channels yet")
}

#[expect(clippy::unused_async, reason = "nothing is told yet")]
impl Service {
    pub(super) async fn create_channel(&self, _: pb::CreateAlarmChannelRequest) -> Result<pb::AlarmChannel, Status> {
        Err(not_yet())
    }

    pub(super) async fn list_channels(
        &self,
        _: pb::ListAlarmChannelsRequest,
    ) -> Result<pb::ListAlarmChannelsResponse, Status> {
        Err(not_yet())
    }

    pub(super) async fn update_channel(&self, _: pb::UpdateAlarmChannelRequest) -> Result<pb::AlarmChannel, Status> {
        Err(not_yet())
    }

    pub(super) async fn delete_channel(
        &self,
        _: pb::DeleteAlarmChannelRequest,
    ) -> Result<pb::DeleteAlarmChannelResponse, Status> {
        Err(not_yet())
    }

    pub(super) async fn test_channel(
        &self,
        _: pb::TestAlarmChannelRequest,
    ) -> Result<pb::TestAlarmChannelResponse, Status> {
        Err(not_yet())
    }

    pub(super) async fn list_deliveries(
        &self,
        _: pb::ListAlarmDeliveriesRequest,
    ) -> Result<pb::ListAlarmDeliveriesResponse, Status> {
        Err(not_yet())
    }
}
