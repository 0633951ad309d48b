//! Who tells people of what happens: alarms and their channels, and Home Assistant.

use crate::{
    alarms::{self, Alarms, Channels, channels},
    clock::Clock,
    config::Config,
    db::{Db, jobs::Jobs},
    events::Events,
    home_assistant, mqtt,
    secrets::HubKey,
    tasks::Tasks,
};

/// Alarms, who is told of them, and the broker if there is one.
pub(super) type Told = (Alarms, Channels, Option<mqtt::Client>);

/// Tells people of what happens.
pub(super) struct Tellers<'a> {
    pub(super) config: &'a Config,
    pub(super) db: &'a Db,
    pub(super) jobs: &'a Jobs,
    pub(super) key: &'a HubKey,
    pub(super) clock: &'a Clock,
    pub(super) tasks: &'a Tasks,
}

impl Tellers<'_> {
    /// The broker, channels, alarms, and what Home Assistant is told of `watched`.
    pub(super) async fn start(&self, events: &Events, watched: alarms::Sources) -> anyhow::Result<Told> {
        let mqtt = mqtt::Client::start(&self.config.mqtt, self.tasks)?;
        let deps = channels::Deps {
            db: self.db.clone(),
            jobs: self.jobs.clone(),
            hub_key: self.key.clone(),
            clock: self.clock.clone(),
            tasks: self.tasks.clone(),
            mqtt: mqtt.clone(),
        };
        let channels = Channels::start(&self.config.alarms, deps).await?;
        let deps = alarms::Deps {
            db: self.db.clone(),
            clock: self.clock.clone(),
            events: events.clone(),
            tasks: self.tasks.clone(),
            sources: watched.clone(),
            channels: channels.clone(),
        };
        let alarms = Alarms::start(deps).await;
        if let Some(mqtt) = &mqtt {
            let sources = home_assistant::Sources {
                hub: watched.hub,
                cameras: watched.cameras,
                temperatures: watched.temperatures,
                alarms: alarms.clone(),
                clock: self.clock.clone(),
            };
            home_assistant::start(&self.config.home_assistant, mqtt, sources, self.tasks);
        }
        Ok((alarms, channels, mqtt))
    }
}
