//! Cameras: a simulated one, and what is needed to play one by hand.

use std::time::Duration;

use bytes::Bytes;
use larder_ctl::simulate::{self, Options, Scene, View, jpeg::Quality};
use larder_proto::wire::CameraId;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::Hub;

/// A simulated camera in a task; it ends with the token.
pub(crate) fn simulated(
    hub: &Hub,
    camera: CameraId,
    key: [u8; 32],
    adjust: impl FnOnce(&mut Options),
) -> (CancellationToken, JoinHandle<simulate::Report>) {
    let mut options = Options::new(hub.addresses().camera_link.to_string(), camera, key);
    adjust(&mut options);
    let stop = CancellationToken::new();
    let token = stop.clone();
    let task = tokio::spawn(async move { simulate::run(options, token, |_| {}).await.unwrap() });
    (stop, task)
}

/// Pictures of the drawn fridge, one by one.
pub(crate) struct Pictures {
    scene: Scene,
    number: u32,
}

impl Pictures {
    pub(crate) fn new(width: u16, height: u16) -> Self {
        Self { scene: Scene::new(width, height, 7), number: 0 }
    }

    pub(crate) fn take(&mut self) -> Bytes {
        self.number += 1;
        let view = View {
            number: self.number,
            elapsed: Duration::from_millis(100) * self.number,
            clock: jiff::civil::date(2026, 1, 2).at(3, 4, 5, 0),
            flash: 0,
        };
        self.scene.picture(&view, Quality::new(12).unwrap()).into()
    }
}

/// A camera's own clock in microseconds, which began at an arbitrary time.
pub(crate) fn session_clock() -> impl Fn() -> u64 {
    let start = Instant::now();
    move || 77_000_000 + u64::try_from(start.elapsed().as_micros()).unwrap()
}
