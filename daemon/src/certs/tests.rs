//! Certificates in a real folder, shown in real handshakes.

use std::{
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicI64, Ordering},
    time::SystemTime,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConnection,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::*;

/// 2026-06-01.
const NOW: i64 = 1_780_272_000;
const DAY: i64 = 24 * 3600;

fn clock_at(second: i64) -> (Clock, Arc<AtomicI64>) {
    let wall = Arc::new(AtomicI64::new(second));
    let read = Arc::clone(&wall);
    let clock = Clock::with_wall(move || {
        SystemTime::UNIX_EPOCH + Duration::from_secs(read.load(Ordering::Relaxed).unsigned_abs())
    });
    (clock, wall)
}

fn start(config: &Config, folder: &Path, clock: &Clock) -> Result<Certs, Error> {
    Certs::start(config, folder, clock.clone(), &Tasks::new())
}

fn shown(certs: &Certs) -> Arc<CertifiedKey> {
    certs.0.resolver.present()
}

/// A TLS handshake in memory with a client that trusts the hub's authority and expects `name`.
fn handshake(certs: &Certs, name: &str, alpn: Alpn, client_alpn: &[&[u8]]) -> Result<Option<Vec<u8>>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let authority = certs.authority_pem().expect("an authority");
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("a certificate")).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = client_alpn.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name)?;
    let mut server = ServerConnection::new(certs.server_config(alpn).expect("a configuration"))?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).expect("bytes");
        server.read_tls(&mut wire.as_slice()).expect("bytes");
        server.process_new_packets()?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).expect("bytes");
        client.read_tls(&mut wire.as_slice()).expect("bytes");
        client.process_new_packets()?;
    }
    Ok(client.alpn_protocol().map(<[u8]>::to_vec))
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("a file").permissions().mode() & 0o777
}

#[test]
fn complaints_name_the_key() {
    let config = Config { names: vec!["not a name".to_owned()], key: Some("key.pem".into()), certificate: None };
    let complaints = config.check();
    assert!(complaints[0].starts_with("tls.names: "), "{complaints:?}");
    assert!(complaints[1].starts_with("tls.certificate: "), "{complaints:?}");
    let names = ["fridge.example.org", "192.0.2.1", "2001:db8::1"].map(str::to_owned).to_vec();
    assert_eq!(Config { names, ..Config::default() }.check(), Vec::<String>::new());
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_gets_in_by_every_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clock, _) = clock_at(Clock::new().now().as_second());
    let config = Config { names: vec!["fridge.example.org".to_owned()], ..Config::default() };
    let certs = start(&config, folder.path(), &clock).expect("certificates");
    for name in ["localhost", "127.0.0.1", "::1", "fridge.example.org"] {
        let both: &[&[u8]] = &[b"h2", b"http/1.1"];
        assert_eq!(handshake(&certs, name, Alpn::Http, both), Ok(Some(b"h2".to_vec())), "{name}");
    }
    let refused = handshake(&certs, "elsewhere.example.org", Alpn::Http, &[]);
    assert!(matches!(refused, Err(rustls::Error::InvalidCertificate(_))), "{refused:?}");
    assert_eq!(handshake(&certs, "localhost", Alpn::Http, &[b"http/1.1"]), Ok(Some(b"http/1.1".to_vec())));
    let refused = handshake(&certs, "localhost", Alpn::Grpc, &[b"http/1.1"]);
    assert!(refused.is_err(), "gRPC needs HTTP/2: {refused:?}");
}

#[tokio::test]
async fn keys_are_for_the_owner_alone_and_the_authority_for_everyone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clock, _) = clock_at(NOW);
    let certs = start(&Config::default(), folder.path(), &clock).expect("certificates");
    assert_eq!(mode(&folder.path().join("ca.key")), 0o600);
    assert_eq!(mode(&folder.path().join("leaf.pem")), 0o600);
    assert_eq!(mode(&folder.path().join("ca.crt")), 0o644);
    assert_eq!(certs.authority_fingerprint().expect("an authority").len(), 32 * 3 - 1);

    let key = folder.path().join("ca.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let error = start(&Config::default(), folder.path(), &clock).err().expect("too open");
    assert!(matches!(&error, Error::Readable(path) if *path == key), "{error}");
}

#[tokio::test]
async fn a_restart_shows_the_same_leaf_and_a_new_name_another_of_the_same_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clock, _) = clock_at(NOW);
    let first = start(&Config::default(), folder.path(), &clock).expect("certificates");
    let again = start(&Config::default(), folder.path(), &clock).expect("certificates");
    assert_eq!(shown(&first).cert, shown(&again).cert);

    let config = Config { names: vec!["fridge.example.org".to_owned()], ..Config::default() };
    let named = start(&config, folder.path(), &clock).expect("certificates");
    assert_ne!(shown(&first).cert[0], shown(&named).cert[0]);
    assert_eq!(first.authority_pem(), named.authority_pem());

    let fewer = start(&Config::default(), folder.path(), &clock).expect("certificates");
    assert_eq!(shown(&fewer).cert, shown(&named).cert, "a name in excess does no harm");
}

