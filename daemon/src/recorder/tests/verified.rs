//! What the night finds.

use jiff::tz::TimeZone;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_night_reads_each_file_once_and_tells_what_is_damaged() {
    let bed = Bed::start().await;
    let shared = Arc::clone(&bed.recorder.0.shared);
    eventually("the folder is there", async || bed.recorder.status().trouble.is_none()).await;
    let (_, folder) = recover::tests::interrupted_of(bed.camera, &bed.root(), 60);
    bed.want(Mode::Off);
    eventually("the run is adopted", async || bed.runs().await.first().is_some_and(|run| run.segments == 2)).await;
    let (_, path) = segments::files(&folder).unwrap().remove(1);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();

    let today = shared.clock.now().to_zoned(TimeZone::system()).date();
    let at = |hour| today.at(hour, 30, 0, 0).to_zoned(TimeZone::system()).unwrap().timestamp();
    assert_eq!(verify::scrub_one(&shared, at(12)).await.unwrap(), None, "by day");
    assert!(bed.recorder.status().trouble.is_none());
    for _ in 0..2 {
        assert!(verify::scrub_one(&shared, at(2)).await.unwrap().is_some());
    }
    assert_eq!(verify::scrub_one(&shared, at(2)).await.unwrap(), None, "everything was read");
    let trouble = bed.recorder.status().trouble.expect("it is told");
    assert_eq!((trouble.reason, trouble.detail.contains("one fragment in one file")), ("damaged", true));
    // A month later it is read again.
    let later = at(2) + jiff::SignedDuration::from_hours(31 * 24);
    assert!(verify::scrub_one(&shared, later).await.unwrap().is_some());
    bed.end().await;
}
