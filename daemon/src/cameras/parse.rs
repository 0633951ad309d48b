//! Requests become cameras and commands here, or an error that names each wrong field.

use std::{net::IpAddr, time::Duration};

use larder_proto::{
    pb::{self, control_camera_request::Command as Wanted},
    wire::{
        CameraId,
        camera::{Command, RegisterSetting, Size},
    },
};
use prost_types::FieldMask;

use super::{Camera, Capture, Error, FieldError, Mode, PullUrl, Recording, Source};
use crate::pb_mask;

/// Every path a mask may hold.
const PATHS: &[&str] = &[
    "name",
    "title",
    "source",
    "capture",
    "capture.size",
    "capture.quality",
    "capture.active_fps",
    "capture.idle_fps",
    "recording",
    "recording.mode",
    "recording.max_age",
    "recording.max_bytes",
];

/// A camera to add: absent settings take their defaults.
pub(super) fn new_camera(wanted: &pb::Camera, now: jiff::Timestamp) -> Result<Camera, Error> {
    let mut camera = Camera {
        id: CameraId::random(),
        name: String::new(),
        title: String::new(),
        source: Source::default(),
        capture: Capture::default(),
        recording: Recording::default(),
        created_at: now,
        updated_at: now,
    };
    let mut paths = vec!["name".to_owned(), "title".to_owned()];
    paths.extend(set_paths(wanted));
    apply(&mut camera, wanted, &paths)?;
    Ok(camera)
}

/// A camera as it is to be after an update.
pub(super) fn updated(known: &Camera, wanted: &pb::Camera, mask: Option<&FieldMask>) -> Result<Camera, Error> {
    let paths = pb_mask::paths(mask, || set_paths(wanted), PATHS).map_err(|wrong| Error::Fields(vec![wrong]))?;
    let mut camera = known.clone();
    apply(&mut camera, wanted, &paths)?;
    Ok(camera)
}

/// The paths of the fields that are set, for a request without a mask.
fn set_paths(wanted: &pb::Camera) -> Vec<String> {
    let capture = wanted.capture.unwrap_or_default();
    let recording = wanted.recording.unwrap_or_default();
    pb_mask::set(&[
        ("name", !wanted.name.is_empty()),
        ("title", !wanted.title.is_empty()),
        ("source", wanted.source.is_some()),
        ("capture.size", capture.size.is_some()),
        ("capture.quality", capture.quality != 0),
        ("capture.active_fps", capture.active_fps != 0),
        ("capture.idle_fps", capture.idle_fps != 0),
        ("recording.mode", recording.mode != 0),
        ("recording.max_age", recording.max_age.is_some()),
        ("recording.max_bytes", recording.max_bytes.is_some()),
    ])
}

fn apply(camera: &mut Camera, wanted: &pb::Camera, paths: &[String]) -> Result<(), Error> {
    let capture = wanted.capture.unwrap_or_default();
    let recording = wanted.recording.unwrap_or_default();
    let mut wrong = Vec::new();
    for path in paths {
        // What a part that is changed as a whole does not say takes its default.
        if path == "capture" {
            camera.capture = Capture::default();
        }
        if path == "recording" {
            camera.recording = Recording::default();
        }
    }
    let paths: Vec<String> = paths.iter().flat_map(|path| parts_of(path, &capture, &recording)).collect();
    for path in &paths {
        let whole = |part: &str| path == part;
        let either = |part: &str, field: &str| *path == format!("{part}.{field}");
        if whole("name") {
            camera.name.clone_from(&wanted.name);
        }
        if whole("title") {
            camera.title.clone_from(&wanted.title);
        }
        if whole("source") {
            match source(wanted.source.as_ref()) {
                Ok(source) => camera.source = source,
                Err((path, why)) => wrong.push((format!("camera.source.{path}"), why)),
            }
        }
        if either("capture", "size") {
            let size = capture.size.unwrap_or(pb::FrameSize { width: 0, height: 0 });
            camera.capture.width = narrow(size.width, "capture.size.width", &mut wrong);
            camera.capture.height = narrow(size.height, "capture.size.height", &mut wrong);
        }
        if either("capture", "quality") {
            camera.capture.quality = narrow(capture.quality, "capture.quality", &mut wrong);
        }
        if either("capture", "active_fps") {
            camera.capture.active_fps = narrow(capture.active_fps, "capture.active_fps", &mut wrong);
        }
        if either("capture", "idle_fps") {
            camera.capture.idle_fps = narrow(capture.idle_fps, "capture.idle_fps", &mut wrong);
        }
        if either("recording", "mode") {
            match mode(recording.mode()) {
                Some(mode) => camera.recording.mode = mode,
                None => wrong.push(("camera.recording.mode".to_owned(), "is not set".to_owned())),
            }
        }
        if either("recording", "max_age") {
            camera.recording.max_age = recording.max_age.and_then(|age| Duration::try_from(age).ok());
        }
        if either("recording", "max_bytes") {
            camera.recording.max_bytes = recording.max_bytes;
        }
    }
    for error in super::check(camera) {
        if !wrong.iter().any(|(path, _)| *path == error.0) {
            wrong.push(error);
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Fields(wrong)) }
}

