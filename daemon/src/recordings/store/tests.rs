//! The SQL against a real PostgreSQL.

use jiff::SignedDuration;

use super::*;
use crate::recordings::Deletion;
use crate::recordings::testing::{Bench, at, ended, run, segment};

#[tokio::test]
async fn a_run_is_written_down_as_it_goes_and_counts_go_on_behind_it() {
    let bench = Bench::start().await;
    let (store, camera) = (&bench.store, bench.camera("fridge").await);
    assert_eq!(store.next_ordinals(camera).await.unwrap(), Ordinals::default());

    let first = run(camera, 0, 0, 0);
    store.insert_run(&first).await.unwrap();
    store.insert_run(&first).await.unwrap();
    assert_eq!(store.open_runs().await.unwrap(), std::slice::from_ref(&first));

    let open = Segment { closed: false, ..segment(&first, 0, 0, 1) };
    store.upsert_segment(&open).await.unwrap();
    store.upsert_segment(&Segment { closed: false, ..segment(&first, 0, 0, 2) }).await.unwrap();
    let played = store.newest_segments(camera, 10).await.unwrap();
    assert_eq!(played, [Played { run: first.clone(), segment: Segment { closed: false, ..segment(&first, 0, 0, 2) } }]);
    assert_eq!(store.next_ordinals(camera).await.unwrap(), Ordinals { run: 1, sequence: 2 });

    store.end_run(first.id, at(4), EndReason::SizeChanged).await.unwrap();
    store.end_run(first.id, at(9), EndReason::Stopped).await.unwrap();
    store.upsert_segment(&open).await.unwrap();
    assert_eq!(store.run(first.id).await.unwrap(), Some(ended(first.clone(), 4, EndReason::SizeChanged)));
    let known = store.segments_known(first.id).await.unwrap();
    assert!(known[0].closed && known[0].is_local() && !known[0].deleting, "a closed segment stays closed");
    assert_eq!((known[0].fragments, known[0].size_bytes), (2, 2000), "and keeps its fragments");
    assert_eq!(known[0].path(), format!("{}/{}", first.folder(), open.file_name()));
    assert!(store.open_runs().await.unwrap().is_empty());

    let second = run(camera, 1, 2, 100);
    store.insert_run(&second).await.unwrap();
    assert_eq!(store.next_ordinals(camera).await.unwrap(), Ordinals { run: 2, sequence: 2 });
    assert_eq!(store.runs_known(camera).await.unwrap().len(), 2);
    let same_ordinal = run(camera, 1, 2, 200);
    assert!(matches!(store.insert_run(&same_ordinal).await, Err(Error::Statement(_))));
    bench.stop().await;
}

#[tokio::test]
async fn a_camera_has_one_open_gap_at_most() {
    let bench = Bench::start().await;
    let (store, camera) = (&bench.store, bench.camera("fridge").await);
    let gap =
        |start: i64, end: Option<i64>, reason| Gap { camera, started_at: at(start), ended_at: end.map(at), reason };
    store.open_gap(&gap(0, None, GapReason::CameraOffline)).await.unwrap();
    store.open_gap(&gap(0, None, GapReason::HubDown)).await.unwrap();
    store.open_gap(&gap(10, None, GapReason::Stalled)).await.unwrap();
    assert_eq!(store.gap_open(camera).await.unwrap(), Some(gap(10, None, GapReason::Stalled)));
    store.close_gap(camera, at(20)).await.unwrap();
    assert_eq!(store.gap_open(camera).await.unwrap(), None);
    store.open_gap(&gap(30, None, GapReason::Stalled)).await.unwrap();
    store.close_gap(camera, at(25)).await.unwrap();

    let timeline = store.timeline(camera, &(at(-100)..at(100))).await.unwrap();
    let expected = [gap(0, Some(10), GapReason::CameraOffline), gap(10, Some(20), GapReason::Stalled)];
    assert_eq!(timeline.gaps, expected);
    bench.stop().await;
}

