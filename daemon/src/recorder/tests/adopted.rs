//! Footage that has no rows.

use super::*;
use crate::{
    recorder::{
        index_file::{self, Indexed},
        made,
    },
    recordings::{Dated, Fragment, FragmentIndex, Run, RunId},
};

/// A day of a camera: 1440 files of a minute, whose bytes were never written, and what a run's folder says of them.
fn day(root: &Path, camera: CameraId, ordinal: i64) {
    let started_at = from_us(START) + Duration::from_secs(86_400) * u32::try_from(ordinal).unwrap();
    let ended_at = Some(started_at + Duration::from_secs(86_400));
    let run = Run {
        id: RunId(Uuid::now_v7()),
        camera,
        ordinal,
        first_sequence: ordinal * 43_200,
        started_at,
        ended_at,
        end_reason: Some(EndReason::Midnight),
        size: (640, 480),
        codec: "avc1.42C01E".into(),
        dated: Dated::default(),
    };
    let folder = root.join(run.folder());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("init.mp4"), made::init()).unwrap();
    run_file::create(&folder, &run, || Some(Vec::new())).unwrap();
    let mut fragments = FragmentIndex::default();
    for number in 0..30 {
        let (start, duration) = (Duration::from_secs(2) * number, Duration::from_secs(2));
        fragments.push(Fragment { start, duration, size: 40_000, crc32c: Some(number), ..Fragment::default() });
    }
    let mut segments = Vec::new();
    for minute in 0..1440u32 {
        let name = (started_at + Duration::from_secs(60) * minute).as_microsecond();
        std::fs::File::create(folder.join(format!("{name}.m4s"))).unwrap().set_len(fragments.size_bytes()).unwrap();
        segments.push((name, Indexed { first: minute * 30, fragments: fragments.clone() }));
    }
    let init = made::init();
    index_file::tests::write_all(&folder, &run_file::text(&folder, &run).unwrap(), &init, &segments);
}

/// Indexes alone are read, no media: nothing is in these files. A year of them with `LARDER_LONG=1`.
#[tokio::test(flavor = "multi_thread")]
async fn days_of_footage_are_adopted_by_their_indexes() {
    let bed = Bed::start().await;
    eventually("the folder is there", async || bed.recorder.status().trouble.is_none()).await;
    let days = if std::env::var_os("LARDER_LONG").is_some_and(|set| set == "1") { 365 } else { 3 };
    for ordinal in 0..days {
        day(&bed.root(), bed.camera, ordinal);
    }
    let held = bed.recorder.hold(vec![bed.camera]);
    let (done, count) = tokio::sync::watch::channel(0);
    let began = std::time::Instant::now();
    let footage = bed.recorder.footage(HashSet::new()).await.unwrap();
    assert_eq!(footage.cameras[0].recordings, u64::try_from(days).unwrap());
    bed.recorder.adopt(&[bed.camera], done).await.unwrap();
    println!("{days} days were adopted in {:?}", began.elapsed());
    drop(held);
    assert_eq!(*count.borrow(), u64::try_from(days).unwrap());
    let summaries = bed.bench.store.runs(Some(bed.camera), None, None, 1000).await.unwrap();
    assert_eq!(summaries.len(), usize::try_from(days).unwrap());
    assert!(summaries.iter().all(|run| run.segments == 1440 && run.fragments == 43_200));
    let newest = bed.bench.store.newest_segments(bed.camera, 1).await.unwrap();
    assert_eq!(newest[0].segment.fragments.fragments()[7].crc32c, Some(7));
    bed.end().await;
}
