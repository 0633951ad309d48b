//! Cameras over gRPC, and the ones that are connected.

use std::time::Duration;

use larder_ctl::simulate::{Dial, Link, LinkError};
use larder_proto::{
    pb::{self, control_camera_request::Command},
    wire::camera::{self as wire, AckResult, Message},
};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{Hub, session_clock, simulated, until};

#[tokio::test(flavor = "multi_thread")]
async fn cameras_are_added_listed_changed_and_removed() {
    let hub = Hub::start().await;
    let mut cameras = hub.clients.cameras.clone();
    for name in ["fridge", "cellar", "attic"] {
        hub.add_named(name).await;
    }
    let first = cameras.list_cameras(pb::ListCamerasRequest { page_size: 2, ..Default::default() }).await.unwrap();
    let first = first.into_inner();
    let names = |page: &[pb::Camera]| page.iter().map(|camera| camera.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first.cameras), ["attic", "cellar"]);
    let rest = pb::ListCamerasRequest { page_size: 2, page_token: first.next_page_token };
    let rest = cameras.list_cameras(rest).await.unwrap().into_inner();
    assert_eq!((names(&rest.cameras), rest.next_page_token.as_str()), (vec!["fridge".to_owned()], ""));

    let again = pb::Camera { name: "fridge".to_owned(), ..Default::default() };
    let again = cameras.create_camera(pb::CreateCameraRequest { camera: Some(again) }).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
    let wrong = pb::Camera { name: "Fridge 1".to_owned(), ..Default::default() };
    let wrong = cameras.create_camera(pb::CreateCameraRequest { camera: Some(wrong) }).await.unwrap_err();
    assert_eq!(wrong.get_details_bad_request().unwrap().field_violations[0].field, "camera.name");

    let update = pb::Camera { id: "attic".to_owned(), name: "loft".to_owned(), ..Default::default() };
    let update = pb::UpdateCameraRequest { camera: Some(update), update_mask: None };
    assert_eq!(cameras.update_camera(update).await.unwrap().into_inner().name, "loft");
    cameras.delete_camera(pb::DeleteCameraRequest { camera: "loft".to_owned() }).await.unwrap();
    let gone = cameras.get_camera(pb::GetCameraRequest { camera: "loft".to_owned() }).await.unwrap_err();
    assert_eq!((gone.code(), gone.message()), (Code::NotFound, "no such camera \"loft\""));

    let hub = hub.restart().await;
    let listed = hub.clients.cameras.clone().list_cameras(pb::ListCamerasRequest::default()).await.unwrap();
    assert_eq!(names(&listed.into_inner().cameras), ["cellar", "fridge"]);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_ends_the_session_and_the_old_key_is_refused() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let clock = session_clock();
    let address = hub.addresses().camera_link.to_string();
    let mut link = Link::connect(&address, &Dial::new(camera, key), clock()).await.unwrap();
    let rotate = pb::RotateCameraKeyRequest { camera: "fridge".to_owned() };
    let new = hub.clients.cameras.clone().rotate_camera_key(rotate).await.unwrap().into_inner().key.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            match link.receive().await {
                Ok(Message::Ping(_)) => {}
                other => return other,
            }
        }
    });
    assert!(matches!(ended.await.unwrap(), Ok(Message::Bye(_)) | Err(_)), "the session ends");
    until("why it is offline", || async {
        let request = pb::GetCameraRequest { camera: "fridge".to_owned() };
        let camera = hub.clients.cameras.clone().get_camera(request).await.unwrap().into_inner();
        (camera.status.unwrap().offline_reason == "the hub ended it: key-changed").then_some(())
    })
    .await;
    let refused = Link::connect(&address, &Dial::new(camera, key), clock()).await.err().unwrap();
    assert!(refused.is_refusal(), "{refused}");
    let key = larder_ctl::simulate::key_from_hex(&new.key_hex).unwrap();
    Link::connect(&address, &Dial::new(camera, key), clock()).await.unwrap();
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_reaches_the_camera_and_its_answer_comes_back() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let flash = || pb::ControlCameraRequest { camera: "fridge".to_owned(), command: Some(Command::Flash(200)) };
    let mut cameras = hub.clients.cameras.clone();
    let offline = cameras.control_camera(flash()).await.unwrap_err();
    assert_eq!(offline.code(), Code::FailedPrecondition);

    let clock = session_clock();
    let address = hub.addresses().camera_link.to_string();
    let mut link = Link::connect(&address, &Dial::new(camera, key), clock()).await.unwrap();
    let camera_side = tokio::spawn(async move {
        let control = link.next_control().await?;
        link.acknowledge(control.id, AckResult::Done, "as you wish", clock()).await?;
        Ok::<_, LinkError>((link, control.command))
    });
    let answer = cameras.control_camera(flash()).await.unwrap().into_inner();
    assert_eq!(answer.remark, "as you wish");
    let (_link, command) = camera_side.await.unwrap().unwrap();
    assert_eq!(command, wire::Command::Flash(200));
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_settings_reach_a_connected_camera() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let (stop, task) = simulated(&hub, camera, key, |_| {});
    let capture = pb::CaptureSettings {
        size: Some(pb::FrameSize { width: 320, height: 240 }),
        quality: 30,
        active_fps: 5,
        idle_fps: 5,
    };
    let size = |size: pb::FrameSize| {
        let mut cameras = hub.clients.cameras.clone();
        async move {
            let camera = cameras.get_camera(pb::GetCameraRequest { camera: "fridge".to_owned() }).await.unwrap();
            (camera.into_inner().status.unwrap().size == Some(size)).then_some(())
        }
    };
    until("a picture", || size(pb::FrameSize { width: 640, height: 480 })).await;
    let update = pb::Camera { id: "fridge".to_owned(), capture: Some(capture), ..Default::default() };
    let update = pb::UpdateCameraRequest { camera: Some(update), update_mask: None };
    hub.clients.cameras.clone().update_camera(update).await.unwrap();
    until("a small picture", || size(pb::FrameSize { width: 320, height: 240 })).await;
    stop.cancel();
    assert_eq!(task.await.unwrap().sessions, 1, "without a new session");
    hub.stop().await;
}