/// A part that is changed as a whole is what is set of it.
fn parts_of(path: &str, capture: &pb::CaptureSettings, recording: &pb::RecordingSettings) -> Vec<String> {
    let whole = pb::Camera { capture: Some(*capture), recording: Some(*recording), ..pb::Camera::default() };
    match path {
        "capture" | "recording" => {
            set_paths(&whole).into_iter().filter(|set| set.split('.').next() == Some(path)).collect()
        }
        path => vec![path.to_owned()],
    }
}

/// Absent, it is the camera link.
fn source(wanted: Option<&pb::CameraSource>) -> Result<Source, FieldError> {
    use pb::camera_source::Kind;
    match wanted.and_then(|source| source.kind.as_ref()) {
        None | Some(Kind::CameraLink(_)) => Ok(Source::Link),
        Some(Kind::Mjpeg(pull)) => {
            PullUrl::parse(&pull.url).map(Source::Mjpeg).map_err(|why| ("mjpeg.url".to_owned(), why.to_owned()))
        }
        Some(Kind::Websocket(push)) => {
            let address = |text: &String| {
                let address: Option<IpAddr> = text.parse().ok();
                let why = || ("websocket.addresses".to_owned(), format!("{text:?} is no IP address"));
                address.map(|address| address.to_canonical()).ok_or_else(why)
            };
            let mut addresses: Vec<IpAddr> = push.addresses.iter().map(address).collect::<Result<_, _>>()?;
            addresses.sort_unstable();
            addresses.dedup();
            Ok(Source::WebSocket(addresses))
        }
    }
}

fn mode(mode: pb::RecordingMode) -> Option<Mode> {
    match mode {
        pb::RecordingMode::Unspecified => None,
        pb::RecordingMode::Continuous => Some(Mode::Continuous),
        pb::RecordingMode::Manual => Some(Mode::Manual),
        pb::RecordingMode::Off => Some(Mode::Off),
    }
}

fn narrow<N: TryFrom<u32> + Default>(value: u32, path: &str, wrong: &mut Vec<FieldError>) -> N {
    N::try_from(value).unwrap_or_else(|_| {
        wrong.push((format!("camera.{path}"), format!("{value} is too large")));
        N::default()
    })
}

/// The command of a request.
pub(super) fn command(wanted: Option<Wanted>) -> Result<Command, Error> {
    let field = |path: &str, why: String| Error::Fields(vec![(path.to_owned(), why)]);
    Ok(match wanted.ok_or_else(|| field("command", "is not set".to_owned()))? {
        Wanted::Size(size) => {
            let (width, height) = (size.width, size.height);
            let within = |value: u32, largest: u16| {
                let value = u16::try_from(value).ok()?;
                (16..=largest).contains(&value).then_some(value).filter(|value| value % 8 == 0)
            };
            let size = within(width, 1600).zip(within(height, 1200));
            let why = || format!("{width} x {height} is not a multiple of 8 from 16 x 16 to 1600 x 1200");
            let (width, height) = size.ok_or_else(|| field("size", why()))?;
            Command::Size(Size { width, height })
        }
        Wanted::Quality(quality) => Command::Quality(ranged("quality", quality, 4, 63)?),
        Wanted::Rate(rate) => Command::Rate {
            active_fps: ranged("rate.active_fps", rate.active_fps, 1, 30)?,
            idle_fps: ranged("rate.idle_fps", rate.idle_fps, 1, 30)?,
        },
        Wanted::Flash(level) => Command::Flash(ranged("flash", level, 0, 255)?),
        Wanted::SensorRegister(register) => Command::Register {
            setting: RegisterSetting::ALL
                .iter()
                .copied()
                .find(|setting| setting.name() == register.setting)
                .ok_or_else(|| {
                    field("sensor_register.setting", format!("there is no setting {:?}", register.setting))
                })?,
            value: i16::try_from(register.value)
                .ok()
                .ok_or_else(|| field("sensor_register.value", format!("{} is out of range", register.value)))?,
        },
        Wanted::Snapshot(_) => Command::Snapshot,
        Wanted::PanTilt(angles) => Command::PanTilt {
            pan_degrees: angle("pan_tilt.pan_degrees", angles.pan_degrees)?,
            tilt_degrees: angle("pan_tilt.tilt_degrees", angles.tilt_degrees)?,
        },
        Wanted::Reboot(_) => Command::Reboot,
    })
}

