//! Who has no key.

use std::time::{Duration, Instant};

use larder_proto::wire::{CameraId, camera::ByeReason};
use tokio::io::AsyncWriteExt as _;

use super::{House, bye, header, hello};

/// Bytes that look like nothing, the same in each run.
fn garbage() -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(4096).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_camera_hears_why_is_counted_and_is_told_of_once() {
    let house = House::start(&[]).await;
    let tls = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 200]].concat();
    let cases = [
        (b"GET / HTTP/1.1\r\nHost: larder\r\n\r\n".to_vec(), ByeReason::Malformed),
        (tls, ByeReason::Malformed),
        (garbage(), ByeReason::Malformed),
        (header(1, 0, 257), ByeReason::TooLarge),
        (header(1, 0, u32::MAX), ByeReason::TooLarge),
        (header(16, 0, 100_000), ByeReason::TooLarge),
        (header(40, 0, 0), ByeReason::UnknownType),
        // Passed over in a session; before one, there is nobody to pass it over for.
        (header(200, 0, 0), ByeReason::UnknownType),
        (header(17, 0, 0), ByeReason::Unexpected),
        (hello(CameraId::random()), ByeReason::UnknownCamera),
    ];
    for round in 1..=3 {
        for (bytes, expected) in &cases {
            let mut stream = house.stranger().await;
            stream.write_all(bytes).await.unwrap();
            // More than is ever read: the reason must survive it.
            let _ = stream.write_all(&garbage()).await;
            assert_eq!(bye(&mut stream).await, *expected, "{:02x?}", &bytes[..24]);
        }
        for (reason, cases) in
            [("malformed", 3), ("too-large", 3), ("unknown-type", 2), ("unexpected", 1), ("unknown-camera", 1)]
        {
            house.refused(reason, round * cases).await;
        }
    }
    for reason in ["malformed", "too-large", "unknown-type", "unexpected", "unknown-camera"] {
        house.said_once(&["WARN", "a camera was refused", &format!("reason=\"{reason}\"")]);
    }
    house.end_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_drips_has_five_seconds_and_keeps_nobody_out() {
    let house = House::start(&["camera_link.max_unproven_per_address=8"]).await;
    let dial = house.add("late").await;
    let began = Instant::now();
    let mut drips = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (mut stream, bytes) = (house.stranger().await, hello(dial.camera));
        drips.spawn(async move {
            for byte in &bytes[..40] {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
                if began.elapsed() > Duration::from_secs(5) {
                    break;
                }
            }
            bye(&mut stream).await
        });
    }
    let link = house.dial(&dial).await.expect("there is room beside them");
    while let Some(reason) = drips.join_next().await {
        assert_eq!(reason.unwrap(), ByeReason::HandshakeTooSlow);
    }
    assert!(began.elapsed() > Duration::from_millis(4_900), "{:?}", began.elapsed());
    house.refused("handshake-too-slow", 6).await;
    house.said_once(&["WARN", "a camera was refused", "reason=\"handshake-too-slow\""]);
    drop(link);
    house.end_undisturbed().await;
}
