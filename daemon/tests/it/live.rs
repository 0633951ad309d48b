//! Live pictures over every door.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use larder_proto::pb;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use crate::support::{Hub, get_with, simulated, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_the_picture_change_and_a_snapshot_is_a_jpeg() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let token = hub.token("viewer", pb::Role::Viewer).await;
    let bearer = format!("Bearer {token}");
    let (stop, task) = simulated(&hub, camera, key, |_| {});

    let url = format!("ws://{}/cameras/fridge/live", hub.http());
    let mut request = url.as_str().into_client_request().unwrap();
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let mut sequences = Vec::new();
    while sequences.len() < 10 {
        let Message::Binary(frame) = socket.next().await.unwrap().unwrap() else { continue };
        assert_eq!(frame[0], 1, "the version");
        let sequence = frame.get(8..16).unwrap();
        assert_eq!(&frame[32..34], [0xff, 0xd8], "a JPEG follows 32 bytes of header");
        socket.send(Message::Binary(sequence.to_vec().into())).await.unwrap();
        sequences.push(u64::from_be_bytes(sequence.try_into().unwrap()));
    }
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]), "{sequences:?}");

    let basic = "Basic ".to_owned() + &base64(&format!("vlc:{token}"));
    for credentials in [&bearer, &basic] {
        let headers = [("authorization", credentials.as_str())];
        let snapshot = get_with(hub.http(), "/cameras/fridge/snapshot.jpg", &headers).await;
        assert_eq!(
            (snapshot.status.as_u16(), &snapshot.headers["content-type"]),
            (200, &"image/jpeg".parse().unwrap())
        );
        assert!(snapshot.body.starts_with(&[0xff, 0xd8]) && snapshot.body.ends_with(&[0xff, 0xd9]));
    }

    // Revoking the token ends what was opened with it.
    let revoke = pb::RevokeTokenRequest { token: "viewer".to_owned() };
    hub.clients.access.clone().revoke_token(revoke).await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return u16::from(frame.code),
                Some(Ok(Message::Binary(frame))) => {
                    // It may end between the frame and its acknowledgement.
                    let _ = socket.send(Message::Binary(frame.slice(8..16))).await;
                }
                Some(Ok(_)) => {}
                other => panic!("ended without a close code: {other:?}"),
            }
        }
    });
    assert_eq!(end.await.unwrap(), 4003);
    stop.cancel();
    task.await.unwrap();
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_goes_is_offline_and_its_last_picture_stays() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let request = pb::WatchCamerasRequest {
        cameras: vec!["fridge".to_owned()],
        interval: Some(prost_types::Duration { seconds: 0, nanos: 100_000_000 }),
    };
    let mut watched = hub.clients.cameras.clone().watch_cameras(request).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().presence(), pb::Presence::Offline);
    let (stop, task) = simulated(&hub, camera, key, |options| options.telemetry = Some(Duration::from_millis(300)));
    let telemetry = loop {
        let status = watched.message().await.unwrap().unwrap();
        assert_eq!(status.camera_id, camera.to_string());
        if let (Some(telemetry), 1..) = (status.telemetry, status.frames_received) {
            break telemetry;
        }
    };
    assert!(telemetry.heap_free_bytes > 0);
    stop.cancel();
    let report = task.await.unwrap();
    assert!(report.frames > 0);
    while watched.message().await.unwrap().unwrap().presence() != pb::Presence::Offline {}

    let bearer = format!("Bearer {}", hub.token("viewer", pb::Role::Viewer).await);
    let snapshot = get_with(hub.http(), "/cameras/fridge/snapshot.jpg", &[("authorization", &bearer)]).await;
    assert_eq!(snapshot.status, 200);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_pictures_are_counted_by_reason_and_never_shown() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let (stop, task) = simulated(&hub, camera, key, |options| {
        options.faults.truncate = 0.5;
        options.fps = Some(20);
    });
    let status = until("refusals", || {
        let mut cameras = hub.clients.cameras.clone();
        async move {
            let request = pb::GetCameraRequest { camera: "fridge".to_owned() };
            let status = cameras.get_camera(request).await.unwrap().into_inner().status.unwrap();
            let refused: u64 = status.frames_refused.values().sum();
            (refused > 3 && status.frames_received > 3).then_some(status)
        }
    })
    .await;
    assert_eq!(status.presence(), pb::Presence::Online, "a damaged picture never ends the session");
    assert!(status.frames_refused.keys().all(|reason| !reason.is_empty()));
    stop.cancel();
    task.await.unwrap();
    hub.stop().await;
}

/// RFC 4648, enough for a header.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digits = [digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)];
        encoded.extend(&digits[..=chunk.len()]);
        encoded.extend(std::iter::repeat_n('=', 3 - chunk.len()));
    }
    encoded
}
