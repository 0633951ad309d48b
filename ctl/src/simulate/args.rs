//! `larderctl camera simulate`: what can be said on the command line.

use std::{fmt, fs, path::PathBuf, time::Duration};

use clap::Args;
use jiff::tz::TimeZone;
use larder_proto::wire::{
    CameraId,
    camera::{KEY_LEN, PORT, Size},
};

use super::{ClockStep, Faults, Options, Source, Stall, jpeg::Quality, session::is_size};
use crate::{Failure, clock, units};

/// A camera that is a program.
#[derive(Args, Clone)]
pub struct SimulateArgs {
    /// Its name, or its id, with which only the camera link needs to be reached
    pub camera: String,
    /// Its key.
    #[command(flatten)]
    pub key: KeyArgs,
    /// Where the hub takes cameras, host or host:port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub link: String,
    /// Where the hub takes readings as datagrams, host:port; else they come in telemetry alone
    #[arg(long, value_name = "ADDRESS")]
    pub readings: Option<String>,
    /// Send the JPEG files of this folder, or this video file, instead of the drawn fridge
    #[arg(long, value_name = "PATH")]
    pub from: Option<PathBuf>,
    /// Size of the pictures: 640x480, or vga, svga, uxga ...; else as the hub wants
    #[arg(long, value_parser = size)]
    pub size: Option<Size>,
    /// Pictures a second; else as the hub wants
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=60))]
    pub fps: Option<u8>,
    /// JPEG quality, 4 (best) to 63; else as the hub wants
    #[arg(long, value_parser = quality)]
    pub quality: Option<Quality>,
    /// How often telemetry is sent; else as the hub wants
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub telemetry: Option<Duration>,
    /// End after so many pictures
    #[arg(long, value_name = "COUNT")]
    pub frames: Option<u64>,
    /// End after so long
    #[arg(long = "for", value_name = "DURATION", value_parser = units::duration)]
    pub duration: Option<Duration>,
    /// End when the connection is lost
    #[arg(long)]
    pub once: bool,
    /// Decides noise, faults, and when the door opens
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// What goes wrong.
    #[command(flatten)]
    pub faults: FaultArgs,
}

/// A camera's key.
#[derive(Args, Clone)]
pub struct KeyArgs {
    /// The camera's key, 64 hexadecimal digits; other users of this machine can see a command line, so prefer
    /// --key-file
    #[arg(long, value_name = "HEX", env = "LARDER_CAMERA_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// A file with the camera's key
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub key_file: Option<PathBuf>,
}

impl fmt::Debug for KeyArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyArgs").field("key_file", &self.key_file).finish_non_exhaustive()
    }
}

impl KeyArgs {
    /// The key.
    ///
    /// # Errors
    ///
    /// None was given, or it or its file is no key.
    pub fn key(&self) -> Result<[u8; KEY_LEN], Failure> {
        let key = match (&self.key, &self.key_file) {
            (Some(key), _) => key.clone(),
            (None, Some(file)) => fs::read_to_string(file).map_err(|source| Failure::file(file, source))?,
            (None, None) => return Err(Failure::Usage("give the camera's key: --key or --key-file".to_owned())),
        };
        key_from_hex(key.trim()).ok_or_else(|| Failure::Usage("a camera's key is 64 hexadecimal digits".to_owned()))
    }
}

/// What goes wrong, on request.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Faults")]
pub struct FaultArgs {
    /// Damage this share of the pictures, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub corrupt: f64,
    /// Cut this share of the pictures short, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub truncate: f64,
    /// Fall silent: every so often, for so long
    #[arg(long, value_name = "EVERY:LASTS", value_parser = stall)]
    pub stall: Option<Stall>,
    /// Lose the connection in the middle of a picture, every so often
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub drop_every: Option<Duration>,
    /// Let the camera's clock jump once: after so long, by so much
    #[arg(long, value_name = "AFTER:[+|-]BY", value_parser = clock_step)]
    pub clock_step: Option<ClockStep>,
}

impl fmt::Debug for SimulateArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulateArgs").field("camera", &self.camera).field("link", &self.link).finish_non_exhaustive()
    }
}

impl SimulateArgs {
    /// Whether the camera is given by its name, which only the hub can tell an id of.
    pub fn needs_hub(&self) -> bool {
        self.camera.parse::<CameraId>().is_err()
    }

    /// The camera that is meant. The clock in its picture is in the system's time zone.
    ///
    /// # Errors
    ///
    /// The key or its file is no key, or there is nothing at `--from`.
    pub fn options(self, camera: CameraId) -> Result<Options, Failure> {
        let key = self.key.key()?;
        let source = match self.from {
            None => Source::Scene,
            Some(path) => match fs::metadata(&path) {
                Err(source) => return Err(Failure::file(path, source)),
                Ok(found) if found.is_dir() => Source::Folder(path),
                Ok(_) => Source::Video(path),
            },
        };
        let FaultArgs { corrupt, truncate, stall, drop_every, clock_step } = self.faults;
        Ok(Options {
            source,
            size: self.size,
            fps: self.fps,
            quality: self.quality,
            telemetry: self.telemetry,
            readings: self.readings,
            boot: starts(),
            faults: Faults { corrupt, truncate, stall, drop_every, clock_step },
            frames: self.frames,
            duration: self.duration,
            reconnect: !self.once,
            seed: self.seed,
            zone: TimeZone::system(),
            ..Options::new(with_port(&self.link, PORT), camera, key)
        })
    }
}

