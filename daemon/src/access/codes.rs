//! One-time sign-in codes. They live in memory: a code is for now, and a restart ends it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::SecretHash;

/// How long a code may be used.
pub(super) const VALID_FOR: SignedDuration = SignedDuration::from_mins(15);
/// Codes kept at once: more than a household needs; the oldest goes.
const MOST: usize = 32;

/// The codes that have been given out and not used.
#[derive(Default)]
pub(super) struct Codes(Mutex<Vec<Code>>);

#[derive(Clone)]
struct Code {
    hash: SecretHash,
    expires_at: Timestamp,
}

/// A code in use. Unless it is spent it can be used again: what it was used for may have failed.
pub(super) struct InUse<'a> {
    codes: &'a Codes,
    code: Option<Code>,
}

impl Codes {
    /// Keeps a code until its time is up; says when.
    pub(super) fn add(&self, hash: SecretHash, now: Timestamp) -> Timestamp {
        let expires_at = now.checked_add(VALID_FOR).unwrap_or(Timestamp::MAX);
        let mut codes = self.lock();
        codes.retain(|code| now < code.expires_at);
        if codes.len() >= MOST {
            codes.remove(0);
        }
        codes.push(Code { hash, expires_at });
        expires_at
    }

    /// Takes a code, so that nobody else can. `None` when there is no such code or its time is up.
    pub(super) fn take(&self, hash: SecretHash, now: Timestamp) -> Option<InUse<'_>> {
        let mut codes = self.lock();
        let at = codes.iter().position(|code| code.hash == hash && now < code.expires_at)?;
        let code = codes.remove(at);
        Some(InUse { codes: self, code: Some(code) })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Code>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InUse<'_> {
    /// It has done its work and is no more.
    pub(super) fn spend(mut self) {
        self.code = None;
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        if let Some(code) = self.code.take() {
            self.codes.lock().push(code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u8) -> SecretHash {
        SecretHash([n; 32])
    }

    #[test]
    fn a_code_works_once() {
        let codes = Codes::default();
        codes.add(hash(1), Timestamp::UNIX_EPOCH);
        assert!(codes.take(hash(2), Timestamp::UNIX_EPOCH).is_none());
        let in_use = codes.take(hash(1), Timestamp::UNIX_EPOCH).unwrap();
        assert!(codes.take(hash(1), Timestamp::UNIX_EPOCH).is_none(), "two at a time");
        in_use.spend();
        assert!(codes.take(hash(1), Timestamp::UNIX_EPOCH).is_none());
    }

    #[test]
    fn a_code_whose_use_failed_works_again() {
        let codes = Codes::default();
        codes.add(hash(1), Timestamp::UNIX_EPOCH);
        drop(codes.take(hash(1), Timestamp::UNIX_EPOCH));
        assert!(codes.take(hash(1), Timestamp::UNIX_EPOCH).is_some());
    }

    #[test]
    fn a_code_ends_after_fifteen_minutes() {
        let codes = Codes::default();
        let expires_at = codes.add(hash(1), Timestamp::UNIX_EPOCH);
        assert_eq!(expires_at, Timestamp::from_second(900).unwrap());
        assert!(codes.take(hash(1), expires_at).is_none());
        assert!(codes.take(hash(1), Timestamp::from_second(899).unwrap()).is_some());
    }

    #[test]
    fn the_oldest_code_makes_room() {
        let codes = Codes::default();
        for n in 0..=u8::try_from(MOST).unwrap() {
            codes.add(hash(n), Timestamp::UNIX_EPOCH);
        }
        assert!(codes.take(hash(0), Timestamp::UNIX_EPOCH).is_none());
        assert!(codes.take(hash(1), Timestamp::UNIX_EPOCH).is_some());
    }
}
