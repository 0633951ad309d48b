//! Pages over WebTransport, and pictures made smaller.

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use larder_proto::{
    pb,
    wire::relay::{
        CloseCode, FRAME_HEADER_LEN, FrameHeader, HubMessage, MOST_FRAME, Rate, ViewerMessage, WEB_ALPN, Wish,
    },
};
use quinn::{ClientConfig, Endpoint, crypto::rustls::QuicClientConfig};
use ring::digest;
use rustls::{
    DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use web_transport_quinn::{RecvStream, SendStream, Session, SessionError, proto::ConnectRequest};

use super::{Scene, viewers};
use crate::support::{Dialer, Hub, hello, simulated, until};

const PATIENCE: Duration = Duration::from_secs(30);

/// Takes the one certificate that the page was told the hash of, as browsers do.
#[derive(Debug)]
struct Pinned(Vec<u8>);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let is_it = digest::digest(&digest::SHA256, end_entity).as_ref() == self.0;
        is_it.then(ServerCertVerified::assertion).ok_or_else(|| rustls::Error::General("another one".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unreachable!("QUIC has TLS 1.3 alone")
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

async fn pass(hub: &Hub) -> pb::Pass {
    let request = pb::CreatePassRequest { camera: "fridge".to_owned() };
    hub.clients.viewers.clone().create_pass(request).await.unwrap().into_inner()
}

/// A page's session at this path, from a page of this origin.
async fn open(hub: &Hub, hash: &[u8], path: &str, origin: &str) -> Option<Session> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(hash.to_vec())))
        .with_no_client_auth();
    tls.alpn_protocols = vec![WEB_ALPN.to_vec()];
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
    let relay = hub.addresses().relay;
    let connection = endpoint.connect_with(config, relay, "localhost").unwrap().await.ok()?;
    let url: url::Url = format!("https://localhost:{}{path}", relay.port()).parse().unwrap();
    let request = ConnectRequest::new(url).with_header(http::header::ORIGIN, origin.parse().unwrap());
    tokio::time::timeout(PATIENCE, Session::connect(connection, request)).await.expect("an answer").ok()
}

struct Page {
    session: Session,
    sender: SendStream,
    receiver: RecvStream,
    input: BytesMut,
}

impl Page {
    async fn over(session: Session, secret: &str) -> Self {
        let (sender, receiver) = session.open_bi().await.unwrap();
        let mut page = Self { session, sender, receiver, input: BytesMut::new() };
        page.say(ViewerMessage::Hello(hello(secret, "fridge"))).await;
        page
    }

    async fn say(&mut self, message: ViewerMessage) {
        let mut bytes = BytesMut::new();
        message.encode(&mut bytes);
        self.sender.write_all(&bytes).await.unwrap();
    }

    async fn hear(&mut self) -> HubMessage {
        loop {
            if let Some(message) = HubMessage::decode(&mut self.input).unwrap() {
                return message;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.receiver.read_chunk(1024, true)).await.unwrap();
            self.input.extend_from_slice(&chunk.unwrap().expect("the stream goes on").bytes);
        }
    }

    async fn frame(&self) -> FrameHeader {
        let mut stream = tokio::time::timeout(PATIENCE, self.session.accept_uni()).await.unwrap().unwrap();
        let most = FRAME_HEADER_LEN + usize::try_from(MOST_FRAME).unwrap();
        let bytes = stream.read_to_end(most).await.unwrap();
        let (header, jpeg) = bytes.split_first_chunk().unwrap();
        assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
        FrameHeader::decode(header).unwrap()
    }

    async fn ended(&self) -> CloseCode {
        match tokio::time::timeout(PATIENCE, self.session.closed()).await.expect("an end") {
            SessionError::WebTransportError(web_transport_quinn::WebTransportError::Closed(code, _)) => {
                CloseCode::from_code(code)
            }
            other => panic!("ended without a code: {other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_watches_over_webtransport_with_a_pass_and_a_pinned_certificate() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let (stop, task) = simulated(&hub, camera, key, |_| {});
    let ticket = pass(&hub).await;
    let hash = ticket.certificate_hashes[0].clone();
    assert_eq!((ticket.certificate_hashes.len(), hash.len()), (1, 32));

    let path = format!("/live?pass={}", ticket.pass);
    let mut page = Page::over(open(&hub, &hash, &path, "http://localhost:8080").await.unwrap(), "").await;
    assert!(matches!(page.hear().await, HubMessage::Welcome(welcome) if welcome.camera == camera));
    for _ in 0..5 {
        assert!(!page.frame().await.is_scaled);
    }
    let seen = &viewers(&hub).await[0];
    assert_eq!(seen.protocol(), pb::viewer::Protocol::Webtransport);

    let again = Page::over(open(&hub, &hash, &path, "http://localhost:8080").await.unwrap(), "").await;
    assert_eq!(again.ended().await, CloseCode::Unauthenticated, "a pass is good once");

    let disconnect = pb::DisconnectViewerRequest { id: seen.id.clone() };
    hub.clients.viewers.clone().disconnect_viewer(disconnect).await.unwrap();
    assert_eq!(page.ended().await, CloseCode::Disconnected);

    for (path, origin) in [("/live", "https://evil.example"), ("/live", "null"), ("/", "http://localhost:8080")] {
        assert!(open(&hub, &hash, path, origin).await.is_none(), "{path} for {origin}");
    }
    assert!(open(&hub, &[0; 32], "/live", "http://localhost:8080").await.is_none(), "the certificate is the told one");
    stop.cancel();
    task.await.unwrap();
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_gets_the_size_and_rate_it_wished_and_others_do_not() {
    let scene = Scene::start().await;
    let (hub, token) = (&scene.hub, &scene.token);
    let dialer = Dialer::new(hub);
    let (mut whole, _) = dialer.welcomed(token, "fridge").await;
    let (camera_size, jpeg) = {
        let (header, jpeg) = whole.frame().await;
        ((header.width, header.height), jpeg)
    };
    let wish = Wish { rate: Rate::from_tenths(50), width: Some(camera_size.0 - 1), height: None };
    let mut small = dialer.with_hello(larder_proto::wire::relay::Hello { wish, ..hello(token, "fridge") }).await;
    let (header, small_jpeg) = small.frame().await;
    assert!(header.is_scaled && small_jpeg.len() < jpeg.len());
    assert_eq!((header.width, header.height), (camera_size.0 / 2, camera_size.1 / 2));
    let mut frames = vec![header];
    while frames.len() < 16 {
        frames.push(small.frame().await.0);
    }
    for pair in frames.windows(2) {
        assert_eq!(pair[0].sequence + 1 + u64::from(pair[1].skipped), pair[1].sequence, "what is missing was told");
    }
    // The rate is a mean: the first may have waited for the camera, and those behind it have not.
    let took = frames[15].sent_at_us - frames[0].sent_at_us;
    assert!(took >= 2_700_000, "5 a second, and not {took} us for 15");
    assert!(!whole.frame().await.0.is_scaled);
    let limited =
        until("the limits to be listed", || async { viewers(hub).await.into_iter().find_map(|viewer| viewer.limits) })
            .await;
    assert_eq!((limited.fps, limited.width, limited.by_line), (Some(5.0), wish.width.map(u32::from), false));

    small.say(&ViewerMessage::Wish(Wish::default())).await;
    while small.frame().await.0.is_scaled {}
    scene.stop().await;
}
