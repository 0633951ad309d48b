//! The hub's certificates: an authority and a leaf of its own, or a certificate from the configuration.
//!
//! At first start the hub makes an authority (ten years) and a leaf (397 days) for the names and addresses it is
//! reached by. The leaf is made anew before it ends and when a name or address is added; connections that are open
//! stay, new ones get the new leaf. Clients trust the authority: `certs/README.md` says how.

mod authority;
mod files;
mod leaf;
mod names;
mod own;
mod resolver;
mod short;

use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use rustls::{pki_types::ServerName, server::ResolvesServerCert, sign::CertifiedKey};
use serde::Deserialize;
use thiserror::Error;

use authority::Authority;
use leaf::Leaf;
use own::Own;
use resolver::{ByProtocol, Resolver};

pub use resolver::Alpn;

use crate::{clock::Clock, outcome::chain, parts::Trouble, repeats, tasks::Tasks};

/// How often names, ends and files are looked at: a new address or a renewed file is served within a minute.
const CHECK: Duration = Duration::from_secs(60);
/// Less than this is left of a certificate that is renewed in time: the hub renews its own with 30 days left, most
/// authorities' programs do, too.
const NEAR_ITS_END: Duration = Duration::from_secs(14 * 24 * 3600);

/// `[tls]`: the certificate that HTTPS and gRPC show.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// More names and addresses the hub is reached by (from outside, say). Its host name, `localhost` and its IPv4
    /// addresses are known without being listed.
    pub names: Vec<String>,
    /// A certificate of your own to show instead: a PEM file with the whole chain, leaf first.
    pub certificate: Option<PathBuf>,
    /// Its key, a PEM file.
    pub key: Option<PathBuf>,
}

impl Config {
    /// What is wrong, each naming its key.
    pub fn check(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for name in &self.names {
            if ServerName::try_from(name.as_str()).is_err() {
                complaints.push(format!("tls.names: {name:?} is neither a host name nor an address"));
            }
        }
        match (&self.certificate, &self.key) {
            (Some(_), None) => complaints.push("tls.key: tls.certificate needs its key".to_owned()),
            (None, Some(_)) => complaints.push("tls.certificate: tls.key needs its certificate".to_owned()),
            _ => {}
        }
        complaints
    }
}

/// Why there is no certificate to show.
#[derive(Debug, Error)]
pub enum Error {
    /// A file can't be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A secret file is open to others.
    #[error("{0} can be read by others; run: chmod 600 {0}")]
    Readable(PathBuf),
    /// The authority's certificate is there, its key is not.
    #[error(
        "{0} is missing; restore it from a backup, or delete ca.crt beside it to make a new authority that every client has to trust anew"
    )]
    KeyMissing(PathBuf),
    /// A file does not hold what it should.
    #[error("{path} is not usable: {why}")]
    Broken {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Making a certificate failed.
    #[error("cannot make a certificate")]
    Make(#[source] rcgen::Error),
    /// TLS could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
}

impl Error {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::File { path: path.to_owned(), source }
    }

    fn broken(path: &Path, why: impl ToString) -> Self {
        Self::Broken { path: path.to_owned(), why: why.to_string() }
    }
}

/// The certificate in use; clones share it.
#[derive(Clone)]
pub struct Certs(Arc<Inner>);

struct Inner {
    source: Source,
    resolver: Arc<Resolver>,
    /// What browsers meet over QUIC. Absent with a certificate from the configuration: they meet that.
    browsers: Option<Arc<Resolver>>,
    clock: Clock,
}

enum Source {
    Authority { authority: Box<Authority>, folder: PathBuf, names: Vec<String> },
    Own(Own),
}

impl Certs {
    /// Loads or makes what is needed in `folder`, and keeps it fresh until the tasks stop.
    ///
    /// # Errors
    /// When a file can't be used; nothing that is there is overwritten then.
    pub fn start(config: &Config, folder: &Path, clock: Clock, tasks: &Tasks) -> Result<Self, Error> {
        let source = match (&config.certificate, &config.key) {
            (Some(certificate), Some(key)) => Source::Own(Own::new(certificate.clone(), key.clone())),
            _ => Source::Authority {
                authority: Box::new(Authority::load_or_make(folder, clock.now())?),
                folder: folder.to_owned(),
                names: config.names.clone(),
            },
        };
        let first = source.refresh(None, &clock)?;
        let resolver = Arc::new(Resolver::new(first));
        let browsers = match source {
            Source::Authority { .. } => Some(Arc::new(Resolver::new(short::refresh(None, clock.now())?))),
            Source::Own(_) => None,
        };
        let certs = Self(Arc::new(Inner { source, resolver, browsers, clock }));
        tasks.spawn_until_stop(certs.clone().keep_fresh());
        Ok(certs)
    }

    /// TLS settings that always show the present certificate. TLS 1.2 and 1.3; of QUIC, 1.3 alone and no early data.
    ///
    /// # Errors
    /// Never with the versions and ciphers compiled in.
    pub fn server_config(&self, alpn: Alpn) -> Result<Arc<rustls::ServerConfig>, Error> {
        let usual = Arc::clone(&self.0.resolver);
        let resolver: Arc<dyn ResolvesServerCert> = match (&self.0.browsers, alpn) {
            (Some(browsers), Alpn::Relay) => Arc::new(ByProtocol { usual, browsers: Arc::clone(browsers) }),
            _ => usual,
        };
        resolver::server_config(resolver, alpn).map_err(Error::Tls)
    }

