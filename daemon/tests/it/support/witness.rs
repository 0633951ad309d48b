//! A camera that remembers what it sent, for whoever looks for losses.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use larder_ctl::simulate::{Dial, Link};
use larder_proto::{
    pb,
    wire::{
        CameraId,
        camera::{Message, Telemetry},
    },
};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Clients, Home, Pictures, until};

/// A picture that was written whole to the hub's socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// Since the camera's start, by a true clock.
    pub(crate) taken: Duration,
    /// The same moment on the wall clock.
    pub(crate) at: Timestamp,
    /// Counts the camera's connections.
    pub(crate) session: u32,
}

/// How a [`Witness`] behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// Between two pictures, from and to; they are uneven so that each is known by its distance to the next.
    pub(crate) interval_ms: (u64, u64),
    /// How fast the camera's clock is, in parts per million.
    pub(crate) drift_ppm: i64,
    /// By how much its clock jumps, and after what time.
    pub(crate) step: Option<(Duration, i64)>,
}

/// Adds a camera and records a run of it, of so many fragments at least; its id and key.
pub(crate) async fn record(home: &Home, clients: &Clients, name: &str, fragments: u32) -> (CameraId, [u8; 32]) {
    let (camera, key) = clients.add(pb::Camera { name: name.to_owned(), ..Default::default() }).await;
    record_more(home, clients, (camera, key), fragments).await;
    (camera, key)
}

/// Records another run of a camera.
pub(crate) async fn record_more(home: &Home, clients: &Clients, (camera, key): (CameraId, [u8; 32]), fragments: u32) {
    let before = clients.recordings_of(camera).await.len();
    let mut witness = Witness::start(home.link(), camera, key, Habits::default());
    until("a fragment's row", || async {
        let all = clients.recordings_of(camera).await;
        all.get(before..).and_then(<[_]>::last).filter(|row| row.fragments >= fragments).map(|_| ())
    })
    .await;
    witness.stop().await;
    until("the run to end", || async {
        clients.recordings_of(camera).await.last().filter(|row| row.ended_at.is_some()).map(|_| ())
    })
    .await;
}

impl Default for Habits {
    fn default() -> Self {
        Self { interval_ms: (80, 200), drift_ppm: 0, step: None }
    }
}

/// A camera in a task; it dials again as long as it is not stopped.
pub(crate) struct Witness {
    sent: Arc<Mutex<Vec<Sent>>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Witness {
    pub(crate) fn start(link: String, camera: CameraId, key: [u8; 32], habits: Habits) -> Self {
        let sent = Arc::<Mutex<Vec<Sent>>>::default();
        let stop = CancellationToken::new();
        let mut pictures = Pictures::new(320, 240);
        let pictures: Vec<Bytes> = (0..40).map(|_| pictures.take()).collect();
        let life = Life { pictures, sent: Arc::clone(&sent), start: Instant::now(), habits, session: 0, number: 0 };
        let token = stop.clone();
        let task = tokio::spawn(async move {
            token.run_until_cancelled(life.run(&link, &Dial::new(camera, key))).await;
        });
        Self { sent, stop, task }
    }

    /// Everything sent so far.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// Sends no more.
    pub(crate) async fn stop(&mut self) -> Vec<Sent> {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
        self.sent()
    }
}

struct Life {
    pictures: Vec<Bytes>,
    sent: Arc<Mutex<Vec<Sent>>>,
    start: Instant,
    habits: Habits,
    session: u32,
    number: usize,
}

impl Life {
    async fn run(mut self, link: &str, dial: &Dial) {
        loop {
            let now = self.clock(self.start.elapsed());
            if let Ok(link) = Link::connect(link, dial, now).await {
                self.session += 1;
                self.session(link).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Until the link breaks.
    async fn session(&mut self, mut link: Link) {
        // They tell the hub the delay of the line, so that the first picture is dated right too.
        for _ in 0..5 {
            if link.send_telemetry(Telemetry::default(), self.clock(self.start.elapsed())).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut due = Instant::now();
        loop {
            let answered = tokio::time::timeout_at(due, link.receive()).await;
            match answered {
                Ok(Ok(Message::Ping(bytes))) if link.send(&Message::Pong(bytes), 0).await.is_err() => return,
                Ok(Ok(_)) => continue,
                Ok(Err(_)) => return,
                Err(_elapsed) => {}
            }
            let (at, taken) = (Timestamp::now(), self.start.elapsed());
            let picture = self.pictures[self.number % self.pictures.len()].clone();
            if link.send_frame(picture, self.clock(taken)).await.is_err() {
                return;
            }
            self.sent.lock().unwrap().push(Sent { taken, at, session: self.session });
            due += self.interval();
        }
    }

    /// Uneven, and never the same twice in a row.
    fn interval(&mut self) -> Duration {
        self.number += 1;
        let (from, to) = self.habits.interval_ms;
        let spread = (to - from).max(1);
        let number = u64::try_from(self.number).unwrap();
        Duration::from_millis(from + number.wrapping_mul(number).wrapping_mul(37) % spread)
    }

    /// The camera's own clock in microseconds, which began at an arbitrary time.
    fn clock(&self, elapsed: Duration) -> u64 {
        let us = i64::try_from(elapsed.as_micros()).unwrap();
        let jump = self.habits.step.filter(|(after, _)| elapsed >= *after).map_or(0, |(_, by)| by);
        u64::try_from(77_000_000_000 + us + us * self.habits.drift_ppm / 1_000_000 + jump).unwrap()
    }
}
