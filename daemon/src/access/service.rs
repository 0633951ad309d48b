//! `AccessService`.

use std::{net::IpAddr, sync::Arc};

use http::HeaderValue;
use jiff::SignedDuration;
use larder_proto::pb::{self, access_service_server::AccessService, sign_in_request::Credentials};
use tonic::{Request, Response, Status, metadata::MetadataValue};

use super::{
    Accounts, Caller, PeerAddress, Role, Secure, Via, accounts::SignedIn, credentials::cookie_name,
    directory::SESSION_IDLE, store::Token,
};
use crate::{
    outcome::{Kind, Refusal},
    pb_page::{self, List},
    pb_time::timestamp,
};

/// Where the web UI is: full URLs without a path, the local one first.
type Bases = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// The service; clones share it.
#[derive(Clone)]
pub struct Service {
    accounts: Accounts,
    bases: Bases,
}

impl Service {
    /// With the addresses of the web UI (`http://localhost:8080`), asked for when a link is made.
    pub fn new(accounts: Accounts, bases: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        Self { accounts, bases: Arc::new(bases) }
    }
}

#[tonic::async_trait]
impl AccessService for Service {
    async fn get_access_state(
        &self,
        request: Request<pb::GetAccessStateRequest>,
    ) -> Result<Response<pb::AccessState>, Status> {
        let identity = caller(&request).map(|caller| identity(caller.name.to_string(), caller.role));
        let has_admin = self.accounts.has_admin().await.map_err(Refusal::from)?;
        Ok(Response::new(pb::AccessState { has_admin, identity }))
    }

    async fn create_first_admin(
        &self,
        request: Request<pb::CreateFirstAdminRequest>,
    ) -> Result<Response<pb::SignInResponse>, Status> {
        let (who, from, is_secure) = (caller(&request).cloned(), address(&request), is_secure(&request));
        let pb::CreateFirstAdminRequest { name, password, code } = request.into_inner();
        let mut wrong = Vec::new();
        check_name(&name, &mut wrong);
        if !(8..=256).contains(&password.chars().count()) {
            wrong.push(("password".to_owned(), "must be 8 to 256 characters".to_owned()));
        }
        refuse(wrong)?;
        let made = self.accounts.create_first_admin(who.as_ref(), from, (name, password), &code).await;
        signed_in(made.map_err(Refusal::from)?, is_secure)
    }

    async fn sign_in(&self, request: Request<pb::SignInRequest>) -> Result<Response<pb::SignInResponse>, Status> {
        let (from, is_secure) = (address(&request), is_secure(&request));
        let done = match request.into_inner().credentials {
            Some(Credentials::Password(given)) => self.accounts.sign_in(from, &given.name, given.password).await,
            Some(Credentials::Code(code)) => self.accounts.sign_in_by_code(from, &code).await,
            None => return Err(Refusal::field("credentials", "is missing").into()),
        };
        signed_in(done.map_err(Refusal::from)?, is_secure)
    }

    async fn sign_out(&self, request: Request<pb::SignOutRequest>) -> Result<Response<pb::SignOutResponse>, Status> {
        match caller(&request).map(|caller| caller.via.clone()) {
            Some(Via::Session(hash)) => self.accounts.sign_out(hash).await.map_err(Refusal::from)?,
            // The session may be gone already; the cookie goes too.
            None => {}
            Some(Via::Token | Via::Socket | Via::Grant(_)) => {
                let message = "there is no session to end; a token is ended by revoking it";
                return Err(Refusal::new(Kind::FailedPrecondition, message).into());
            }
        }
        let cookie = cookie("", 0, is_secure(&request))?;
        Ok(with_cookie(pb::SignOutResponse {}, cookie))
    }

    async fn create_sign_in_link(
        &self,
        _: Request<pb::CreateSignInLinkRequest>,
    ) -> Result<Response<pb::CreateSignInLinkResponse>, Status> {
        let (code, expires_at) = self.accounts.create_code().map_err(Refusal::from)?;
        let code = code.into_text();
        // In the fragment, which no browser sends to any server or writes into a referrer.
        let urls = (self.bases)().into_iter().map(|base| format!("{base}/sign-in#code={code}")).collect();
        Ok(Response::new(pb::CreateSignInLinkResponse { code, urls, expires_at: Some(timestamp(expires_at)) }))
    }

