//! `larderctl sensor simulate`: is a thermometer, with signed datagrams or text, and all that goes wrong with real ones.

mod device;
mod faults;

use std::{fmt, time::Duration};

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use larder_proto::wire::{
    CameraId,
    reading::{PORT, ReadingKey},
};
use serde::Serialize;
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Scale, settings};
use crate::{
    Failure, Out,
    client::Hub,
    clock,
    simulate::{self, Climate, KeyArgs, Stall, datagram_socket},
    temperature::show_degrees,
    units, when,
};
use device::Device;
pub use faults::{FaultArgs, Faults};

/// A thermometer that is a program.
#[derive(Args, Clone)]
pub struct SimulateArgs {
    /// Who it is.
    #[command(flatten)]
    pub identity: Identity,
    /// The camera's key, for a probe.
    #[command(flatten)]
    pub key: KeyArgs,
    /// Where the hub takes readings, host or host:port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub to: String,
    /// How often it reads
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = units::duration)]
    pub every: Duration,
    /// The mean around which its temperature swings, in degrees Celsius
    #[arg(long, value_name = "DEGREES", default_value_t = 4.8, allow_hyphen_values = true)]
    pub mean: f64,
    /// Open the door: every so often, for so long
    #[arg(long, value_name = "EVERY:LASTS", value_parser = simulate::stall)]
    pub door: Option<Stall>,
    /// End after so many readings
    #[arg(long)]
    pub count: Option<u32>,
    /// End after so long
    #[arg(long = "for", value_name = "DURATION", value_parser = units::duration)]
    pub duration: Option<Duration>,
    /// Decides the noise
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// What goes wrong.
    #[command(flatten)]
    pub faults: FaultArgs,
}

/// Which thermometer.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct Identity {
    /// A camera's probe, with signed datagrams: the camera's name or id, and which of its probes [default: 0]
    #[arg(long, value_name = "CAMERA[:INDEX]")]
    pub probe: Option<String>,
    /// A device that sends text as the original boards do, and its name
    #[arg(long, value_name = "DEVICE")]
    pub text: Option<String>,
}

impl fmt::Debug for SimulateArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulateArgs").field("identity", &self.identity).field("to", &self.to).finish_non_exhaustive()
    }
}

impl SimulateArgs {
    /// Whether a camera is given by its name, which only the hub can tell an id of.
    pub fn needs_hub(&self) -> bool {
        let camera = self.identity.probe.as_deref().and_then(|probe| settings::probe(probe).ok());
        camera.is_some_and(|probe| probe.camera_id.parse::<CameraId>().is_err())
    }

    async fn device(&self, hub: Option<&Hub>) -> Result<Device, Failure> {
        if let Some(name) = &self.identity.text {
            return Ok(Device::Text { name: name.clone() });
        }
        let probe = settings::probe(self.identity.probe.as_deref().unwrap_or_default()).map_err(Failure::Usage)?;
        let camera = match (probe.camera_id.parse(), hub) {
            (Ok(id), _) => id,
            (Err(_name), Some(hub)) => simulate::look_up(&probe.camera_id, hub).await?,
            (Err(error), None) => return Err(Failure::Usage(format!("{:?} is no camera: {error}", probe.camera_id))),
        };
        let index = u8::try_from(probe.index).unwrap_or(u8::MAX);
        let key = ReadingKey::derive(&self.key.key()?, camera);
        Ok(Device::Probe { camera, key, index, boot: simulate::starts() })
    }
}

/// A simulated thermometer.
pub struct Options {
    /// Where its datagrams go, host and port.
    pub to: String,
    /// Who it is.
    pub device: Device,
    /// What it measures.
    pub climate: Climate,
    /// Between two readings.
    pub every: Duration,
    /// What goes wrong.
    pub faults: Faults,
    /// Ends after so many readings.
    pub count: Option<u32>,
}

impl Options {
    /// A device that sends text, and of which nothing goes wrong.
    pub fn text(to: String, name: &str, climate: Climate, every: Duration) -> Self {
        let device = Device::Text { name: name.to_owned() };
        Self { to, device, climate, every, faults: Faults::default(), count: None }
    }
}

