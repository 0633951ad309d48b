//! A crowd that does everything wrong fills no log: one line for each kind of wrong, whatever the number.

use std::{collections::BTreeMap, net::SocketAddr};

use larder_ctl::simulate::{Dial, Link};
use larder_proto::{
    pb::{
        self,
        sign_in_request::{Credentials, Password},
    },
    wire::CameraId,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;

use crate::support::{Clients, Home, get_with, until};

/// Wrong things of each kind.
const CROWD: usize = 300;

/// Waits until every part is ready; where the hub listens.
async fn ready(clients: &Clients) -> BTreeMap<String, String> {
    until("every part to be ready", || async {
        let status = clients.system.clone().get_status(pb::GetStatusRequest {}).await.ok()?.into_inner();
        let listeners = status.listeners.into_iter().map(|listener| (listener.name, listener.address)).collect();
        status.parts.iter().all(|part| part.ready).then_some(listeners)
    })
    .await
}

/// Sends bytes and reads whatever comes until the end.
async fn say(address: SocketAddr, bytes: &[u8]) {
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

/// The log from a byte on, without its times.
fn log(home: &Home, from: usize) -> Vec<String> {
    home.log()[from..].lines().map(|line| line.split_once("  ").map_or(line, |(_, rest)| rest).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_does_everything_wrong_gets_a_line_for_each_kind() {
    let home = Home::new(&[]);
    let _larderd = home.start();
    let clients = home.clients().await;
    let listeners = ready(&clients).await;
    let address = |name: &str| listeners[name].parse::<SocketAddr>().unwrap();
    let (http, https, grpc, link) = (address("http"), address("https"), address("grpc"), address("camera_link"));
    let camera = pb::Camera { name: "fridge".to_owned(), ..Default::default() };
    let request = pb::CreateCameraRequest { camera: Some(camera) };
    let camera = clients.cameras.clone().create_camera(request).await.unwrap().into_inner().camera.unwrap();
    let camera: CameraId = camera.id.parse().unwrap();
    let token = pb::CreateTokenRequest { name: "look".to_owned(), role: pb::Role::Viewer.into(), valid_for: None };
    let token = clients.access.clone().create_token(token).await.unwrap().into_inner().secret;
    let before = home.log().len();

    let refused = || async {
        for round in 0..CROWD {
            // Names of its own each time, so that no count by name can grow.
            let path = format!("/cameras/none-{round}/snapshot.jpg");
            assert_eq!(get_with(http, &path, &[]).await.status, 401);
            let unknown = pb::GetCameraRequest { camera: format!("none-{round}") };
            assert_eq!(clients.cameras.clone().get_camera(unknown).await.unwrap_err().code(), Code::NotFound);
            if round % 10 == 0 {
                let (name, password) = ("eve".to_owned(), format!("guess-{round}"));
                let credentials = Credentials::Password(Password { name, password });
                let wrong = pb::SignInRequest { credentials: Some(credentials) };
                clients.access.clone().sign_in(wrong).await.unwrap_err();
            }
        }
    };
    let garbage = || async {
        for _ in 0..CROWD {
            say(http, b"\x16\x03\x01 no http at all\r\n\r\n").await;
            say(https, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
            say(grpc, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
            say(link, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").await;
        }
    };
    let strangers = || async {
        for round in 0..CROWD {
            let whom = if round % 2 == 0 { camera } else { CameraId::random() };
            Link::connect(&link.to_string(), &Dial::new(whom, [9; 32]), 1).await.err().unwrap();
        }
    };
    tokio::join!(refused(), garbage(), strangers());

    // The hub has seen it all, and goes on.
    let bearer = format!("Bearer {token}");
    until("the refused cameras to be counted", || async {
        let page = get_with(http, "/metrics", &[("authorization", &bearer)]).await;
        let lines = page.text().lines().filter(|line| line.starts_with("larder_camera_connections_refused_total{"));
        let refused: usize = lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap()).sum();
        (refused >= 2 * CROWD).then_some(())
    })
    .await;
    assert_eq!(get_with(http, "/readyz", &[]).await.status, 200);
    let said = log(&home, before);
    assert!(said.len() <= 30, "{} lines for {} wrong things:\n{}", said.len(), 7 * CROWD, said.join("\n"));
    assert!(said.iter().any(|line| line.contains("a camera was refused")), "{}", said.join("\n"));
    assert!(said.iter().any(|line| line.contains("a sign-in was refused")), "{}", said.join("\n"));
    let errors: Vec<_> = said.iter().filter(|line| line.starts_with("ERROR")).collect();
    assert!(errors.is_empty(), "nobody must act for what strangers do: {errors:?}");
}
