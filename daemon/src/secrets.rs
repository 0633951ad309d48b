//! The hub's own key: 32 random bytes in `<state>/secrets/hub.key`, outside the database.
//!
//! Camera keys are sealed with it before they reach a row, and other keys are derived from it by purpose.

use std::{
    fmt, fs, io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use thiserror::Error;

use crate::files;

/// Bytes of every key here.
pub const KEY_LEN: usize = 32;

/// The hub's key. Shows nothing when printed.
#[derive(Clone)]
pub struct HubKey([u8; KEY_LEN]);

/// Why the hub's key can't be had.
#[derive(Debug, Error)]
pub enum Error {
    /// The file can't be read or made.
    #[error("cannot use the key file {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not 32 bytes.
    #[error("the key file {path} holds {len} bytes instead of {KEY_LEN}; restore it from a backup")]
    Length {
        /// Which.
        path: PathBuf,
        /// How many bytes it holds.
        len: usize,
    },
    /// Others can read it.
    #[error("the key file {0} can be read by others; run: chmod 600 {0}")]
    Readable(PathBuf),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

/// Why a sealed secret can't be opened: it was sealed with another key, for another use, or was damaged.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a sealed secret does not open with this hub's key")]
pub struct OpenError;

/// Random bytes.
///
/// # Errors
/// [`Error::Random`] when the system gives none.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|Unspecified| Error::Random)?;
    Ok(bytes)
}

impl HubKey {
    /// Reads the key, or makes it when there is none.
    ///
    /// # Errors
    /// When the file can't be read or made, is damaged, or others can read it.
    pub fn load_or_create(state: &Path) -> Result<Self, Error> {
        let folder = state.join("secrets");
        let path = folder.join("hub.key");
        let failed = |source| Error::File { path: path.clone(), source };
        match fs::read(&path) {
            Ok(bytes) => {
                if fs::metadata(&path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
                    return Err(Error::Readable(path));
                }
                let len = bytes.len();
                bytes.try_into().map(Self).ok().ok_or(Error::Length { path, len })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
                let key = random()?;
                files::replace(&path, files::SECRET, &key).map_err(failed)?;
                Ok(Self(key))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// A key for one purpose: HMAC-SHA256 of the purpose's name.
    pub fn derive(&self, purpose: &str) -> [u8; KEY_LEN] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), purpose.as_bytes());
        let mut key = [0; KEY_LEN];
        key.copy_from_slice(tag.as_ref());
        key
    }

    /// Encrypts a secret (AES-256-GCM): nonce, then ciphertext and tag. `owner` must be given again to open it.
    ///
    /// # Errors
    /// [`Error::Random`] when the system gives no nonce.
    pub fn seal(&self, owner: &[u8], secret: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed = secret.to_vec();
        self.aead()
            .and_then(|key| {
                key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner), &mut sealed)
            })
            .map_err(|Unspecified| Error::Random)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what [`HubKey::seal`] made for the same owner.
    ///
    /// # Errors
    /// When it was sealed otherwise or damaged.
    pub fn open(&self, owner: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or(OpenError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|Unspecified| OpenError)?;
        let mut bytes = rest.to_vec();
        let key = self.aead().map_err(|Unspecified| OpenError)?;
        let opened = key.open_in_place(nonce, Aad::from(owner), &mut bytes).map_err(|Unspecified| OpenError)?;
        Ok(opened.to_vec())
    }

    fn aead(&self) -> Result<LessSafeKey, Unspecified> {
        UnboundKey::new(&AES_256_GCM, &self.derive("seal")).map(LessSafeKey::new)
    }
}

impl fmt::Debug for HubKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let state = tempfile::tempdir().unwrap();
        let made = HubKey::load_or_create(state.path()).unwrap();
        let read = HubKey::load_or_create(state.path()).unwrap();
        assert_eq!(made.derive("x"), read.derive("x"));
        assert_ne!(made.derive("x"), made.derive("y"));
        let path = state.path().join("secrets/hub.key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(HubKey::load_or_create(state.path()), Err(Error::Readable(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(matches!(HubKey::load_or_create(state.path()), Err(Error::Length { len: 5, .. })));
    }

    #[test]
    fn a_sealed_secret_opens_for_its_owner_alone() {
        let key = HubKey([7; KEY_LEN]);
        let sealed = key.seal(b"fridge", b"secret").unwrap();
        assert_eq!(sealed.len(), 12 + 6 + 16);
        assert_eq!(key.open(b"fridge", &sealed).unwrap(), b"secret");
        assert_eq!(key.open(b"freezer", &sealed), Err(OpenError));
        assert_eq!(HubKey([8; KEY_LEN]).open(b"fridge", &sealed), Err(OpenError));
        assert_eq!(key.open(b"fridge", &sealed[..11]), Err(OpenError));
    }
}
