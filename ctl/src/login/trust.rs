//! A hub's certificate authority: seen for the first time, compared by eye, and kept.

use std::{fmt::Write as _, path::Path, sync::Arc, sync::Mutex};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde::Serialize;

use crate::{
    Failure, Out,
    dial::{self, DialError},
    target::{Remote, read_authorities},
};

/// Characters of a line of PEM (RFC 7468, section 2).
const PEM_LINE: usize = 64;

/// SHA-256 in hexadecimal with colons, as browsers and openssl show it.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = ::ring::digest::digest(&::ring::digest::SHA256, certificate);
    let mut text = String::new();
    for (index, byte) in digest.as_ref().iter().enumerate() {
        // Writing to a string does not fail.
        let _ = write!(text, "{}{byte:02X}", if index == 0 { "" } else { ":" });
    }
    text
}

/// A certificate in PEM.
pub(super) fn to_pem(certificate: &CertificateDer<'_>) -> String {
    let body = BASE64_STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for (index, character) in body.chars().enumerate() {
        if index > 0 && index % PEM_LINE == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END CERTIFICATE-----\n");
    pem
}

/// The hub's authority, after somebody has vouched for its fingerprint.
pub(super) async fn ask(
    remote: &Remote,
    expected: Option<&str>,
    out: &Out,
) -> Result<CertificateDer<'static>, Failure> {
    let authority = presented(remote).await?;
    let shown = fingerprint(&authority);
    match expected {
        Some(expected) if same(expected, &shown) => {}
        Some(expected) => {
            return Err(Failure::Other(format!(
                "{} shows an authority with fingerprint {shown}, not {expected}",
                remote.address()
            )));
        }
        None => {
            out.note(&format!("{} shows an authority with the SHA-256 fingerprint\n  {shown}", remote.address()));
            out.note("On the hub itself, `larderctl authority` prints the right one.");
            out.confirm("Are they the same?", false).map_err(|failure| match failure {
                Failure::Usage(_) => Failure::Usage(
                    "nobody is here to compare the fingerprint: pass --ca FILE or --fingerprint".to_owned(),
                ),
                other => other,
            })?;
        }
    }
    Ok(authority)
}

fn same(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.trim().replace(':', "").to_ascii_uppercase();
    plain(one) == plain(other)
}

/// The last certificate the hub shows: its authority, as hubs that made their own send it along.
async fn presented(remote: &Remote) -> Result<CertificateDer<'static>, Failure> {
    let provider = Arc::new(ring::default_provider());
    let seen = Arc::new(Seen { provider: Arc::clone(&provider), chain: Mutex::default() });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| DialError::Trust(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&seen) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    // Nothing is sent over this connection: it is closed as soon as the certificates were seen.
    drop(dial::tls(remote, config).await?);
    let chain = seen.chain.lock().map(|chain| chain.clone()).unwrap_or_default();
    match chain.as_slice() {
        [_, .., authority] => Ok(authority.clone()),
        _ => Err(Failure::Other(format!(
            "{} does not show its authority: pass it with --ca FILE, or --system-trust if it is one of the world's",
            remote.address()
        ))),
    }
}

/// Takes note of what a server shows, and trusts nothing by it: see [`presented`].
#[derive(Debug)]
struct Seen {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Ok(mut chain) = self.chain.lock() {
            *chain = [end_entity].into_iter().chain(intermediates).map(|seen| seen.clone().into_owned()).collect();
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[derive(Serialize)]
struct View<'a> {
    file: &'a Path,
    fingerprint: &'a str,
}

/// `larderctl authority`: what to compare with when another machine asks.
///
/// # Errors
///
/// The file cannot be read.
pub fn show_authority(file: &Path, out: &mut Out) -> Result<(), Failure> {
    let certificates = read_authorities(file)?;
    let fingerprint = certificates.first().map(fingerprint).unwrap_or_default();
    let view = View { file, fingerprint: &fingerprint };
    out.one(&view, |out| out.fields(&[("File", file.display().to_string()), ("SHA-256", fingerprint.clone())]))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::{dial::tests::Authority, output::tests::Written, target::Trust};

    /// What is asked of somebody who sees a hub for the first time and expects `expected`.
    async fn first_sight(authority: &Authority, expected: Option<&str>) -> Result<CertificateDer<'static>, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let remote = Remote { host: "127.0.0.1".to_owned(), port, trust: Trust::System, token: None };
        let acceptor = authority.server("127.0.0.1");
        let server = async {
            let (stream, _) = listener.accept().await.expect("a caller");
            let _ = acceptor.accept(stream).await;
        };
        let out = Written::default().out(false);
        tokio::join!(server, ask(&remote, expected, &out)).1
    }

    #[tokio::test]
    async fn an_authority_is_kept_only_with_the_right_fingerprint() {
        let authority = Authority::new();
        let right = fingerprint(&authority.certificate());
        let kept = first_sight(&authority, Some(&right)).await.expect("trusted");
        assert_eq!(kept, authority.certificate());

        let wrong = fingerprint(&Authority::new().certificate());
        let failure = first_sight(&authority, Some(&wrong)).await.expect_err("refused");
        assert!(failure.to_string().contains(&right), "{failure}");
    }

    #[tokio::test]
    async fn nobody_there_to_compare_means_no_trust() {
        let failure = first_sight(&Authority::new(), None).await.expect_err("refused");
        assert!(matches!(failure, Failure::Usage(_)), "{failure:?}");
    }

    #[test]
    fn a_certificate_survives_pem() {
        let certificate = CertificateDer::from((0..=255).collect::<Vec<u8>>());
        let pem = to_pem(&certificate);
        assert_eq!(CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate"), certificate);
        assert!(pem.lines().all(|line| line.len() <= PEM_LINE));
    }

    #[test]
    fn fingerprints_are_compared_as_people_copy_them() {
        let shown = fingerprint(&CertificateDer::from(b"abc".to_vec()));
        assert!(shown.starts_with("BA:78:16:BF:"), "{shown}");
        assert!(same(&shown, &shown.replace(':', "").to_lowercase()));
        assert!(!same(&shown, "BA:78"));
    }
}
