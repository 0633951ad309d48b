//! What a leaf says of itself, and its file: the key, the leaf and its authority in one.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use rustls::{
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use super::{
    Error,
    authority::Authority,
    files,
    names::{Names, canonical},
};

/// A leaf is made anew when less than this is left: a hub that was off over a long holiday still has time.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The facts that decide whether a leaf can stay.
pub(super) struct Leaf {
    names: Names,
    not_before: i64,
    not_after: i64,
    issuer: Option<CertificateDer<'static>>,
}

impl Leaf {
    /// Reads the first certificate of a chain. `None` when it is not a certificate.
    pub(super) fn of(key: &CertifiedKey) -> Option<Self> {
        let (_, leaf) = parse_x509_certificate(key.cert.first()?).ok()?;
        let alternatives = leaf.subject_alternative_name().ok()?;
        let names = alternatives.map(|names| names.value.general_names.iter().filter_map(name).collect());
        Some(Self {
            names: names.unwrap_or_default(),
            not_before: leaf.validity().not_before.timestamp(),
            not_after: leaf.validity().not_after.timestamp(),
            issuer: key.cert.get(1).cloned(),
        })
    }

    /// When it ends.
    pub(super) fn ends_at(&self) -> Timestamp {
        Timestamp::from_second(self.not_after).unwrap_or(Timestamp::MAX)
    }

    /// Whether it began, less than `age` ago.
    pub(super) fn is_younger(&self, now: Timestamp, age: Duration) -> bool {
        let until = self.not_before.saturating_add_unsigned(age.as_secs());
        (self.not_before..until).contains(&now.as_second())
    }

    /// Whether it is of this authority, carries all the names and is good for a while. Names it has in excess do no
    /// harm: an interface that comes and goes does not mean a new leaf each time.
    pub(super) fn serves(&self, authority: &Authority, wanted: &Names, now: Timestamp) -> bool {
        let renew_at = self.not_after.saturating_sub_unsigned(RENEW_BEFORE.as_secs());
        self.issuer.as_ref() == Some(authority.der())
            && self.names.is_superset(wanted)
            && (self.not_before..renew_at).contains(&now.as_second())
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(canonical(name)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| IpAddr::from(Ipv4Addr::from(bytes)));
            let v6 = <[u8; 16]>::try_from(*bytes).map(|bytes| IpAddr::from(Ipv6Addr::from(bytes)));
            v4.or(v6).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// Loads the hub's own leaf. One that is broken counts as absent: it is made anew without loss.
pub(super) fn load(path: &Path) -> Result<Option<(Leaf, Arc<CertifiedKey>)>, Error> {
    let Some(pem) = files::read_secret(path)? else { return Ok(None) };
    let key = match certified(path, &pem, &pem) {
        Ok(key) => key,
        Err(error) => {
            tracing::warn!(%error, "the certificate is made anew");
            return Ok(None);
        }
    };
    Ok(Leaf::of(&key).map(|leaf| (leaf, Arc::new(key))))
}

/// A chain and its key, which must belong together.
pub(super) fn certified(path: &Path, chain: &str, key: &str) -> Result<CertifiedKey, Error> {
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| Error::broken(path, error))?;
    if chain.is_empty() {
        return Err(Error::broken(path, "it holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| Error::broken(path, error))?;
    CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| Error::broken(path, error))
}
