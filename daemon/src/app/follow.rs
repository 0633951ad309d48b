//! What one part tells another for as long as the hub runs.

use crate::{
    cameras::{self, Directory},
    clock::Clock,
    events::{self, Events},
    hub::Hub,
    recorder::{self, Recorder},
};

/// Tells the hub and the recorder of the cameras, and of every change, until dropped.
pub(super) async fn cameras(directory: Directory, hub: Hub, recorder: Recorder) {
    let mut changes = directory.changes();
    loop {
        changes.mark_unchanged();
        apply(&directory, &hub, &recorder);
        if changes.changed().await.is_err() {
            return;
        }
    }
}

fn apply(directory: &Directory, hub: &Hub, recorder: &Recorder) {
    let cameras = directory.all();
    for topic in hub.topics() {
        if !cameras.iter().any(|camera| camera.id == topic.camera()) {
            hub.remove(topic.camera());
        }
    }
    for camera in &cameras {
        hub.ensure(camera.id).set_interval(camera.capture.longest_interval());
    }
    recorder.set_wanted(cameras.iter().map(|camera| wanted(camera)).collect());
}

fn wanted(camera: &cameras::Camera) -> recorder::Wanted {
    recorder::Wanted {
        camera: camera.id,
        name: camera.name.clone(),
        mode: match camera.recording.mode {
            cameras::Mode::Continuous => recorder::Mode::Continuous,
            cameras::Mode::Manual => recorder::Mode::Manual,
            cameras::Mode::Off => recorder::Mode::Off,
        },
        max_age: camera.recording.max_age,
        max_bytes: camera.recording.max_bytes,
    }
}

/// Follows the wall clock and tells of its steps, until dropped.
pub(super) async fn clock(clock: Clock, events: Events) {
    let mut epochs = clock.epochs();
    let tell = async {
        while epochs.changed().await.is_ok() {
            events.tell(events::Kind::ClockStepped, None, "the wall clock stepped; recordings begin anew");
        }
    };
    tokio::join!(clock.run(), tell);
}