fn ranged(path: &str, value: u32, least: u8, most: u8) -> Result<u8, Error> {
    let fits = u8::try_from(value).ok().filter(|value| (least..=most).contains(value));
    fits.ok_or_else(|| Error::Fields(vec![(path.to_owned(), format!("{value} is not from {least} to {most}"))]))
}

fn angle(path: &str, value: i32) -> Result<i8, Error> {
    let fits = i8::try_from(value).ok().filter(|value| (-90..=90).contains(value));
    fits.ok_or_else(|| Error::Fields(vec![(path.to_owned(), format!("{value} is not from -90 to 90"))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(error: Error) -> Vec<String> {
        match error {
            Error::Fields(fields) => fields.into_iter().map(|(path, _)| path).collect(),
            other => panic!("{other}"),
        }
    }

    fn known() -> Camera {
        let wanted = pb::Camera { name: "fridge".to_owned(), ..pb::Camera::default() };
        new_camera(&wanted, jiff::Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn a_new_camera_takes_defaults() {
        let camera = known();
        assert_eq!(camera.capture, Capture::default());
        assert_eq!(camera.recording.mode, Mode::Continuous);
    }

    #[test]
    fn an_update_changes_what_its_mask_names() {
        let wanted = pb::Camera {
            title: "Kitchen".to_owned(),
            capture: Some(pb::CaptureSettings { quality: 20, active_fps: 5, ..Default::default() }),
            ..Default::default()
        };
        let mask = FieldMask { paths: vec!["capture.quality".to_owned()] };
        let changed = updated(&known(), &wanted, Some(&mask)).unwrap();
        assert_eq!((changed.capture.quality, changed.capture.active_fps, changed.title.as_str()), (20, 10, ""));
        let all_set = updated(&known(), &wanted, None).unwrap();
        assert_eq!(
            (all_set.capture.active_fps, all_set.title.as_str(), all_set.name.as_str()),
            (5, "Kitchen", "fridge")
        );
    }

    #[test]
    fn a_mask_can_take_a_limit_away() {
        let mut known = known();
        known.recording.max_bytes = Some(1_000_000_000);
        let mask = FieldMask { paths: vec!["recording.max_bytes".to_owned()] };
        let changed = updated(&known, &pb::Camera::default(), Some(&mask)).unwrap();
        assert_eq!(changed.recording.max_bytes, None);
    }

    #[test]
    fn a_star_changes_every_field_and_what_is_not_said_takes_its_default() {
        let mut known = known();
        (known.title, known.capture.quality) = ("Kitchen".to_owned(), 40);
        known.recording.max_bytes = Some(1_000_000_000);
        let wanted = pb::Camera {
            name: "larder".to_owned(),
            capture: Some(pb::CaptureSettings { active_fps: 5, ..Default::default() }),
            ..Default::default()
        };
        let mask = FieldMask { paths: vec!["*".to_owned()] };
        let changed = updated(&known, &wanted, Some(&mask)).unwrap();
        assert_eq!((changed.name.as_str(), changed.title.as_str()), ("larder", ""));
        assert_eq!(changed.capture, Capture { active_fps: 5, ..Capture::default() });
        assert_eq!(changed.recording, Recording::default());
    }

    #[test]
    fn wrong_fields_and_masks_are_named() {
        let wide = pb::FrameSize { width: 70_000, height: 480 };
        let wanted = pb::Camera {
            capture: Some(pb::CaptureSettings { size: Some(wide), ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(fields(updated(&known(), &wanted, None).unwrap_err()), ["camera.capture.size.width"]);
        let mask = FieldMask { paths: vec!["id".to_owned()] };
        assert_eq!(fields(updated(&known(), &wanted, Some(&mask)).unwrap_err()), ["update_mask"]);
    }

    #[test]
    fn commands_keep_their_ranges() {
        assert_eq!(command(Some(Wanted::Quality(12))).unwrap(), Command::Quality(12));
        assert_eq!(fields(command(Some(Wanted::Quality(64))).unwrap_err()), ["quality"]);
        assert_eq!(fields(command(None).unwrap_err()), ["command"]);
        let size = pb::FrameSize { width: 641, height: 480 };
        assert_eq!(fields(command(Some(Wanted::Size(size))).unwrap_err()), ["size"]);
        let turn = pb::control_camera_request::PanTilt { pan_degrees: 91, tilt_degrees: 0 };
        assert_eq!(fields(command(Some(Wanted::PanTilt(turn))).unwrap_err()), ["pan_tilt.pan_degrees"]);
        let setting = pb::control_camera_request::SensorRegister { setting: "volume".to_owned(), value: 1 };
        assert_eq!(fields(command(Some(Wanted::SensorRegister(setting))).unwrap_err()), ["sensor_register.setting"]);
    }
}
