//! Secrets that the hub gives out: 256 random bits in base64url behind a prefix that says what they are.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::secrets::{self, random};

/// Characters of 32 bytes in base64url.
const ENCODED_LEN: usize = 43;

/// BLAKE3 of a secret of 256 random bits: what is kept in place of it.
#[derive(Clone, Copy, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// Which kind of secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// For programs, `lrd_`.
    Token,
    /// Of a sign-in, `lrs_`.
    Session,
    /// Signs its bearer in once, `lrc_`.
    Code,
}

/// A fresh secret, shown once. Shows nothing when printed for debugging.
pub(super) struct Secret(String);

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Token => "lrd_",
            Self::Session => "lrs_",
            Self::Code => "lrc_",
        }
    }
}

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(super) fn new(kind: Kind) -> Result<Self, secrets::Error> {
        Ok(Self(kind.prefix().to_owned() + &URL_SAFE_NO_PAD.encode(random::<32>()?)))
    }

    /// What is kept in its place.
    pub(super) fn hash(&self) -> SecretHash {
        SecretHash(*blake3::hash(self.0.as_bytes()).as_bytes())
    }

    /// The text itself, to be handed out.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The kind and the hash of a secret that somebody showed; `None` when it can't be one.
pub(super) fn read(text: &str) -> Option<(Kind, SecretHash)> {
    let kind = [Kind::Token, Kind::Session, Kind::Code].into_iter().find(|kind| text.starts_with(kind.prefix()))?;
    if text.len() != kind.prefix().len() + ENCODED_LEN {
        return None;
    }
    Some((kind, SecretHash(*blake3::hash(text.as_bytes()).as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_as_its_kind_and_hash() {
        for kind in [Kind::Token, Kind::Session, Kind::Code] {
            let secret = Secret::new(kind).unwrap();
            let hash = secret.hash();
            assert_eq!(format!("{secret:?} {hash:?}"), "Secret(..) SecretHash(..)");
            let text = secret.into_text();
            assert_eq!(text.len(), 47);
            assert_eq!(read(&text), Some((kind, hash)));
            assert_eq!(read(&text[..46]), None);
            assert_eq!(read(&format!("{text}x")), None);
        }
        assert_eq!(read(""), None);
        assert_eq!(read(&"x".repeat(47)), None);
    }

    #[test]
    fn two_secrets_differ() {
        let text = || Secret::new(Kind::Token).unwrap().into_text();
        assert_ne!(text(), text());
    }
}
