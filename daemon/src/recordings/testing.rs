//! A real PostgreSQL with a camera, for the tests of this module and of playback.

use std::{os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tempfile::TempDir;
use uuid::Uuid;

use super::{Dated, EndReason, Fragment, FragmentIndex, Run, RunId, Segment, Store};
use crate::{
    access::{Access, Links},
    cameras::{self, Directory},
    clock::Clock,
    db::{Cache, Config, Db},
    events::Events,
    secrets::HubKey,
    tasks::Tasks,
    temperatures::{self, Temperatures},
    testing,
};

pub(crate) struct Bench {
    pub(crate) db: Db,
    pub(crate) store: Store,
    pub(crate) tasks: Tasks,
    /// The state folder and the recordings root.
    folder: TempDir,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The user who runs PostgreSQL has to get in.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("its own folder");
        testing::prepare_cluster(folder.path());
        let tasks = Tasks::new();
        let events = Events::new(Clock::new());
        let db = Db::start(&Config::default(), folder.path(), events, &tasks).await.expect("a database");
        Self { store: Store::new(db.clone()), db, folder, tasks }
    }

    pub(crate) async fn camera(&self, name: &str) -> CameraId {
        let camera = CameraId::random();
        let insert = "INSERT INTO cameras (id, name, sealed_key, width, height, quality, active_fps, idle_fps,
                                           recording_mode)
                      VALUES ($1, $2, '', 640, 480, 12, 10, 1, 'continuous')";
        self.db.client().await.unwrap().execute(insert, &[&camera.0, &name]).await.unwrap();
        camera
    }

    /// The cameras that there are now.
    pub(crate) async fn directory(&self) -> Directory {
        let hub_key = HubKey::load_or_create(self.root()).expect("a key");
        Directory::load(cameras::Store::new(self.db.clone(), hub_key), self.cache()).await
    }

    /// Temperatures of the sensors that there are now; they follow changes.
    pub(crate) async fn temperatures(&self) -> Temperatures {
        let deps = temperatures::Deps {
            db: self.db.clone(),
            clock: Clock::new(),
            tasks: self.tasks.clone(),
            state: self.root().to_owned(),
            cache: self.cache(),
        };
        Temperatures::start(&temperatures::Config::default(), deps).await.expect("temperatures")
    }

    /// What is remembered of rows.
    pub(crate) fn cache(&self) -> Cache {
        Cache::new(self.root(), HubKey::load_or_create(self.root()).expect("a key"))
    }

    pub(crate) fn access(&self) -> Access {
        Access::new(&HubKey::load_or_create(self.root()).expect("a key"), &Links::default(), Clock::new())
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn stop(self) {
        self.tasks.stop(Duration::from_secs(10)).await;
        self.db.close(Duration::from_secs(20)).await;
    }
}

/// 2026-01-31 12:00:00 UTC and some seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_769_860_800 + seconds).expect("in range")
}

pub(crate) fn run(camera: CameraId, ordinal: i64, first_sequence: i64, start: i64) -> Run {
    Run {
        id: RunId(Uuid::now_v7()),
        camera,
        ordinal,
        first_sequence,
        started_at: at(start),
        ended_at: None,
        end_reason: None,
        size: (640, 480),
        codec: "avc1.42C01E".to_owned(),
        dated: Dated::default(),
    }
}

pub(crate) fn ended(run: Run, end: i64, reason: EndReason) -> Run {
    Run { ended_at: Some(at(end)), end_reason: Some(reason), ..run }
}

/// A closed segment of two-second fragments with 1000 bytes each.
pub(crate) fn segment(run: &Run, first_sequence: i64, start: i64, fragments: u32) -> Segment {
    let mut index = FragmentIndex::default();
    for fragment in 0..fragments {
        let (start, duration) = (Duration::from_secs(2) * fragment, Duration::from_secs(2));
        index.push(Fragment { start, duration, size: 1000, ..Fragment::default() });
    }
    Segment { run: run.id, camera: run.camera, first_sequence, started_at: at(start), fragments: index, closed: true }
}
