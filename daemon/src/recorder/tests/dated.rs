//! What a wrong clock leaves keeps its order.

use super::*;
use crate::clock::BootMoment;

#[tokio::test(flavor = "multi_thread")]
async fn bytes_take_what_was_made_first_and_age_leaves_what_has_no_date() {
    let bed = Bed::start().await;
    eventually("the folder is there", async || bed.recorder.status().trouble.is_none()).await;
    // Two minutes of a clock that was right, then two of another boot in 1970.
    let (first, folder) = recover::tests::interrupted_of(bed.camera, &bed.root(), 60);
    let boot = BootMoment { id: Uuid::from_u128(1), us: 40_000_000 };
    let (_, undated) = dating::tests::made(&bed.root(), (bed.camera, 5, 1060), 60, boot);
    bed.want(Mode::Off);
    let adopted = async || bed.runs().await.iter().map(|run| run.segments).collect::<Vec<_>>() == [2, 2];
    eventually("both runs are adopted", adopted).await;
    let store = &bed.bench.store;
    let listed = store.runs(None, None, None, 9).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|run| (run.run.ordinal, run.run.dated.is_known)).collect();
    assert_eq!(listed, [(5, false), (4, true)]);

    let shared = &bed.recorder.0.shared;
    let upkeep = shared.upkeep.lock().await;
    let all = store.bytes(None).await.unwrap();
    let wanted =
        |max_age, max_bytes| [Wanted { camera: bed.camera, name: String::new(), mode: Mode::Off, max_age, max_bytes }];
    let left = |folder: &Path| segments::files(folder).unwrap().len();
    let limits = wanted(None, Some(all - 1));
    assert_eq!(retention::limits(shared, &limits, &bed.clock, true).await.unwrap().segments, 1);
    assert_eq!((left(&folder), left(&undated)), (1, 2), "the oldest by its making");
    let old = wanted(Some(Duration::from_secs(1)), None);
    assert_eq!(retention::limits(shared, &old, &bed.clock, true).await.unwrap().segments, 1);
    assert!(!folder.exists(), "{first:?}");
    assert_eq!(left(&undated), 2, "it has no age");
    let none = wanted(None, Some(0));
    assert_eq!(retention::limits(shared, &none, &bed.clock, true).await.unwrap().segments, 2);
    assert!(!undated.exists());
    drop(upkeep);
    bed.end().await;
}