    async fn create_token(
        &self,
        request: Request<pb::CreateTokenRequest>,
    ) -> Result<Response<pb::CreateTokenResponse>, Status> {
        let pb::CreateTokenRequest { name, role, valid_for } = request.into_inner();
        let mut wrong = Vec::new();
        check_name(&name, &mut wrong);
        let role = Role::from_pb(role);
        if role.is_none() {
            wrong.push(("role".to_owned(), "must be viewer, operator or admin".to_owned()));
        }
        // To the second: whoever asks for less than a minute is refused anyway.
        let valid_for = valid_for.map(|given| SignedDuration::from_secs(given.seconds));
        if valid_for.is_some_and(|given| !(SHORTEST..=LONGEST).contains(&given)) {
            wrong.push(("valid_for".to_owned(), "must be a minute at least and a century at most".to_owned()));
        }
        refuse(wrong)?;
        let role = role.unwrap_or(Role::Viewer);
        let (made, secret) = self.accounts.create_token(name, role, valid_for).await.map_err(Refusal::from)?;
        Ok(Response::new(pb::CreateTokenResponse { token: Some(token(&made)), secret: secret.into_text() }))
    }

    async fn list_tokens(
        &self,
        request: Request<pb::ListTokensRequest>,
    ) -> Result<Response<pb::ListTokensResponse>, Status> {
        let request = request.get_ref();
        let all = self.accounts.tokens().await.map_err(Refusal::from)?;
        let (page, next_page_token) =
            pb_page::by_name(List("tokens"), &all.all(), request.page_size, &request.page_token)?;
        let tokens = page.iter().map(|known| token(known)).collect();
        Ok(Response::new(pb::ListTokensResponse { tokens, next_page_token }))
    }

    async fn revoke_token(
        &self,
        request: Request<pb::RevokeTokenRequest>,
    ) -> Result<Response<pb::RevokeTokenResponse>, Status> {
        let name = request.into_inner().token;
        if name.is_empty() {
            return Err(Refusal::field("token", "is empty").into());
        }
        self.accounts.revoke_token(&name).await.map_err(Refusal::from)?;
        Ok(Response::new(pb::RevokeTokenResponse {}))
    }
}

const SHORTEST: SignedDuration = SignedDuration::from_mins(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(100 * 366 * 24);

fn caller<T>(request: &Request<T>) -> Option<&Caller> {
    request.extensions().get()
}

fn address<T>(request: &Request<T>) -> Option<IpAddr> {
    request.extensions().get::<PeerAddress>().map(|peer| peer.0.ip())
}

fn is_secure<T>(request: &Request<T>) -> bool {
    request.extensions().get::<Secure>().is_some()
}

fn check_name(name: &str, wrong: &mut Vec<(String, String)>) {
    let why = if !(1..=64).contains(&name.chars().count()) {
        "must be 1 to 64 characters"
    } else if name.trim() != name || name.chars().any(char::is_control) {
        "must not begin or end with a space, nor hold control characters"
    } else {
        return;
    };
    wrong.push(("name".to_owned(), why.to_owned()));
}

fn refuse(wrong: Vec<(String, String)>) -> Result<(), Refusal> {
    if wrong.is_empty() { Ok(()) } else { Err(Refusal::fields(wrong)) }
}

fn signed_in(done: SignedIn, is_secure: bool) -> Result<Response<pb::SignInResponse>, Status> {
    let SignedIn { name, role, secret } = done;
    let session_token = secret.into_text();
    let cookie = cookie(&session_token, SESSION_IDLE.as_secs(), is_secure)?;
    Ok(with_cookie(pb::SignInResponse { identity: Some(identity(name, role)), session_token }, cookie))
}

/// Kept from scripts, from other sites' requests, and over TLS from plain HTTP.
fn cookie(value: &str, max_age_seconds: i64, is_secure: bool) -> Result<HeaderValue, Refusal> {
    let (name, secure) = (cookie_name(is_secure), if is_secure { "; Secure" } else { "" });
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_seconds}{secure}");
    HeaderValue::from_str(&text).map_err(Refusal::internal)
}

fn with_cookie<T>(message: T, cookie: HeaderValue) -> Response<T> {
    let mut response = Response::new(message);
    if let Ok(value) = MetadataValue::try_from(cookie.as_bytes()) {
        response.metadata_mut().insert("set-cookie", value);
    }
    response
}

fn identity(name: String, role: Role) -> pb::Identity {
    pb::Identity { name, role: pb::Role::from(role).into() }
}

fn token(token: &Token) -> pb::Token {
    pb::Token {
        id: token.id.to_string(),
        name: token.name.clone(),
        role: pb::Role::from(token.role).into(),
        created_at: Some(timestamp(token.created_at)),
        expires_at: token.expires_at.map(timestamp),
        last_used_at: token.last_used_at.map(timestamp),
    }
}
