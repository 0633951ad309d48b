//! The certificate that browsers meet in WebTransport. They do not know the hub's authority, but take a certificate whose
//! SHA-256 the page names, when it is of P-256 and lives two weeks at most
//! (<https://www.w3.org/TR/webtransport/#custom-certificate-requirements>). So it is made anew every few days, and lives
//! in memory alone: a page asks for the hash each time it connects.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use ring::digest;
use rustls::{
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};

use super::{Error, authority::set_validity, leaf::Leaf};
use crate::identity;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// From its beginning to its end; a day less than browsers take.
const LIFE: Duration = Duration::from_secs(13 * 24 * 3600);
/// It is dated back by so much, for browsers whose clock is behind.
const BACK: Duration = DAY;
/// After so long it is made anew: a browser whose clock is some days ahead still takes it.
const RENEW_AFTER: Duration = Duration::from_secs(6 * 24 * 3600);

/// The certificate to show now: the present one while it is young, and the clock did not step away from it.
pub(super) fn refresh(present: Option<&Arc<CertifiedKey>>, now: Timestamp) -> Result<Arc<CertifiedKey>, Error> {
    let is_young = |leaf: Leaf| leaf.is_younger(now, BACK + RENEW_AFTER);
    match present {
        Some(present) if Leaf::of(present).is_some_and(is_young) => Ok(Arc::clone(present)),
        _ => make(now).map(Arc::new),
    }
}

/// What the page tells the browser.
pub(super) fn hash(key: &CertifiedKey) -> Option<[u8; 32]> {
    let leaf = key.cert.first()?;
    digest::digest(&digest::SHA256, leaf).as_ref().try_into().ok()
}

fn make(now: Timestamp) -> Result<CertifiedKey, Error> {
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(Error::Make)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, identity::host_name());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let since = now.as_second().saturating_sub_unsigned(BACK.as_secs());
    set_validity(&mut params, since, since.saturating_add_unsigned(LIFE.as_secs()));
    let certificate = params.self_signed(&pair).map_err(Error::Make)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    CertifiedKey::from_der(chain, key, &default_provider()).map_err(Error::Tls)
}

#[cfg(test)]
mod tests {
    use x509_parser::parse_x509_certificate;

    use super::*;

    fn at(day: u32) -> Timestamp {
        Timestamp::UNIX_EPOCH + (DAY * (20_000 + day))
    }

    #[test]
    fn it_is_what_browsers_take() {
        let key = make(at(0)).unwrap();
        let (_, certificate) = parse_x509_certificate(&key.cert[0]).unwrap();
        let validity = certificate.validity();
        let life = validity.not_after.timestamp() - validity.not_before.timestamp();
        assert_eq!(life, i64::try_from(LIFE.as_secs()).unwrap());
        assert!(life < 14 * 24 * 3600);
        let curve = certificate.public_key().algorithm.parameters.as_ref().unwrap().as_oid().unwrap();
        assert_eq!(curve.to_id_string(), "1.2.840.10045.3.1.7", "P-256");
        assert!(validity.not_before.timestamp() <= at(0).as_second() - 24 * 3600);
    }

    #[test]
    fn it_is_made_anew_after_six_days_and_when_the_clock_steps() {
        let first = refresh(None, at(0)).unwrap();
        let same = |now| Arc::ptr_eq(&refresh(Some(&first), now).unwrap(), &first);
        assert!(same(at(0)) && same(at(5)));
        assert!(!same(at(6)));
        assert!(!same(at(400)), "the clock stepped ahead");
        assert!(!same(Timestamp::UNIX_EPOCH), "the clock stepped back");
        let second = refresh(Some(&first), at(7)).unwrap();
        assert_ne!(hash(&first), hash(&second));
    }
}
