//! Hubs that `larderctl login` stored: `~/.config/larder/profiles.toml`, readable by its owner alone.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};

use crate::{
    Failure, Out,
    target::{Remote, Secret, Trust, parse_address},
};

/// What `larderctl profile` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List the stored hubs; the current one is marked
    List,
    /// Make a stored hub the one that commands go to; `local` is the one on this machine
    Use {
        /// Which
        name: String,
    },
    /// Forget a stored hub and its token
    Remove {
        /// Which
        name: String,
    },
}

/// The stored hubs.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
    #[serde(skip)]
    file: PathBuf,
}

/// One stored hub.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its address, `https://host:port`.
    pub hub: String,
    /// Its authority in PEM; absent: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// A token, or a session's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("hub", &self.hub).finish_non_exhaustive()
    }
}

impl Profiles {
    /// The name that means the hub on this machine.
    pub const LOCAL: &str = "local";

    /// Loads the file of this user; none yet is an empty one.
    ///
    /// # Errors
    ///
    /// It is there and cannot be read.
    pub fn load() -> Result<Self, Failure> {
        match file() {
            Some(file) => Self::load_from(file),
            None => Ok(Self::default()),
        }
    }

    /// Loads a file; none yet is an empty one.
    ///
    /// # Errors
    ///
    /// It is there and cannot be read.
    pub fn load_from(file: PathBuf) -> Result<Self, Failure> {
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failure::file(&file, error)),
        };
        let mut profiles =
            Self::parse(&text).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
        profiles.file = file;
        Ok(profiles)
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    ///
    /// It is not what [`Profiles::store`] writes.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The profile that is used when nothing else is said.
    pub fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    /// A stored hub.
    ///
    /// # Errors
    ///
    /// There is none of that name, or what is stored makes no sense.
    pub fn remote(&self, name: &str) -> Result<Remote, Failure> {
        let profile = self.profiles.get(name).ok_or_else(|| self.unknown(name))?;
        let (host, port) = parse_address(&profile.hub)?;
        let trust = match &profile.ca {
            None => Trust::System,
            Some(pem) => Trust::Pinned(
                CertificateDer::pem_slice_iter(pem.as_bytes())
                    .collect::<Result<_, _>>()
                    .map_err(|error| Failure::Usage(format!("the certificate of profile \"{name}\": {error}")))?,
            ),
        };
        Ok(Remote { host, port, trust, token: profile.token.clone().map(Secret::from) })
    }

    /// Stores a hub and makes it the current one.
    ///
    /// # Errors
    ///
    /// The name is taken by the hub on this machine, or the file cannot be written.
    pub fn store(&mut self, name: &str, profile: Profile) -> Result<(), Failure> {
        if name == Self::LOCAL || name.is_empty() {
            return Err(Failure::Usage(format!("a profile cannot be named \"{name}\"")));
        }
        self.profiles.insert(name.to_owned(), profile);
        self.current = Some(name.to_owned());
        self.save()
    }

    /// Makes a stored hub the current one, or the one on this machine.
    ///
    /// # Errors
    ///
    /// There is none of that name, or the file cannot be written.
    pub fn choose(&mut self, name: &str) -> Result<(), Failure> {
        if name != Self::LOCAL && !self.profiles.contains_key(name) {
            return Err(self.unknown(name));
        }
        self.current = (name != Self::LOCAL).then(|| name.to_owned());
        self.save()
    }

    /// Forgets a stored hub.
    ///
    /// # Errors
    ///
    /// There is none of that name, or the file cannot be written.
    pub fn remove(&mut self, name: &str) -> Result<(), Failure> {
        if self.profiles.remove(name).is_none() {
            return Err(self.unknown(name));
        }
        if self.current.as_deref() == Some(name) {
            self.current = None;
        }
        self.save()
    }

    fn unknown(&self, name: &str) -> Failure {
        let known = [Self::LOCAL].into_iter().chain(self.profiles.keys().map(String::as_str));
        let known = known.collect::<Vec<_>>().join(", ");
        Failure::Usage(format!("no such profile \"{name}\" (known: {known}); `larderctl login` makes one"))
    }

    /// Written beside and renamed, so that a reader never sees half of it.
    fn save(&self) -> Result<(), Failure> {
        let path = self.file.as_path();
        let Some(folder) = path.parent() else {
            return Err(Failure::Other("there is no home folder to keep profiles in: set HOME".to_owned()));
        };
        let text = toml::to_string(self).map_err(|error| Failure::Other(format!("profiles: {error}")))?;
        write_private_atomically(folder, path, &text).map_err(|source| Failure::file(path, source))
    }
}

