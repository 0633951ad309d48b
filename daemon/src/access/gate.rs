//! Who calls, and whether it gets through: everything that is known without the database.

use std::sync::Arc;

use axum::extract::MatchedPath;
use http::{Extensions, HeaderMap, Method, Request, header};
use tokio_util::sync::CancellationToken;

use super::{
    Caller, Grant, Links, PeerCredentials, Permission, Role, Secure, Via,
    credentials::{self, Brought},
    directory::{self, Directory},
    grant::Signer,
    origin,
    policy::{self, Denial},
    secret,
};
use crate::{clock::Clock, secrets::HubKey};

/// The gate; clones share it.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    directory: Directory,
    signer: Signer,
    clock: Clock,
    daemon: PeerCredentials,
}

/// In a request's extensions: it was let through already.
#[derive(Clone, Copy)]
struct Admitted;

impl Access {
    /// A gate that knows nobody yet but the daemon's own people; [`Accounts`](super::Accounts) tells it the others.
    pub fn new(hub: &HubKey, links: &Links, clock: Clock) -> Self {
        let (directory, signer) = (Directory::default(), Signer::new(hub, &links.purpose()));
        Self(Arc::new(Inner { directory, signer, clock, daemon: PeerCredentials::own() }))
    }

    /// The text of a grant, for a play URL: `?grant=`.
    pub fn sign(&self, grant: &Grant) -> String {
        self.0.signer.sign(grant)
    }

    /// Whose token or session this is.
    pub fn verify(&self, text: &str) -> Option<Caller> {
        self.known(text, &[secret::Kind::Token, secret::Kind::Session])
    }

    /// Whether it is known at all who may: the rows were read.
    pub fn is_loaded(&self) -> bool {
        self.0.directory.has_admin().is_some()
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.0.directory
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Lets a request through, with its [`Caller`] in the extensions if there is one. A request that was let through
    /// before is not looked at again.
    ///
    /// # Errors
    /// Why it is not let through.
    pub(super) fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Denial> {
        if request.extensions().get::<Admitted>().is_some() {
            return Ok(());
        }
        let permission = permission(request);
        let cookie_name = credentials::cookie_name(request.extensions().get::<Secure>().is_some());
        let brought = credentials::read(request.headers(), request.uri(), cookie_name);
        let foreign = !matches!(brought, Brought::Bearer(_) | Brought::Grant(_))
            && origin::is_foreign(request.headers(), request.uri());
        let safe = matches!(*request.method(), Method::GET | Method::HEAD);
        let caller = if foreign && (brought.is_ambient() || !safe) {
            if permission != Some(Permission::Public) || !safe {
                return Err(Denial::Foreign);
            }
            None
        } else {
            self.identify(&brought, permission, request.extensions())
        };
        match policy::decide(permission, caller.as_ref()) {
            Err(Denial::Unauthenticated) if caller.is_none() && self.cannot_know(&brought) => Err(Denial::NotReady),
            Err(denial) => Err(denial),
            Ok(()) => {
                request.extensions_mut().insert(Admitted);
                caller.and_then(|caller| request.extensions_mut().insert(caller));
                Ok(())
            }
        }
    }

    fn identify(&self, brought: &Brought, needed: Option<Permission>, extensions: &Extensions) -> Option<Caller> {
        match brought {
            Brought::Bearer(text) => self.verify(text),
            Brought::Basic(text) => self.known(text, &[secret::Kind::Token]),
            Brought::Cookie(text) => self.known(text, &[secret::Kind::Session]),
            Brought::Grant(text) if needed == Some(Permission::Play) => {
                let grant = self.0.signer.read(text, self.0.clock.now())?;
                Some(unlisted("play url", Role::Viewer, Via::Grant(grant)))
            }
            Brought::Unreadable | Brought::Grant(_) => None,
            Brought::Nothing => {
                let peer: &PeerCredentials = extensions.get()?;
                peer.is_local_admin(self.0.daemon).then(|| unlisted("local", Role::Admin, Via::Socket))
            }
        }
    }

    fn known(&self, text: &str, kinds: &[secret::Kind]) -> Option<Caller> {
        let (kind, hash) = secret::read(text)?;
        let wanted = match kind {
            _ if !kinds.contains(&kind) => return None,
            secret::Kind::Token => directory::Kind::Token,
            secret::Kind::Session => directory::Kind::Session,
            secret::Kind::Code => return None,
        };
        self.0.directory.caller(hash, wanted, self.0.clock.now())
    }

    /// Whether the secret may be right, but the rows were never read yet.
    fn cannot_know(&self, brought: &Brought) -> bool {
        let is_secret = matches!(brought, Brought::Bearer(_) | Brought::Basic(_) | Brought::Cookie(_));
        is_secret && self.0.directory.has_admin().is_none()
    }
}

/// A caller that stands in no row, and so is never revoked.
fn unlisted(name: &str, role: Role, via: Via) -> Caller {
    Caller { name: name.into(), role, via, revoked: CancellationToken::new() }
}

/// Whether the answer must be gRPC's.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}

fn permission<B>(request: &Request<B>) -> Option<Permission> {
    let (method, path) = (request.method(), request.uri().path());
    if method == Method::POST
        && let Some(permission) = policy::of_method(path)
    {
        return Some(permission);
    }
    if is_grpc(request.headers()) {
        return None;
    }
    match request.extensions().get::<MatchedPath>() {
        Some(pattern) => policy::of_route(method, pattern.as_str()),
        // No route matched: the web UI. A nested router would look the same, so its paths are looked up as well.
        None => policy::of_path(method, path),
    }
}
