//! Who calls.

use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use http::Extensions;
use jiff::Timestamp;
use larder_proto::wire::CameraId;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{Grant, Role, SecretHash};
use crate::outcome::{Kind, Refusal};

/// Somebody who was let in. The access layer puts it into the extensions of the request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// User or token name; `local` on the local socket.
    pub name: Arc<str>,
    /// How much it may do.
    pub role: Role,
    /// How it showed who it is.
    pub via: Via,
    /// Ends when what it came in with is revoked or expires; what it opened must end then.
    pub revoked: CancellationToken,
}

/// How a caller showed who it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Via {
    /// It is one of the daemon's own people on the local socket.
    Socket,
    /// A session, in a cookie or as a bearer.
    Session(SecretHash),
    /// A token, as a bearer or as the password of HTTP Basic.
    Token,
    /// A signed play URL: only media, only within its bounds.
    Grant(Grant),
}

impl Caller {
    /// The caller of a request.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when nobody was let in: a method that anybody may call was called by nobody.
    pub fn of(extensions: &Extensions) -> Result<&Self, Refusal> {
        extensions.get().ok_or_else(|| Refusal::new(Kind::Unauthenticated, "sign in first"))
    }

    /// The caller of a gRPC request.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, as [`Caller::of`].
    pub fn of_rpc<T>(request: &tonic::Request<T>) -> Result<&Self, Status> {
        request.extensions().get().ok_or_else(|| Refusal::new(Kind::Unauthenticated, "sign in first").into())
    }

    /// Whether it may ask for a playlist of `from` to `to` of this camera: a grant must contain the range.
    pub fn may_play(&self, camera: CameraId, from: Timestamp, to: Timestamp) -> bool {
        match &self.via {
            Via::Grant(grant) => grant.camera == camera && grant.from <= from && to <= grant.to && from <= to,
            Via::Socket | Via::Session(_) | Via::Token => true,
        }
    }

    /// Whether it may fetch media of this camera that spans `from` to `to`: a grant must overlap it, for the first
    /// and the last fragment of a playlist reach over the range that was asked for.
    pub fn may_fetch(&self, camera: CameraId, from: Timestamp, to: Timestamp) -> bool {
        match &self.via {
            Via::Grant(grant) => grant.camera == camera && from < grant.to && grant.from < to,
            Via::Socket | Via::Session(_) | Via::Token => true,
        }
    }

    /// The stream until the caller is revoked; then one last `UNAUTHENTICATED`.
    pub fn until_revoked<T, S>(&self, stream: S) -> impl Stream<Item = Result<T, Status>> + Send + use<T, S>
    where
        T: Send,
        S: Stream<Item = Result<T, Status>> + Send,
    {
        let state = (Box::pin(stream), self.revoked.clone(), false);
        futures_util::stream::unfold(state, |(mut stream, revoked, over)| async move {
            if over {
                return None;
            }
            tokio::select! {
                biased;
                () = revoked.cancelled() => {
                    Some((Err(Status::unauthenticated("access was revoked")), (stream, revoked, true)))
                }
                item = stream.next() => item.map(|item| (item, (stream, revoked, false))),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn caller(via: Via) -> Caller {
        Caller { name: "x".into(), role: Role::Viewer, via, revoked: CancellationToken::new() }
    }

    #[test]
    fn a_grant_reaches_no_further_than_its_camera_and_its_range() {
        let (camera, other) = (CameraId::random(), CameraId::random());
        let granted = caller(Via::Grant(Grant { camera, from: at(100), to: at(200), expires_at: at(999) }));
        assert!(granted.may_play(camera, at(100), at(200)) && granted.may_play(camera, at(150), at(150)));
        assert!(!granted.may_play(camera, at(99), at(200)) && !granted.may_play(camera, at(100), at(201)));
        assert!(!granted.may_play(camera, at(180), at(120)));
        assert!(!granted.may_play(other, at(100), at(200)));
        assert!(granted.may_fetch(camera, at(98), at(101)) && granted.may_fetch(camera, at(199), at(203)));
        assert!(!granted.may_fetch(camera, at(98), at(100)) && !granted.may_fetch(camera, at(200), at(203)));
        assert!(!granted.may_fetch(other, at(120), at(130)));
        assert!(caller(Via::Token).may_play(other, at(0), at(9)) && caller(Via::Socket).may_fetch(other, at(0), at(9)));
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_callers_revocation() {
        let caller = caller(Via::Token);
        let endless = futures_util::stream::iter([Ok(1)]).chain(futures_util::stream::pending());
        let mut stream = Box::pin(caller.until_revoked(endless));
        assert!(matches!(stream.next().await, Some(Ok(1))));
        caller.revoked.cancel();
        let last = stream.next().await.unwrap().unwrap_err();
        assert_eq!(last.code(), tonic::Code::Unauthenticated);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn a_stream_that_ends_by_itself_ends_quietly() {
        let mut stream = Box::pin(caller(Via::Token).until_revoked(futures_util::stream::iter([Ok(1)])));
        assert!(matches!(stream.next().await, Some(Ok(1))));
        assert!(stream.next().await.is_none());
    }
}
