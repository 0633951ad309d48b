//! Which hub is meant, and how it is trusted.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use clap::Args;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::{Failure, dial::DialError, profile::Profiles};

/// gRPC's port on a hub.
pub const PORT: u16 = 7442;
/// The socket in a state folder.
const SOCKET: &str = "larder.sock";
/// The certificate authority in a state folder.
const AUTHORITY: &str = "certs/ca.crt";
/// State folders looked into when none is named: that of `make run`, then that of the packaged service.
const STATES: [&str; 2] = ["var", "/var/lib/larder"];
/// Where Debian keeps the authorities of the world, for hubs with a certificate of their own.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Options of every command that say which hub is meant.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which hub")]
pub struct TargetArgs {
    /// State folder of a hub on this machine [default: ./var, then /var/lib/larder]
    #[arg(long, global = true, env = "LARDER_STATE", value_name = "FOLDER", hide_env = true)]
    pub state: Option<PathBuf>,
    /// Address of a hub elsewhere, for example `https://pi.local:7442`
    #[arg(long, global = true, env = "LARDER_HUB", hide_env = true, value_name = "URL")]
    pub hub: Option<String>,
    /// The hub's certificate authority (certs/ca.crt in its state folder) [default: the system's authorities]
    #[arg(long, global = true, env = "LARDER_CA", hide_env = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Token for a hub elsewhere
    #[arg(long, global = true, env = "LARDER_TOKEN", hide_env = true, hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<Secret>,
    /// A hub stored by `larderctl login`; `local` is the one on this machine.
    /// LARDER_STATE, LARDER_HUB, LARDER_CA, LARDER_TOKEN and LARDER_PROFILE in the environment say the same
    #[arg(long, global = true, env = "LARDER_PROFILE", hide_env = true, value_name = "NAME")]
    pub profile: Option<String>,
}

/// A hub to connect to.
#[derive(Clone, Debug)]
pub enum Target {
    /// On this machine, by its socket: whoever may open it is admin.
    Socket(PathBuf),
    /// By TLS.
    Remote(Remote),
}

/// A hub elsewhere.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Name or address.
    pub host: String,
    /// gRPC's port.
    pub port: u16,
    /// Who vouches for it.
    pub trust: Trust,
    /// Who the caller is.
    pub token: Option<Secret>,
}

/// Who vouches for a hub.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The authorities this system knows.
    System,
    /// These alone.
    Pinned(Vec<CertificateDer<'static>>),
}

/// A secret that no log and no `Debug` shows.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl TargetArgs {
    /// Which hub is meant: what the command line and the environment name, else the current profile, else the one on
    /// this machine.
    ///
    /// # Errors
    ///
    /// Contradictions, unreadable files, unknown profiles.
    pub fn resolve(&self, profiles: &Profiles) -> Result<Target, Failure> {
        if let Some(hub) = &self.hub {
            return self.remote(hub).map(Target::Remote);
        }
        if let Some(name) = &self.profile {
            return match name.as_str() {
                Profiles::LOCAL => self.local(),
                _ => self.stored(profiles, name),
            };
        }
        match profiles.current() {
            Some(name) if self.state.is_none() => self.stored(profiles, name),
            _ => self.local(),
        }
    }

    fn remote(&self, hub: &str) -> Result<Remote, Failure> {
        let (host, port) = parse_address(hub)?;
        let trust = match &self.ca {
            Some(file) => Trust::Pinned(read_authorities(file)?),
            None => Trust::System,
        };
        Ok(Remote { host, port, trust, token: self.token.clone() })
    }

    fn stored(&self, profiles: &Profiles, name: &str) -> Result<Target, Failure> {
        let mut remote = profiles.remote(name)?;
        if let Some(file) = &self.ca {
            remote.trust = Trust::Pinned(read_authorities(file)?);
        }
        if self.token.is_some() {
            remote.token.clone_from(&self.token);
        }
        Ok(Target::Remote(remote))
    }

    fn local(&self) -> Result<Target, Failure> {
        self.find(SOCKET).map(Target::Socket).map_err(|tried| DialError::NotRunning { tried }.into())
    }

    /// The certificate authority of the hub on this machine.
    ///
    /// # Errors
    ///
    /// There is none in the state folders.
    pub fn authority(&self) -> Result<PathBuf, Failure> {
        self.find(AUTHORITY).map_err(|tried| {
            Failure::Usage(format!("there is no {}: name the hub's state folder with --state", tried.join(" nor ")))
        })
    }

    /// A file in the state folder that is named, or in the first that has it; else those tried.
    fn find(&self, file: &str) -> Result<PathBuf, Vec<String>> {
        if let Some(state) = &self.state {
            return Ok(state.join(file));
        }
        let paths = STATES.map(|state| Path::new(state).join(file));
        let found = paths.iter().find(|path| path.exists()).cloned();
        found.ok_or_else(|| paths.map(|path| path.display().to_string()).to_vec())
    }
}

