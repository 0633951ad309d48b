//! A viewer that comes over QUIC.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::BytesMut;
use larder_proto::wire::relay::{
    ALPN, CloseCode, FRAME_HEADER_LEN, FrameHeader, Hello, HubMessage, MOST_FRAME, VERSION, ViewerMessage, Welcome,
    Wish,
};
use quinn::{
    ClientConfig, Connecting, Connection, ConnectionError, Endpoint, RecvStream, SendStream, TransportConfig,
    crypto::rustls::QuicClientConfig,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::Hub;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A hello with this secret for this camera.
pub(crate) fn hello(secret: &str, camera: &str) -> Hello {
    Hello {
        version_min: VERSION,
        version_max: VERSION,
        secret: secret.to_owned(),
        camera: camera.to_owned(),
        wish: Wish::default(),
        client: "test".to_owned(),
    }
}

/// TLS that trusts the hub's own authority and asks for this protocol.
pub(crate) fn tls(hub: &Hub, alpn: &[u8]) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(hub.state().join("certs/ca.crt")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls
}

/// Where viewers dial from.
pub(crate) struct Dialer {
    pub(crate) endpoint: Endpoint,
    config: ClientConfig,
    relay: SocketAddr,
}

impl Dialer {
    pub(crate) fn new(hub: &Hub) -> Self {
        Self::with(hub, Ipv4Addr::LOCALHOST, |_| {})
    }

    /// From an address of loopback's, and with a transport of its own.
    pub(crate) fn with(hub: &Hub, from: Ipv4Addr, tune: impl FnOnce(&mut TransportConfig)) -> Self {
        Self::speaking(hub, from, tls(hub, ALPN), tune)
    }

    pub(crate) fn speaking(
        hub: &Hub,
        from: Ipv4Addr,
        tls: rustls::ClientConfig,
        tune: impl FnOnce(&mut TransportConfig),
    ) -> Self {
        let mut transport = TransportConfig::default();
        tune(&mut transport);
        let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        config.transport_config(Arc::new(transport));
        // What it is given to prove its address with the next time, it forgets.
        config.token_store(Arc::new(quinn::NoneTokenStore));
        let endpoint = Endpoint::client(SocketAddr::from((from, 0))).unwrap();
        Self { endpoint, config, relay: hub.addresses().relay }
    }

    /// Dials this address instead of the relay's: a proxy's.
    pub(crate) fn through(self, relay: SocketAddr) -> Self {
        Self { relay, ..self }
    }

    pub(crate) fn begin(&self) -> Connecting {
        self.endpoint.connect_with(self.config.clone(), self.relay, "localhost").unwrap()
    }

    pub(crate) async fn dial(&self) -> Result<Connection, ConnectionError> {
        self.begin().await
    }

    /// Dials and says hello; nothing of the answer is read yet.
    pub(crate) async fn with_hello(&self, hello: Hello) -> FarViewer {
        FarViewer::over(self.dial().await.unwrap(), hello).await
    }

    /// Dials and is let in.
    pub(crate) async fn welcomed(&self, secret: &str, camera: &str) -> (FarViewer, Welcome) {
        let mut viewer = self.with_hello(hello(secret, camera)).await;
        match viewer.hear().await {
            HubMessage::Welcome(welcome) => (viewer, welcome),
            other => panic!("no welcome: {other:?}"),
        }
    }
}

/// A viewer of `larder/1`.
pub(crate) struct FarViewer {
    pub(crate) connection: Connection,
    sender: SendStream,
    receiver: RecvStream,
    input: BytesMut,
}

impl FarViewer {
    /// Says hello over this connection; nothing of the answer is read yet.
    pub(crate) async fn over(connection: Connection, hello: Hello) -> Self {
        let (sender, receiver) = connection.open_bi().await.unwrap();
        let mut viewer = Self { connection, sender, receiver, input: BytesMut::new() };
        viewer.say(&ViewerMessage::Hello(hello)).await;
        viewer
    }

    pub(crate) async fn say(&mut self, message: &ViewerMessage) {
        let mut bytes = BytesMut::new();
        message.encode(&mut bytes);
        self.say_bytes(&bytes).await;
    }

    /// Says what may be nonsense. A connection that is over swallows it.
    pub(crate) async fn say_bytes(&mut self, bytes: &[u8]) {
        let _ = self.sender.write_all(bytes).await;
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> HubMessage {
        let hearing = async {
            loop {
                if let Some(message) = HubMessage::decode(&mut self.input).unwrap() {
                    return message;
                }
                let chunk = self.receiver.read_chunk(1024, true).await.unwrap().expect("the stream goes on");
                self.input.extend_from_slice(&chunk.bytes);
            }
        };
        tokio::time::timeout(PATIENCE, hearing).await.expect("a message")
    }

    /// The next whole frame, and its JPEG. Those that were given up are passed over.
    pub(crate) async fn frame(&mut self) -> (FrameHeader, Vec<u8>) {
        tokio::time::timeout(PATIENCE, Self::frame_of(&self.connection)).await.expect("a frame").unwrap()
    }

    /// The same, of a connection that may end.
    pub(crate) async fn frame_of(connection: &Connection) -> Result<(FrameHeader, Vec<u8>), ConnectionError> {
        loop {
            let mut stream = connection.accept_uni().await?;
            let most = FRAME_HEADER_LEN + usize::try_from(MOST_FRAME).unwrap();
            let Ok(bytes) = stream.read_to_end(most).await else { continue };
            let (header, jpeg) = bytes.split_first_chunk().expect("a header");
            let header = FrameHeader::decode(header).unwrap();
            assert_eq!(jpeg.len(), usize::try_from(header.length).unwrap(), "a stream that ends is whole");
            return Ok((header, jpeg.to_vec()));
        }
    }

    /// Why the hub ended it.
    pub(crate) async fn ended(&self) -> CloseCode {
        match tokio::time::timeout(PATIENCE, self.connection.closed()).await.expect("an end") {
            ConnectionError::ApplicationClosed(close) => {
                let code = CloseCode::from_code(u32::try_from(close.error_code.into_inner()).unwrap());
                assert_eq!(close.reason, code.name().as_bytes());
                code
            }
            other => panic!("ended without a code: {other}"),
        }
    }
}
