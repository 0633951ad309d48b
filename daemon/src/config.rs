//! The configuration: one table a part, all of it checked before the first port is bound.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use thiserror::Error;

#[cfg(feature = "moq")]
use crate::moq;
use crate::{
    access, alarms, backups, certs, db, home_assistant, http, ingest, mqtt, recorder, relay, rpc, temperatures,
};

/// Everything that can be set; `daemon/config.example.toml` shows every key.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is documented at its type")]
pub struct Config {
    /// The state folder. Default `./var`.
    pub state: Option<PathBuf>,
    pub database: db::Config,
    pub backups: backups::Config,
    pub camera_link: ingest::Config,
    pub boards: ingest::boards::Config,
    pub thermometers: ingest::thermometer::Config,
    pub recordings: recorder::Config,
    pub temperatures: temperatures::Config,
    pub http: http::Config,
    pub relay: relay::Config,
    pub grpc: rpc::Config,
    pub tls: certs::Config,
    pub access: access::Config,
    pub alarms: alarms::Config,
    pub mqtt: mqtt::Config,
    pub home_assistant: home_assistant::Config,
    #[cfg(feature = "moq")]
    pub moq: moq::Config,
}

/// Why there is no usable configuration.
#[derive(Debug, Error)]
pub enum Error {
    /// The file can't be read.
    #[error("cannot read the configuration {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no configuration.
    #[error("the configuration {path} is wrong:\n{message}")]
    Parse {
        /// Which.
        path: PathBuf,
        /// Where and why, with the line.
        message: String,
    },
    /// A setting of the command line is wrong.
    #[error("--set {0}: {1}")]
    Setting(String, String),
    /// Values are wrong; all of them are named.
    #[error("the configuration is wrong:\n  {}", .0.join("\n  "))]
    Values(Vec<String>),
}

impl Config {
    /// Reads a file, if one is named, lays `settings` (`table.key=value`) over it, and checks all values.
    ///
    /// # Errors
    /// When it can't be read, has unknown keys or wrong types, or wrong values.
    pub fn load(path: Option<&Path>, settings: &[String]) -> Result<Self, Error> {
        let mut table = toml::Table::new();
        if let Some(path) = path {
            let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
            let wrong = |error: toml::de::Error| Error::Parse { path: path.to_owned(), message: error.to_string() };
            // Parsed as a whole first, so that a mistake is shown with its line.
            toml::from_str::<Self>(&text).map_err(wrong)?;
            table = toml::from_str(&text).map_err(wrong)?;
        }
        for setting in settings {
            set(&mut table, setting).ok_or_else(|| Error::Setting(setting.clone(), "is not table.key=value".into()))?;
        }
        let config: Self = table
            .try_into()
            .map_err(|error: toml::de::Error| Error::Setting(settings.join(" "), error.message().to_owned()))?;
        config.check()?;
        Ok(config)
    }

    /// Checks all values.
    ///
    /// # Errors
    /// All complaints at once, each naming its key.
    pub fn check(&self) -> Result<(), Error> {
        let complaints = [
            self.database.check(),
            self.backups.check(),
            self.camera_link.check(),
            self.thermometers.check(),
            self.recordings.check(),
            self.temperatures.check(),
            self.http.check(),
            self.relay.check(),
            self.grpc.check(),
            self.tls.check(),
            self.access.check(),
            self.mqtt.check(),
            self.home_assistant.check(),
            #[cfg(feature = "moq")]
            self.moq.check(),
        ]
        .concat();
        if complaints.is_empty() { Ok(()) } else { Err(Error::Values(complaints)) }
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| PathBuf::from("var"))
    }
}