#[tokio::test]
async fn deletion_marks_then_removes_and_leaves_pinned_and_open_segments() {
    let bench = Bench::start().await;
    let (store, camera) = (&bench.store, bench.camera("fridge").await);
    let first = run(camera, 0, 0, 0);
    store.insert_run(&first).await.unwrap();
    for (sequence, start) in [(0, 0), (30, 60), (60, 120)] {
        store.upsert_segment(&segment(&first, sequence, start, 30)).await.unwrap();
    }
    store.end_run(first.id, at(180), EndReason::Stopped).await.unwrap();
    let second = run(camera, 1, 90, 200);
    store.insert_run(&second).await.unwrap();
    store.upsert_segment(&Segment { closed: false, ..segment(&second, 90, 200, 5) }).await.unwrap();
    let offline = Gap { camera, started_at: at(185), ended_at: None, reason: GapReason::CameraOffline };
    store.open_gap(&offline).await.unwrap();
    store.close_gap(camera, at(195)).await.unwrap();
    let pin = store.pin(camera, &(at(70)..at(80)), "milk").await.unwrap();
    assert_eq!(store.bytes(Some(camera)).await.unwrap(), 95_000);

    let oldest = store.oldest_unpinned(camera, i64::MAX, 10).await.unwrap();
    assert_eq!(oldest.iter().map(|segment| segment.started_at).collect::<Vec<_>>(), [at(0), at(120)]);
    let everything = Deletion::span(camera, &(at(0)..at(500)), i64::MAX);
    assert_eq!(store.pins_against(&everything).await.unwrap(), std::slice::from_ref(&pin));
    let ids: Vec<i64> = store.segments_known(first.id).await.unwrap().iter().map(|segment| segment.id).collect();
    let marked = store.mark_deleting(&ids).await.unwrap();
    assert_eq!(marked.iter().map(|segment| segment.id).collect::<Vec<_>>(), [ids[0], ids[2]]);
    assert!(marked.iter().all(|segment| segment.deleting));
    assert_eq!(store.deleting().await.unwrap(), marked);
    assert_eq!(store.bytes(None).await.unwrap(), 35_000);
    let left = store.deletable(&everything, 10).await.unwrap();
    assert_eq!(left, [ids[0], ids[2]], "a deletion that was cut off is taken up, the open segment is not");
    assert_eq!(store.deletable(&everything, 1).await.unwrap(), [ids[0]]);
    let left = store.deletable_size(&everything).await.unwrap();
    assert_eq!((left.segments, left.bytes), (2, 60_000));
    let older = Deletion::span(camera, &(at(0)..at(500)), ids[1]);
    assert_eq!(store.deletable(&older, 10).await.unwrap(), ids[..1], "what is recorded since stays");

    assert_eq!(store.remove_segments(&[ids[0], ids[2]]).await.unwrap(), []);
    assert_eq!(store.unpin(pin.id).await.unwrap(), Some(pin.clone()));
    assert_eq!(store.unpin(pin.id).await.unwrap(), None);
    let marked = store.mark_deleting(&[ids[1]]).await.unwrap();
    let removed = store.remove_segments(&[marked[0].id]).await.unwrap();
    assert_eq!(removed, [RemovedRun { run: first.id, folder: first.folder() }]);
    assert_eq!(store.run(first.id).await.unwrap(), None);
    assert!(store.run(second.id).await.unwrap().is_some());
    let gaps = store.timeline(camera, &(at(0)..at(200))).await.unwrap().gaps;
    // What lies before the oldest recording that is kept is one gap, however often something was missing there.
    assert_eq!(gaps, [Gap { camera, started_at: at(0), ended_at: Some(at(195)), reason: GapReason::Deleted }]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_holds_what_is_marked_and_not_yet_unlinked_and_is_refused_for_what_is() {
    let bench = Bench::start().await;
    let (store, camera) = (&bench.store, bench.camera("fridge").await);
    let first = run(camera, 0, 0, 0);
    store.insert_run(&first).await.unwrap();
    for (sequence, start) in [(0, 0), (30, 60), (60, 120)] {
        store.upsert_segment(&segment(&first, sequence, start, 30)).await.unwrap();
    }
    store.end_run(first.id, at(180), EndReason::Stopped).await.unwrap();
    let ids: Vec<i64> = store.segments_known(first.id).await.unwrap().iter().map(|segment| segment.id).collect();
    assert_eq!(store.mark_deleting(&ids).await.unwrap().len(), 3);
    // The first minute is pinned before its file is unlinked: it stays, and is there again.
    let pin = store.pin(camera, &(at(10)..at(20)), "milk").await.unwrap();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (unlinked, is_unlinked) = tokio::sync::oneshot::channel();
    let (deleting, marked) = (store.clone(), ids.clone());
    let tasks = crate::tasks::Tasks::new();
    let deletion = tasks.spawn(async move {
        deleting
            .delete_marked(&marked, async |held: Vec<StoredSegment>| {
                begun.send(held.iter().map(|segment| segment.id).collect::<Vec<_>>()).unwrap();
                is_unlinked.await.unwrap();
                Ok::<_, Error>(held.len())
            })
            .await
    });
    assert_eq!(has_begun.await.unwrap(), ids[1..], "what is pinned is left out");
    // The second is pinned while its file is being unlinked: that waits, and is refused.
    let (late, lasting) = (store.clone(), at(70)..at(80));
    let too_late = tasks.spawn(async move { late.pin(camera, &lasting, "cheese").await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!too_late.is_finished());
    unlinked.send(()).unwrap();
    assert_eq!(deletion.await.unwrap().unwrap().0, 2);
    assert!(matches!(too_late.await.unwrap(), Err(PinError::TooLate { segments: 1 })));
    let left = store.segments_known(first.id).await.unwrap();
    assert_eq!(left.iter().map(|segment| segment.id).collect::<Vec<_>>(), ids[..1]);
    assert_eq!(store.pins(camera, &(at(0)..at(500))).await.unwrap(), [pin]);
    bench.stop().await;
}

#[tokio::test]
async fn a_range_is_read_by_run_then_time_and_a_timeline_joins_what_follows() {
    let bench = Bench::start().await;
    let (store, camera) = (&bench.store, bench.camera("fridge").await);
    let first = ended(run(camera, 0, 0, 0), 300, EndReason::CameraOffline);
    store.insert_run(&first).await.unwrap();
    for (sequence, start) in [(0, 0), (30, 60), (120, 240)] {
        store.upsert_segment(&segment(&first, sequence, start, 30)).await.unwrap();
    }
    let second = run(camera, 1, 150, 400);
    store.insert_run(&second).await.unwrap();
    store.upsert_segment(&segment(&second, 150, 400, 30)).await.unwrap();
    let other = bench.camera("cellar").await;
    let elsewhere = run(other, 0, 0, 0);
    store.insert_run(&elsewhere).await.unwrap();
    store.upsert_segment(&segment(&elsewhere, 0, 0, 30)).await.unwrap();

    let range = at(119)..at(401);
    let played = store.segments_between(camera, &range).await.unwrap();
    assert_eq!(played.iter().map(|played| played.segment.first_sequence).collect::<Vec<_>>(), [30, 120, 150]);
    assert_eq!(played[0].run, first);
    assert!(store.segments_between(camera, &(at(120)..at(240))).await.unwrap().is_empty(), "ends are excluded");
    let newest = store.newest_segments(camera, 2).await.unwrap();
    assert_eq!(newest.iter().map(|played| played.segment.first_sequence).collect::<Vec<_>>(), [120, 150]);

    let timeline = store.timeline(camera, &(at(10)..at(1000))).await.unwrap();
    let spans: Vec<_> = timeline.stretches.iter().map(|stretch| (stretch.run, stretch.range.clone())).collect();
    let expected = [(first.id, at(10)..at(120)), (first.id, at(240)..at(300)), (second.id, at(400)..at(460))];
    assert_eq!(spans, expected);
    assert_eq!(timeline.stretches[0].size_bytes, 60_000);
    assert_eq!(timeline.gaps.len(), 1, "{:?}", timeline.gaps);
    assert_eq!(timeline.gaps[0].reason, GapReason::Deleted);

    let stamp = store.stamp(camera, &range).await.unwrap();
    assert_eq!(store.stamp(camera, &range).await.unwrap(), stamp);
    store.upsert_segment(&segment(&second, 150, 400, 31)).await.unwrap();
    assert_ne!(store.stamp(camera, &range).await.unwrap(), stamp);
    let (found, fragments) = store.segment(second.id, at(400)).await.unwrap().unwrap();
    assert_eq!((found.size_bytes, fragments.len()), (31_000, 31));
    assert!(store.segment(second.id, at(401)).await.unwrap().is_none());
    bench.stop().await;
}

#[tokio::test]
async fn lists_go_page_by_page_from_the_newest_and_leave_out_what_is_empty() {
    let bench = Bench::start().await;
    let (store, camera) = (&bench.store, bench.camera("fridge").await);
    for ordinal in 0..5 {
        let one = run(camera, ordinal, ordinal * 30, ordinal * 1000);
        store.insert_run(&one).await.unwrap();
        if ordinal != 3 {
            store.upsert_segment(&segment(&one, ordinal * 30, ordinal * 1000, 30)).await.unwrap();
            store.end_run(one.id, at(ordinal * 1000 + 60), EndReason::Stalled).await.unwrap();
        }
    }
    store.pin(camera, &(at(1010)..at(1020)), "").await.unwrap();
    let first = store.runs(None, None, None, 2).await.unwrap();
    let ordinals = |page: &[RunSummary]| page.iter().map(|summary| summary.run.ordinal).collect::<Vec<_>>();
    assert_eq!(ordinals(&first), [4, 2]);
    let after = Position { placed_at: first[1].placed_at, run: first[1].run.id };
    let second = store.runs(Some(camera), None, Some(after), 10).await.unwrap();
    assert_eq!(ordinals(&second), [1, 0]);
    assert!(second[0].pinned && !second[1].pinned);
    assert_eq!((second[0].segments, second[0].fragments, second[0].size_bytes), (1, 30, 30_000));
    let within = store.runs(None, Some(&(at(1030)..at(2001))), None, 10).await.unwrap();
    assert_eq!(ordinals(&within), [2, 1]);
    assert_eq!(store.run_summary(first[0].run.id).await.unwrap().as_ref(), Some(&first[0]));
    bench.stop().await;
}

#[tokio::test]
async fn recording_by_hand_is_remembered_until_it_is_stopped() {
    let bench = Bench::start().await;
    let (store, camera) = (&bench.store, bench.camera("fridge").await);
    store.start_manual(camera).await.unwrap();
    store.start_manual(camera).await.unwrap();
    assert_eq!(store.manual().await.unwrap(), [camera]);
    assert!(store.stop_manual(camera).await.unwrap());
    assert!(!store.stop_manual(camera).await.unwrap());
    bench.stop().await;
}

#[tokio::test]
async fn a_range_of_a_year_of_rows_is_found_through_the_index() {
    let bench = Bench::start().await;
    let (store, camera) = (&bench.store, bench.camera("fridge").await);
    let long = run(camera, 0, 0, 0);
    store.insert_run(&long).await.unwrap();
    let client = bench.db.client().await.unwrap();
    client
        .execute(
            "INSERT INTO segments (run_id, camera_id, first_sequence, started_at, ended_at, size_bytes, fragments,
                                   fragment_index, closed)
             SELECT $1, $2, n * 30, $3::timestamptz + n * interval '1 minute',
                    $3::timestamptz + (n + 1) * interval '1 minute', 30000, 30, '\\x01', true
             FROM generate_series(0, 100000) n",
            &[&long.id.0, &camera.0, &at(0)],
        )
        .await
        .unwrap();
    client.batch_execute("ANALYZE segments").await.unwrap();
    let hour = at(0) + SignedDuration::from_hours(1000)..at(0) + SignedDuration::from_hours(1001);
    assert_eq!(store.deletable_size(&Deletion::span(camera, &hour, i64::MAX)).await.unwrap().segments, 60);
    let plan = client
        .query(
            "EXPLAIN SELECT * FROM segments s WHERE s.camera_id = $1 AND s.started_at < $3 AND s.ended_at > $2
             AND s.started_at > $4 AND s.deleting_since IS NULL",
            &[&camera.0, &hour.start, &hour.end, &(hour.start - LONGEST_SEGMENT)],
        )
        .await
        .unwrap();
    let plan: String = plan.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n");
    assert!(plan.contains("segments_by_time"), "{plan}");
    bench.stop().await;
}