/// A board counts its starts in flash; a program takes the time, which rises too.
pub fn starts() -> u32 {
    u32::try_from(clock::now().as_second()).unwrap_or(u32::MAX)
}

/// Reads a key as `larderctl camera add` prints it.
pub fn key_from_hex(text: &str) -> Option<[u8; KEY_LEN]> {
    let mut key = [0; KEY_LEN];
    if text.len() != 2 * KEY_LEN || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| char::from(digits[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(key)
}

/// `[::1]`, `::1`, `pi.local` and `10.0.0.7` get that port.
pub(crate) fn with_port(address: &str, port: u16) -> String {
    let colons = address.matches(':').count();
    match (address.ends_with(']'), colons) {
        (true, _) | (_, 0) => format!("{address}:{port}"),
        (_, 1) => address.to_owned(),
        _ if address.starts_with('[') => address.to_owned(),
        _ => format!("[{address}]:{port}"),
    }
}

fn size(text: &str) -> Result<Size, String> {
    let size = units::frame_size(text)?;
    let short = |length| u16::try_from(length).unwrap_or(u16::MAX);
    let size = Size { width: short(size.width), height: short(size.height) };
    if is_size(size) { Ok(size) } else { Err("a sensor does 96x96 to 1600x1200, multiples of 8".to_owned()) }
}

fn quality(text: &str) -> Result<Quality, String> {
    text.parse().ok().and_then(Quality::new).ok_or_else(|| format!("\"{text}\" is not 4 to 63"))
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("\"{text}\" is not 0 to 1"))
}

/// `EVERY:LASTS`.
pub(crate) fn stall(text: &str) -> Result<Stall, String> {
    let (every, lasts) = pair(text)?;
    Ok(Stall { every: units::duration(every)?, lasts: units::duration(lasts)? })
}

fn clock_step(text: &str) -> Result<ClockStep, String> {
    let (after, by) = pair(text)?;
    let (back, by) = by.strip_prefix('-').map_or((false, by.strip_prefix('+').unwrap_or(by)), |by| (true, by));
    let by_us = i64::try_from(units::duration(by)?.as_micros()).unwrap_or(i64::MAX);
    Ok(ClockStep { after: units::duration(after)?, by_us: if back { -by_us } else { by_us } })
}

fn pair(text: &str) -> Result<(&str, &str), String> {
    text.split_once(':').ok_or_else(|| format!("\"{text}\" is not two durations with a colon, as in 60s:7s"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SimulateArgs,
    }

    fn parse(words: &str) -> Result<Options, String> {
        let line = format!("simulate fridge {words}");
        let parsed = Line::try_parse_from(line.split(' ')).map_err(|error| error.to_string())?;
        parsed.args.options(CameraId::random()).map_err(|failure| failure.to_string())
    }

    fn with_key(words: &str) -> Result<Options, String> {
        parse(&format!("--key {} {words}", "0f".repeat(32)))
    }

    #[test]
    fn a_camera_needs_no_more_than_its_id_and_its_key() {
        let options = with_key("--link pi.local").unwrap();
        assert_eq!((options.hub.as_str(), options.key), ("pi.local:7440", [0x0f; 32]));
        assert_eq!((options.source, options.fps, options.reconnect), (Source::Scene, None, true));
        assert!(parse("--fps 5").is_err_and(|error| error.contains("--key")));
        assert!(parse("--key 1234").is_err_and(|error| error.contains("64 hexadecimal digits")));
    }

    #[test]
    fn the_key_may_come_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, format!("{}\n", "A0".repeat(32))).unwrap();
        assert_eq!(parse(&format!("--key-file {}", file.display())).unwrap().key, [0xa0; 32]);
        assert!(parse("--key-file /nowhere/key").is_err_and(|error| error.contains("/nowhere/key")));
    }

    #[test]
    fn faults_are_read_with_their_times() {
        let faults = with_key("--corrupt 0.01 --stall 60s:7s --drop-every 5m --clock-step 30s:-2s").unwrap().faults;
        let seconds = Duration::from_secs;
        assert_eq!(faults.stall, Some(Stall { every: seconds(60), lasts: seconds(7) }));
        assert_eq!(faults.clock_step, Some(ClockStep { after: seconds(30), by_us: -2_000_000 }));
        assert_eq!((faults.corrupt, faults.truncate, faults.drop_every), (0.01, 0.0, Some(seconds(300))));
        for wrong in ["--corrupt 2", "--stall 7s", "--size 99999x10", "--size 641x480", "--quality 3", "--fps 0"] {
            assert!(with_key(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_port_is_added_where_there_is_none() {
        for (given, dialled) in [
            ("pi.local", "pi.local:7440"),
            ("10.0.0.7:99", "10.0.0.7:99"),
            ("::1", "[::1]:7440"),
            ("[::1]", "[::1]:7440"),
            ("[::1]:99", "[::1]:99"),
        ] {
            assert_eq!(with_port(given, 7440), dialled);
        }
    }
}