/// Lays one `table.key=value` over a table. What is no TOML value is taken as a string.
fn set(table: &mut toml::Table, setting: &str) -> Option<()> {
    let (key, value) = setting.split_once('=')?;
    let parsed = toml::from_str::<toml::Table>(&format!("v = {value}")).ok().and_then(|mut table| table.remove("v"));
    let value = parsed.unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let mut path = key.split('.').collect::<Vec<_>>();
    let last = path.pop().filter(|name| !name.is_empty())?;
    let mut inner = table;
    for name in path {
        inner = inner.entry(name).or_insert_with(|| toml::Table::new().into()).as_table_mut()?;
    }
    inner.insert(last.to_owned(), value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_shows_every_key_with_its_default() {
        let text = include_str!("../config.example.toml");
        let example: Config = toml::from_str(text).unwrap();
        assert!(example.check().is_ok());
        // Every key is there, commented out where it has no default: uncommented it is all of the same.
        let all: String =
            text.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line)).collect::<Vec<_>>().join("\n");
        let full: Config = toml::from_str(&all).unwrap();
        let shown: toml::Table = toml::from_str(&all).unwrap();
        for (table, keys) in [
            ("database", keys(&full.database)),
            ("backups", keys(&full.backups)),
            ("camera_link", keys(&full.camera_link)),
            ("thermometers", keys(&full.thermometers)),
            ("recordings", keys(&full.recordings)),
            ("temperatures", keys(&full.temperatures)),
            ("http", keys(&full.http)),
            ("relay", keys(&full.relay)),
            ("grpc", keys(&full.grpc)),
            ("tls", keys(&full.tls)),
            ("access", keys(&full.access)),
            ("alarms", keys(&full.alarms)),
            ("mqtt", keys(&full.mqtt)),
            ("home_assistant", keys(&full.home_assistant)),
            #[cfg(feature = "moq")]
            ("moq", keys(&full.moq)),
        ] {
            let shown: Vec<&String> = shown[table].as_table().unwrap().keys().collect();
            let missing: Vec<_> = keys.iter().filter(|key| !shown.contains(key)).collect();
            assert!(!keys.is_empty() && missing.is_empty(), "[{table}] lacks {missing:?}");
        }
        assert!(full.state.is_some());
        assert_eq!(format!("{:?}", Config::default().http), format!("{:?}", example.http));
        assert_eq!(Config::default().relay, example.relay);
        assert_eq!(Config::default().backups, example.backups);
        assert_eq!(format!("{:?}", Config::default().grpc), format!("{:?}", example.grpc));
        assert_eq!(format!("{:?}", Config::default().recordings), format!("{:?}", example.recordings));
        assert_eq!(format!("{:?}", Config::default().temperatures), format!("{:?}", example.temperatures));
        assert_eq!(format!("{:?}", Config::default().camera_link), format!("{:?}", example.camera_link));
        assert_eq!(format!("{:?}", Config::default().mqtt), format!("{:?}", example.mqtt));
        assert_eq!(format!("{:?}", Config::default().home_assistant), format!("{:?}", example.home_assistant));
        #[cfg(feature = "moq")]
        assert_eq!(format!("{:?}", Config::default().moq), format!("{:?}", example.moq));
        assert_eq!(format!("{:?}", Config::default().thermometers), format!("{:?}", example.thermometers));
    }

    /// The fields of a flat struct, from how it prints itself.
    fn keys(table: &impl std::fmt::Debug) -> Vec<String> {
        let text = format!("{table:#?}");
        let fields = text.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
        fields.map(|(key, _)| key.to_owned()).filter(|key| !key.starts_with(' ')).collect()
    }

    #[test]
    fn all_complaints_come_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("larder.toml");
        std::fs::write(&path, "[database]\nmax_connections = 0\n[grpc]\ncalls = 0\n").unwrap();
        let error = Config::load(Some(&path), &[]).unwrap_err().to_string();
        assert!(error.contains("database.max_connections") && error.contains("grpc.calls"), "{error}");
        std::fs::write(&path, "[http]\nprot = 1\n").unwrap();
        assert!(Config::load(Some(&path), &[]).unwrap_err().to_string().contains("prot"));
    }

    #[test]
    fn a_setting_of_the_command_line_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("larder.toml");
        std::fs::write(&path, "[grpc]\ncalls = 7\nstreams = 8\n").unwrap();
        let settings = ["grpc.calls=9".to_owned(), "http.address=127.0.0.1:0".to_owned()];
        let config = Config::load(Some(&path), &settings).unwrap();
        assert_eq!((config.grpc.calls, config.grpc.streams), (9, 8));
        assert_eq!(config.http.address.port(), 0);
        assert!(Config::load(None, &["grpc.calls".to_owned()]).is_err());
        assert!(Config::load(None, &["grpc.cals=1".to_owned()]).unwrap_err().to_string().contains("cals"));
    }
}
