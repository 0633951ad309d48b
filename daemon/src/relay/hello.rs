//! Whether a viewer is let in, and to what.

use std::time::Duration;

use larder_proto::wire::relay::{CloseCode, Hello, HubMessage, VERSION, ViewerMessage, Welcome};

use super::{
    Camera, Shared,
    control::{Control, Unheard},
    session::Session,
    transport::Transport,
};
use crate::{
    access::Caller,
    viewers::{Entry, Passes},
};

/// From the handshake's end to the hello.
pub(super) const HELLO_DEADLINE: Duration = Duration::from_secs(5);

/// Somebody who may watch.
pub(super) struct Admitted {
    pub(super) caller: Caller,
    pub(super) camera: Camera,
    pub(super) hello: Hello,
}

/// Hears the hello, welcomes, and gives the session. `pass` is what the session's address carried.
///
/// # Errors
/// Why there is none.
pub(super) async fn admit(transport: Transport, pass: Option<String>, shared: &Shared) -> Result<Session, Unheard> {
    let hello = tokio::time::timeout(HELLO_DEADLINE, hello(&transport));
    let (mut control, mut hello) = hello.await.unwrap_or(Err(Unheard::Broken(CloseCode::HelloTooSlow)))?;
    if hello.secret.is_empty() {
        hello.secret = pass.unwrap_or_default();
    }
    let admitted = shared.judge(hello).map_err(Unheard::Broken)?;
    let seat = shared.viewers.enter(Entry {
        protocol: transport.protocol(),
        address: transport.address().to_string(),
        user: admitted.caller.name.clone(),
        client: admitted.hello.client.clone(),
        camera: admitted.camera.id,
    });
    let welcome = Welcome {
        version: VERSION,
        viewer: seat.id(),
        camera: admitted.camera.id,
        name: admitted.camera.name.to_string(),
    };
    let said = tokio::time::timeout(HELLO_DEADLINE, control.say(&HubMessage::Welcome(welcome))).await;
    said.unwrap_or(Ok(())).or(Err(Unheard::Gone))?;
    Ok(Session::new(transport, control, seat, admitted, shared.clone()))
}

async fn hello(transport: &Transport) -> Result<(Control, Hello), Unheard> {
    let (sender, receiver) = transport.accept_both_ways().await?;
    let mut control = Control::new(sender, receiver);
    match control.hear().await? {
        ViewerMessage::Hello(hello) => Ok((control, hello)),
        _ => Err(Unheard::Broken(CloseCode::Malformed)),
    }
}

impl Shared {
    /// Whether this hello may watch what it asks for. Nothing of cameras is told to whoever is not known.
    fn judge(&self, hello: Hello) -> Result<Admitted, CloseCode> {
        if !(hello.version_min..=hello.version_max).contains(&VERSION) {
            return Err(CloseCode::Version);
        }
        let (caller, only) = if Passes::is_pass(&hello.secret) {
            let redeemed = self.passes.redeem(&hello.secret).ok_or(CloseCode::Unauthenticated)?;
            (redeemed.0, Some(redeemed.1))
        } else {
            let unknown = if self.access.is_loaded() { CloseCode::Unauthenticated } else { CloseCode::NotReady };
            (self.access.verify(&hello.secret).ok_or(unknown)?, None)
        };
        let camera = (self.find)(&hello.camera).ok_or(CloseCode::UnknownCamera)?;
        if only.is_some_and(|only| only != camera.id) {
            return Err(CloseCode::Forbidden);
        }
        Ok(Admitted { caller, camera, hello })
    }
}
