//! Pins in the runs' files, and rows that follow what was deleted without them.

use super::*;

/// An adopted run of four minutes.
async fn adopted(bed: &Bed) -> (crate::recordings::Run, std::path::PathBuf) {
    eventually("the folder is there", async || bed.recorder.status().trouble.is_none()).await;
    let made = recover::tests::interrupted_of(bed.camera, &bed.root(), 120);
    bed.want(Mode::Off);
    eventually("the run is adopted", async || bed.runs().await.first().is_some_and(|run| run.segments == 4)).await;
    made
}

fn pins_in(folder: &Path) -> Option<Vec<Range<Timestamp>>> {
    run_file::read(folder).unwrap().unwrap().1.pins
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_stands_in_its_runs_file_or_is_refused() {
    let bed = Bed::start().await;
    let (run, folder) = adopted(&bed).await;
    eventually("its pins are known", async || pins_in(&folder) == Some(Vec::new())).await;
    let seconds =
        |from: u64, to: u64| run.started_at + Duration::from_secs(from)..run.started_at + Duration::from_secs(to);
    let pin = bed.recorder.pin(bed.camera, seconds(10, 20), "milk").await.unwrap();
    bed.recorder.pin(bed.camera, seconds(1000, 1010), "of another run").await.unwrap();
    assert_eq!(pins_in(&folder), Some(vec![seconds(10, 20)]));

    // A folder in the way of the file that is written beside it.
    let obstacle = folder.join("run.part");
    std::fs::create_dir(&obstacle).unwrap();
    let refused = bed.recorder.pin(bed.camera, seconds(30, 40), "cheese").await.unwrap_err();
    assert!(matches!(refused, PinFailed::Disk(_)), "{refused:?}");
    assert_eq!(bed.bench.store.pins_of(bed.camera).await.unwrap(), [seconds(10, 20), seconds(1000, 1010)]);
    std::fs::remove_dir(obstacle).unwrap();
    assert!(bed.recorder.unpin(pin.id).await.unwrap() && !bed.recorder.unpin(pin.id).await.unwrap());
    assert_eq!(pins_in(&folder), Some(Vec::new()));

    // Its hub died between the row and the file.
    bed.bench.store.pin(bed.camera, &seconds(50, 60), "").await.unwrap();
    bed.recorder.0.shared.sweep.notify_one();
    eventually("the sweep writes it", async || pins_in(&folder) == Some(vec![seconds(50, 60)])).await;
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_begins_knows_the_pins_that_reach_into_it() {
    let mut bed = Bed::start().await;
    bed.want(Mode::Continuous);
    let shared = Arc::clone(&bed.recorder.0.shared);
    eventually("pins are known", async || shared.pins.of_run(bed.camera, from_us(START)).is_some()).await;
    let later = from_us(START + 3_600_000_000)..from_us(START + 7_200_000_000);
    bed.recorder.pin(bed.camera, later.clone(), "").await.unwrap();
    bed.begin(START).await;
    bed.fragments_of_the_newest(0, 1).await;
    assert_eq!(pins_in(&bed.root().join(bed.runs().await[0].run.folder())), Some(vec![later]));
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_follow_files_that_made_room_and_a_gap_says_so() {
    let bed = Bed::start().await;
    let (run, folder) = adopted(&bed).await;
    let shared = Arc::clone(&bed.recorder.0.shared);
    let go = |folder: &Path, count| {
        for (start, path) in segments::files(folder).unwrap().into_iter().take(count) {
            std::fs::remove_file(path).unwrap();
            run_file::change(folder, |_, notes| notes.deleted.push(start..start + Duration::from_secs(60))).unwrap();
        }
    };
    let sweep = async || {
        let _upkeep = shared.upkeep.lock().await;
        sweep::Sweep::new(bed.state.path().to_owned()).run(&shared).await.unwrap();
    };
    go(&folder, 1);
    sweep().await;
    assert_eq!(bed.runs().await[0].segments, 3);

    // The rest, and all of a run that never had a row.
    go(&folder, 3);
    let (mut unseen, unseen_folder) = recover::tests::interrupted_of(bed.camera, &bed.root(), 30);
    unseen.ordinal = run.ordinal + 1;
    unseen.ended_at = Some(unseen.started_at + Duration::from_secs(60));
    unseen.end_reason = Some(EndReason::Stalled);
    run_file::keep(&unseen_folder, &unseen).unwrap();
    go(&unseen_folder, 1);
    sweep().await;
    assert!(bed.runs().await.is_empty());
    assert!(!folder.exists() && !unseen_folder.exists());
    let gaps = bed.gaps(run.started_at..run.started_at + Duration::from_secs(240)).await;
    assert!(gaps.iter().any(|(_, _, reason)| *reason == GapReason::Deleted), "{gaps:?}");
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_being_deleted_when_its_rows_were_lost_does_not_come_back() {
    let bed = Bed::start().await;
    let (run, folder) = adopted(&bed).await;
    eventually("its pins are known", async || pins_in(&folder) == Some(Vec::new())).await;
    let minute = |n: u64| run.started_at + Duration::from_secs(60 * n);
    bed.recorder.pin(bed.camera, minute(1)..minute(2), "").await.unwrap();
    // Two were marked and noted, one of them was pinned since; then the database was lost.
    run_file::change(&folder, |_, notes| notes.delete(minute(0)..minute(2))).unwrap();
    let rows = bed.bench.store.segments_known(run.id).await.unwrap();
    bed.bench.store.remove_segments(&[rows[0].id, rows[1].id]).await.unwrap();
    let shared = Arc::clone(&bed.recorder.0.shared);
    let upkeep = shared.upkeep.lock().await;
    let looked = tokio::sync::watch::Sender::new(0);
    let mut sweep = sweep::Sweep::new(bed.state.path().to_owned());
    sweep.adopt_all(&shared, bed.camera, &looked).await.unwrap();
    drop(upkeep);
    let left: Vec<_> = segments::files(&folder).unwrap().into_iter().map(|(start, _)| start).collect();
    assert_eq!(left, [minute(1), minute(2), minute(3)]);
    assert_eq!(bed.runs().await[0].segments, 3, "what is pinned is listed again");

    // And what is deleted with its rows says so beside them.
    let rows = bed.bench.store.segments_known(run.id).await.unwrap();
    let free = rows.iter().find(|row| row.started_at == minute(2)).unwrap();
    bed.recorder.delete(&[free.id]).await.unwrap();
    let (_, notes) = run_file::read(&folder).unwrap().unwrap();
    assert!(notes.is_deleted(minute(2)) && !notes.is_deleted(minute(3)));
    bed.end().await;
}
