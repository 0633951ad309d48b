//! Home Assistant finds the hub's sensors, cameras and alarms by itself: MQTT discovery.
//!
//! ```text
//! sensors, cameras, rules ─▶ entities (pure) ─▶ what the broker is to hold ─▶ mqtt
//! readings, pictures, alarms ─▶ states ──────────────────────────────────────▶
//! ```
//! All of it is retained, and taken away when its thing is removed, also when that was while the hub was away.

mod entities;
mod follow;

use std::time::Duration;

use serde::Deserialize;

use crate::{alarms::Alarms, cameras, clock::Clock, hub::Hub, mqtt, tasks::Tasks, temperatures::Temperatures};

/// What Home Assistant is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it is told anything. Needs `mqtt.url`.
    pub discovery: bool,
    /// What it looks for discovery below; its own default is the same.
    pub prefix: String,
    /// A camera's newest picture is sent this often, 1 to 3600; 0: never.
    pub picture_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { discovery: true, prefix: "homeassistant".to_owned(), picture_seconds: 10 }
    }
}

impl Config {
    /// What is wrong, naming the key.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if !mqtt::is_level(&self.prefix) {
            let why = "is empty, or begins or ends with `/` or holds `+`, `#` or `$`";
            wrong.push(format!("home_assistant.prefix {why}"));
        }
        if self.picture_seconds > 3600 {
            wrong.push(format!("home_assistant.picture_seconds is {}, not within 0 to 3600", self.picture_seconds));
        }
        wrong
    }
}

/// What there is to tell of.
#[derive(Clone)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Sources {
    pub hub: Hub,
    pub cameras: cameras::Directory,
    pub temperatures: Temperatures,
    pub alarms: Alarms,
    pub clock: Clock,
}

/// Begins to tell, if it is to.
pub fn start(config: &Config, mqtt: &mqtt::Client, sources: Sources, tasks: &Tasks) {
    if !config.discovery {
        return;
    }
    let picture_every = Some(config.picture_seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs);
    let follow = follow::Follow::new(mqtt.clone(), config.prefix.clone(), picture_every, sources);
    tasks.spawn_until_stop(follow.run());
}
