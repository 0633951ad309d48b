//! Sessions and tokens in memory, by the hash of their secret, so that nobody waits for the database to be let in.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Caller, Role, SecretHash, Via};
use crate::clock::from_us;

/// One session or token, as its row says.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Of its secret.
    pub(super) hash: SecretHash,
    /// Which of the two.
    pub(super) kind: Kind,
    /// Of the user or the token.
    pub(super) name: String,
    /// How much it may do.
    pub(super) role: Role,
    /// When it ends, if it does by itself.
    pub(super) expires_at: Option<Timestamp>,
    /// As far as the row knows.
    pub(super) last_used_at: Option<Timestamp>,
}

/// A session or a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// Of somebody who signed in; ends when it is not used for [`SESSION_IDLE`].
    Session,
    /// Of a program.
    Token,
}

/// A session that is not used for so long ends.
pub(super) const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A use is noted once in this time.
const TOUCH: SignedDuration = SignedDuration::from_mins(1);

/// Everything the rows say.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Loaded {
    /// Whether there is a user who is an admin.
    pub(super) has_admin: bool,
    /// All sessions and tokens.
    pub(super) identities: Vec<Identity>,
}

/// The cache.
#[derive(Default)]
pub(super) struct Directory(ArcSwapOption<Snapshot>);

struct Snapshot {
    has_admin: bool,
    // The keys are hashes of random secrets: how long a look-up takes tells nothing of any secret.
    entries: HashMap<SecretHash, Arc<Entry>>,
}

struct Entry {
    identity: Identity,
    name: Arc<str>,
    used_us: AtomicI64,
    noted_us: AtomicI64,
    revoked: CancellationToken,
}

impl Directory {
    /// Whether there is an admin. `None` before the first load.
    pub(super) fn has_admin(&self) -> Option<bool> {
        self.0.load().as_ref().map(|snapshot| snapshot.has_admin)
    }

    /// Takes what the rows say now. Whoever is no more, or is not the same any more, is revoked.
    ///
    /// Two calls at once may undo each other: there is one caller, [`Accounts`](super::Accounts).
    pub(super) fn replace(&self, loaded: Loaded) {
        let old = self.0.load_full();
        let before = |hash: SecretHash| old.as_ref().and_then(|old| old.entries.get(&hash));
        let entries = loaded.identities.into_iter().map(|identity| {
            let entry = match before(identity.hash) {
                Some(entry) if entry.is_still(&identity) => Arc::clone(entry),
                _ => Arc::new(Entry::new(identity)),
            };
            (entry.identity.hash, entry)
        });
        let new = Arc::new(Snapshot { has_admin: loaded.has_admin, entries: entries.collect() });
        self.0.store(Some(Arc::clone(&new)));
        for (hash, entry) in old.iter().flat_map(|old| &old.entries) {
            if !new.entries.get(hash).is_some_and(|kept| Arc::ptr_eq(kept, entry)) {
                entry.revoked.cancel();
            }
        }
    }

    /// Whose secret this is the hash of, if it may still be used. Notes the use.
    pub(super) fn caller(&self, hash: SecretHash, kind: Kind, now: Timestamp) -> Option<Caller> {
        let snapshot = self.0.load();
        let entry = snapshot.as_ref()?.entries.get(&hash)?;
        if entry.identity.kind != kind || entry.is_over(now) {
            return None;
        }
        entry.used_us.fetch_max(now.as_microsecond(), Ordering::Relaxed);
        let via = match kind {
            Kind::Session => Via::Session(hash),
            Kind::Token => Via::Token,
        };
        let (name, role, revoked) = (Arc::clone(&entry.name), entry.identity.role, entry.revoked.clone());
        Some(Caller { name, role, via, revoked })
    }

    /// Revokes what has ended by itself, so that its streams end too.
    pub(super) fn expire(&self, now: Timestamp) {
        for entry in self.0.load().iter().flat_map(|snapshot| snapshot.entries.values()) {
            if entry.is_over(now) {
                entry.revoked.cancel();
            }
        }
    }

    /// Who was used since the last time this was asked, by a minute at least, and when.
    pub(super) fn used(&self) -> Vec<(SecretHash, Kind, Timestamp)> {
        let snapshot = self.0.load();
        let entries = snapshot.iter().flat_map(|snapshot| snapshot.entries.values());
        let touch_us = i64::try_from(TOUCH.as_micros()).unwrap_or(i64::MAX);
        entries
            .filter_map(|entry| {
                let used_us = entry.used_us.load(Ordering::Relaxed);
                let noted_us = entry.noted_us.load(Ordering::Relaxed);
                (used_us > noted_us.saturating_add(touch_us)).then(|| {
                    entry.noted_us.store(used_us, Ordering::Relaxed);
                    (entry.identity.hash, entry.identity.kind, from_us(used_us))
                })
            })
            .collect()
    }
}

