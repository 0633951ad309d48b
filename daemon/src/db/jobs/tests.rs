//! Jobs against a real PostgreSQL.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::SignedDuration;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;
use crate::{
    clock::Clock,
    db::{Config, Db},
    events::Events,
    tasks::Tasks,
    testing::prepare_cluster,
};

const KIND: &str = "work";

/// What an attempt does, by the job's input.
type Act =
    Arc<dyn for<'a> Fn(&'a Attempt) -> Pin<Box<dyn Future<Output = Result<(), Failed>> + Send + 'a>> + Send + Sync>;

struct Hands {
    act: Act,
    policy: Policy,
}

#[tonic::async_trait]
impl Worker for Hands {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn policy(&self) -> Policy {
        self.policy
    }

    async fn attempt(&self, attempt: &Attempt) -> Result<(), Failed> {
        (self.act)(attempt).await
    }
}

const POLICY: Policy = Policy {
    parallel: 2,
    attempt: Duration::from_secs(30),
    first_pause: Duration::from_millis(50),
    longest_pause: Duration::from_millis(200),
    give_up_after: SignedDuration::from_secs(60),
    most_waiting: 100,
    kept: 3,
};

/// A database, and a hub's jobs in it.
struct Scene {
    folder: TempDir,
    db: Db,
    connections: Tasks,
    jobs: Jobs,
    tasks: Tasks,
}

impl Scene {
    async fn start(act: Act) -> Self {
        Self::start_with(POLICY, act).await
    }

    async fn start_with(policy: Policy, act: Act) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare_cluster(folder.path());
        let connections = Tasks::new();
        let db = Db::start(&Config::default(), folder.path(), Events::new(Clock::new()), &connections).await.unwrap();
        let (jobs, tasks) = jobs(&db, policy, act);
        Self { folder, db, connections, jobs, tasks }
    }

    /// The same database under another hub, which does the jobs otherwise.
    async fn restart(mut self, act: Act) -> Self {
        assert!(self.tasks.stop(Duration::from_secs(10)).await);
        (self.jobs, self.tasks) = jobs(&self.db, POLICY, act);
        self
    }

    async fn stop(self) {
        assert!(self.tasks.stop(Duration::from_secs(10)).await);
        self.connections.stop(Duration::from_secs(10)).await;
        self.db.close(Duration::from_secs(20)).await;
        drop(self.folder);
    }

    async fn finished(&self, id: JobId) -> Job {
        let mut watch = self.jobs.watch(Some(id)).await.unwrap();
        let mut last = None;
        while let Some(job) = within(watch.next()).await {
            last = Some(job.unwrap());
        }
        let last = last.unwrap();
        assert!(last.finished.is_some(), "{last:?}");
        (*last).clone()
    }

    /// As its row says, once what waits is written.
    async fn row(&self, id: JobId) -> Option<Job> {
        let jobs = self.jobs.list(Filter::default(), 1000).await.unwrap();
        jobs.into_iter().find(|job| job.id == id)
    }
}

fn jobs(db: &Db, policy: Policy, act: Act) -> (Jobs, Tasks) {
    let (jobs, tasks) = (Jobs::new(db.clone(), Clock::new()), Tasks::new());
    jobs.register(Arc::new(Hands { act, policy }));
    jobs.run(&tasks);
    (jobs, tasks)
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("it takes less than half a minute")
}

fn wanted(lane: &str, input: serde_json::Value) -> Wanted {
    Wanted { kind: KIND, lane: lane.to_owned(), about: None, title: format!("work in {lane}"), input, priority: 0 }
}

fn outcome(job: &Job) -> Option<Outcome> {
    job.finished.map(|finished| finished.outcome)
}

/// Succeeds at once.
fn quick() -> Act {
    Arc::new(|_| Box::pin(async { Ok(()) }))
}

/// Never ends.
fn endless() -> Act {
    Arc::new(|_| Box::pin(std::future::pending()))
}

#[tokio::test]
async fn a_job_is_done_and_tells_how_far_it_is() {
    let act: Act = Arc::new(|attempt| {
        Box::pin(async move {
            attempt.progress(Progress { done: 3, total: 7, unit: "stones".to_owned() });
            Ok(())
        })
    });
    let scene = Scene::start(act).await;
    let job = scene.jobs.start(wanted("a", json!({ "n": 1 }))).await.unwrap();
    let done = scene.finished(job.id).await;
    assert_eq!((outcome(&done), done.attempts, &done.error), (Some(Outcome::Succeeded), 1, &None));
    let progress = Progress { done: 3, total: 7, unit: "stones".to_owned() };
    assert_eq!(done.progress, Some(progress));
    let row = scene.row(job.id).await.unwrap();
    assert_eq!((outcome(&row), &row.input, &row.progress), (outcome(&done), &json!({ "n": 1 }), &done.progress));
    assert_eq!(scene.jobs.unfinished(), []);
    assert!(matches!(scene.jobs.get(JobId(Uuid::now_v7())).await, Err(Error::NoSuchJob(_))));
    scene.stop().await;
}

