//! A sensor's settings on the command line.

use std::net::IpAddr;

use clap::{Args, ValueEnum};
use larder_proto::pb::{
    Sensor, SensorSource, TemperatureUnit,
    sensor_source::{CameraProbe, Source, TextDevice},
};

/// Where readings come from, which has to be said.
#[derive(Args, Clone, Debug)]
#[command(mut_group("OptionalSource", |group| group.required(true)))]
pub struct RequiredSource {
    /// The source.
    #[command(flatten)]
    pub source: OptionalSource,
}

/// Where readings come from, if that is to change.
#[derive(Args, Clone, Debug, Default)]
#[group(multiple = false)]
pub struct OptionalSource {
    /// A probe on a camera: the camera's name or id, and which of its probes [default: 0]
    #[arg(long, value_name = "CAMERA[:INDEX]", value_parser = probe)]
    pub probe: Option<CameraProbe>,
    /// Text datagrams: the address they come from, and what they call the device
    #[arg(long, value_name = "ADDRESS=DEVICE", value_parser = text)]
    pub text: Option<TextDevice>,
}

/// Which scale people read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Scale {
    /// °C
    #[value(alias = "c")]
    Celsius,
    /// °F
    #[value(alias = "f")]
    Fahrenheit,
}

/// A sensor's settings.
#[derive(Args, Clone, Debug, Default)]
pub struct Settings {
    /// What people read, up to 64 characters
    #[arg(long)]
    pub title: Option<String>,
    /// Degrees Celsius that are added to every reading from now on, -20 to 20
    #[arg(long, value_name = "DEGREES", allow_hyphen_values = true)]
    pub offset: Option<f64>,
    /// How it is shown
    #[arg(long, value_enum)]
    pub unit: Option<Scale>,
    /// The camera whose pictures it belongs to; `none` for none [default: the probe's own]
    #[arg(long, value_name = "CAMERA")]
    pub camera: Option<String>,
}

impl RequiredSource {
    pub(super) fn wire(self) -> SensorSource {
        self.source.wire().unwrap_or_default()
    }
}

impl OptionalSource {
    pub(super) fn wire(self) -> Option<SensorSource> {
        let source = self.probe.map(Source::Probe).or(self.text.map(Source::Text))?;
        Some(SensorSource { source: Some(source) })
    }
}

impl Settings {
    /// Lays them over a sensor; which fields they set.
    #[must_use]
    pub(super) fn apply(self, sensor: &mut Sensor) -> Vec<String> {
        let mut paths = Vec::new();
        let mut set = |path: &str| paths.push(path.to_owned());
        if let Some(title) = self.title {
            sensor.title = title;
            set("title");
        }
        if let Some(offset) = self.offset {
            sensor.offset_celsius = offset;
            set("offset_celsius");
        }
        if let Some(unit) = self.unit {
            sensor.set_unit(match unit {
                Scale::Celsius => TemperatureUnit::Celsius,
                Scale::Fahrenheit => TemperatureUnit::Fahrenheit,
            });
            set("unit");
        }
        if let Some(camera) = self.camera {
            sensor.camera_id = if camera == "none" { String::new() } else { camera };
            set("camera_id");
        }
        paths
    }
}

pub(super) fn probe(value: &str) -> Result<CameraProbe, String> {
    let (camera, index) = value.split_once(':').unwrap_or((value, "0"));
    let index = index.parse().ok().filter(|index| *index < 8);
    let index = index.ok_or_else(|| format!("{value:?}: a probe's index is 0 to 7"))?;
    Ok(CameraProbe { camera_id: camera.to_owned(), index })
}

fn text(value: &str) -> Result<TextDevice, String> {
    let complaint = || format!("{value:?} is not ADDRESS=DEVICE, for example 192.168.1.20=cam_one_temp");
    let (address, device) = value.split_once('=').ok_or_else(complaint)?;
    if address.parse::<IpAddr>().is_err() || device.is_empty() {
        return Err(complaint());
    }
    Ok(TextDevice { address: address.to_owned(), device: device.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_people_write_them() {
        let read = |value: &str| probe(value).map(|probe| (probe.camera_id, probe.index));
        assert_eq!(read("fridge"), Ok(("fridge".to_owned(), 0)));
        assert_eq!(read("fridge:1"), Ok(("fridge".to_owned(), 1)));
        assert!(read("fridge:8").is_err() && read("fridge:x").is_err());
        let read = |value: &str| text(value).map(|text| (text.address, text.device));
        assert_eq!(read("fe80::1=cellar"), Ok(("fe80::1".to_owned(), "cellar".to_owned())));
        assert!(read("cellar").is_err() && read("pi.local=cellar").is_err() && read("10.0.0.1=").is_err());
    }

    #[test]
    fn settings_name_what_they_set() {
        let settings = Settings { offset: Some(0.0), camera: Some("none".to_owned()), ..Default::default() };
        let mut sensor = Sensor { camera_id: "x".to_owned(), ..Default::default() };
        assert_eq!(settings.apply(&mut sensor), ["offset_celsius", "camera_id"]);
        assert_eq!(sensor.camera_id, "");
    }
}
