//! Tokens for programs, and links for browsers: `larderctl token …`, `larderctl sign-in-link`.

use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use larder_proto::pb::{
    CreateSignInLinkRequest, CreateTokenRequest, ListTokensRequest, RevokeTokenRequest, Role, Token,
};
use serde::Serialize;

use crate::{
    Failure, Out,
    client::{Hub, quick},
    pages, units, when,
};

/// What `larderctl token` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List tokens, without their secrets
    #[command(visible_alias = "ls")]
    List,
    /// Make a token; prints its secret, this once
    Create {
        /// Its name, for example home-assistant
        name: String,
        /// How much its bearer may do
        #[arg(long, value_enum, default_value_t = RoleName::Viewer)]
        role: RoleName,
        /// How long it works: 30d, 12h [default: until it is revoked]
        #[arg(long, value_name = "DURATION", value_parser = units::duration)]
        valid_for: Option<Duration>,
    },
    /// End a token; streams opened with it end at once
    #[command(visible_alias = "rm")]
    Revoke {
        /// Its name or id
        #[arg(value_name = "TOKEN")]
        which: String,
    },
}

/// How much a caller may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum RoleName {
    /// Look: live, recordings, status
    Viewer,
    /// Also command cameras, record, pin and delete
    Operator,
    /// Also cameras, keys and access
    Admin,
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Viewer => Self::Viewer,
            RoleName::Operator => Self::Operator,
            RoleName::Admin => Self::Admin,
        }
    }
}

#[derive(Serialize)]
struct View {
    id: String,
    name: String,
    role: &'static str,
    created_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl From<Token> for View {
    fn from(token: Token) -> Self {
        Self {
            role: role_name(token.role()),
            id: token.id,
            name: token.name,
            created_at: when::from_wire(token.created_at.as_ref()),
            expires_at: when::from_wire(token.expires_at.as_ref()),
            last_used_at: when::from_wire(token.last_used_at.as_ref()),
            secret: None,
        }
    }
}

/// A role for people and programs.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
        Role::Unspecified => "unknown",
    }
}

/// Runs a command.
///
/// # Errors
///
/// The hub refuses or goes away.
pub async fn run(hub: &Hub, command: Command, out: &mut Out) -> Result<(), Failure> {
    match command {
        Command::List => {
            let tokens = pages::all(async |page_size, page_token| {
                let request = ListTokensRequest { page_size, page_token };
                let page = hub.access().list_tokens(quick(request)).await?.into_inner();
                Ok((page.tokens, page.next_page_token))
            });
            list(&tokens.await?.into_iter().map(View::from).collect::<Vec<_>>(), out)
        }
        Command::Create { name, role, valid_for } => {
            let request =
                CreateTokenRequest { name, role: Role::from(role).into(), valid_for: valid_for.map(units::to_wire) };
            let answer = hub.access().create_token(quick(request)).await?.into_inner();
            let view = View { secret: Some(answer.secret.clone()), ..answer.token.unwrap_or_default().into() };
            out.one(&view, |out| {
                // The secret alone on standard output, so that `TOKEN=$(larderctl token create x)` works.
                out.line(&answer.secret)?;
                out.note("This is the only time the token is shown.");
                Ok(())
            })
        }
        Command::Revoke { which } => {
            hub.access().revoke_token(quick(RevokeTokenRequest { token: which.clone() })).await?;
            out.done(&format!("revoked {which}"))
        }
    }
}

fn list(views: &[View], out: &mut Out) -> Result<(), Failure> {
    if views.is_empty() && !out.is_json() {
        return out.line("no tokens yet; make one: larderctl token create NAME --role viewer");
    }
    let zone = out.zone().clone();
    let stamp = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| when::show(at, &zone));
    out.list(views, &["NAME", "ROLE", "CREATED", "EXPIRES", "LAST USED", "ID"], |view| {
        vec![
            view.name.clone(),
            view.role.to_owned(),
            stamp(view.created_at),
            stamp(view.expires_at),
            stamp(view.last_used_at),
            view.id.clone(),
        ]
    })
}

#[derive(Serialize)]
struct LinkView {
    code: String,
    urls: Vec<String>,
    expires_at: Option<Timestamp>,
}

/// `larderctl sign-in-link`.
///
/// # Errors
///
/// The hub refuses or goes away.
pub async fn sign_in_link(hub: &Hub, out: &mut Out) -> Result<(), Failure> {
    let answer = hub.access().create_sign_in_link(quick(CreateSignInLinkRequest {})).await?.into_inner();
    let expires_at = when::from_wire(answer.expires_at.as_ref());
    let view = LinkView { code: answer.code, urls: answer.urls, expires_at };
    out.one(&view, |out| {
        for url in &view.urls {
            out.line(url)?;
        }
        if let Some(at) = view.expires_at {
            out.note(&format!("Works once, until {}, and signs you in as admin.", when::show(at, out.zone())));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::Written;

    #[test]
    fn tokens_are_listed_without_secrets() {
        let mut token = Token {
            id: "0193".into(),
            name: "home-assistant".into(),
            created_at: Some(prost_types::Timestamp { seconds: 1_795_359_600, nanos: 0 }),
            ..Default::default()
        };
        token.set_role(Role::Viewer);
        let written = Written::default();
        list(&[token.clone().into()], &mut written.out(false)).expect("written");
        insta::assert_snapshot!(written.text(), @r"
        NAME            ROLE    CREATED              EXPIRES  LAST USED  ID
        home-assistant  viewer  2026-11-22 15:00:00  never    never      0193
        ");
        let json = serde_json::to_value(View::from(token)).expect("json");
        assert_eq!(json.get("secret"), None);
    }
}