#[tokio::test]
async fn a_failure_is_tried_again_and_a_refusal_is_not() {
    let act: Act = Arc::new(|attempt| {
        Box::pin(async move {
            match (attempt.job().input.as_str(), attempt.job().attempts) {
                (Some("refused"), _) => Err(Failed::forever("no such place")),
                (Some("broken"), 0) => panic!("a worker's own fault"),
                (_, 2..) => Ok(()),
                _ => Err(Failed::now("not yet")),
            }
        })
    });
    let scene = Scene::start(act).await;
    let again = scene.jobs.start(wanted("a", json!("again"))).await.unwrap();
    let refused = scene.jobs.start(wanted("b", json!("refused"))).await.unwrap();
    let broken = scene.jobs.start(wanted("c", json!("broken"))).await.unwrap();
    let again = scene.finished(again.id).await;
    assert_eq!((outcome(&again), again.attempts, again.error), (Some(Outcome::Succeeded), 3, None));
    let refused = scene.finished(refused.id).await;
    assert_eq!((outcome(&refused), refused.attempts), (Some(Outcome::Failed), 1));
    assert_eq!(refused.error.as_deref(), Some("no such place"));
    assert_eq!(outcome(&scene.finished(broken.id).await), Some(Outcome::Succeeded), "a panic is a failure");
    scene.stop().await;
}

#[tokio::test]
async fn what_a_hub_leaves_undone_the_next_one_does() {
    let scene = Scene::start(endless()).await;
    let runs = scene.jobs.start(wanted("a", json!(1))).await.unwrap();
    let waits = scene.jobs.start(wanted("a", json!(2))).await.unwrap();
    let told = scene.jobs.tell(wanted("b", json!(3)));
    let scene = scene.restart(quick()).await;
    for id in [runs.id, waits.id, told] {
        let done = scene.finished(id).await;
        assert_eq!((outcome(&done), done.attempts), (Some(Outcome::Succeeded), 1), "what was cut off is no attempt");
    }
    scene.stop().await;
}

#[tokio::test]
async fn a_row_that_somebody_else_writes_is_taken_as_soon_as_it_is_told_of() {
    let scene = Scene::start(quick()).await;
    let mut all = scene.jobs.watch(None).await.unwrap();
    let client = scene.db.client().await.unwrap();
    let id = JobId(Uuid::now_v7());
    let sql = "INSERT INTO jobs (id, kind, lane, title, input, created_at, next_attempt_at)
               VALUES ($1, $2, '', 'by hand', '{}', now(), now())";
    client.execute(sql, &[&id.0, &KIND]).await.unwrap();
    let taken = within(all.next()).await.unwrap().unwrap();
    assert_eq!((taken.id, taken.attempts, taken.is_running), (id, 0, false), "told before it is begun");
    let other = JobId(Uuid::now_v7());
    client.execute(sql, &[&other.0, &"unknown"]).await.unwrap();
    assert_eq!(outcome(&scene.finished(id).await), Some(Outcome::Succeeded));
    let left = scene.row(other).await.unwrap();
    assert_eq!((left.finished, left.attempts), (None, 0), "of a kind that nobody does");
    scene.stop().await;
}

#[tokio::test]
async fn a_cancelled_job_ends_where_it_stands_and_is_not_done_again() {
    let dropped = CancellationToken::new();
    let begun = Arc::new(Semaphore::new(0));
    let (told, begins) = (dropped.clone(), Arc::clone(&begun));
    let act: Act = Arc::new(move |_| {
        let (guard, begins) = (told.clone().drop_guard(), Arc::clone(&begins));
        Box::pin(async move {
            let _guard = guard;
            begins.add_permits(1);
            std::future::pending().await
        })
    });
    let scene = Scene::start(act).await;
    let running = scene.jobs.start(wanted("a", json!(1))).await.unwrap();
    let waiting = scene.jobs.start(wanted("a", json!(2))).await.unwrap();
    within(begun.acquire()).await.unwrap().forget();
    assert!(scene.jobs.get(running.id).await.unwrap().is_running);
    for id in [waiting.id, running.id] {
        assert_eq!(outcome(&scene.jobs.cancel(id).await.unwrap()), Some(Outcome::Cancelled));
        assert!(matches!(scene.jobs.cancel(id).await, Err(Error::Finished(_))));
    }
    within(dropped.cancelled()).await;
    let scene = scene.restart(quick()).await;
    let next = scene.jobs.start(wanted("a", json!(3))).await.unwrap();
    scene.finished(next.id).await;
    for id in [waiting.id, running.id] {
        assert_eq!(outcome(&scene.row(id).await.unwrap()), Some(Outcome::Cancelled));
    }
    scene.stop().await;
}

