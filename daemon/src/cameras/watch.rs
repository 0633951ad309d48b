//! Presence and telemetry as a stream.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use futures_util::{Stream, stream};
use larder_proto::{pb, wire::CameraId};
use tokio::time::{Interval, MissedTickBehavior};
use tonic::Status;

use super::{Directory, status};
use crate::hub::Hub;

struct Watch {
    hub: Hub,
    directory: Directory,
    /// Empty: all cameras.
    wanted: Vec<CameraId>,
    ticks: Interval,
    known: HashMap<CameraId, pb::CameraStatus>,
    ready: VecDeque<pb::CameraStatus>,
}

/// First the present state of every camera, then each change, at most one a camera and interval. Ends when all
/// cameras that were asked for by name are gone. Nothing is queued for a slow reader: it gets the newest state.
pub(super) fn statuses(
    hub: Hub,
    directory: Directory,
    wanted: Vec<CameraId>,
    interval: Duration,
) -> impl Stream<Item = Result<pb::CameraStatus, Status>> + Send {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watch = Watch { hub, directory, wanted, ticks, known: HashMap::new(), ready: VecDeque::new() };
    stream::unfold(watch, |mut watch| async move {
        loop {
            if let Some(status) = watch.ready.pop_front() {
                return Some((Ok(status), watch));
            }
            watch.ticks.tick().await;
            if !watch.look() {
                return None;
            }
        }
    })
}

impl Watch {
    /// Finds what changed; `false` when there is nothing left to watch.
    fn look(&mut self) -> bool {
        let cameras: Vec<CameraId> = self.directory.all().iter().map(|camera| camera.id).collect();
        self.known.retain(|camera, _| cameras.contains(camera));
        let all = self.wanted.is_empty();
        let mut any = all;
        for camera in cameras.into_iter().filter(|camera| all || self.wanted.contains(camera)) {
            any = true;
            let status = status::status(self.hub.ensure(camera).snapshot());
            if self.known.get(&camera) != Some(&status) {
                self.known.insert(camera, status.clone());
                self.ready.push_back(status);
            }
        }
        any
    }
}
