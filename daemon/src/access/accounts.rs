//! Signing in and out, tokens, and what keeps the gate's knowledge fresh.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tokio::{
    sync::{Mutex, broadcast},
    time::{MissedTickBehavior, interval},
};
use uuid::Uuid;

use super::{
    Access, Caller, Config, Role, SecretHash,
    codes::Codes,
    directory::SESSION_IDLE,
    password::{self, Passwords},
    secret::{self, Secret},
    store::{Store, Token, User},
    throttle::Throttle,
};
use crate::{
    db::{self, Cache, Change, Db},
    named::ByName,
    outcome::{Kind, Refusal, chain},
    repeats, secrets,
    tasks::Tasks,
};

/// How often what has ended is looked for: a stream outlives its token by no more.
const TICK: Duration = Duration::from_secs(15);
/// Ticks between two sweeps of sessions that nobody uses: an hour.
const TICKS_PER_SWEEP: u32 = 240;
/// The channel that tells of changed rows.
const CHANNEL: &str = "access";

/// Users, sessions and tokens; clones share them.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    access: Access,
    store: Store,
    passwords: Passwords,
    throttle: Throttle,
    codes: Codes,
    cache: Cache,
    /// One reload at a time, so that an older one never overtakes.
    reloading: Mutex<()>,
}

/// Why it was refused.
#[derive(Debug, Error)]
pub(super) enum Error {
    #[error(transparent)]
    Database(#[from] db::Error),
    #[error(transparent)]
    Password(#[from] password::Error),
    #[error(transparent)]
    Random(#[from] secrets::Error),
    #[error("the name or the password is wrong")]
    WrongPassword,
    #[error("this sign-in code is wrong, used or too old; make a new one: larderctl sign-in-link")]
    WrongCode,
    #[error("too many tries to sign in; wait a minute")]
    Throttled,
    #[error("there is an admin already; sign in instead")]
    HasAdmin,
    #[error("there is a token \"{0}\" already")]
    NameTaken(String),
    #[error("no such token \"{0}\"")]
    NoSuchToken(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Database(error) => return error.into(),
            Error::Password(error) => return error.into(),
            Error::Random(error) => return Self::internal(error),
            Error::WrongPassword | Error::WrongCode => Kind::Unauthenticated,
            Error::Throttled => Kind::ResourceExhausted,
            Error::HasAdmin => Kind::FailedPrecondition,
            Error::NameTaken(_) => Kind::AlreadyExists,
            Error::NoSuchToken(_) => Kind::NotFound,
        };
        Self::new(kind, error.to_string())
    }
}

/// A session that was just made.
pub(super) struct SignedIn {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) secret: Secret,
}

impl Accounts {
    /// Reads the rows into the gate, and goes on doing so when they change. While the database is away the gate
    /// keeps what it knows, and begins with what was remembered.
    pub async fn start(config: &Config, access: Access, (db, cache): (Db, Cache), tasks: &Tasks) -> Self {
        // Before the first load, so that no change is missed.
        let changes = db.changes();
        let accounts = Self(Arc::new(Inner {
            access,
            store: Store::new(db),
            passwords: Passwords::default(),
            throttle: Throttle::new(config.attempts(), config.wait()),
            codes: Codes::default(),
            cache,
            reloading: Mutex::new(()),
        }));
        let stale = accounts.try_reload().await;
        if stale && let Some(remembered) = accounts.0.cache.recall(CHANNEL).await {
            accounts.0.access.directory().replace(remembered);
        }
        tasks.spawn_until_stop(accounts.clone().keep_fresh(changes, stale));
        accounts
    }

    pub(super) async fn has_admin(&self) -> Result<bool, Error> {
        match self.0.access.directory().has_admin() {
            Some(has_admin) => Ok(has_admin),
            None => Ok(self.0.store.first_admin().await?.is_some()),
        }
    }

    /// Makes the first admin, for an admin without a name (the local socket, a session of a sign-in code) or for who
    /// has an unused sign-in code.
    pub(super) async fn create_first_admin(
        &self,
        who: Option<&Caller>,
        from: Option<IpAddr>,
        (name, password): (String, String),
        code: &str,
    ) -> Result<SignedIn, Error> {
        if self.has_admin().await? {
            return Err(Error::HasAdmin);
        }
        let code = match who {
            Some(caller) if caller.role == Role::Admin => None,
            _ => Some(self.take_code(from, code)?),
        };
        let hash = self.0.passwords.hash(password).await?;
        let admin = self.0.store.create_first_admin(&name, &hash).await?.ok_or(Error::HasAdmin)?;
        tracing::info!(user.name = admin.name, "the first admin was made");
        let signed_in = self.open_session(Some(admin)).await;
        // Used up even when the session failed: the admin is made and can sign in.
        if let Some(code) = code {
            code.spend();
        }
        signed_in
    }

    pub(super) async fn sign_in(&self, from: Option<IpAddr>, name: &str, password: String) -> Result<SignedIn, Error> {
        self.throttle(from)?;
        let found = if is_text(name) { self.0.store.user(name).await? } else { None };
        let (user, kept) = found.unzip();
        let right = self.0.passwords.verify(password, kept).await?;
        match user {
            Some(user) if right => self.open_session(Some(user)).await,
            _ => {
                metrics::counter!("larder_sign_ins_refused_total").increment(1);
                let from = from.map(tracing::field::display);
                repeats::say!(info, "", { peer.address = from }, "a sign-in was refused");
                Err(Error::WrongPassword)
            }
        }
    }