impl Entry {
    fn new(identity: Identity) -> Self {
        let used_us = identity.last_used_at.map_or(0, Timestamp::as_microsecond);
        Self {
            name: identity.name.as_str().into(),
            used_us: AtomicI64::new(used_us),
            noted_us: AtomicI64::new(used_us),
            revoked: CancellationToken::new(),
            identity,
        }
    }

    /// Whether the row still says the same; its last use does not count.
    fn is_still(&self, row: &Identity) -> bool {
        let row = Identity { last_used_at: self.identity.last_used_at, ..row.clone() };
        self.identity == row && !self.revoked.is_cancelled()
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let idle = match self.identity.kind {
            Kind::Session => from_us(self.used_us.load(Ordering::Relaxed)).checked_add(SESSION_IDLE).ok(),
            Kind::Token => None,
        };
        self.revoked.is_cancelled() || [self.identity.expires_at, idle].into_iter().flatten().any(|end| end <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn identity(n: u8, kind: Kind) -> Identity {
        Identity {
            hash: SecretHash([n; 32]),
            kind,
            name: format!("n{n}"),
            role: Role::Viewer,
            expires_at: None,
            last_used_at: Some(NOW),
        }
    }

    fn directory(identities: Vec<Identity>) -> Directory {
        let directory = Directory::default();
        directory.replace(Loaded { has_admin: true, identities });
        directory
    }

    #[test]
    fn a_hash_is_known_as_its_own_kind_alone() {
        let directory = directory(vec![identity(1, Kind::Token), identity(2, Kind::Session)]);
        let caller = directory.caller(SecretHash([1; 32]), Kind::Token, NOW).unwrap();
        assert_eq!((&*caller.name, caller.role, caller.via), ("n1", Role::Viewer, Via::Token));
        assert!(directory.caller(SecretHash([1; 32]), Kind::Session, NOW).is_none());
        assert!(directory.caller(SecretHash([2; 32]), Kind::Token, NOW).is_none());
        assert!(directory.caller(SecretHash([3; 32]), Kind::Token, NOW).is_none());
        assert_eq!(Directory::default().has_admin(), None);
        assert!(Directory::default().caller(SecretHash([1; 32]), Kind::Token, NOW).is_none());
    }

    #[test]
    fn who_is_gone_or_changed_is_revoked_and_who_stays_is_not() {
        let rows = [1, 2, 3].map(|n| identity(n, Kind::Token));
        let directory = directory(rows.to_vec());
        let [gone, changed, stays] =
            [1, 2, 3].map(|n| directory.caller(SecretHash([n; 32]), Kind::Token, NOW).unwrap());
        let changed_row = Identity { role: Role::Admin, ..rows[1].clone() };
        let used_row = Identity { last_used_at: Some(from_us(5)), ..rows[2].clone() };
        directory.replace(Loaded { has_admin: true, identities: vec![changed_row, used_row] });
        assert!(gone.revoked.is_cancelled() && changed.revoked.is_cancelled() && !stays.revoked.is_cancelled());
        assert!(directory.caller(SecretHash([1; 32]), Kind::Token, NOW).is_none());
        assert_eq!(directory.caller(SecretHash([2; 32]), Kind::Token, NOW).unwrap().role, Role::Admin);
    }

    #[test]
    fn a_token_ends_at_its_time_and_its_streams_with_it() {
        let end = from_us(1_000);
        let directory = directory(vec![Identity { expires_at: Some(end), ..identity(1, Kind::Token) }]);
        let caller = directory.caller(SecretHash([1; 32]), Kind::Token, from_us(999)).unwrap();
        assert!(directory.caller(SecretHash([1; 32]), Kind::Token, end).is_none());
        directory.expire(from_us(999));
        assert!(!caller.revoked.is_cancelled());
        directory.expire(end);
        assert!(caller.revoked.is_cancelled());
    }

    #[test]
    fn a_session_in_use_goes_on_and_an_idle_one_ends() {
        let directory = directory(vec![identity(1, Kind::Session)]);
        let caller = |now| directory.caller(SecretHash([1; 32]), Kind::Session, now);
        let days = |n: i64| NOW.checked_add(SignedDuration::from_hours(24 * n)).unwrap();
        assert!(caller(days(29)).is_some());
        assert!(caller(days(58)).is_some());
        assert!(caller(days(88)).is_none());
    }

    #[test]
    fn a_use_is_noted_once_a_minute() {
        let directory = directory(vec![identity(1, Kind::Token)]);
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let used = |now| {
            directory.caller(SecretHash([1; 32]), Kind::Token, now).unwrap();
            directory.used().len()
        };
        assert_eq!(used(at(60)), 0);
        assert_eq!(used(at(61)), 1);
        assert_eq!(used(at(90)), 0);
        assert_eq!(used(at(122)), 1);
    }
}
