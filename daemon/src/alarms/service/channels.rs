//! Channels and deliveries.

use std::{collections::BTreeMap, sync::Arc};

use larder_proto::pb;
use uuid::Uuid;

use super::Service;
use crate::{
    alarms::{
        AlarmId, Error,
        channels::{self, Channel, Delivery, Wanted},
    },
    db::jobs::{Job, JobId},
    outcome::Refusal,
    pb_page::{self, List},
    pb_time::duration,
};

const DELIVERIES: List = List("alarm deliveries");

impl Service {
    fn channel(&self, id_or_name: &str) -> Result<Arc<Channel>, Error> {
        self.0.channels.find(id_or_name).ok_or_else(|| Error::NoSuchChannel(id_or_name.to_owned()))
    }

    pub(super) async fn create_channel(&self, wanted: Option<&pb::AlarmChannel>) -> Result<pb::AlarmChannel, Refusal> {
        let wanted = wanted.ok_or_else(|| Refusal::field("channel", "is not set"))?;
        let wanted = channels::new_channel(wanted, self.0.channels.has_broker(), self.0.clock.now())?;
        let channel = self.0.channels.insert(&wanted.channel).await?;
        tracing::info!(alarm.channel = channel.name, "an alarm channel was added");
        Ok(answer(&channel, &wanted))
    }

    pub(super) fn list_channels(
        &self,
        request: &pb::ListAlarmChannelsRequest,
    ) -> Result<pb::ListAlarmChannelsResponse, Refusal> {
        let all = self.0.channels.all();
        let (page, next_page_token) =
            pb_page::by_name(List("alarm channels"), &all, request.page_size, &request.page_token)?;
        let channels = page.iter().map(|channel| channels::channel_message(channel)).collect();
        Ok(pb::ListAlarmChannelsResponse { channels, next_page_token })
    }

    pub(super) async fn update_channel(
        &self,
        request: pb::UpdateAlarmChannelRequest,
    ) -> Result<pb::AlarmChannel, Refusal> {
        let wanted = request.channel.ok_or_else(|| Refusal::field("channel", "is not set"))?;
        let known = self.channel(&wanted.id)?;
        let has_broker = self.0.channels.has_broker();
        let wanted = channels::updated(&known, &wanted, request.update_mask.as_ref(), has_broker)?;
        let channel = self.0.channels.update(&wanted.channel).await?;
        tracing::info!(alarm.channel = channel.name, "an alarm channel was changed");
        Ok(answer(&channel, &wanted))
    }

    pub(super) async fn delete_channel(&self, id_or_name: &str) -> Result<(), Refusal> {
        let channel = self.channel(id_or_name)?;
        self.0.channels.delete(channel.id).await?;
        // Rules that told it alone tell all now.
        self.0.alarms.reload().await?;
        tracing::info!(alarm.channel = channel.name, "an alarm channel was removed");
        Ok(())
    }

    pub(super) async fn test_channel(&self, id_or_name: &str) -> Result<pb::TestAlarmChannelResponse, Refusal> {
        let channel = self.channel(id_or_name)?;
        let tested = self.0.channels.test(&channel).await?;
        Ok(pb::TestAlarmChannelResponse { took: Some(duration(tested.took)), answer: tested.answer })
    }

    pub(super) async fn list_deliveries(
        &self,
        request: &pb::ListAlarmDeliveriesRequest,
    ) -> Result<pb::ListAlarmDeliveriesResponse, Refusal> {
        let size = usize::from(pb_page::size(request.page_size)?);
        let before = DELIVERIES.after(&request.page_token, |id| Uuid::try_parse(id).ok().map(JobId))?;
        let alarm: Option<AlarmId> = match request.alarm.as_str() {
            "" => None,
            id => Some(id.parse().ok().ok_or_else(|| Refusal::field("alarm", "is no alarm's id"))?),
        };
        // One more than fits tells whether there is another page.
        let mut page = self.0.channels.deliveries(alarm, before, size + 1).await?;
        let is_more = page.len() > size;
        page.truncate(size);
        let next = page.last().filter(|_| is_more).map(|job| DELIVERIES.token(job.id));
        let channels = self.0.channels.all();
        let names: BTreeMap<_, _> = channels.iter().map(|channel| (channel.id, channel.name.as_str())).collect();
        let message = |job: &Job| {
            let delivery = Delivery::of(job).map_err(Error::from)?;
            let name = names.get(&delivery.channel()).copied().unwrap_or_default();
            Ok(channels::delivery_message(job, &delivery, name))
        };
        let deliveries = page.iter().map(message).collect::<Result<_, Refusal>>()?;
        Ok(pb::ListAlarmDeliveriesResponse { deliveries, next_page_token: next.unwrap_or_default() })
    }
}

/// A secret is told when it was made, and then never again.
fn answer(channel: &Channel, wanted: &Wanted) -> pb::AlarmChannel {
    if wanted.is_secret_made { channels::channel_with_made_secret(channel) } else { channels::channel_message(channel) }
}