    pub(super) async fn sign_in_by_code(&self, from: Option<IpAddr>, code: &str) -> Result<SignedIn, Error> {
        let code = self.take_code(from, code)?;
        let admin = self.0.store.first_admin().await?;
        let signed_in = self.open_session(admin).await?;
        code.spend();
        Ok(signed_in)
    }

    pub(super) async fn sign_out(&self, session: SecretHash) -> Result<(), Error> {
        self.0.store.remove_session(session).await?;
        Ok(self.reload().await?)
    }

    /// A one-time code, and when its time is up.
    pub(super) fn create_code(&self) -> Result<(Secret, Timestamp), Error> {
        let code = Secret::new(secret::Kind::Code)?;
        let expires_at = self.0.codes.add(code.hash(), self.now());
        Ok((code, expires_at))
    }

    pub(super) async fn create_token(
        &self,
        name: String,
        role: Role,
        valid_for: Option<SignedDuration>,
    ) -> Result<(Token, Secret), Error> {
        let secret = Secret::new(secret::Kind::Token)?;
        let created_at = self.now();
        let expires_at = valid_for.and_then(|valid_for| created_at.checked_add(valid_for).ok());
        let token = Token { id: Uuid::now_v7(), name, role, created_at, expires_at, last_used_at: None };
        if !self.0.store.create_token(&token, secret.hash()).await? {
            return Err(Error::NameTaken(token.name));
        }
        tracing::info!(token.name, token.role = role.name(), "a token was made");
        self.reload().await?;
        Ok((token, secret))
    }

    pub(super) async fn tokens(&self) -> Result<ByName<Token>, Error> {
        Ok(self.0.store.tokens().await?.into_iter().map(Arc::new).collect())
    }

    pub(super) async fn revoke_token(&self, id_or_name: &str) -> Result<(), Error> {
        let removed = if is_text(id_or_name) { self.0.store.remove_token(id_or_name).await? } else { None };
        let name = removed.ok_or_else(|| Error::NoSuchToken(id_or_name.to_owned()))?;
        tracing::info!(token.name = name, "a token was revoked");
        Ok(self.reload().await?)
    }

    async fn open_session(&self, user: Option<User>) -> Result<SignedIn, Error> {
        let secret = Secret::new(secret::Kind::Session)?;
        let role = user.as_ref().map_or(Role::Admin, |user| user.role);
        let id = user.as_ref().map(|user| user.id);
        self.0.store.create_session(secret.hash(), id, role, self.now()).await?;
        self.reload().await?;
        let name = user.map_or_else(|| "sign-in link".to_owned(), |user| user.name);
        Ok(SignedIn { name, role, secret })
    }

    fn take_code(&self, from: Option<IpAddr>, code: &str) -> Result<super::codes::InUse<'_>, Error> {
        self.throttle(from)?;
        let hash = match secret::read(code) {
            Some((secret::Kind::Code, hash)) => hash,
            _ => return Err(Error::WrongCode),
        };
        self.0.codes.take(hash, self.now()).ok_or(Error::WrongCode)
    }

    /// Everybody without an address, on the local socket, counts as one.
    fn throttle(&self, from: Option<IpAddr>) -> Result<(), Error> {
        let from = from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        if self.0.throttle.allows(from) { Ok(()) } else { Err(Error::Throttled) }
    }

    fn now(&self) -> Timestamp {
        self.0.access.clock().now()
    }

    /// After it, the gate knows every change that was made before it.
    async fn reload(&self) -> Result<(), db::Error> {
        let _one = self.0.reloading.lock().await;
        let loaded = self.0.store.load().await?;
        // Before anything waits for the disk: who is no more is let in no more.
        self.0.access.directory().replace(loaded.clone());
        self.0.cache.keep(CHANNEL, &loaded).await;
        Ok(())
    }

    /// Whether what the gate knows stays stale.
    async fn try_reload(&self) -> bool {
        let failed = self.reload().await.inspect_err(|error| {
            let cause = chain(error);
            repeats::say!(warn, "", { cause }, "sessions and tokens could not be read; the known ones stay in use");
        });
        failed.is_err()
    }

    async fn keep_fresh(self, mut changes: broadcast::Receiver<Change>, mut stale: bool) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticks = 0_u32;
        loop {
            tokio::select! {
                change = changes.recv() => match change {
                    Ok(Change::Notice(channel)) => stale |= channel == CHANNEL,
                    Ok(Change::Connected) | Err(broadcast::error::RecvError::Lagged(_)) => stale = true,
                    Ok(Change::Lost) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                _ = tick.tick() => {
                    self.0.access.directory().expire(self.now());
                    if let Err(error) = self.note(ticks).await {
                        tracing::debug!(cause = chain(&error), "the use of sessions and tokens could not be noted");
                    }
                    ticks = (ticks + 1) % TICKS_PER_SWEEP;
                }
            }
            if stale {
                stale = self.try_reload().await;
            }
        }
    }

    async fn note(&self, ticks: u32) -> Result<(), db::Error> {
        let used = self.0.access.directory().used();
        if !used.is_empty() {
            self.0.store.note_uses(&used).await?;
        }
        if ticks == 0
            && let Ok(since) = self.now().checked_sub(SESSION_IDLE)
        {
            let removed = self.0.store.remove_idle_sessions(since).await?;
            tracing::debug!(removed, "idle sessions were removed");
            // What is remembered says when each was used.
            self.reload().await?;
        }
        Ok(())
    }
}

/// PostgreSQL's text holds no zero character, and refuses a statement that brings one.
fn is_text(name: &str) -> bool {
    !name.contains('\0')
}
