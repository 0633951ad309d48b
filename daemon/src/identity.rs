//! Which hub this is: a UUID in `<state>/hub.id`, made at the first start. It is no secret, and outlives the hub's key.

use std::{io, path::Path};

use uuid::Uuid;

use crate::files;

const FILE: &str = "hub.id";

/// What this machine is called.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().to_lowercase()
}

/// A hub: what its database and its recordings folder are marked with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// Which one.
    pub id: Uuid,
    /// The machine it runs on, for people.
    pub host: String,
}

impl Identity {
    /// Reads who this hub is, or decides it when it never was.
    ///
    /// # Errors
    /// When the file can't be read or made, or holds something else.
    pub fn load_or_create(state: &Path) -> io::Result<Self> {
        let path = state.join(FILE);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let id = match files::read(&path).map_err(named)? {
            Some(bytes) => String::from_utf8_lossy(&bytes)
                .trim()
                .parse()
                .map_err(|error: uuid::Error| named(io::Error::new(io::ErrorKind::InvalidData, error)))?,
            None => {
                let id = Uuid::new_v4();
                files::replace(&path, files::PUBLIC, format!("{id}\n").as_bytes()).map_err(named)?;
                id
            }
        };
        Ok(Self { id, host: host_name() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_stays_who_it_is_and_a_damaged_file_makes_no_other_of_it() {
        let state = tempfile::tempdir().unwrap();
        let made = Identity::load_or_create(state.path()).unwrap();
        assert_eq!(Identity::load_or_create(state.path()).unwrap(), made);
        std::fs::write(state.path().join(FILE), "x").unwrap();
        assert!(Identity::load_or_create(state.path()).unwrap_err().to_string().contains(FILE));
    }
}