#[tokio::test]
async fn a_leaf_is_renewed_a_month_before_its_end_while_the_hub_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clock, wall) = clock_at(NOW);
    let certs = start(&Config::default(), folder.path(), &clock).expect("certificates");
    let first = shown(&certs);

    wall.store(NOW + 365 * DAY, Ordering::Relaxed);
    clock.check();
    certs.refresh();
    assert!(Arc::ptr_eq(&first, &shown(&certs)), "it is still good");

    wall.store(NOW + 367 * DAY, Ordering::Relaxed);
    clock.check();
    certs.refresh();
    assert_ne!(first.cert[0], shown(&certs).cert[0]);
}

#[tokio::test]
async fn a_clock_that_was_ahead_leaves_no_leaf_of_the_future() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clock, wall) = clock_at(NOW + 5 * 365 * DAY);
    let certs = start(&Config::default(), folder.path(), &clock).expect("certificates");
    let first = shown(&certs);
    wall.store(NOW, Ordering::Relaxed);
    clock.check();
    certs.refresh();
    assert_ne!(first.cert[0], shown(&certs).cert[0]);
    assert_eq!(first.cert[1], shown(&certs).cert[1]);
}

#[tokio::test(start_paused = true)]
async fn a_step_of_the_clock_is_followed_without_being_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clock, wall) = clock_at(NOW);
    let tasks = Tasks::new();
    let certs = Certs::start(&Config::default(), folder.path(), clock.clone(), &tasks).expect("certificates");
    let first = shown(&certs);
    tokio::task::yield_now().await;
    wall.store(NOW + 380 * DAY, Ordering::Relaxed);
    assert!(clock.check().is_some());
    while Arc::ptr_eq(&first, &shown(&certs)) {
        tokio::task::yield_now().await;
    }
    assert!(tasks.stop(Duration::from_secs(1)).await);
}

#[tokio::test]
async fn a_half_made_authority_is_completed_and_a_lost_key_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clock, _) = clock_at(NOW);
    start(&Config::default(), folder.path(), &clock).expect("certificates");
    std::fs::remove_file(folder.path().join("ca.crt")).expect("removed");
    start(&Config::default(), folder.path(), &clock).expect("made anew for the same key");

    std::fs::remove_file(folder.path().join("ca.key")).expect("removed");
    let error = start(&Config::default(), folder.path(), &clock).err().expect("no key");
    assert!(matches!(error, Error::KeyMissing(_)), "{error}");
    assert!(!folder.path().join("ca.key").exists());
}

#[tokio::test]
async fn a_key_of_another_authority_is_an_error() {
    let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (clock, _) = clock_at(NOW);
    start(&Config::default(), folder.path(), &clock).expect("certificates");
    start(&Config::default(), other.path(), &clock).expect("certificates");
    std::fs::copy(other.path().join("ca.key"), folder.path().join("ca.key")).expect("copied");
    let error = start(&Config::default(), folder.path(), &clock).err().expect("a mismatch");
    assert!(error.to_string().ends_with("it does not belong to ca.key"), "{error}");
}

#[tokio::test]
async fn a_broken_leaf_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let (clock, _) = clock_at(NOW);
    start(&Config::default(), folder.path(), &clock).expect("certificates");
    let leaf = folder.path().join("leaf.pem");
    std::fs::write(&leaf, "half a fi").expect("written");
    let certs = start(&Config::default(), folder.path(), &clock).expect("certificates");
    assert_eq!(shown(&certs).cert.len(), 2);
    assert!(std::fs::read_to_string(&leaf).expect("a file").contains("BEGIN CERTIFICATE"));
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_shown_and_followed_when_it_is_renewed() {
    let (folder, made) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (clock, wall) = clock_at(NOW);
    let maker = start(&Config::default(), made.path(), &clock).expect("certificates");
    let files = made.path().join("leaf.pem");
    let config = Config { certificate: Some(files.clone()), key: Some(files), names: Vec::new() };
    let certs = start(&config, folder.path(), &clock).expect("certificates");
    assert_eq!(shown(&certs).cert, shown(&maker).cert);
    assert_eq!(certs.authority_pem(), None);
    assert!(!folder.path().join("ca.crt").exists());

    wall.store(NOW + 390 * DAY, Ordering::Relaxed);
    clock.check();
    maker.refresh();
    certs.refresh();
    assert_eq!(shown(&certs).cert, shown(&maker).cert);

    std::fs::write(made.path().join("leaf.pem"), "half a fi").expect("written");
    certs.refresh();
    assert_eq!(shown(&certs).cert, shown(&maker).cert, "the old one stays");
    assert!(start(&config, folder.path(), &clock).is_err());
}
