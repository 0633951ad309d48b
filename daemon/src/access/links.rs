//! What all signed play URLs hang on beside the hub's key: a UUID in `<state>/secrets/links`. Another one ends them all.

use std::{io, os::unix::fs::DirBuilderExt as _, path::Path};

use uuid::Uuid;

use crate::files;

const FILE: &str = "secrets/links";

/// What they are signed for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Links(Option<Uuid>);

impl Links {
    /// Reads it; a hub whose links were never ended has none.
    ///
    /// # Errors
    /// When the file can't be read or holds something else.
    pub fn load(state: &Path) -> io::Result<Self> {
        let path = state.join(FILE);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let Some(bytes) = files::read(&path).map_err(named)? else { return Ok(Self(None)) };
        let id = String::from_utf8_lossy(&bytes).trim().parse();
        id.map(|id| Self(Some(id))).map_err(|error| named(io::Error::new(io::ErrorKind::InvalidData, error)))
    }

    /// Ends all links of the hub that starts next in this state folder.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn end_all(state: &Path) -> io::Result<()> {
        let path = state.join(FILE);
        if let Some(folder) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        files::replace(&path, files::SECRET, format!("{}\n", Uuid::new_v4()).as_bytes())
    }

    /// What their key is derived for.
    pub(super) fn purpose(&self) -> String {
        match self.0 {
            Some(id) => format!("play grant {id}"),
            None => "play grant".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_have_another_key_once_they_were_ended() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Links::load(state.path()).unwrap().purpose(), "play grant");
        Links::end_all(state.path()).unwrap();
        let first = Links::load(state.path()).unwrap();
        Links::end_all(state.path()).unwrap();
        let second = Links::load(state.path()).unwrap();
        assert!(first.purpose() != second.purpose() && first.purpose().starts_with("play grant "));
        std::fs::write(state.path().join(FILE), "x").unwrap();
        assert!(Links::load(state.path()).unwrap_err().to_string().contains(FILE));
    }
}
