//! Runs, their times and their ends.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn irregular_pictures_keep_their_times_and_seven_silent_seconds_are_a_gap() {
    let mut bed = Bed::start().await;
    bed.want(Mode::Continuous);
    let mut us = bed.begin(START).await;
    for at in 0..70 {
        bed.send(us, false);
        us += 31_700 + (at * 7919) % 613_000;
    }
    let last_before = *bed.sent.last().unwrap();
    us = last_before + 7_000_000;
    let before = bed.sent.len();
    for _ in 0..30 {
        bed.send(us, false);
        us += 333_333;
    }
    bed.fragments_of_the_newest(1, 4).await;
    bed.stop_recording().await;

    let runs = bed.runs().await;
    let [first, second] = &runs[..] else { panic!("{runs:?}") };
    let started = bed.sent.iter().position(|us| *us == first.run.started_at.as_microsecond()).expect("a sent time");
    assert_times(&bed.presented(first), &bed.sent[started..before]);
    assert_times(&bed.presented(second), &bed.sent[before..]);
    assert_eq!((first.run.ordinal, second.run.ordinal), (0, 1));
    assert_eq!(second.run.first_sequence, i64::try_from(first.fragments).unwrap());
    assert_eq!(first.run.end_reason, Some(EndReason::Stalled));
    assert_eq!(second.run.end_reason, Some(EndReason::Stopped));
    assert!(first.fragments >= 8, "a fragment about every two seconds: {first:?}");
    let ended = first.run.ended_at.unwrap();
    assert!(ended.as_microsecond() > last_before && ended.as_microsecond() - last_before < 700_000);
    let gaps = bed.gaps(ended..second.run.started_at).await;
    assert!(gaps.contains(&(ended, Some(second.run.started_at), GapReason::Stalled)), "{gaps:?}");
    for run in &runs {
        let files = segments::files(&bed.root().join(run.run.folder())).unwrap();
        let bytes: u64 = files.iter().map(|(_, path)| std::fs::metadata(path).unwrap().len()).sum();
        assert_eq!((run.size_bytes, run.segments), (bytes, u64::try_from(files.len()).unwrap()));
    }
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_size_begins_another_run_at_once_and_a_restart_goes_on() {
    let mut bed = Bed::start().await;
    bed.want(Mode::Continuous);
    let mut us = bed.begin(START).await;
    for _ in 0..30 {
        bed.send(us, false);
        us += 100_000;
    }
    let change = bed.sent.len();
    for _ in 0..30 {
        bed.send(us, true);
        us += 100_000;
    }
    bed.fragments_of_the_newest(1, 1).await;
    bed.restart().await;
    bed.want(Mode::Continuous);
    us = bed.begin(us + 3_000_000).await;
    bed.send(us, false);
    bed.stop_recording().await;

    let runs = bed.runs().await;
    let [small, large, after] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!((small.run.size, large.run.size), ((320, 240), (640, 480)));
    assert_eq!(small.run.end_reason, Some(EndReason::SizeChanged));
    assert_eq!(large.run.started_at, from_us(bed.sent[change]));
    assert_times(&bed.presented(large), &bed.sent[change..change + 30]);
    assert_eq!(bed.gaps(small.run.ended_at.unwrap()..large.run.started_at).await, []);
    assert_eq!(large.run.end_reason, Some(EndReason::HubStopped));
    assert_eq!(after.run.ordinal, 2);
    assert_eq!(after.run.first_sequence, i64::try_from(small.fragments + large.fragments).unwrap());
    let ended = large.run.ended_at.unwrap();
    let gaps = bed.gaps(ended..after.run.started_at).await;
    assert!(gaps.contains(&(ended, Some(after.run.started_at), GapReason::HubDown)), "{gaps:?}");
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_encoder_costs_its_open_fragment_and_leaves_a_gap() {
    let mut bed = Bed::start().await;
    bed.want(Mode::Continuous);
    let mut us = bed.begin(START).await;
    for _ in 0..60 {
        bed.send(us, false);
        us += 100_000;
    }
    bed.fragments_of_the_newest(0, 2).await;
    kill(&bed.state.path().join("ffmpeg"));
    us = bed.begin_again(us).await;
    bed.send(us, false);
    bed.stop_recording().await;

    let runs = bed.runs().await;
    let [killed, after] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!(killed.run.end_reason, Some(EndReason::EncoderFailed));
    assert!(killed.fragments >= 2);
    let ended = killed.run.ended_at.unwrap();
    let gaps = bed.gaps(ended..after.run.started_at).await;
    assert!(gaps.contains(&(ended, Some(after.run.started_at), GapReason::EncoderFailed)), "{gaps:?}");
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn manual_recording_is_on_disk_when_stop_answers() {
    let mut bed = Bed::start().await;
    bed.want(Mode::Manual);
    assert!(matches!(bed.recorder.start_manual(CameraId::random()), Err(ManualError::NoSuchCamera(_))));
    bed.recorder.start_manual(bed.camera).unwrap();
    let us = bed.begin(START).await;
    bed.send(us, false);
    bed.recorder.stop_manual(bed.camera).await.unwrap();
    let runs = bed.runs().await;
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].fragments, runs[0].run.end_reason), (1, Some(EndReason::Stopped)));
    bed.want(Mode::Continuous);
    assert!(matches!(bed.recorder.start_manual(bed.camera), Err(ManualError::NotManual)));
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_without_a_database_is_written_down_when_it_is_there() {
    let mut bed = Bed::start().await;
    let other = Bench::start().await;
    let insert = "INSERT INTO cameras (id, name, sealed_key, width, height, quality, active_fps, idle_fps,
                                       recording_mode) VALUES ($1, 'fridge', '', 640, 480, 12, 10, 1, 'continuous')";
    other.db.client().await.unwrap().execute(insert, &[&bed.camera.0]).await.unwrap();
    bed.bench.db.close(Duration::from_secs(20)).await;
    bed.want(Mode::Continuous);
    let mut us = bed.begin(START).await;
    for _ in 0..25 {
        bed.send(us, false);
        us += 100_000;
    }
    bed.send(us + 9_000_000, false);
    let folder = bed.root().join(bed.camera.to_string());
    eventually("the second run is on disk", async || {
        recover::runs(&folder, false).is_ok_and(|runs| runs.known.len() == 2)
    })
    .await;
    assert!(bed.recorder.close(Duration::from_secs(20)).await);

    bed.bench.store = other.store.clone();
    let (hub, database) = other.store.owner();
    assert!(take_over(&bed.root(), hub, database.unwrap()).unwrap());
    bed.recorder = start(&bed.bench.store, &bed.hub, &bed.clock, &bed.tasks, bed.state.path());
    bed.want(Mode::Continuous);
    let (store, camera) = (other.store.clone(), bed.camera);
    eventually("both runs are adopted", async || {
        store.runs(Some(camera), None, None, 10).await.unwrap().iter().filter(|run| run.run.ended_at.is_some()).count()
            == 2
    })
    .await;
    let runs = bed.runs().await;
    assert_eq!(runs[0].run.end_reason, Some(EndReason::Stalled));
    assert_eq!(runs[1].run.first_sequence, i64::try_from(runs[0].fragments).unwrap());
    let files = segments::files(&bed.root().join(runs[0].run.folder())).unwrap();
    assert_eq!(runs[0].size_bytes, std::fs::metadata(&files[0].1).unwrap().len());
    let (ended, next) = (runs[0].run.ended_at.unwrap(), runs[1].run.started_at);
    assert!(bed.gaps(ended..next).await.contains(&(ended, Some(next), GapReason::Stalled)));
    bed.end().await;
    other.stop().await;
}