/// What `larderctl profile` does.
///
/// # Errors
///
/// As [`Profiles`]' methods.
pub fn run(command: Command, out: &mut Out) -> Result<(), Failure> {
    let mut profiles = Profiles::load()?;
    match command {
        Command::List => list(&profiles, out),
        Command::Use { name } => {
            profiles.choose(&name)?;
            out.done(&format!("commands go to {name} now"))
        }
        Command::Remove { name } => {
            profiles.remove(&name)?;
            out.done(&format!("forgot {name}; its token still works until it is revoked on the hub"))
        }
    }
}

#[derive(Serialize)]
struct View<'a> {
    name: &'a str,
    hub: &'a str,
    current: bool,
}

fn list(profiles: &Profiles, out: &mut Out) -> Result<(), Failure> {
    let local = View { name: Profiles::LOCAL, hub: "the hub on this machine", current: profiles.current.is_none() };
    let stored = profiles.profiles.iter().map(|(name, profile)| View {
        name,
        hub: &profile.hub,
        current: profiles.current.as_deref() == Some(name),
    });
    let views: Vec<_> = [local].into_iter().chain(stored).collect();
    out.list(&views, &["", "NAME", "HUB"], |view| {
        vec![if view.current { "*" } else { "" }.to_owned(), view.name.to_owned(), view.hub.to_owned()]
    })
}

fn file() -> Option<PathBuf> {
    directories::BaseDirs::new().map(|folders| folders.config_dir().join("larder/profiles.toml"))
}

fn write_private_atomically(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let beside = path.with_extension("toml.new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write_private(&beside, text)?;
    fs::rename(&beside, path)
}

/// Writes a new file that its owner alone may read.
///
/// # Errors
///
/// It is there already, or cannot be written.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn profile(hub: &str) -> Profile {
        Profile { hub: hub.to_owned(), ca: None, token: Some("lrd_x".to_owned()) }
    }

    #[test]
    fn a_stored_hub_comes_back_and_only_its_owner_may_read_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("larder/profiles.toml");
        let mut profiles = Profiles::load_from(file.clone()).expect("none yet");
        profiles.store("home", profile("https://pi:7442")).expect("stored");
        profiles.store("cabin", profile("https://cabin:7442")).expect("stored");
        let mode = fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let again = Profiles::load_from(file).expect("profiles");
        assert_eq!(again, profiles);
        assert_eq!(again.current(), Some("cabin"));
        let remote = again.remote("home").expect("home");
        assert_eq!((remote.address().as_str(), remote.token), ("pi:7442", Some("lrd_x".into())));
    }

    #[test]
    fn removing_the_current_profile_goes_back_to_this_machine() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut profiles = Profiles::load_from(folder.path().join("p.toml")).expect("none yet");
        profiles.store("home", profile("https://pi:7442")).expect("stored");
        profiles.remove("home").expect("removed");
        assert_eq!(profiles.current(), None);
        assert!(profiles.choose("home").is_err());
        assert!(profiles.store(Profiles::LOCAL, profile("https://pi:7442")).is_err());
    }

    #[test]
    fn a_profiles_debug_hides_its_token() {
        assert!(!format!("{:?}", profile("https://pi:7442")).contains("lrd_x"));
    }
}
