//! `larderctl login`: trusts a hub, proves who is there, and stores both as a profile.

mod trust;

use clap::Args;
use larder_proto::pb::{
    AccessState, GetAccessStateRequest, SignInRequest, SignOutRequest,
    sign_in_request::{Credentials, Password},
};
use serde::Serialize;

use crate::{
    Failure, Out,
    client::{Hub, quick},
    profile::{Profile, Profiles},
    target::{Remote, Secret, Target, TargetArgs, Trust, parse_address, read_authorities},
    token::role_name,
};

pub use trust::{fingerprint, show_authority};

/// A hub and how to get in. `--hub`, `--ca` and `--token` are options of every command.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Without --ca the hub's authority is shown and asked about; compare its fingerprint with what \
    `larderctl authority` says on the hub itself.")]
pub struct LoginArgs {
    /// Address of the hub, for example `https://pi.local:7442` [default: --hub]
    #[arg(value_name = "URL")]
    pub address: Option<String>,
    /// The profile's name [default: the hub's host name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Sign in as this user with a password, instead of a token
    #[arg(long, short, value_name = "NAME")]
    pub user: Option<String>,
    /// Sign in with a one-time code of `larderctl sign-in-link`
    #[arg(long, conflicts_with = "user")]
    pub code: Option<String>,
    /// SHA-256 fingerprint of the hub's authority, instead of a question
    #[arg(long, value_name = "AA:BB:…")]
    pub fingerprint: Option<String>,
    /// Trust the authorities this system trusts, for a hub with a certificate of the world's
    #[arg(long, conflicts_with = "fingerprint")]
    pub system_trust: bool,
}

#[derive(Serialize)]
struct View<'a> {
    profile: &'a str,
    hub: &'a str,
    name: &'a str,
    role: &'a str,
}

/// Stores a profile after it has been shown to work.
///
/// # Errors
///
/// The hub cannot be reached, is not trusted, or lets nobody in.
pub async fn login(args: LoginArgs, target: &TargetArgs, out: &mut Out) -> Result<(), Failure> {
    let address = args.address.as_deref().or(target.hub.as_deref());
    let address = address.ok_or_else(|| {
        Failure::Usage("which hub? larderctl login https://HOST:7442 (on the hub itself no login is needed)".to_owned())
    })?;
    let (host, port) = parse_address(address)?;
    let name = args.name.clone().unwrap_or_else(|| host.clone());
    let mut remote = Remote { host, port, trust: Trust::System, token: None };
    remote.trust = match &target.ca {
        Some(file) => Trust::Pinned(read_authorities(file)?),
        None if args.system_trust => Trust::System,
        None => Trust::Pinned(vec![trust::ask(&remote, args.fingerprint.as_deref(), out).await?]),
    };
    let token = credentials(&args, target, &remote, out).await?;
    remote.token = Some(token.clone());

    let hub = Hub::connect(Target::Remote(remote.clone())).await?;
    let state = hub.access().get_access_state(quick(GetAccessStateRequest {})).await?.into_inner();
    let Some(identity) = state.identity else {
        return Err(tonic::Status::unauthenticated("the hub does not know this token").into());
    };
    let url = format!("https://{}", remote.address());
    let ca = match &remote.trust {
        Trust::System => None,
        Trust::Pinned(certificates) => Some(certificates.iter().map(trust::to_pem).collect()),
    };
    let profile = Profile { hub: url.clone(), ca, token: Some(token.expose().to_owned()) };
    Profiles::load()?.store(&name, profile)?;

    let view = View { profile: &name, hub: &url, name: &identity.name, role: role_name(identity.role()) };
    out.one(&view, |out| {
        out.line(&format!("signed in to {url} as {} ({})", view.name, view.role))?;
        out.line(&format!(
            "commands go there now; back to this machine's hub: larderctl profile use {}",
            Profiles::LOCAL
        ))
    })
}

async fn credentials(args: &LoginArgs, target: &TargetArgs, remote: &Remote, out: &Out) -> Result<Secret, Failure> {
    let credentials = match (&args.user, &args.code, &target.token) {
        (None, None, Some(token)) => return Ok(token.clone()),
        (None, None, None) => return ask_secret("Token: ", "--token or LARDER_TOKEN", out),
        (Some(user), ..) => {
            let password = ask_secret("Password: ", "a terminal", out)?.expose().to_owned();
            Credentials::Password(Password { name: user.clone(), password })
        }
        (None, Some(code), _) => Credentials::Code(code.clone()),
    };
    let hub = Hub::connect(Target::Remote(remote.clone())).await?;
    let request = SignInRequest { credentials: Some(credentials) };
    let answer = hub.access().sign_in(quick(request)).await?.into_inner();
    Ok(Secret::from(answer.session_token))
}

fn ask_secret(prompt: &str, otherwise: &str, out: &Out) -> Result<Secret, Failure> {
    if !out.is_interactive() {
        return Err(Failure::Usage(format!("nobody is here to type a secret: pass {otherwise}")));
    }
    let typed = rpassword::prompt_password(prompt).map_err(|source| Failure::file("/dev/tty", source))?;
    Ok(Secret::from(typed.trim().to_owned()))
}

/// `larderctl logout`: ends the session on the hub, if it can be reached, and forgets the profile.
///
/// # Errors
///
/// There is no profile to leave, or the file cannot be written.
pub async fn logout(target: &TargetArgs, out: &mut Out) -> Result<(), Failure> {
    let mut profiles = Profiles::load()?;
    let name = target.profile.clone().or_else(|| profiles.current().map(str::to_owned));
    let name = name.ok_or_else(|| Failure::Usage("not signed in anywhere: `larderctl profile list`".to_owned()))?;
    let remote = profiles.remote(&name)?;
    let ended = async {
        let hub = Hub::connect(Target::Remote(remote)).await?;
        hub.access().sign_out(quick(SignOutRequest {})).await?;
        Ok::<_, Failure>(())
    };
    match ended.await {
        Ok(()) => {}
        Err(Failure::Refused(status)) => out.note(status.message()),
        Err(failure) => out.note(&format!("the session on the hub was not ended: {failure}")),
    }
    profiles.remove(&name)?;
    out.done(&format!("forgot {name}"))
}

#[derive(Serialize)]
struct WhoView<'a> {
    name: &'a str,
    role: &'a str,
    hub: String,
    has_admin: bool,
}

/// `larderctl whoami`.
///
/// # Errors
///
/// The hub cannot be reached.
pub async fn whoami(hub: &Hub, out: &mut Out) -> Result<(), Failure> {
    let AccessState { identity, has_admin } =
        hub.access().get_access_state(quick(GetAccessStateRequest {})).await?.into_inner();
    let Some(identity) = identity else {
        return Err(tonic::Status::unauthenticated("the hub does not know you").into());
    };
    let (role, hub) = (role_name(identity.role()), hub.target().to_string());
    let view = WhoView { name: &identity.name, role, hub, has_admin };
    out.one(&view, |out| {
        out.line(&format!("{} ({}) on {}", view.name, view.role, view.hub))?;
        if !has_admin {
            out.note("no admin has been set up yet: open the link of `larderctl sign-in-link` in a browser");
        }
        Ok(())
    })
}
