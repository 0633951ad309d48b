//! Limits and the floor.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn limits_take_the_oldest_leave_what_is_pinned_and_finish_what_was_interrupted() {
    let bed = Bed::start().await;
    eventually("the folder is there", async || bed.recorder.status().trouble.is_none()).await;
    // Four minutes: four segments of thirty fragments.
    let (run, folder) = recover::tests::interrupted_of(bed.camera, &bed.root(), 120);
    bed.want(Mode::Off);
    let store = &bed.bench.store;
    eventually("the run is adopted", async || bed.runs().await.first().is_some_and(|run| run.segments == 4)).await;
    assert_eq!(bed.runs().await[0].run.end_reason, Some(EndReason::HubDown));
    let shared = &bed.recorder.0.shared;
    let upkeep = shared.upkeep.lock().await;
    let all = store.bytes(None).await.unwrap();
    let wanted =
        |max_age, max_bytes| [Wanted { camera: bed.camera, name: String::new(), mode: Mode::Off, max_age, max_bytes }];

    store.pin(bed.camera, &(run.started_at..run.started_at + Duration::from_secs(10)), "").await.unwrap();
    let limits = wanted(None, Some(all - 1));
    let deleted = retention::limits(shared, &limits, &bed.clock, false).await.unwrap();
    assert_eq!((deleted.segments, deleted.bytes), (1, all / 4));
    let left = |folder: &Path| segments::files(folder).unwrap().into_iter().map(|(at, _)| at).collect::<Vec<_>>();
    let minute = |at: u64| run.started_at + Duration::from_secs(60 * at);
    assert_eq!(left(&folder), [minute(0), minute(2), minute(3)]);

    // A deletion that ended after the row was marked.
    let third = store.segment(run.id, minute(2)).await.unwrap().unwrap().0;
    assert_eq!(store.mark_deleting(&[third.id]).await.unwrap().len(), 1);
    retention::interrupted(shared).await.unwrap();
    assert_eq!(left(&folder), [minute(0), minute(3)]);

    // Age counts only when the clock is believed; a pin holds in any case.
    let old = wanted(Some(Duration::from_secs(1)), None);
    assert_eq!(retention::limits(shared, &old, &bed.clock, false).await.unwrap(), Deleted::default());
    assert_eq!(retention::limits(shared, &old, &bed.clock, true).await.unwrap().segments, 1);
    assert_eq!(left(&folder), [minute(0)]);
    let pins = store.pins(bed.camera, &(minute(0)..minute(1))).await.unwrap();
    assert!(store.unpin(pins[0].id).await.unwrap().is_some());
    assert_eq!(retention::limits(shared, &old, &bed.clock, true).await.unwrap().segments, 1);
    assert!(!folder.exists());
    let ordinals = Ordinals::read(&shared.camera_folder(bed.camera)).unwrap();
    assert_eq!((ordinals.next_run, ordinals.next_sequence), (5, 1120));
    drop(upkeep);
    bed.end().await;
}

/// A file system that says how much is free, or nothing.
#[derive(Clone)]
struct Gauge(Arc<Mutex<Option<u64>>>);

impl Gauge {
    fn set(&self, free_bytes: Option<u64>) {
        *self.0.lock().unwrap() = free_bytes;
    }

    fn probe(&self) -> disk::Probe {
        let free = Arc::clone(&self.0);
        Box::new(move |_| {
            let free_bytes = free.lock().unwrap().ok_or(std::io::ErrorKind::NotConnected)?;
            Ok(Space { total_bytes: 1 << 40, free_bytes, ..Space::default() })
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_floor_old_recordings_go_then_recording_stops_until_there_is_room() {
    let mut bed = Bed::start().await;
    assert!(bed.recorder.close(Duration::from_secs(10)).await);
    let config = Config { ffmpeg: bed.state.path().join("ffmpeg"), free_mib: 100, ..Config::default() };
    let floor = config.floor_bytes();
    let gauge = Gauge(Arc::new(Mutex::new(Some(floor))));
    let deps = deps(&bed.bench.store, &bed.hub, &bed.clock, &bed.tasks, bed.state.path());
    bed.recorder = Recorder::start_with(&config, deps, gauge.probe());
    eventually("the floor itself is room enough", async || bed.recorder.status().trouble.is_none()).await;
    let (run, folder) = recover::tests::interrupted_of(bed.camera, &bed.root(), 120);
    bed.want(Mode::Off);
    eventually("the run is adopted", async || bed.runs().await.first().is_some_and(|run| run.segments == 4)).await;
    let left = |folder: &Path| segments::files(folder).unwrap().len();
    let shared = Arc::clone(&bed.recorder.0.shared);

    // Nobody knows how full it is: nothing is deleted, and nothing is begun.
    gauge.set(None);
    shared.make_room.notify_one();
    eventually("recording stops", async || bed.recorder.status().trouble.is_some()).await;
    assert!(!shared.has_room().await);
    assert_eq!(left(&folder), 4);

    let first_minute = run.started_at..run.started_at + Duration::from_secs(10);
    bed.bench.store.pin(bed.camera, &first_minute, "").await.unwrap();
    gauge.set(Some(floor - 1));
    shared.make_room.notify_one();
    eventually("all but what is pinned is gone", async || left(&folder) == 1).await;
    let status = bed.recorder.status();
    assert_eq!(status.trouble.as_ref().map(|trouble| trouble.reason), Some("disk_full"));
    bed.want(Mode::Continuous);
    bed.send(START, false);
    eventually("the gap has its reason", async || {
        let gap = bed.bench.store.gap_open(bed.camera).await.unwrap();
        gap.is_some_and(|gap| gap.reason == GapReason::DiskFull)
    })
    .await;

    gauge.set(Some(floor));
    shared.make_room.notify_one();
    eventually("there is room", async || bed.recorder.status().trouble.is_none()).await;
    bed.begin(START + 1_000_000).await;
    bed.end().await;
}