    /// SHA-256 of the certificate that browsers meet over QUIC and would not trust by themselves. Empty with a
    /// certificate from the configuration, which they trust in the usual way.
    pub fn browser_hashes(&self) -> Vec<[u8; 32]> {
        self.0.browsers.iter().filter_map(|browsers| short::hash(&browsers.present())).collect()
    }

    /// The authority's certificate that clients trust, in PEM; `None` with a certificate from the configuration.
    pub fn authority_pem(&self) -> Option<&str> {
        match &self.0.source {
            Source::Authority { authority, .. } => Some(authority.pem()),
            Source::Own(_) => None,
        }
    }

    /// The names and addresses that the hub is reached by from other machines, host name first.
    pub fn names(&self) -> Vec<String> {
        let configured = match &self.0.source {
            Source::Authority { names, .. } => names.as_slice(),
            Source::Own(_) => &[],
        };
        let beyond = |name: &String| name != "localhost" && name.parse().map_or(true, |ip: IpAddr| !ip.is_loopback());
        let (addresses, names): (Vec<_>, Vec<_>) =
            names::wanted(configured).into_iter().filter(beyond).partition(|name| name.parse::<IpAddr>().is_ok());
        names.into_iter().chain(addresses).collect()
    }

    /// SHA-256 of the authority's certificate, as browsers show it (`AB:CD:…`), to compare by eye.
    pub fn authority_fingerprint(&self) -> Option<String> {
        match &self.0.source {
            Source::Authority { authority, .. } => Some(authority.fingerprint()),
            Source::Own(_) => None,
        }
    }

    /// When the certificate in use ends; `None` when it does not say.
    pub fn ends_at(&self) -> Option<Timestamp> {
        Leaf::of(&self.0.resolver.present()).map(|leaf| leaf.ends_at())
    }

    /// What is the matter with the certificate in use, if something is.
    pub fn trouble(&self) -> Option<Trouble> {
        let ends_at = self.ends_at()?;
        let left = ends_at.duration_since(self.0.clock.now());
        let what_to_do = match &self.0.source {
            Source::Authority { .. } => "its renewal fails: the log says why",
            Source::Own(_) => "renew the files of tls.certificate and tls.key",
        };
        if left.is_negative() {
            return Some(Trouble::warning("expired", format!("the certificate ended at {ends_at}; {what_to_do}")));
        }
        let is_near = left < jiff::SignedDuration::try_from(NEAR_ITS_END).unwrap_or_default();
        is_near.then(|| Trouble::warning("expiring", format!("the certificate ends at {ends_at}; {what_to_do}")))
    }

    async fn keep_fresh(self) {
        let mut epochs = self.0.clock.epochs();
        loop {
            // A Pi has no clock of its own: the first leaf may be dated wrongly until the network has told the time.
            tokio::select! {
                Ok(()) = epochs.changed() => {}
                () = tokio::time::sleep(CHECK) => {}
            }
            self.refresh();
        }
    }

    fn refresh(&self) {
        if let Some(browsers) = &self.0.browsers {
            let present = browsers.present();
            match short::refresh(Some(&present), self.0.clock.now()) {
                Ok(fresh) if Arc::ptr_eq(&fresh, &present) => {}
                Ok(fresh) => browsers.replace(fresh),
                Err(error) => {
                    let error = chain(&error);
                    repeats::say!(warn, "browsers", { error }, "no new certificate for browsers, the old one stays");
                }
            }
        }
        let present = self.0.resolver.present();
        match self.0.source.refresh(Some(&present), &self.0.clock) {
            Ok(fresh) if Arc::ptr_eq(&fresh, &present) => {}
            Ok(fresh) => {
                self.0.resolver.replace(fresh);
                tracing::info!("a new certificate is in use");
            }
            Err(error) => {
                let error = chain(&error);
                repeats::say!(warn, "", { error }, "the certificate could not be refreshed, the old one stays");
            }
        }
    }
}

impl Source {
    /// The certificate to use now: the present one where it is still right.
    fn refresh(&self, present: Option<&Arc<CertifiedKey>>, clock: &Clock) -> Result<Arc<CertifiedKey>, Error> {
        match self {
            Self::Own(own) => own.refresh(present),
            Self::Authority { authority, folder, names } => {
                let wanted = names::wanted(names);
                let now = clock.now();
                let usable = |leaf: &Leaf| leaf.serves(authority, &wanted, now);
                if let Some(present) = present
                    && Leaf::of(present).is_some_and(|leaf| usable(&leaf))
                {
                    return Ok(Arc::clone(present));
                }
                let path = folder.join("leaf.pem");
                if let Some((leaf, key)) = leaf::load(&path)?
                    && usable(&leaf)
                {
                    return Ok(key);
                }
                authority.issue(&path, &wanted, now)
            }
        }
    }
}

#[cfg(test)]
mod tests;
