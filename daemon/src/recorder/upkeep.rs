//! The one task that looks after the folder: the marker, the sweep, room and limits.

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use larder_proto::wire::CameraId;
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    time::Instant,
};
use uuid::Uuid;

use super::{
    by_files,
    collect::blocking,
    config::Encoder,
    dating, ffmpeg, footage,
    marker::{self, Marker},
    retention,
    rows::Missed,
    shared::Shared,
    sweep::Sweep,
    wish::Wanted,
};
use crate::{clock::Trust, db::Change, outcome::chain, repeats};

/// How often room is looked at; the recorder asks earlier when it needs some.
const LOOK: Duration = Duration::from_secs(3);
/// How often while something is wrong with the folder, or it is full.
const LOOK_IN_TROUBLE: Duration = Duration::from_secs(1);
/// How often limits are applied and bytes counted, which reads many rows.
const LIMITS: Duration = Duration::from_secs(60);
/// A sweep that failed or was made necessary by a single missed row is not repeated sooner.
const SWEEP_PAUSE: Duration = Duration::from_secs(5);
/// A row further ahead than this was made by a wrong clock; less is a camera's clock that was not mapped exactly.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
/// How often an encoder that failed its test is tested again.
const TEST_AGAIN: Duration = Duration::from_secs(60);

pub(super) struct Upkeep {
    pub(super) shared: Arc<Shared>,
    pub(super) state: PathBuf,
    pub(super) wanted: watch::Receiver<Vec<Wanted>>,
    /// Called once with the cameras that were being recorded by hand when the hub stopped.
    pub(super) resume_manual: Option<Box<dyn FnOnce(Vec<CameraId>) + Send + Sync>>,
    pub(super) missed: Arc<Missed>,
    /// The folder and the database that speak of each other.
    pub(super) bound: Option<(Uuid, Uuid)>,
    pub(super) floor: retention::Floor,
}

/// What is due when.
struct Due {
    sweep: Option<Instant>,
    limits: Instant,
    test: Option<Instant>,
}

