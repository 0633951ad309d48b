//! A simulated camera's thermometer: each reading goes out as a datagram, and again in telemetry.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use larder_proto::wire::{
    CameraId,
    camera::{KEY_LEN, ReadingMark},
    reading::{Datagram, ReadingKey, Status},
};
use tokio::{
    net::{UdpSocket, lookup_host},
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{faults::Faults, vitals};

/// After a datagram that could not be sent, and for a hub whose name is not known yet.
const RETRY: Duration = Duration::from_secs(5);

/// One start of the board: from when its clock counts, and which start it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) booted: Instant,
    pub(super) boot: u32,
}

/// What the camera and its thermometer share.
#[derive(Clone)]
pub(super) struct Clockwork {
    start: Arc<watch::Sender<Start>>,
    /// The number of the newest datagram of this start.
    sent: Arc<AtomicU32>,
}

impl Clockwork {
    pub(super) fn new(boot: u32) -> Self {
        let start = Start { booted: Instant::now(), boot };
        Self { start: Arc::new(watch::Sender::new(start)), sent: Arc::default() }
    }

    pub(super) fn start(&self) -> Start {
        *self.start.borrow()
    }

    pub(super) fn reboot(&self) {
        self.sent.store(0, Ordering::Relaxed);
        self.start.send_modify(|start| *start = Start { booted: Instant::now(), boot: start.boot.wrapping_add(1) });
    }

    /// What HELLO tells of the datagrams that were sent.
    pub(super) fn mark(&self) -> ReadingMark {
        ReadingMark { boot: self.start().boot, seq: self.sent.load(Ordering::Relaxed) }
    }
}

/// Who signs, and where the datagrams go.
pub(super) struct Thermometer {
    pub(super) to: String,
    pub(super) camera: CameraId,
    pub(super) key: [u8; KEY_LEN],
    pub(super) faults: Faults,
    pub(super) clockwork: Clockwork,
}

impl Thermometer {
    /// Sends each reading at its time, until dropped. A hub that is not there is no reason to stop: datagrams get lost.
    pub(super) async fn run(self) {
        let key = ReadingKey::derive(&self.key, self.camera);
        let mut starts = self.clockwork.start.subscribe();
        let socket = loop {
            match open(&self.to).await {
                Some(socket) => break socket,
                None => sleep(RETRY).await,
            }
        };
        loop {
            let Start { booted, boot } = *starts.borrow_and_update();
            let mut index = vitals::reading_at(booted.elapsed());
            loop {
                let at = vitals::time_of(index);
                tokio::select! {
                    biased;
                    _ = starts.changed() => break,
                    () = sleep_until(booted + at) => {}
                }
                let reading = vitals::reading(index);
                let t_us = self.faults.clock_step.map_or(reading.t_us, |step| step.apply(reading.t_us));
                let status = reading.value.map_or(Status::Silent, Status::Measured);
                let datagram =
                    Datagram { camera: self.camera, probe: reading.index, status, boot, seq: reading.seq, t_us };
                // Lost ones come in telemetry.
                let _sent = socket.send(&datagram.seal(&key)).await;
                self.clockwork.sent.store(reading.seq, Ordering::Relaxed);
                index += 1;
            }
        }
    }
}

/// A socket whose datagrams go there. `None` when there is no such address.
pub(crate) async fn open(to: &str) -> Option<UdpSocket> {
    let to = lookup_host(to).await.ok()?.next()?;
    let any: SocketAddr =
        if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await.ok()?;
    socket.connect(to).await.ok()?;
    Some(socket)
}
