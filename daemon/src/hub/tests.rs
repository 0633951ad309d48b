use bytes::Bytes;
use futures_util::FutureExt as _;

use super::*;
use crate::clock::from_us;

fn hub() -> (Hub, CameraId) {
    let clock = Clock::new();
    (Hub::new(clock.clone(), Events::new(clock)), CameraId::random())
}

fn frame(us: i64) -> Frame {
    Frame {
        sequence: 0,
        captured_at: from_us(us),
        received_at: from_us(us),
        clock_epoch: 0,
        width: 640,
        height: 480,
        jpeg: Bytes::from_static(b"picture"),
    }
}

#[tokio::test]
async fn slow_viewer_jumps_to_the_newest_frame_and_knows_what_it_skipped() {
    let (hub, camera) = hub();
    let topic = hub.ensure(camera);
    let publisher = topic.publisher(SessionInfo::default());
    let mut viewer = topic.viewer();
    assert!(publisher.publish(frame(1)));
    assert_eq!(viewer.next().await.map(|seen| (seen.frame.sequence, seen.skipped)), Some((1, 0)));
    for us in 2..=5 {
        assert!(publisher.publish(frame(us)));
    }
    assert_eq!(viewer.next().await.map(|seen| (seen.frame.sequence, seen.skipped)), Some((5, 3)));
    assert_eq!(topic.snapshot().viewers, 1);
    drop(viewer);
    assert_eq!(topic.snapshot().viewers, 0);
}

#[tokio::test]
async fn a_viewer_that_is_given_frames_sees_each_once_and_goes_on_from_there() {
    let (hub, camera) = hub();
    let topic = hub.ensure(camera);
    let publisher = topic.publisher(SessionInfo::default());
    let mut viewer = topic.viewer();
    let mut onlooker = viewer.onlooker();
    assert!(viewer.is_beside(&onlooker) && !viewer.is_beside(&hub.ensure(CameraId::random()).viewer()));
    assert!(publisher.publish(frame(1)));
    let first = onlooker.next().await.expect("a frame").frame;
    assert_eq!(viewer.see(&first).map(|seen| seen.skipped), Some(0));
    assert!(viewer.see(&first).is_none(), "it was seen");
    for us in 2..=4 {
        assert!(publisher.publish(frame(us)));
    }
    let fourth = onlooker.next().await.expect("a frame").frame;
    assert_eq!(viewer.see(&fourth).map(|seen| seen.skipped), Some(2));
    assert!(viewer.see(&first).is_none(), "a newer one was seen");
    assert!(viewer.next().now_or_never().is_none(), "it has seen the newest");
    assert!(publisher.publish(frame(5)));
    assert_eq!(viewer.next().await.map(|seen| (seen.frame.sequence, seen.skipped)), Some((5, 0)));
    assert_eq!(topic.snapshot().viewers, 1);
}

#[tokio::test]
async fn why_a_camera_is_offline_is_known_until_it_comes_back() {
    let (hub, camera) = hub();
    let topic = hub.ensure(camera);
    assert_eq!(topic.snapshot().offline_reason, "");
    topic.set_offline_reason("it cannot be reached");
    assert_eq!(topic.snapshot().offline_reason, "it cannot be reached");
    let publisher = topic.publisher(SessionInfo::default());
    topic.set_offline_reason("an older session ended");
    assert_eq!(topic.snapshot().offline_reason, "", "it stands");
    drop(publisher);
    topic.set_offline_reason("nothing came for too long");
    assert_eq!(topic.snapshot().offline_reason, "nothing came for too long");
    let (older, newer) = (topic.publisher(SessionInfo::default()), topic.publisher(SessionInfo::default()));
    older.end("it was replaced");
    assert_eq!(topic.snapshot().offline_reason, "", "the newer one stands");
    newer.end("the camera closed the connection");
    let seen = topic.snapshot();
    assert_eq!(
        (seen.presence.presence, seen.offline_reason.as_str()),
        (Presence::Offline, "the camera closed the connection")
    );
}

#[tokio::test]
async fn a_tap_gets_every_frame_and_its_losses_are_marked() {
    let (hub, camera) = hub();
    let topic = hub.ensure(camera);
    let publisher = topic.publisher(SessionInfo::default());
    let mut tap = topic.tap();
    for us in 0..130 {
        assert!(publisher.publish(frame(us)));
    }
    for us in 0..128 {
        let tapped = tap.next().await.expect("a frame");
        assert_eq!((tapped.frame.captured_at, tapped.missed), (from_us(us), 0));
    }
    assert!(publisher.publish(frame(200)));
    assert_eq!(tap.next().await.map(|tapped| tapped.missed), Some(2));
    hub.remove(camera);
    assert!(tap.next().await.is_none());
    assert!(!publisher.publish(frame(201)));
}

#[tokio::test]
async fn a_new_session_takes_over_and_the_old_one_cannot_make_it_offline() {
    let (hub, camera) = hub();
    let topic = hub.ensure(camera);
    let old = topic.publisher(SessionInfo::default());
    assert!(old.publish(frame(1)));
    let new = topic.publisher(SessionInfo::default());
    assert!(!old.publish(frame(2)));
    assert!(!old.is_current());
    assert!(new.publish(frame(3)));
    drop(old);
    assert_eq!(topic.snapshot().presence.presence, Presence::Online);
    drop(new);
    assert_eq!(topic.snapshot().presence.presence, Presence::Offline);
}

#[tokio::test(start_paused = true)]
async fn silence_of_five_seconds_is_a_stall_and_a_frame_ends_it() {
    let (hub, camera) = hub();
    let topic = hub.ensure(camera);
    let publisher = topic.publisher(SessionInfo::default());
    assert!(publisher.publish(frame(1)));
    tokio::time::advance(Duration::from_millis(5001)).await;
    assert_eq!(topic.judge_presence(), Presence::Stalled);
    assert!(publisher.publish(frame(2)));
    assert_eq!(topic.snapshot().presence.presence, Presence::Online);
    topic.set_interval(Duration::from_secs(10));
    tokio::time::advance(Duration::from_secs(29)).await;
    assert_eq!(topic.judge_presence(), Presence::Online);
}