/// What became of one reading.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It was sent as measured.
    Measured,
    /// It was sent as 85.0, what a probe says that has not measured.
    PowerOn,
    /// It was sent as -127, what is said of a probe that does not answer.
    NoAnswer,
    /// It was not sent.
    Silent,
}

/// A reading as it was sent.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// How.
    pub said: Said,
    /// What was measured.
    pub celsius: f64,
    /// How many old datagrams were sent again behind it.
    pub replayed: usize,
}

/// Runs a simulated thermometer and tells each reading.
///
/// # Errors
/// The arguments make no sense, or datagrams can't be sent there.
pub async fn execute(
    args: SimulateArgs,
    hub: Option<&Hub>,
    out: &mut Out,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let device = args.device(hub).await?;
    let midnight =
        out.now().to_zoned(TimeZone::system()).start_of_day().map_err(|error| Failure::Other(error.to_string()))?;
    let start = out.now().duration_since(midnight.timestamp()).unsigned_abs();
    let climate = Climate { mean: args.mean, door: args.door, start, seed: args.seed };
    let to = simulate::with_port(&args.to, PORT);
    let options = Options { to, device, climate, every: args.every, faults: args.faults.into(), count: args.count };
    let stop = stop.child_token();
    let ending = async {
        match args.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
        stop.cancel();
        std::future::pending().await
    };
    tokio::select! {
        ended = run(&options, &stop, |told| tell(told, out)) => ended,
        () = ending => Ok(()),
    }
}

fn tell(told: &Told, out: &mut Out) -> Result<(), Failure> {
    if out.is_json() {
        return out.json_line(told);
    }
    let said = match told.said {
        Said::Measured => show_degrees(Some(told.celsius), Scale::Celsius),
        Said::PowerOn => "85.0 °C, as before it has measured".to_owned(),
        Said::NoAnswer => "-127, as of a probe that does not answer".to_owned(),
        Said::Silent => "nothing".to_owned(),
    };
    let replayed = match told.replayed {
        0 => String::new(),
        count => format!(", and {} again", units::show_count(u64::try_from(count).unwrap_or(u64::MAX), "old datagram")),
    };
    out.line(&format!("{}  {said}{replayed}", when::show(told.at, out.zone())))
}

/// Is a thermometer until `stop`, or it has sent as many readings as wanted. A hub that is not there is no reason to
/// end: datagrams get lost.
///
/// # Errors
/// There is no such address, or `told` fails.
pub async fn run(
    options: &Options,
    stop: &CancellationToken,
    mut told: impl FnMut(&Told) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let nowhere = || Failure::Other(format!("datagrams cannot be sent to {}", options.to));
    let socket = datagram_socket(&options.to).await.ok_or_else(nowhere)?;
    let began = Instant::now();
    let mut seq = 0;
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for number in 0..options.count.unwrap_or(u32::MAX) {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = sleep_until(began + options.every * number) => {}
        }
        let elapsed = began.elapsed();
        let value = options.climate.at(elapsed);
        let said = options.faults.say(elapsed);
        let mut replayed = 0;
        if said != Said::Silent {
            seq += 1;
            let datagram = options.device.datagram(seq, elapsed, said, value);
            send(&socket, &datagram).await;
            if options.faults.replays(elapsed) {
                for old in &sent {
                    send(&socket, old).await;
                }
                replayed = sent.len();
            }
            remember(&mut sent, datagram);
        }
        told(&Told { at: clock::now(), said, celsius: value.celsius(), replayed })?;
    }
    Ok(())
}

/// Datagrams that are kept to be sent again.
const REMEMBERED: usize = 16;

fn remember(sent: &mut Vec<Vec<u8>>, datagram: Vec<u8>) {
    if sent.len() == REMEMBERED {
        sent.remove(0);
    }
    sent.push(datagram);
}

/// Lost ones are lost: nobody listens there, or its queue is full.
async fn send(socket: &UdpSocket, datagram: &[u8]) {
    let _sent = socket.send(datagram).await;
}
