//! Disks, cameras and tasks that go away.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_goes_away_during_a_sweep_costs_no_rows() {
    let bed = Bed::start().await;
    eventually("the folder is there", async || bed.recorder.status().trouble.is_none()).await;
    recover::tests::interrupted_of(bed.camera, &bed.root(), 40);
    bed.want(Mode::Off);
    eventually("the run is adopted", async || bed.runs().await.first().is_some_and(|run| run.segments == 2)).await;
    let shared = &bed.recorder.0.shared;
    let upkeep = shared.upkeep.lock().await;
    std::fs::rename(bed.root(), bed.state.path().join("away")).unwrap();
    std::fs::create_dir(bed.root()).unwrap();
    let swept = sweep::Sweep::new(bed.state.path().to_owned()).run(shared).await;
    assert!(matches!(swept, Err(sweep::SweepError::Away(_))), "{swept:?}");
    assert_eq!(bed.runs().await[0].segments, 2);
    drop(upkeep);
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_look_at_a_new_folder_at_once_make_one_marker() {
    let bed = Bed::start().await;
    eventually("the folder is there", async || bed.recorder.status().trouble.is_none()).await;
    for _ in 0..20 {
        let upkeep = bed.recorder.0.shared.upkeep.lock().await;
        std::fs::remove_dir_all(bed.root()).unwrap();
        std::fs::remove_file(bed.state.path().join("recordings.id")).unwrap();
        let looks = (0..16).map(|_| bed.recorder.room());
        let looked = futures_util::future::join_all(looks).await;
        assert!(looked.iter().all(Result::is_ok), "{looked:?}");
        drop(upkeep);
    }
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_cannot_be_swept_keeps_no_other_from_it() {
    let bed = Bed::start().await;
    let other = bed.bench.camera("larder").await;
    eventually("rows to speak of the folder", async || bed.bench.store.expect_folder().is_ok()).await;
    // Its ordinal is another run's, so that it can have no row.
    recover::tests::interrupted_of(bed.camera, &bed.root(), 1);
    let stranger = crate::recordings::testing::run(bed.camera, 4, 0, 0);
    bed.bench.store.insert_run(&stranger).await.unwrap();
    recover::tests::interrupted_of(other, &bed.root(), 1);
    let wanted = |camera| Wanted { camera, name: String::new(), mode: Mode::Off, max_age: None, max_bytes: None };
    bed.recorder.set_wanted(vec![wanted(bed.camera)]);
    let shared = &bed.recorder.0.shared;
    eventually("the first is swept first", async || shared.recovered_cameras() == [bed.camera]).await;
    bed.recorder.set_wanted(vec![wanted(bed.camera), wanted(other)]);
    eventually("the second is adopted", async || {
        bed.bench.store.runs(Some(other), None, None, 10).await.unwrap().len() == 1
    })
    .await;
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_being_removed_is_not_recorded_again_while_it_is_still_named() {
    let bed = Bed::start().await;
    bed.want(Mode::Continuous);
    let removal = bed.recorder.remove_camera(bed.camera).await.unwrap();
    bed.want(Mode::Continuous);
    assert!(bed.recorder.cameras().tasks.is_empty());
    // Its row could not be deleted: it is still there, and recorded.
    drop(removal);
    assert!(bed.recorder.cameras().tasks.contains_key(&bed.camera));
    bed.recorder.remove_camera(bed.camera).await.unwrap().confirm();
    bed.want(Mode::Continuous);
    assert!(bed.recorder.cameras().tasks.is_empty());
    bed.recorder.set_wanted(Vec::new());
    bed.want(Mode::Continuous);
    assert!(bed.recorder.cameras().tasks.contains_key(&bed.camera));
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_hides_nothing_that_was_recorded_after_it() {
    let bed = Bed::start().await;
    eventually("the folder is there", async || bed.recorder.status().trouble.is_none()).await;
    let (broken, folder) = recover::tests::interrupted_of(bed.camera, &bed.root(), 1);
    // Reading a folder as a file is an error of the disk as any other.
    std::fs::create_dir(folder.join("1790000000000000.m4s")).unwrap();
    let (mut later, later_folder) = recover::tests::interrupted_of(bed.camera, &bed.root(), 1);
    later.ordinal = broken.ordinal + 1;
    run_file::keep(&later_folder, &later).unwrap();
    bed.want(Mode::Off);
    eventually("the later one is adopted", async || bed.runs().await.iter().any(|run| run.run.id == later.id)).await;
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_collector_died_is_ended_and_its_counts_are_not_used_again() {
    let mut bed = Bed::start().await;
    assert!(bed.recorder.close(Duration::from_secs(10)).await);
    let deps = deps(&bed.bench.store, &bed.hub, &bed.clock, &bed.tasks, bed.state.path());
    let config = Config { ffmpeg: bed.state.path().join("ffmpeg"), free_mib: 0, ..Config::default() };
    // Dies in the very place where the collector asks for room for the second segment.
    let deadly = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let dies = Arc::clone(&deadly);
    let probe: disk::Probe = Box::new(move |_| {
        let now = dies.swap(false, std::sync::atomic::Ordering::SeqCst);
        assert!(!now, "the collector dies");
        Ok(Space { total_bytes: 1 << 40, free_bytes: 1 << 40, ..Space::default() })
    });
    bed.recorder = Recorder::start_with(&config, deps, probe);
    bed.want(Mode::Continuous);
    let mut us = bed.begin(START).await;
    for _ in 0..40 {
        bed.send(us, false);
        us += 100_000;
    }
    bed.fragments_of_the_newest(0, 2).await;
    // Nobody else asks meanwhile.
    let shared = Arc::clone(&bed.recorder.0.shared);
    let upkeep = shared.upkeep.lock().await;
    deadly.store(true, std::sync::atomic::Ordering::SeqCst);
    for _ in 0..620 {
        bed.send(us, false);
        us += 100_000;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(upkeep);
    eventually("it is ended", async || {
        bed.runs().await.first().is_some_and(|run| run.run.end_reason == Some(EndReason::EncoderFailed))
    })
    .await;
    let first = bed.runs().await[0].clone();
    for _ in 0..1_000 {
        bed.send(us, false);
        us += 100_000;
        tokio::time::sleep(Duration::from_millis(20)).await;
        if bed.runs().await.len() == 2 {
            break;
        }
    }
    let second = bed.runs().await[1].run.clone();
    assert_eq!(second.ordinal, first.run.ordinal + 1);
    assert_eq!(second.first_sequence, first.run.first_sequence + i64::try_from(first.fragments).unwrap());
    bed.end().await;
}
