//! Footage that outlives its database: what a camera is lies beside its recordings, and with them is enough to begin anew.
//!
//! ```text
//! rows ─▶ keeper ─▶ <recordings>/<camera>/camera.json        while there is a database
//! camera.json, runs on disk ─▶ Adoption ─▶ rows              when somebody says so, after it was lost
//! ```
//! While a database is there it wins: the files are only written.

mod keeper;
mod kept;
mod rows;

use std::{collections::BTreeSet, sync::Arc};

use larder_proto::wire::CameraId;
use tokio::sync::watch;

use crate::{
    db::Db,
    outcome::Refusal,
    recorder::{Footage, FootageOf, Foreign, Recorder},
    recordings::{Adopted, Adopting, Found, FoundCamera},
    secrets::HubKey,
    tasks::{Tasks, blocking},
};
use kept::Kept;

/// Finds such footage and takes it over; clones share it.
#[derive(Clone)]
pub struct Adoption {
    db: Db,
    hub_key: HubKey,
    recorder: Recorder,
    tasks: Tasks,
    /// One at a time.
    working: Arc<tokio::sync::Mutex<()>>,
}

/// A camera's footage, and what its folder says of the camera.
struct Candidate {
    footage: FootageOf,
    /// Absent beside footage of a former release, and when it can't be read.
    kept: Option<Kept>,
}

impl Adoption {
    /// Over the recorder's folder and the hub's database. From now on what cameras are is kept beside their recordings.
    pub fn start(db: &Db, hub_key: HubKey, recorder: &Recorder, tasks: &Tasks) -> Self {
        tasks.spawn_until_stop(keeper::keep(db.clone(), recorder.clone()));
        let (db, recorder, tasks) = (db.clone(), recorder.clone(), tasks.clone());
        Self { db, hub_key, recorder, tasks, working: Arc::default() }
    }

    /// Footage of cameras that have no row; all of it, when the folder's rows stand in another database.
    async fn candidates(&self) -> Result<(Footage, Vec<Candidate>), Refusal> {
        let footage = self.recorder.footage(rows::cameras(&self.db).await?).await?;
        let cameras = footage.cameras.clone();
        let candidates = blocking(move || {
            let of = |footage: FootageOf| Candidate { kept: kept::read(&footage.folder), footage };
            // A folder that says neither what the camera is nor what it recorded is nobody's.
            let is_one = |found: &Candidate| found.kept.is_some() || found.footage.recordings > 0;
            cameras.into_iter().map(of).filter(is_one).collect()
        });
        Ok((footage, candidates.await))
    }

    fn found(&self, candidate: &Candidate) -> FoundCamera {
        let Candidate { footage, kept } = candidate;
        let name = kept.as_ref().and_then(Kept::name);
        let sealed = kept.as_ref().and_then(Kept::sealed_key);
        FoundCamera {
            camera: footage.camera,
            name: name.map_or_else(|| kept::name_of(footage.camera), str::to_owned),
            is_named: kept.is_some(),
            key_opens: sealed.is_some_and(|sealed| self.hub_key.open(footage.camera.0.as_bytes(), &sealed).is_ok()),
            recordings: footage.recordings,
            started_at: footage.started_at,
            ended_at: footage.ended_at,
            days: u32::try_from(footage.days.len()).unwrap_or(u32::MAX),
            bytes: footage.bytes,
        }
    }

    async fn take(self, progress: watch::Sender<Adopted>) -> Result<(), Refusal> {
        let _working = self.working.lock().await;
        let (_, candidates) = self.candidates().await?;
        let cameras: Vec<CameraId> = candidates.iter().map(|candidate| candidate.footage.camera).collect();
        let all = candidates.iter().map(|candidate| candidate.footage.recordings).sum();
        progress.send_modify(|progress| {
            progress.cameras = cameras.len();
            progress.all_recordings = all;
        });
        let held = self.recorder.hold(cameras.clone());
        rows::insert(&self.db, &self.hub_key, &candidates).await?;
        let (done, mut count) = watch::channel(0);
        let mut adopting = Box::pin(self.recorder.adopt(&cameras, done));
        loop {
            tokio::select! {
                biased;
                adopted = &mut adopting => break adopted?,
                Ok(()) = count.changed() => progress.send_modify(|progress| progress.recordings = *count.borrow()),
            }
        }
        drop(held);
        progress.send_modify(|progress| progress.recordings = all);
        tracing::warn!(cameras = cameras.len(), recordings = all, "footage without rows was taken over");
        Ok(())
    }
}

#[tonic::async_trait]
impl Adopting for Adoption {
    async fn found(&self) -> Result<Found, Refusal> {
        let (footage, candidates) = self.candidates().await?;
        let cameras: Vec<_> = candidates.iter().map(|candidate| Self::found(self, candidate)).collect();
        let days: BTreeSet<_> = candidates.iter().flat_map(|candidate| &candidate.footage.days).collect();
        let days = u32::try_from(days.len()).unwrap_or(u32::MAX);
        let foreign = footage.foreign.map(|foreign| match foreign {
            Foreign::Hub => {
                "another hub recorded it, which must be gone for good: two hubs would delete each other's files"
            }
            Foreign::Database => {
                "another database knows it, which must be gone for good; a backup of that one brings more back"
            }
        });
        Ok(Found { cameras, days, foreign: foreign.map(str::to_owned) })
    }

    fn adopt(&self) -> watch::Receiver<Adopted> {
        let (progress, watched) = watch::channel(Adopted::default());
        let adoption = self.clone();
        // A task of its own: it goes on when whoever asked goes away.
        self.tasks.spawn_until_stop(async move {
            let ended = adoption.take(progress.clone()).await.map_err(Arc::new);
            progress.send_modify(|progress| progress.ended = Some(ended));
        });
        watched
    }
}
