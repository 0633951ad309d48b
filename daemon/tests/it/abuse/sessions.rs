//! Who has the key and misbehaves.

use std::time::Duration;

use larder_proto::wire::camera::ByeReason;
use tokio::io::AsyncWriteExt as _;

use super::{Forger, House, bye, header};
use crate::support::{Pictures, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_rule_ends_the_session_with_its_reason_and_one_line() {
    let house = House::start(&[]).await;
    let dial = house.add("fridge").await;
    for (bytes, expected) in [
        (header(16, 2, 512 * 1024 + 1), ByeReason::TooLarge),
        (header(17, 2, u32::MAX), ByeReason::TooLarge),
        (header(48, 2, 8), ByeReason::BadMac),
        (b"LRD2 is not what this is".to_vec(), ByeReason::Malformed),
    ] {
        let mut forger = Forger::prove(&house, &dial).await;
        forger.send(&bytes).await;
        let _ = forger.stream.write_all(&[0; 1000]).await;
        assert_eq!(bye(&mut forger.stream).await, expected);
    }
    // With everything right but their kinds: one that must be known, and one in the wrong direction.
    for (kind, expected) in [(40, ByeReason::UnknownType), (32, ByeReason::Malformed), (2, ByeReason::Unexpected)] {
        let mut forger = Forger::prove(&house, &dial).await;
        let message = forger.message(kind, &[1]);
        forger.send(&message).await;
        assert_eq!(bye(&mut forger.stream).await, expected, "kind {kind}");
    }
    for (reason, sessions) in
        [("too-large", 2), ("bad-mac", 1), ("malformed", 2), ("unknown-type", 1), ("unexpected", 1)]
    {
        house.ended(reason, sessions).await;
        let lines = house.log(&["a camera's session ended", &format!("reason=\"{reason}\"")]);
        assert_eq!(lines.len(), usize::try_from(sessions).unwrap(), "{lines:#?}");
    }

    // One that may be unknown is passed over, and the session goes on.
    let mut forger = Forger::prove(&house, &dial).await;
    let (unknown, frame) = (forger.message(200, b"of a later version"), forger.frame(&Pictures::new(320, 240).take()));
    forger.send(&[unknown, frame].concat()).await;
    house.counts(&format!("larder_camera_frames_total{{camera=\"{}\"}}", dial.camera), 1).await;
    house.counts("larder_camera_messages_passed_over_total", 1).await;

    // Gone in the middle of a picture.
    let frame = forger.frame(&Pictures::new(320, 240).take());
    forger.send(&frame[..frame.len() / 2]).await;
    // In order, for what is not read would make it a reset.
    forger.stream.shutdown().await.unwrap();
    house.ended("cut", 1).await;
    house.said_once(&["a camera's session ended", "reason=\"cut\""]);
    assert_eq!(house.pictures(dial.camera).await, 1);
    house.end_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_comes_byte_by_byte_is_a_session() {
    let house = House::start(&[]).await;
    let dial = house.add("fridge").await;
    let mut forger = Forger::prove(&house, &dial).await;
    forger.stream.set_nodelay(true).unwrap();
    let frame = forger.frame(&Pictures::new(160, 120).take());
    for byte in &frame {
        forger.stream.write_all(&[*byte]).await.unwrap();
    }
    house.counts(&format!("larder_camera_frames_total{{camera=\"{}\"}}", dial.camera), 1).await;
    house.end_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_never_reads_is_sent_away_although_it_goes_on_talking() {
    let house = House::start(&["camera_link.ping_interval_seconds=1", "camera_link.idle_timeout_seconds=2"]).await;
    let dial = house.add("deaf").await;
    let mut forger = Forger::prove(&house, &dial).await;
    let jpeg = Pictures::new(320, 240).take();
    let talking = async {
        loop {
            let frame = forger.frame(&jpeg);
            if forger.stream.write_all(&frame).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let sent_away = house.ended("deaf", 1);
    tokio::select! {
        () = talking => panic!("it hears before it is counted"),
        () = sent_away => {}
    }
    house.said_once(&["a camera's session ended", "reason=\"deaf\""]);
    assert!(house.pictures(dial.camera).await > 20, "its pictures were taken meanwhile");
    assert_eq!(bye(&mut forger.stream).await, ByeReason::Idle);
    house.end_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_come_too_fast_are_refused_and_the_session_goes_on() {
    let house = House::start(&[]).await;
    let dial = house.add("hasty").await;
    let mut link = house.dial(&dial).await.unwrap();
    let jpeg = Pictures::new(160, 120).take();
    for number in 0..600 {
        link.send_frame(jpeg.clone(), number).await.unwrap();
    }
    let refused = "larder_frames_refused_total{reason=\"too-fast\"}";
    let taken = until("all to be counted", || async {
        let (taken, refused) = (house.pictures(dial.camera).await, house.metric(refused).await);
        (taken + refused == 600).then_some(taken)
    })
    .await;
    // 120 at once and 60 a second; reading them takes two seconds, for the hub takes in only so much.
    assert!((120..480).contains(&taken), "{taken}");
    assert!(house.metric("larder_camera_reading_paused_total").await > 50);
    house.said_once(&["WARN", "a camera sends more pictures than are taken", &dial.camera.to_string()]);
    house.end_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_boards_with_one_key_are_noticed_and_cannot_keep_the_hub_busy() {
    let house = House::start(&[]).await;
    let dial = house.add("twins").await;
    let id = dial.camera.to_string();
    let mut before = Forger::prove(&house, &dial).await;
    for _ in 0..6 {
        let next = Forger::prove(&house, &dial).await;
        assert_eq!(bye(&mut before.stream).await, ByeReason::Replaced);
        before = next;
    }
    house.counts("larder_camera_takeovers_total", 6).await;
    house.ended("replaced", 6).await;
    house.said_once(&["WARN", "two boards may have its key", &id]);

    // As fast as it can: most are turned away, and only for this camera.
    let mut turned_away = 0;
    for _ in 0..60 {
        turned_away += u64::from(house.dial(&dial).await.is_err());
    }
    assert!(turned_away >= 20, "{turned_away}");
    house.refused("too-often", turned_away).await;
    house.said_once(&["WARN", "a camera was refused", "reason=\"too-often\"", &id]);
    let other = house.add("single").await;
    house.dial(&other).await.expect("another camera is let in");
    house.end_undisturbed().await;
}
