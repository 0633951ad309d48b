//! Passwords: Argon2id, off the async threads, few at a time.

use std::sync::Arc;

use argon2::{
    Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _,
    password_hash::{self, SaltString},
};
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::{
    outcome::{Kind, Refusal},
    secrets::{self, random},
};

/// Each takes 19 MiB and a tenth of a second of a Raspberry Pi 4's core (OWASP's first choice of parameters, which
/// are the crate's defaults): one at a time leaves the others for frames.
const AT_ONCE: usize = 1;
/// How many may wait for their turn; more are refused.
const QUEUE: usize = 8;

/// Hashes and checks passwords.
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

/// Why a password was not hashed or checked.
#[derive(Debug, Error)]
pub(super) enum Error {
    /// Too many wait.
    #[error("too many sign-ins at once")]
    Busy,
    /// The kept hash is broken, or the work failed.
    #[error("a password could not be hashed")]
    Hash(#[source] password_hash::Error),
    /// No salt.
    #[error("a password could not be salted")]
    Salt(#[source] secrets::Error),
    /// The thread died or the daemon stops.
    #[error("the hashing of a password was given up")]
    Stopped,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Busy => Self::new(Kind::ResourceExhausted, "too many sign-ins at once; try again in a moment"),
            Error::Hash(_) | Error::Salt(_) | Error::Stopped => Self::internal(error),
        }
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), queue: Arc::new(Semaphore::new(AT_ONCE + QUEUE)) }
    }
}

impl Passwords {
    /// The hash to keep, in PHC form.
    ///
    /// # Errors
    /// When too many wait, or the system fails.
    pub(super) async fn hash(&self, password: String) -> Result<String, Error> {
        self.run(move || hash(&password)).await
    }

    /// Whether the password is the one of the kept hash. With no hash it takes as long and is never right, so that
    /// the time does not tell which users there are.
    ///
    /// # Errors
    /// When too many wait, or the kept hash is broken.
    pub(super) async fn verify(&self, password: String, kept: Option<String>) -> Result<bool, Error> {
        self.run(move || match kept {
            Some(kept) => verify(&password, &kept),
            None => hash(&password).map(|_| false),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let place = Arc::clone(&self.queue).try_acquire_owned().ok().ok_or(Error::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok().ok_or(Error::Stopped)?;
        // The work goes on when its caller hangs up, so it takes its place along.
        let work = move || {
            let _kept = (place, turn);
            work()
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Stopped))
    }
}

fn hash(password: &str) -> Result<String, Error> {
    let salt = SaltString::encode_b64(&random::<16>().map_err(Error::Salt)?).map_err(Error::Hash)?;
    Ok(Argon2::default().hash_password(password.as_bytes(), &salt).map_err(Error::Hash)?.to_string())
}

fn verify(password: &str, kept: &str) -> Result<bool, Error> {
    let kept = PasswordHash::new(kept).map_err(Error::Hash)?;
    // The parameters are those of the kept hash; the comparison takes constant time.
    match Argon2::default().verify_password(password.as_bytes(), &kept) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::Password) => Ok(false),
        Err(error) => Err(Error::Hash(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_is_right_and_all_others_are_wrong() {
        let passwords = Passwords::default();
        let kept = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(passwords.verify("correct horse".to_owned(), Some(kept.clone())).await.unwrap());
        assert!(!passwords.verify("correct horsf".to_owned(), Some(kept.clone())).await.unwrap());
        assert!(!passwords.verify(String::new(), Some(kept)).await.unwrap());
        assert!(!passwords.verify("correct horse".to_owned(), None).await.unwrap());
        assert!(matches!(passwords.verify("x".to_owned(), Some("junk".to_owned())).await, Err(Error::Hash(_))));
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_are_refused() {
        let passwords = Passwords::default();
        let _all = passwords.queue.acquire_many(u32::try_from(AT_ONCE + QUEUE).unwrap()).await.unwrap();
        assert!(matches!(passwords.hash("x".to_owned()).await, Err(Error::Busy)));
    }
}
