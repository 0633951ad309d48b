//! Whom the hub believes when it dials out: the system's authorities, and those that the configuration names.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use thiserror::Error;

/// Why a file of certificates can't be used.
#[derive(Debug, Error)]
#[error("cannot use the certificates in {path}: {why}")]
pub struct Error {
    /// Which file.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// The certificates in a PEM file, one at least.
///
/// # Errors
/// When it can't be read, is no PEM, or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |why: String| Error { path: path.to_owned(), why };
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    let parsed = parsed.map_err(|error| wrong(error.to_string()))?;
    if parsed.is_empty() { Err(wrong("it holds none".to_owned())) } else { Ok(parsed) }
}

/// How to dial a server that shows a certificate of the system's authorities, or of these.
pub fn beside_the_system(more: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(more.iter().cloned());
    client(roots)
}

/// How to dial a server that shows a certificate of these authorities and of no other.
pub fn alone(authorities: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.iter().cloned());
    client(roots)
}

fn client(roots: RootCertStore) -> Arc<ClientConfig> {
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_no_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(certificates(&path).unwrap_err().to_string().contains("ca.pem"));
        std::fs::write(&path, "nothing\n").unwrap();
        assert_eq!(certificates(&path).unwrap_err().why, "it holds none");
    }
}