impl Upkeep {
    /// Runs until dropped; everything it does can be interrupted and is finished by the next pass.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let now = Instant::now();
        let mut due = Due { sweep: Some(now), limits: now, test: self.test_encoder().await };
        let mut sweep = Sweep::new(self.state.clone());
        let mut trust = Trust::new(shared.clock.epoch());
        let mut changes = shared.store.changes();
        let mut settings = shared.clock.settings();
        loop {
            let checked = shared.check_folder().await;
            let sound = checked.is_ok();
            let hindered = !sound || shared.is_full();
            if let Ok(marker) = checked {
                let upkeep = shared.upkeep.lock().await;
                let bound = self.bind(marker).await;
                if let (Err(error), Some(_)) = (&bound, shared.owner().database) {
                    repeats::say!(warn, "", { error }, "rows and folder cannot be compared yet");
                }
                self.pass(bound.is_ok(), &mut due, &mut sweep, &mut trust).await;
                drop(upkeep);
            }
            let sound = sound && !shared.is_full();
            if hindered && sound {
                // Ends that could not be written then can be now.
                due.sweep = Some(Instant::now());
            }
            shared.room_made.notify_waiters();
            if due.test.is_some_and(|at| at <= Instant::now()) {
                due.test = self.test_encoder().await;
            }
            let look = if sound { LOOK } else { LOOK_IN_TROUBLE };
            let until_sweep = due.sweep.unwrap_or_else(|| Instant::now() + LOOK);
            tokio::select! {
                () = tokio::time::sleep(look) => {}
                () = tokio::time::sleep_until(until_sweep), if due.sweep.is_some() => {}
                () = shared.make_room.notified() => {}
                () = shared.sweep.notified() => due.sweep = Some(Instant::now()),
                // Its sender lives as long as the clock.
                _ = settings.changed() => due.sweep = Some(Instant::now()),
                () = self.missed.marked() => due.sweep = Some(Instant::now() + SWEEP_PAUSE),
                change = changes.recv() => match change {
                    Ok(Change::Connected) | Err(RecvError::Lagged(_)) => due.sweep = Some(Instant::now()),
                    // Whatever is there next is compared anew.
                    Ok(Change::Lost) => {
                        self.bound = None;
                        shared.store.unbind_folder();
                    }
                    Ok(Change::Notice(_)) => {}
                    Err(RecvError::Closed) => changes = shared.store.changes(),
                },
            }
        }
    }

    /// Makes sure that the rows speak of this folder, and that its marker says so.
    async fn bind(&mut self, marker: Marker) -> Result<(), String> {
        let shared = &self.shared;
        let owner = shared.owner();
        let both = owner.database.map(|database| (marker.folder, database));
        if both.is_some() && self.bound == both {
            return Ok(());
        }
        let bound = shared.store.bind_folder(marker.folder, marker.hub.is_none()).await;
        bound.map_err(|error| chain(&error))?;
        let root = shared.root.clone();
        blocking(move || marker::sign(&root, owner)).await.map_err(|trouble| trouble.detail)?;
        self.bound = both;
        Ok(())
    }

    /// `is_bound`: whether rows speak of this folder; where they do not, nothing is deleted by them.
    async fn pass(&mut self, is_bound: bool, due: &mut Due, sweep: &mut Sweep, trust: &mut Trust) {
        let shared = Arc::clone(&self.shared);
        let are_limits_due = due.limits <= Instant::now();
        if are_limits_due {
            due.limits = Instant::now() + LIMITS;
            shared.weigh_database().await;
        }
        // Room first: a sweep may take long, and recording waits for room only for seconds. A database that is away
        // shows here as an error; then nothing is deleted, and a full disk stops recording.
        match self.floor.make_room(&shared).await {
            // Rows follow as soon as they can.
            Ok(made) if made.by_files => {
                sweep.look_again();
                due.sweep.get_or_insert(Instant::now() + SWEEP_PAUSE);
            }
            Ok(_) => {}
            Err(error) => repeats::say!(warn, "", { error = chain(&error) }, "no room could be made"),
        }
        shared.look_for_room().await;
        dating::files(&shared).await;
        if !is_bound {
            due.sweep = due.sweep.map(|at| at.max(Instant::now() + SWEEP_PAUSE));
            return;
        }
        if due.sweep.is_some_and(|at| at <= Instant::now()) {
            self.missed.take();
            due.sweep = match self.sweep(sweep).await {
                Ok(()) => None,
                Err(error) => {
                    repeats::say!(warn, "", { error }, "recordings could not be swept; it is tried again");
                    Some(Instant::now() + SWEEP_PAUSE)
                }
            };
        }
        if are_limits_due && let Err(error) = self.limits(trust).await {
            tracing::warn!(error = chain(&error), "limits could not be applied");
        }
    }

    async fn sweep(&mut self, sweep: &mut Sweep) -> Result<(), String> {
        let shared = &self.shared;
        by_files::note(shared).await;
        // One camera's trouble must not keep deletions from finishing, nor manual recordings from going on.
        let swept = sweep.run(shared).await.map_err(|error| chain(&error));
        retention::interrupted(shared).await.map_err(|error| chain(&error))?;
        if self.resume_manual.is_some() {
            let manual = shared.store.manual().await.map_err(|error| chain(&error))?;
            if let Some(resume) = self.resume_manual.take() {
                resume(manual);
            }
        }
        // What was adopted counts, and what is gone no longer does.
        shared.count_recordings(shared.store.bytes(None).await.map_err(|error| chain(&error))?).await;
        swept
    }

    async fn limits(&self, trust: &mut Trust) -> Result<(), retention::DeleteError> {
        let shared = &self.shared;
        let trusted = trust.look(&shared.clock);
        let wanted = self.wanted.borrow().clone();
        let deleted = retention::limits(shared, &wanted, &shared.clock, trusted).await?;
        if deleted.segments > 0 {
            tracing::info!(
                segments = deleted.segments,
                bytes = deleted.bytes,
                "recordings beyond their limits are gone"
            );
        }
        shared.count_recordings(shared.store.bytes(None).await?).await;
        shared.set_elsewhere(shared.store.elsewhere().await?);
        shared.set_damage(shared.store.damage().await?);
        match footage::count_unknown(shared).await {
            Ok(count) => shared.set_unknown(count),
            Err(error) => {
                repeats::say!(warn, "", { error = chain(&error) }, "it was not seen whether all footage is known")
            }
        }
        let ahead = shared.clock.now().saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
        // A clock that is not set says of all that it is dated ahead.
        let future = if shared.clock.is_set() { shared.store.future(ahead).await? } else { Vec::new() };
        shared.set_future(future);
        Ok(())
    }

    /// Tests the encoder; the hardware's is given up for libx264 when it fails. When to test again.
    async fn test_encoder(&self) -> Option<Instant> {
        let shared = &self.shared;
        let mut settings = shared.settings();
        let mut result = ffmpeg::self_test(&settings, &shared.tasks).await;
        if let (Err(complaint), Encoder::V4l2m2m) = (&result, settings.encoder) {
            tracing::warn!(complaint, "the hardware encoder does not work here; libx264 is used");
            settings.encoder = Encoder::Libx264;
            result = ffmpeg::self_test(&settings, &shared.tasks).await;
            shared.set_settings(settings);
        }
        if let Err(complaint) = &result {
            repeats::say!(error, complaint, { complaint }, "recording does not work");
        }
        let again = result.is_err().then(|| Instant::now() + TEST_AGAIN);
        shared.set_encoder_trouble(result.err());
        again
    }
}
