//! The hub's own authority, and the leaves it issues.

use std::{fmt::Write as _, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use ring::digest;
use rustls::{
    pki_types::{CertificateDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use uuid::Uuid;
use x509_parser::parse_x509_certificate;

use super::{Error, files, leaf, names::Names};
use crate::identity;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// As long as a household keeps a hub. Its end is not moved: every client would have to trust a new one.
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Apple's platforms refuse more from authorities of their own list (398 days, support.apple.com/102028); 825 from
/// one that a user added.
const LEAF_LIFE: Duration = Duration::from_secs(397 * 24 * 3600);
/// The authority is valid since before any clock that is right, so that a Pi that started with a wrong one (it has
/// no battery) does not make an authority of the future: 2025-01-01.
const AUTHORITY_SINCE: i64 = 1_735_689_600;
/// How long before its end the authority is complained about.
const WARN_BEFORE: Duration = Duration::from_secs(90 * 24 * 3600);

/// The authority's certificate and key.
pub(super) struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    not_after: i64,
}

impl Authority {
    /// Loads `ca.crt` and `ca.key`, or makes them when neither is there.
    pub(super) fn load_or_make(folder: &Path, now: Timestamp) -> Result<Self, Error> {
        files::ensure_folder(folder)?;
        let (certificate, key) = (folder.join("ca.crt"), folder.join("ca.key"));
        let pair = match files::read_secret(&key)? {
            Some(pem) => KeyPair::from_pem(&pem).map_err(|error| Error::broken(&key, error))?,
            None if certificate.exists() => return Err(Error::KeyMissing(key)),
            None => {
                let pair = KeyPair::generate().map_err(Error::Make)?;
                files::write(&key, files::SECRET, &pair.serialize_pem())?;
                pair
            }
        };
        let pem = match files::read(&certificate)? {
            Some(pem) => pem,
            // The first start, or one that ended between the two files.
            None => {
                let pem = certify(&pair, now)?;
                files::write(&certificate, files::PUBLIC, &pem)?;
                pem
            }
        };
        let authority = Self::parse(&certificate, pem, pair)?;
        if now.as_second() > authority.not_after.saturating_sub_unsigned(WARN_BEFORE.as_secs()) {
            tracing::warn!(
                certs.path = %certificate.display(),
                "the authority ends soon: delete ca.crt and ca.key to make a new one, and trust that on every client"
            );
        }
        Ok(authority)
    }

    fn parse(path: &Path, pem: String, pair: KeyPair) -> Result<Self, Error> {
        let broken = |why: &dyn ToString| Error::broken(path, why.to_string());
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| broken(&error))?;
        let (_, certificate) = parse_x509_certificate(&der).map_err(|error| broken(&error))?;
        if certificate.public_key().raw != rcgen::PublicKeyData::subject_public_key_info(&pair) {
            return Err(broken(&"it does not belong to ca.key"));
        }
        let not_after = certificate.validity().not_after.timestamp();
        let issuer = Issuer::from_ca_cert_der(&der, pair).map_err(|error| broken(&error))?;
        Ok(Self { pem, der, issuer, not_after })
    }

    /// What clients trust.
    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// The same in DER.
    pub(super) fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// SHA-256 in hexadecimal, with colons.
    pub(super) fn fingerprint(&self) -> String {
        let hash = digest::digest(&digest::SHA256, &self.der);
        hash.as_ref().iter().enumerate().fold(String::new(), |mut text, (index, byte)| {
            let colon = if index == 0 { "" } else { ":" };
            // Writing to a string does not fail.
            let _ = write!(text, "{colon}{byte:02X}");
            text
        })
    }

    /// Makes a leaf with a key of its own and keeps both in `path`.
    pub(super) fn issue(&self, path: &Path, names: &Names, now: Timestamp) -> Result<Arc<CertifiedKey>, Error> {
        let pair = KeyPair::generate().map_err(Error::Make)?;
        let list: Vec<String> = names.iter().cloned().collect();
        let mut params = CertificateParams::new(list).map_err(Error::Make)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, identity::host_name());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        // A client whose clock is a little behind must not find it of the future.
        let since = now.as_second().saturating_sub_unsigned(DAY.as_secs());
        let until = now.as_second().saturating_add_unsigned((LEAF_LIFE - DAY).as_secs()).min(self.not_after);
        set_validity(&mut params, since, until);
        let leaf = params.signed_by(&pair, &self.issuer).map_err(Error::Make)?;
        let pem = [pair.serialize_pem(), leaf.pem(), self.pem.clone()].concat();
        files::write(path, files::SECRET, &pem)?;
        tracing::info!(certs.names = ?names, "made a certificate");
        leaf::certified(path, &pem, &pem).map(Arc::new)
    }
}

fn certify(pair: &KeyPair, now: Timestamp) -> Result<String, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Larder");
    // Two hubs of one host name must not look like the same authority in a client's list.
    let serial = Uuid::new_v4().simple().to_string();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("Larder on {} ({})", identity::host_name(), &serial[..8]));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let now = now.as_second().max(AUTHORITY_SINCE);
    set_validity(&mut params, AUTHORITY_SINCE, now.saturating_add_unsigned(AUTHORITY_LIFE.as_secs()));
    params.self_signed(pair).map(|certificate| certificate.pem()).map_err(Error::Make)
}

pub(super) fn set_validity(params: &mut CertificateParams, since: i64, until: i64) {
    let at = |second: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(second).unwrap_or(0));
    params.not_before = at(since);
    params.not_after = at(until);
}
