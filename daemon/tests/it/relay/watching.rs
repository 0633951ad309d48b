//! What a viewer sees, and when it has to go.

use larder_proto::{
    pb,
    wire::relay::{CloseCode, HubMessage, Presence, ViewerMessage},
};

use super::Scene;
use crate::support::{Dialer, Hub, hello, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_far_viewer_sees_whole_pictures_and_its_view_ends_with_its_token() {
    let scene = Scene::start().await;
    let (hub, token) = (&scene.hub, &scene.token);

    let (mut viewer, welcome) = Dialer::new(hub).welcomed(token, "fridge").await;
    assert_eq!((welcome.version, welcome.camera, welcome.name.as_str()), (1, scene.camera, "fridge"));
    let mut frames = Vec::new();
    while frames.len() < 10 {
        let (header, jpeg) = viewer.frame().await;
        assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
        assert!(header.captured_at_us <= header.sent_at_us && header.width > 0 && !header.is_scaled);
        frames.push((header.sequence, header.skipped));
    }
    frames.sort_unstable();
    for pair in frames.windows(2) {
        assert_eq!(pair[0].0 + 1 + u64::from(pair[1].1), pair[1].0, "what is missing was told: {frames:?}");
    }

    viewer.say(&ViewerMessage::Ping(*b"12345678")).await;
    let (mut pong, mut status) = (None, None);
    while pong.is_none() || status.is_none() {
        match viewer.hear().await {
            HubMessage::Pong { echo, now_us } => pong = Some((echo, now_us)),
            HubMessage::Status(seen) if seen.delivered >= 10 => status = Some(seen),
            HubMessage::Status(_) => {}
            HubMessage::Welcome(_) => panic!("welcomed twice"),
        }
    }
    assert!(pong.is_some_and(|(echo, now_us)| echo == *b"12345678" && now_us > 1_700_000_000_000_000));
    assert_eq!(status.unwrap().presence, Presence::Online);

    let mut viewers = hub.clients.viewers.clone();
    let listed = viewers.list_viewers(pb::ListViewersRequest::default()).await.unwrap().into_inner().viewers;
    let seen = &listed[0];
    assert_eq!((listed.len(), seen.id.as_str()), (1, welcome.viewer.to_string().as_str()));
    assert_eq!(
        (seen.protocol(), seen.user.as_str(), seen.client.as_str()),
        (pb::viewer::Protocol::Quic, "far", "test")
    );
    assert_eq!((seen.camera_name.as_str(), seen.frames_delivered >= 10), ("fridge", true));

    let revoke = pb::RevokeTokenRequest { token: "far".to_owned() };
    hub.clients.access.clone().revoke_token(revoke).await.unwrap();
    assert_eq!(viewer.ended().await, CloseCode::Revoked);
    until("nobody to watch", || async {
        let listed = hub.clients.viewers.clone().list_viewers(pb::ListViewersRequest::default()).await.unwrap();
        listed.into_inner().viewers.is_empty().then_some(())
    })
    .await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_opens_one_view_of_its_camera() {
    let hub = Hub::start().await;
    let (camera, _key) = hub.add_named("fridge").await;
    hub.add_named("cellar").await;
    let pass = async || {
        let request = pb::CreatePassRequest { camera: "fridge".to_owned() };
        let pass = hub.clients.viewers.clone().create_pass(request).await.unwrap().into_inner();
        assert_eq!(pass.port, u32::from(hub.addresses().relay.port()));
        pass.pass
    };
    let first = pass().await;
    let (viewer, welcome) = Dialer::new(&hub).welcomed(&first, &camera.to_string()).await;
    assert_eq!(welcome.camera, camera);
    let again = Dialer::new(&hub).with_hello(hello(&first, "fridge")).await;
    assert_eq!(again.ended().await, CloseCode::Unauthenticated);
    let other = Dialer::new(&hub).with_hello(hello(&pass().await, "cellar")).await;
    assert_eq!(other.ended().await, CloseCode::Forbidden);
    let nothing = Dialer::new(&hub).with_hello(hello(&pass().await, "attic")).await;
    assert_eq!(nothing.ended().await, CloseCode::UnknownCamera);

    let disconnect = pb::DisconnectViewerRequest { id: welcome.viewer.to_string() };
    hub.clients.viewers.clone().disconnect_viewer(disconnect.clone()).await.unwrap();
    assert_eq!(viewer.ended().await, CloseCode::Disconnected);
    let gone = until("the viewer to be gone", || async {
        hub.clients.viewers.clone().disconnect_viewer(disconnect.clone()).await.err()
    })
    .await;
    assert_eq!(gone.code(), tonic::Code::NotFound);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_ends_when_its_camera_is_removed_or_the_hub_stops() {
    let hub = Hub::start().await;
    for name in ["fridge", "cellar"] {
        hub.add_named(name).await;
    }
    let token = hub.token("far", pb::Role::Viewer).await;
    let (removed, _) = Dialer::new(&hub).welcomed(&token, "fridge").await;
    let (stopped, _) = Dialer::new(&hub).welcomed(&token, "cellar").await;
    let delete = pb::DeleteCameraRequest { camera: "fridge".to_owned() };
    hub.clients.cameras.clone().delete_camera(delete).await.unwrap();
    assert_eq!(removed.ended().await, CloseCode::CameraRemoved);
    assert!(stopped.connection.close_reason().is_none(), "others go on");
    hub.stop().await;
    assert_eq!(stopped.ended().await, CloseCode::HubStopping);
}
