//! What a stranger shows to be let in.

#[path = "../../../daemon/src/access/credentials.rs"]
#[allow(dead_code, reason = "of the hub's module, only what reads a request")]
mod credentials_of_request;
#[path = "../../../daemon/src/access/grant.rs"]
#[allow(unreachable_pub, reason = "the hub shows it to others")]
mod grant_of_url;
#[path = "../../../daemon/src/access/secret.rs"]
#[allow(dead_code, unreachable_pub, reason = "of the hub's module, only what reads a secret")]
mod secret;

mod shown;
mod signed;

pub(crate) use shown::credentials;
pub(crate) use signed::grant;
