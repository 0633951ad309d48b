//! A camera's probe, played by hand.

use std::{net::SocketAddr, time::Duration};

use larder_ctl::simulate::{Dial, Link};
use larder_proto::wire::{
    CameraId,
    camera::{Message, MilliCelsius, Telemetry},
    reading::{Datagram, ReadingKey, Status},
};
use tokio::{net::UdpSocket, time::Instant};

use crate::support::Pictures;

/// Between two datagrams, so that none is lost on the way and each has its own time.
const APART: Duration = Duration::from_millis(2);
/// What the camera's clock says at its start: it has run for years.
const CLOCK: Duration = Duration::from_secs(4 * 366 * 86_400);

/// A probe, and everything it has sent.
pub(super) struct Probe {
    camera: CameraId,
    key: [u8; 32],
    socket: UdpSocket,
    sent: Vec<Vec<u8>>,
    start: Instant,
}

impl Probe {
    pub(super) async fn new(camera: CameraId, key: [u8; 32], hub: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(hub).await.unwrap();
        Self { camera, key, socket, sent: Vec::new(), start: Instant::now() }
    }

    /// So many readings, a thousandth of a degree apart, from one thousandth on.
    pub(super) async fn send(&mut self, count: usize) {
        for _ in 0..count {
            let milli = i32::try_from(self.sent.len()).unwrap() + 1;
            self.read(Duration::ZERO, milli).await;
        }
    }

    /// A reading that was taken so long ago by the camera's clock.
    pub(super) async fn read(&mut self, ago: Duration, milli: i32) {
        let status = Status::Measured(MilliCelsius(milli));
        let seq = u32::try_from(self.sent.len()).unwrap() + 1;
        let datagram = Datagram { camera: self.camera, probe: 0, status, boot: 1, seq, t_us: us(self.clock() - ago) };
        self.sent.push(datagram.seal(&ReadingKey::derive(&self.key, self.camera)).to_vec());
        self.again(self.sent.len() - 1).await;
    }

    /// Everything once more, the newest first, as somebody would who has listened.
    pub(super) async fn replay(&self) {
        for number in (0..self.sent.len()).rev() {
            self.again(number).await;
        }
    }

    async fn again(&self, number: usize) {
        self.socket.send(&self.sent[number]).await.unwrap();
        tokio::time::sleep(APART).await;
    }

    /// Lets the hub compare the camera's clock with its own. The session lasts as long as what is returned.
    pub(super) async fn compare_clocks(&self, link: &str) -> Link {
        let dial = Dial::new(self.camera, self.key);
        let mut link = Link::connect(link, &dial, us(self.clock())).await.unwrap();
        link.send_frame(Pictures::new(320, 240).take(), us(self.clock())).await.unwrap();
        link.send_telemetry(Telemetry::default(), us(self.clock())).await.unwrap();
        let echo = [7; 8];
        link.send(&Message::Ping(echo), us(self.clock())).await.unwrap();
        // Messages are taken one after the other: what is answered last was not read before the others.
        while !matches!(link.receive().await.unwrap(), Message::Pong(back) if back == echo) {}
        link
    }

    fn clock(&self) -> Duration {
        CLOCK + self.start.elapsed()
    }
}

fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}
