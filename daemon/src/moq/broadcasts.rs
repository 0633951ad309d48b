//! The broadcasts: one a camera, made and ended as cameras come and go.

use std::collections::BTreeMap;

use larder_proto::wire::CameraId;
use moq_net::{Timescale, Timestamp, broadcast, origin, track};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Config,
    catalog::{self, TRACKS, Track},
};
use crate::{
    cameras::{Camera, Directory},
    hub::{Frame, Hub},
    tasks::Tasks,
    viewers::{Entry, Protocol, Seat, Viewers},
};

/// Where cameras and their pictures come from.
#[derive(Clone)]
#[expect(missing_docs, reason = "the types say it")]
pub struct Sources {
    pub hub: Hub,
    pub cameras: Directory,
    pub viewers: Viewers,
}

/// Keeps a broadcast for each camera that is to be published.
pub(super) struct Broadcasts {
    prefix: String,
    /// Of the relay, as viewers are told by it.
    address: String,
    /// By id or name; empty: all.
    chosen: Vec<String>,
    sources: Sources,
    published: origin::Producer,
    tasks: Tasks,
    running: BTreeMap<CameraId, Running>,
}

/// A broadcast, until dropped.
struct Running {
    path: String,
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Broadcasts {
    pub(super) fn new(config: &Config, sources: Sources, published: origin::Producer, tasks: Tasks) -> Self {
        let (prefix, chosen) = (config.prefix.clone(), config.cameras.clone());
        let address = config.url.clone().unwrap_or_default();
        Self { prefix, address, chosen, sources, published, tasks, running: BTreeMap::new() }
    }

    /// Follows the cameras until dropped.
    pub(super) async fn follow(mut self) {
        let mut changes = self.sources.cameras.changes();
        loop {
            changes.mark_unchanged();
            self.apply();
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn apply(&mut self) {
        let is_chosen = |camera: &Camera| {
            let id = camera.id.to_string();
            self.chosen.is_empty() || self.chosen.iter().any(|chosen| *chosen == id || *chosen == camera.name)
        };
        let wanted: BTreeMap<CameraId, String> = self
            .sources
            .cameras
            .all()
            .iter()
            .filter(|camera| is_chosen(camera))
            .map(|camera| (camera.id, format!("{}/{}", self.prefix, camera.name)))
            .collect();
        self.running.retain(|camera, running| wanted.get(camera) == Some(&running.path));
        for (camera, path) in wanted {
            if self.running.contains_key(&camera) {
                continue;
            }
            match self.begin(camera, &path) {
                Ok(running) => {
                    tracing::info!(camera.id = %camera, broadcast.path = path, "a broadcast began");
                    self.running.insert(camera, running);
                }
                Err(cause) => {
                    tracing::warn!(camera.id = %camera, broadcast.path = path, %cause, "a camera can't be published");
                }
            }
        }
    }

    fn begin(&self, camera: CameraId, path: &str) -> Result<Running, moq_net::Error> {
        let broadcast = self.published.create_broadcast(path)?;
        let info = track::Info::default().with_priority(catalog::PRIORITY);
        let mut listing = broadcast.create_track(catalog::TRACK, info)?;
        listing.write_frame(Timestamp::ZERO, catalog::catalog())?;
        let stop = CancellationToken::new();
        let feeds = TRACKS.iter().map(|track| self.feed(camera, &broadcast, track)).collect::<Result<Vec<_>, _>>()?;
        broadcast.announce(origin::Route::default())?;
        for feed in feeds {
            let stop = stop.clone();
            self.tasks.spawn_until_stop(async move {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = feed.run() => {}
                }
            });
        }
        let ended = stop.clone();
        self.tasks.spawn_until_stop(async move {
            ended.cancelled().await;
            // The catalogue is there for as long as the broadcast is.
            drop(listing);
            broadcast.close();
        });
        Ok(Running { path: path.to_owned(), stop })
    }

    fn feed(
        &self,
        camera: CameraId,
        broadcast: &broadcast::Producer,
        track: &'static Track,
    ) -> Result<Feed, moq_net::Error> {
        let info = track::Info::default().with_timescale(Timescale::MICRO).with_priority(track.priority);
        let producer = broadcast.create_track(track.name, info)?;
        let entry = Entry {
            protocol: Protocol::Moq,
            address: self.address.clone(),
            user: "moq".into(),
            client: format!("track {}", track.name),
            camera,
        };
        Ok(Feed { hub: self.sources.hub.clone(), viewers: self.sources.viewers.clone(), entry, track, producer })
    }
}

/// Feeds one track.
struct Feed {
    hub: Hub,
    viewers: Viewers,
    /// The relay, which looks at this track for all its viewers.
    entry: Entry,
    track: &'static Track,
    producer: track::Producer,
}

/// Why a feed pauses or ends.
enum Pause {
    /// Nobody looks at the track any more.
    Unused,
    /// Somebody who manages the hub ended it, until it is asked for anew.
    Disconnected,
    /// The camera or the broadcast is gone.
    Ended,
}

impl Feed {
    /// Feeds whenever somebody watches, until the camera or the broadcast ends.
    async fn run(mut self) {
        while self.producer.used().await.is_ok() {
            let seat = self.viewers.enter(self.entry.clone());
            let pause = self.show(&seat).await;
            seat.ended(match pause {
                Pause::Unused => "viewer-left",
                Pause::Disconnected => "disconnected",
                Pause::Ended => "camera-removed",
            });
            drop(seat);
            match pause {
                Pause::Ended => return,
                Pause::Disconnected if self.producer.unused().await.is_err() => return,
                Pause::Disconnected | Pause::Unused => {}
            }
        }
    }

    async fn show(&mut self, seat: &Seat) -> Pause {
        let Some(topic) = self.hub.topic(self.entry.camera) else { return Pause::Ended };
        let mut viewer = topic.viewer();
        let disconnected = seat.disconnected();
        let mut due = Instant::now();
        loop {
            let seen = tokio::select! {
                biased;
                () = disconnected.cancelled() => return Pause::Disconnected,
                unused = self.producer.unused() => return if unused.is_ok() { Pause::Unused } else { Pause::Ended },
                seen = viewer.next() => seen,
            };
            let Some(seen) = seen else { return Pause::Ended };
            seat.skipped(seen.skipped);
            let now = Instant::now();
            if let Some(interval) = self.track.interval {
                if now < due {
                    seat.skipped(1);
                    continue;
                }
                // On the beat, unless that is long past: cameras are not as regular as clocks.
                due = if now - due < interval { due + interval } else { now + interval };
            }
            if self.publish(&seen.frame).is_err() {
                return Pause::Ended;
            }
            seat.sent(seen.frame.jpeg.len());
            // What the relay has of it, it does not tell.
            seat.delivered(seen.frame.jpeg.len());
        }
    }

    fn publish(&mut self, frame: &Frame) -> Result<(), moq_net::Error> {
        let us = u64::try_from(frame.captured_at.as_microsecond()).unwrap_or_default();
        let at = Timestamp::from_micros(us).unwrap_or(Timestamp::ZERO);
        self.producer.write_frame(at, frame.jpeg.clone())
    }
}
