//! `larderctl camera control`: one command to a connected camera.

use clap::{Args, Subcommand};
use larder_proto::pb::{
    ControlCameraRequest, FrameSize,
    control_camera_request::{Command, PanTilt, Rate, Reboot, SensorRegister, Snapshot},
};
use serde::Serialize;

use super::view::round_trip;
use crate::{
    Failure, Out,
    client::{Hub, quick},
    units,
};

/// A command and the camera it is for.
#[derive(Args, Clone, Debug)]
pub struct ControlArgs {
    /// Its name or id
    pub camera: String,
    /// What it is to do.
    #[command(subcommand)]
    pub control: Control,
}

/// What a camera can be told. Settings told here last until it reconnects; `camera set` lasts.
#[derive(Clone, Debug, PartialEq, Subcommand)]
#[command(allow_negative_numbers = true)]
pub enum Control {
    /// Picture size: 640x480, or QVGA, VGA, SVGA, XGA, UXGA
    Size {
        /// Width and height
        #[arg(value_parser = units::frame_size)]
        size: FrameSize,
    },
    /// JPEG quality, 4 (best) to 63
    Quality {
        /// The sensor's number
        quality: u32,
    },
    /// Frames a second, 1 to 30
    Rate {
        /// When something moves or someone looks
        active_fps: u32,
        /// Otherwise [default: as active]
        idle_fps: Option<u32>,
    },
    /// The lamp
    Flash {
        /// 0 (off) to 255, or `on` and `off`
        #[arg(value_parser = flash)]
        level: u32,
    },
    /// One setting of the sensor, for example `brightness 1` or `vflip 1`
    #[command(allow_negative_numbers = true)]
    Sensor {
        /// Its name
        setting: String,
        /// Its value
        value: i32,
    },
    /// Take a full-size picture and send it as the next frame
    Snapshot,
    /// Turn the mount, in degrees from the middle, each -90 to 90
    #[command(allow_negative_numbers = true)]
    PanTilt {
        /// To the right
        pan_degrees: i32,
        /// Up
        tilt_degrees: i32,
    },
    /// Start anew
    Reboot,
}

impl From<Control> for Command {
    fn from(control: Control) -> Self {
        match control {
            Control::Size { size } => Self::Size(size),
            Control::Quality { quality } => Self::Quality(quality),
            Control::Rate { active_fps, idle_fps } => {
                Self::Rate(Rate { active_fps, idle_fps: idle_fps.unwrap_or(active_fps) })
            }
            Control::Flash { level } => Self::Flash(level),
            Control::Sensor { setting, value } => Self::SensorRegister(SensorRegister { setting, value }),
            Control::Snapshot => Self::Snapshot(Snapshot {}),
            Control::PanTilt { pan_degrees, tilt_degrees } => Self::PanTilt(PanTilt { pan_degrees, tilt_degrees }),
            Control::Reboot => Self::Reboot(Reboot {}),
        }
    }
}

#[derive(Serialize)]
struct View<'a> {
    remark: &'a str,
    round_trip_us: u64,
}

pub(super) async fn control(hub: &Hub, args: ControlArgs, out: &mut Out) -> Result<(), Failure> {
    let request = ControlCameraRequest { camera: args.camera.clone(), command: Some(args.control.into()) };
    let answer = hub.cameras().control_camera(quick(request)).await?.into_inner();
    let took = units::from_wire(answer.round_trip.as_ref()).unwrap_or_default();
    let round_trip_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let view = View { remark: &answer.remark, round_trip_us };
    out.one(&view, |out| {
        let remark = if answer.remark.is_empty() { "did it".to_owned() } else { format!("says: {}", answer.remark) };
        out.line(&format!("{} {remark} ({})", args.camera, round_trip(round_trip_us)))
    })
}

fn flash(text: &str) -> Result<u32, String> {
    match text {
        "off" => Ok(0),
        "on" => Ok(255),
        _ => text.parse().map_err(|error| format!("\"{text}\" is neither on, off nor 0 to 255: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ControlArgs,
    }

    fn parsed(line: &[&str]) -> Command {
        Line::try_parse_from([&["x", "fridge"], line].concat()).expect("parsed").args.control.into()
    }

    #[test]
    fn every_command_has_a_form() {
        assert_eq!(parsed(&["size", "QVGA"]), Command::Size(FrameSize { width: 320, height: 240 }));
        assert_eq!(parsed(&["quality", "12"]), Command::Quality(12));
        assert_eq!(parsed(&["rate", "10"]), Command::Rate(Rate { active_fps: 10, idle_fps: 10 }));
        assert_eq!(parsed(&["rate", "10", "2"]), Command::Rate(Rate { active_fps: 10, idle_fps: 2 }));
        assert_eq!(parsed(&["flash", "on"]), Command::Flash(255));
        assert_eq!(
            parsed(&["sensor", "ae_level", "-2"]),
            Command::SensorRegister(SensorRegister { setting: "ae_level".into(), value: -2 })
        );
        assert_eq!(parsed(&["snapshot"]), Command::Snapshot(Snapshot {}));
        assert_eq!(
            parsed(&["pan-tilt", "-30", "15"]),
            Command::PanTilt(PanTilt { pan_degrees: -30, tilt_degrees: 15 })
        );
        assert_eq!(parsed(&["reboot"]), Command::Reboot(Reboot {}));
    }
}
