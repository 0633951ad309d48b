//! Nobody gets in who does not belong.

use larder_proto::pb;
use prost::Message as _;
use tonic::{
    Code, Request,
    transport::{Certificate, Channel, ClientTlsConfig},
};

use crate::support::{Clients, Hub, get, get_with};

/// gRPC over TLS, trusting the hub's own authority.
async fn remote(hub: &Hub) -> Channel {
    let authority = std::fs::read(hub.state().join("certs/ca.crt")).unwrap();
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority)).domain_name("localhost");
    let endpoint = Channel::from_shared(format!("https://localhost:{}", hub.addresses().grpc.port())).unwrap();
    endpoint.tls_config(tls).unwrap().connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_every_route_that_is_not_public_answers_401() {
    let hub = Hub::start().await;
    hub.add_named("fridge").await;
    let public = ["/healthz", "/readyz"];
    for (method, pattern) in larder_daemon::http::routes() {
        assert_eq!(method, "GET", "this test asks with GET");
        let path = pattern
            .replace("{camera}", "fridge")
            .replace("{run}", "01981b3c-0000-7000-8000-000000000000")
            .replace("{segment}", "1700000000000000.m4s")
            .replace("{from}", "1700000000000000")
            .replace("{to}", "1700000060000000.m3u8");
        let status = get(hub.http(), &path).await.status.as_u16();
        let allowed = public.contains(&pattern);
        assert_eq!(status == 401, !allowed, "{pattern} answers {status}");
        // A made-up token and grant are nobody's.
        let made_up = get_with(hub.http(), &format!("{path}?grant=AAAA"), &[("authorization", "Bearer lrd_x")]).await;
        assert_eq!(made_up.status == 401, !allowed, "{pattern} answers {} to a made-up token", made_up.status);
    }
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_every_method_that_is_not_public_is_unauthenticated() {
    let hub = Hub::start().await;
    let channel = remote(&hub).await;
    let descriptors = prost_types::FileDescriptorSet::decode(pb::DESCRIPTORS).unwrap();
    let mut asked = 0;
    for file in descriptors.file.iter().filter(|file| file.package() == "larder.v1") {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/larder.v1.{}/{}", service.name(), method.name());
                let code = call(&channel, &path).await;
                let public = ["GetAccessState", "CreateFirstAdmin", "SignIn", "SignOut"].contains(&method.name());
                assert!(public || code == Code::Unauthenticated, "{path} answers {code:?}");
                asked += 1;
            }
        }
    }
    assert!(asked >= 28, "only {asked} methods were asked");
    hub.stop().await;
}

/// Calls a method with an empty message.
async fn call(channel: &Channel, path: &str) -> Code {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let path = path.parse().unwrap();
    match grpc.server_streaming(Request::new(()), path, codec).await {
        Err(status) => status.code(),
        Ok(answer) => answer.into_inner().message().await.err().map_or(Code::Ok, |status| status.code()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_may_do_what_it_says_and_no_more() {
    let hub = Hub::start().await;
    hub.add_named("fridge").await;
    let token = hub.token("viewer", pb::Role::Viewer).await;
    let channel = remote(&hub).await;
    let clients = Clients::new(channel);
    let with = |message| {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    };
    let listed = clients.cameras.clone().list_cameras(with(pb::ListCamerasRequest::default())).await.unwrap();
    assert_eq!(listed.into_inner().cameras[0].name, "fridge");
    let mut request = Request::new(pb::DeleteCameraRequest { camera: "fridge".to_owned() });
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let denied = clients.cameras.clone().delete_camera(request).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_url_plays_its_camera_and_nothing_else() {
    let hub = Hub::start().await;
    hub.add_named("fridge").await;
    hub.add_named("cellar").await;
    let request = pb::CreatePlayUrlRequest { camera: "fridge".to_owned(), range: None, valid_for: None };
    let path = hub.clients.recordings.clone().create_play_url(request).await.unwrap().into_inner().path;
    // Nothing is recorded yet: it is let through to hear that.
    assert_eq!(get(hub.http(), &path).await.status, 404, "{path}");
    let grant = path.split_once('?').unwrap().1;
    let elsewhere = get(hub.http(), &format!("/hls/cellar/live.m3u8?{grant}")).await.status;
    assert!([401, 403].contains(&elsewhere.as_u16()), "{elsewhere}");
    assert_eq!(get(hub.http(), &format!("/cameras/fridge/snapshot.jpg?{grant}")).await.status, 401);
    let last = if path.ends_with('A') { 'B' } else { 'A' };
    let forged = format!("{}{last}", &path[..path.len() - 1]);
    assert_eq!(get(hub.http(), &forged).await.status, 401);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_is_made_with_a_code_and_signs_in_with_a_cookie() {
    let hub = Hub::start().await;
    let channel = remote(&hub).await;
    let mut access = Clients::new(channel).access;
    let wanted = |code: &str| pb::CreateFirstAdminRequest {
        name: "ada".to_owned(),
        password: "correct horse".to_owned(),
        code: code.to_owned(),
    };
    assert_eq!(access.create_first_admin(wanted("guess")).await.unwrap_err().code(), Code::Unauthenticated);
    let local = hub.clients.access.clone().create_sign_in_link(pb::CreateSignInLinkRequest {}).await.unwrap();
    let made = access.create_first_admin(wanted(&local.into_inner().code)).await.unwrap();
    let cookie = made.metadata().get("set-cookie").unwrap().to_str().unwrap().to_owned();
    // It came over TLS, so the browser is told to keep it there.
    let attributes = ["HttpOnly", "SameSite=Strict", "Secure", "Path=/"];
    assert!(attributes.iter().all(|attribute| cookie.contains(attribute)), "{cookie}");
    let secret = cookie.strip_prefix("__Host-larder_session=").unwrap().split(';').next().unwrap();
    let secret = format!("larder_session={secret}");
    let secret = secret.as_str();
    assert_eq!(get_with(hub.http(), "/metrics", &[("cookie", secret)]).await.status, 200);
    // Another site's page sends the cookie along: its origin gives it away.
    let foreign = [("cookie", secret), ("origin", "https://elsewhere.example")];
    let answer = get_with(hub.http(), "/metrics", &foreign).await.status;
    assert!([401, 403].contains(&answer.as_u16()), "{answer}");
    let again = access.create_first_admin(wanted("")).await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
    hub.stop().await;
}