impl Target {
    /// The credentials, when there are any.
    pub fn token(&self) -> Option<&Secret> {
        match self {
            Self::Socket(_) => None,
            Self::Remote(remote) => remote.token.as_ref(),
        }
    }

    /// The `scheme://authority` that requests carry.
    pub fn origin(&self) -> String {
        match self {
            Self::Socket(_) => "http://localhost".to_owned(),
            Self::Remote(remote) => format!("https://{}", remote.address()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Remote(remote) => f.write_str(&remote.address()),
        }
    }
}

impl Remote {
    /// `host:port`, with brackets around IPv6.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl Trust {
    /// The certificates to trust.
    ///
    /// # Errors
    ///
    /// The system's file of authorities cannot be read.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, DialError> {
        match self {
            Self::Pinned(certificates) => Ok(certificates.clone()),
            Self::System => CertificateDer::pem_file_iter(SYSTEM_AUTHORITIES)
                .and_then(Iterator::collect)
                .map_err(|error| DialError::Trust(format!("{SYSTEM_AUTHORITIES}: {error}; pass --ca FILE"))),
        }
    }
}

/// The certificates in a PEM file; at least one.
///
/// # Errors
///
/// It cannot be read, or holds none.
pub fn read_authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let pem = std::fs::read(file).map_err(|source| Failure::file(file, source))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::Usage(format!("{} is not a PEM file: {error}", file.display())))?;
    if certificates.is_empty() {
        return Err(Failure::Usage(format!("{} holds no certificate", file.display())));
    }
    Ok(certificates)
}

/// Host and port of `https://host:port`; the scheme and the port may be left out.
///
/// # Errors
///
/// It is no such address.
pub fn parse_address(text: &str) -> Result<(String, u16), Failure> {
    let complaint =
        |why: &str| Failure::Usage(format!("\"{text}\" is no hub's address: {why}; try https://pi.local:7442"));
    if text.starts_with("http://") {
        return Err(complaint("a token never goes over plain HTTP"));
    }
    let rest = text.strip_prefix("https://").unwrap_or(text);
    if rest.contains("://") {
        return Err(complaint("the scheme is https"));
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let authority: http::uri::Authority = authority.parse().map_err(|error| complaint(&format!("{error}")))?;
    if authority.as_str().contains('@') {
        return Err(complaint("it names no user"));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(complaint("the host is missing"));
    }
    let port = match authority.port() {
        Some(port) => port.as_u16(),
        None if authority.as_str() != authority.host() => return Err(complaint("the port is no number below 65536")),
        None => PORT,
    };
    Ok((host.to_owned(), port))
}

impl Secret {
    /// The secret itself, for the wire or a file of its owner's.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self(secret.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> TargetArgs {
        TargetArgs::default()
    }

    #[test]
    fn addresses_are_read_with_and_without_their_parts() {
        let parsed = |text| parse_address(text).expect("an address");
        assert_eq!(parsed("https://pi.local:7442"), ("pi.local".into(), 7442));
        assert_eq!(parsed("pi.local"), ("pi.local".into(), 7442));
        assert_eq!(parsed("https://192.168.1.5:9000/"), ("192.168.1.5".into(), 9000));
        assert_eq!(parsed("https://[fe80::1]:7442"), ("fe80::1".into(), 7442));
        for wrong in ["", "http://pi:7442", "ftp://pi", "https://pi:port", "https://pi/path", "me@pi"] {
            assert!(matches!(parse_address(wrong), Err(Failure::Usage(_))), "{wrong:?} was taken");
        }
    }

    #[test]
    fn a_state_folder_is_meant_before_the_current_profile() {
        let profiles =
            Profiles::parse("current = \"home\"\n[profiles.home]\nhub = \"https://pi:7442\"\n").expect("profiles");
        let named = TargetArgs { state: Some("/x".into()), ..args() };
        assert_eq!(named.resolve(&profiles).expect("a target").to_string(), "/x/larder.sock");
        assert_eq!(args().resolve(&profiles).expect("a target").to_string(), "pi:7442");
        let elsewhere = TargetArgs { hub: Some("other:1".into()), state: Some("/x".into()), ..args() };
        assert_eq!(elsewhere.resolve(&profiles).expect("a target").to_string(), "other:1");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let named = TargetArgs { token: Some("lrd_secret".into()), ..args() };
        assert!(!format!("{named:?}").contains("lrd_secret"));
    }
}
