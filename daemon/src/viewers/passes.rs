//! Passes: each opens one live view, once, as the caller who asked for it. They live in memory alone and are never
//! logged.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use larder_proto::wire::CameraId;
use thiserror::Error;
use tokio::time::Instant;

use crate::{
    access::Caller,
    outcome::{Kind, Refusal},
    secrets::{self, random},
};

/// How long one can be used: the time of a handshake, with patience for a bad line.
pub(super) const VALID: Duration = Duration::from_secs(60);
/// What a pass begins with.
const PREFIX: &str = "lrp_";
/// Passes at once: a page takes one for each view, and unused ones are gone after [`VALID`].
const MOST: usize = 4096;
/// Passes at once of one caller, so that none takes them all.
const MOST_EACH: usize = 256;

/// A fresh pass. Shows nothing when printed for debugging.
pub struct Pass(String);

impl Pass {
    /// The text itself, to be handed out.
    pub fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass(..)")
    }
}

/// Why there is no pass.
#[derive(Debug, Error)]
pub enum IssueError {
    /// As many as may be.
    #[error("too many passes wait to be used; try again in a minute")]
    TooMany,
    /// The system gives no random bytes.
    #[error("cannot make a pass")]
    Random(#[source] secrets::Error),
}

impl From<IssueError> for Refusal {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::TooMany => Self::new(Kind::ResourceExhausted, error.to_string()),
            IssueError::Random(_) => Self::internal(error),
        }
    }
}

/// All passes; clones share them.
#[derive(Clone, Default)]
pub struct Passes(Arc<Mutex<HashMap<[u8; 32], Issued>>>);

struct Issued {
    caller: Caller,
    camera: CameraId,
    until: Instant,
}

impl Passes {
    /// A pass for one view of this camera.
    ///
    /// # Errors
    /// When there are too many already.
    pub fn issue(&self, caller: Caller, camera: CameraId) -> Result<Pass, IssueError> {
        let text = PREFIX.to_owned() + &URL_SAFE_NO_PAD.encode(random::<32>().map_err(IssueError::Random)?);
        let now = Instant::now();
        let mut all = self.all();
        all.retain(|_, issued| issued.until > now);
        let of_caller = all.values().filter(|issued| issued.caller.name == caller.name).count();
        if all.len() >= MOST || of_caller >= MOST_EACH {
            return Err(IssueError::TooMany);
        }
        all.insert(hash(&text), Issued { caller, camera, until: now + VALID });
        Ok(Pass(text))
    }

    /// Whether a secret is meant as a pass.
    pub fn is_pass(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Uses a pass up: whose it is, and the only camera that it opens. `None` when it is none, was used, is too old, or
    /// its caller was revoked.
    pub fn redeem(&self, text: &str) -> Option<(Caller, CameraId)> {
        let Issued { caller, camera, until } = self.all().remove(&hash(text))?;
        (until > Instant::now() && !caller.revoked.is_cancelled()).then_some((caller, camera))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<[u8; 32], Issued>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::access::{Role, Via};

    fn caller(name: &str) -> Caller {
        Caller { name: name.into(), role: Role::Viewer, via: Via::Token, revoked: CancellationToken::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_is_good_once_and_for_a_minute() {
        let (passes, camera) = (Passes::default(), CameraId::random());
        let issue = || passes.issue(caller("tv"), camera).unwrap().into_text();
        let pass = issue();
        assert!(Passes::is_pass(&pass));
        let (redeemed, of) = passes.redeem(&pass).unwrap();
        assert_eq!((redeemed.name.as_ref(), of), ("tv", camera));
        assert!(passes.redeem(&pass).is_none(), "it was used");
        let late = issue();
        tokio::time::advance(VALID).await;
        assert!(passes.redeem(&late).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_was_revoked_has_no_pass_any_more() {
        let (passes, caller) = (Passes::default(), caller("tv"));
        let pass = passes.issue(caller.clone(), CameraId::random()).unwrap().into_text();
        caller.revoked.cancel();
        assert!(passes.redeem(&pass).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn passes_that_wait_are_bounded_and_those_too_old_make_room() {
        let (passes, camera) = (Passes::default(), CameraId::random());
        for _ in 0..MOST_EACH {
            passes.issue(caller("greedy"), camera).unwrap();
        }
        assert!(matches!(passes.issue(caller("greedy"), camera), Err(IssueError::TooMany)));
        assert!(passes.issue(caller("other"), camera).is_ok());
        tokio::time::advance(VALID).await;
        assert!(passes.issue(caller("greedy"), camera).is_ok());
        assert_eq!(passes.all().len(), 1);
    }
}