#[tokio::test]
async fn a_forgotten_lane_leaves_nothing_and_only_the_newest_finished_ones_are_kept() {
    let act: Act = Arc::new(|attempt| {
        let is_endless = attempt.job().lane == "endless";
        Box::pin(async move { if is_endless { std::future::pending().await } else { Ok(()) } })
    });
    let scene = Scene::start(act).await;
    let mut all = Vec::new();
    for n in 0..6 {
        let job = scene.jobs.start(wanted("a", json!(n))).await.unwrap();
        scene.finished(job.id).await;
        all.push(job.id);
    }
    let other = scene.jobs.start(wanted("b", json!(0))).await.unwrap();
    scene.finished(other.id).await;
    let listed = scene.jobs.list(Filter::default(), 100).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|job| job.id).collect();
    assert_eq!(ids, [other.id, all[5], all[4], all[3]], "three of each lane, the newest first");
    let waiting = scene.jobs.start(wanted("endless", json!(0))).await.unwrap();
    let mut watch = scene.jobs.watch(Some(waiting.id)).await.unwrap();
    scene.jobs.forget(KIND, "endless").await.unwrap();
    let mut last = None;
    while let Some(job) = within(watch.next()).await {
        last = Some(job.unwrap());
    }
    assert_eq!(last.and_then(|job| outcome(&job)), Some(Outcome::Cancelled), "who watches it is told");
    scene.jobs.forget(KIND, "a").await.unwrap();
    let listed = scene.jobs.list(Filter::default(), 100).await.unwrap();
    assert_eq!(listed.iter().map(|job| job.id).collect::<Vec<_>>(), [other.id]);
    scene.stop().await;
}

#[tokio::test]
async fn no_more_jobs_are_taken_than_may_wait() {
    let scene = Scene::start_with(Policy { most_waiting: 2, ..POLICY }, endless()).await;
    let first = scene.jobs.start(wanted("a", json!(1))).await.unwrap();
    let mut states = scene.jobs.watch(Some(first.id)).await.unwrap();
    while !within(states.next()).await.unwrap().unwrap().is_running {}
    let second = scene.jobs.start(wanted("a", json!(2))).await.unwrap();
    assert!(matches!(scene.jobs.start(wanted("b", json!(3))).await, Err(Error::TooMany(2))));
    let urgent = scene.jobs.tell(wanted("b", json!(4)));
    let unfinished: Vec<_> = scene.jobs.unfinished().iter().map(|job| job.id).collect();
    assert_eq!(unfinished, [urgent, first.id], "the oldest that waited was given up");
    let given_up = scene.row(second.id).await.unwrap();
    assert_eq!((outcome(&given_up), given_up.error.as_deref()), (Some(Outcome::Failed), Some("too many waited")));
    scene.stop().await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_has_failed() {
    let policy = Policy { attempt: Duration::from_millis(50), give_up_after: SignedDuration::ZERO, ..POLICY };
    let scene = Scene::start_with(policy, endless()).await;
    let job = scene.jobs.start(wanted("a", json!(1))).await.unwrap();
    let done = scene.finished(job.id).await;
    assert_eq!(outcome(&done), Some(Outcome::Failed));
    assert!(done.error.unwrap().contains("took more than"));
    scene.stop().await;
}

#[tokio::test]
async fn a_watcher_that_lags_gets_the_newest_state() {
    let go = Arc::new(Semaphore::new(0));
    let goes = Arc::clone(&go);
    let said = Arc::<Mutex<u64>>::default();
    let saying = Arc::clone(&said);
    let act: Act = Arc::new(move |attempt| {
        let (goes, saying) = (Arc::clone(&goes), Arc::clone(&saying));
        Box::pin(async move {
            goes.acquire().await.unwrap().forget();
            *saying.lock().unwrap() += 1;
            attempt.progress(Progress { done: 1, total: 1, unit: String::new() });
            Ok(())
        })
    });
    let scene = Scene::start_with(Policy { most_waiting: 1000, parallel: 50, ..POLICY }, act).await;
    let first = scene.jobs.start(wanted("first", json!(0))).await.unwrap();
    let mut all = scene.jobs.watch(None).await.unwrap();
    assert_eq!(within(all.next()).await.unwrap().unwrap().id, first.id);
    // More changes than a watcher may lag behind.
    go.add_permits(1000);
    scene.finished(first.id).await;
    for n in 0..150 {
        scene.jobs.tell(wanted(&format!("lane {n}"), json!(n)));
    }
    let last = scene.jobs.start(wanted("last", json!(0))).await.unwrap();
    scene.finished(last.id).await;
    let seen = async {
        loop {
            let job = all.next().await.unwrap().unwrap();
            if job.id == first.id && job.finished.is_some() {
                return;
            }
        }
    };
    within(seen).await;
    scene.stop().await;
}
