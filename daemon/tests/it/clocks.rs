//! A hub on a machine without a clock of its own: what it records keeps its order, and gets its date when the clock is set.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use larder_daemon::clock::{BootMoment, Clock, Machine};
use larder_proto::{pb, wire::CameraId};
use tokio::time::Instant;
use uuid::Uuid;

use crate::support::{Hub, simulated, until};

const YEAR_US: i64 = 366 * 86_400 * 1_000_000;

/// A machine that was just switched on.
struct Board {
    boot: Uuid,
    began: Instant,
    /// What its wall clock says more than how long it is on.
    wall_us: Arc<AtomicI64>,
}

impl Board {
    /// In 1970.
    fn switched_on() -> Self {
        Self { boot: Uuid::new_v4(), began: Instant::now(), wall_us: Arc::default() }
    }

    fn clock(&self) -> Clock {
        let (boot, began, wall_us) = (self.boot, self.began, Arc::clone(&self.wall_us));
        let on_us = move || i64::try_from(began.elapsed().as_micros()).unwrap();
        let wall = move || u64::try_from(wall_us.load(Ordering::Relaxed) + on_us()).unwrap();
        Clock::of(Machine {
            wall: Box::new(move || SystemTime::UNIX_EPOCH + Duration::from_micros(wall())),
            boot: Box::new(move || Some(BootMoment { id: boot, us: on_us() })),
            is_synchronised: Box::new(|| true),
        })
    }

    /// Sets its clock, so much ahead of what is true.
    fn set(&self, ahead_us: i64) {
        let on_us = i64::try_from(self.began.elapsed().as_micros()).unwrap();
        self.wall_us.store(Timestamp::now().as_microsecond() + ahead_us - on_us, Ordering::Relaxed);
    }
}

fn seconds(at: Option<prost_types::Timestamp>) -> i64 {
    at.unwrap().seconds
}

/// Waits until there are so many recordings, in the order of the list, and the newest has a fragment on disk.
async fn recorded(hub: &Hub, camera: CameraId, count: usize) -> Vec<pb::Recording> {
    until("a recording", || async {
        let all = hub.clients.recordings_of(camera).await;
        (all.len() >= count && all.iter().all(|recording| recording.fragments > 0)).then_some(all)
    })
    .await
}

/// Lets a camera send pictures until so many recordings are there.
async fn record(hub: &Hub, camera: CameraId, key: [u8; 32], count: usize) -> Vec<pb::Recording> {
    let (stop, sending) = simulated(hub, camera, key, |_| {});
    let all = recorded(hub, camera, count).await;
    stop.cancel();
    sending.await.unwrap();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hub_records_in_1970_keeps_its_order_and_gets_its_date_when_the_clock_is_set() {
    let first = Board::switched_on();
    first.set(0);
    let hub = Hub::start_on(first.clock()).await;
    let (camera, key) = hub.add_named("fridge").await;
    record(&hub, camera, key, 1).await;

    // Switched off and on twice, without a network; only the second time the clock is set at last.
    let second = Board::switched_on();
    let hub = hub.restart_on(second.clock()).await;
    record(&hub, camera, key, 2).await;
    let third = Board::switched_on();
    let began = Timestamp::now().as_second();
    let hub = hub.restart_on(third.clock()).await;
    let (stop, sending) = simulated(&hub, camera, key, |_| {});
    let all = recorded(&hub, camera, 3).await;
    assert!(all[1].date_unknown && all[2].date_unknown, "{all:?}");
    assert!(seconds(all[2].started_at) < 1000, "as its clock says: {all:?}");
    third.set(0);
    let all = until("the clock to be set", || async {
        let all = recorded(&hub, camera, 4).await;
        (!all[2].date_unknown).then_some(all)
    })
    .await;
    assert_eq!(all.iter().map(|one| one.date_unknown).collect::<Vec<_>>(), [false, true, false, false], "{all:?}");
    let now = Timestamp::now().as_second();
    assert!((began..=now).contains(&seconds(all[2].started_at)), "{began} {now} {all:?}");
    assert!(seconds(all[2].ended_at) <= seconds(all[3].started_at), "{all:?}");
    let undated = all[1].id.clone();

    plays(&hub, camera, &all[2]).await;
    // What was not recorded while the hub was off, though one of the runs in between has no date.
    let gaps = hub.clients.gaps_of(camera).await;
    let hole = seconds(all[0].ended_at)..seconds(all[2].started_at);
    let covered: i64 = gaps
        .iter()
        .filter(|gap| gap.reason() == pb::GapReason::HubDown && gap.ended_at.is_some())
        .map(|gap| seconds(gap.ended_at).min(hole.end) - seconds(gap.started_at).max(hole.start))
        .sum();
    assert!(covered >= hole.end - hole.start - 1, "{hole:?} {gaps:?}");

    // Somebody sets the clock a year ahead, and back.
    third.set(YEAR_US);
    recorded(&hub, camera, 5).await;
    third.set(0);
    let all = recorded(&hub, camera, 6).await;
    stop.cancel();
    sending.await.unwrap();
    let hub = hub.restart_on(third.clock()).await;
    let left = hub.clients.recordings_of(camera).await;
    let ids = |all: &[pb::Recording]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&left), ids(&all));
    assert_eq!(left[1].id, undated, "what has no date stays where it was made: {left:?}");
    assert!(left[1].date_unknown, "{left:?}");
    until("the status to name what is dated ahead", || async {
        let request = pb::GetStatusRequest::default();
        let status = hub.clients.system.clone().get_status(request).await.unwrap().into_inner();
        format!("{status:?}").contains("dated ahead").then_some(())
    })
    .await;
    hub.stop().await;
}

/// The recording's files are found, though they have the names of another time.
async fn plays(hub: &Hub, camera: CameraId, recording: &pb::Recording) {
    let range = pb::TimeRange { from: recording.started_at, to: recording.ended_at };
    assert!(!hub.clients.media(hub.http(), &camera.to_string(), Some(range)).await.is_empty());
}
