//! What goes wrong where cameras come in, counted each time and told once: a stranger can't fill the log.
//!
//! | counter | counts | labels |
//! |---|---|---|
//! | `larder_camera_connections_total` | accepted connections | |
//! | `larder_camera_connections_refused_total` | connections without a session | `reason`: the BYE's name (`unproven`, `unknown-camera`, `malformed`, `too-large`, `unknown-type`, `unexpected`, `version`, `handshake-too-slow`, `busy`, `internal`), `gone` (hung up), `too-often`; of boards that push `wrong-token`, `unlisted-address` |
//! | `larder_camera_connections_full_total` | moments in which every place was taken and connections had to wait | |
//! | `larder_camera_accept_failures_total` | connections that could not be accepted (file descriptors, mostly) | |
//! | `larder_camera_sessions` | sessions now (gauge) | |
//! | `larder_camera_sessions_ended_total` | ended sessions | `reason`: the BYE's name (`replaced`, `key-changed`, `camera-removed`, `idle`, `malformed`, `unknown-type`, `too-large`, `out-of-sequence`, `bad-mac`, `unexpected`, `hub-stopping`), `bye` (the camera said so), `closed`, `cut` (within a message), `deaf` (it does not read), `read-failed`, `write-failed` |
//! | `larder_camera_takeovers_total` | sessions that ended another one of their camera | |
//! | `larder_camera_messages_passed_over_total` | messages of an unknown optional type | |
//! | `larder_camera_reading_paused_total` | times a camera that says too much was made to wait | |
//! | `larder_frames_refused_total` | refused pictures | `reason`: `too-fast`, `too-large`, `part-header`, `damaged`, `undecodable`, or what the JPEG lacks (`no-eoi`, ...) |

use std::net::SocketAddr;

use larder_proto::wire::CameraId;

use super::{Shared, registry::Before};
use crate::events;

impl Shared {
    /// Notes a refused connection. `whom`: who it said it is, when a person should look at that camera.
    pub(super) fn refused(&self, peer: SocketAddr, whom: Option<CameraId>, reason: &'static str) {
        metrics::counter!("larder_camera_connections_refused_total", "reason" => reason).increment(1);
        // Told apart by camera only where there is one: a stranger can make up any number of others.
        let known = whom.filter(|camera| self.cameras.key(*camera).is_some());
        let what = known.map_or_else(|| reason.to_owned(), |camera| format!("{reason} {camera}"));
        let Some(unsaid) = self.troubles.note("a camera was refused", &what) else { return };
        let id = whom.map(tracing::field::display);
        tracing::warn!(camera.id = id, camera.address = %peer, reason, unsaid, "a camera was refused");
        if let Some(camera) = whom {
            let message = format!("a camera at {} was refused: {reason}", peer.ip());
            self.events.tell(events::Kind::CameraRefused, Some(camera), message);
        }
    }

    /// Notes that no place is free.
    pub(super) fn full(&self) {
        metrics::counter!("larder_camera_connections_full_total").increment(1);
        let message = "cameras have to wait: camera_link.max_connections are open";
        if let Some(unsaid) = self.troubles.note(message, "") {
            tracing::warn!(most = self.config.max_connections, unsaid, "{message}");
        }
    }

    /// Notes what a new session found in its place.
    pub(super) fn took_over(&self, camera: CameraId, peer: &str, before: Before) {
        if before == Before::Nothing {
            return;
        }
        metrics::counter!("larder_camera_takeovers_total").increment(1);
        if before == Before::Session {
            return;
        }
        let message = "a camera replaces itself again and again: two boards may have its key, or it keeps restarting";
        if let Some(unsaid) = self.troubles.note(message, &camera.to_string()) {
            tracing::warn!(camera.id = %camera, camera.address = peer, unsaid, "{message}");
        }
    }

    /// Notes a picture that came sooner than any may.
    pub(super) fn too_fast(&self, camera: CameraId) {
        let message = "a camera sends more pictures than are taken";
        if let Some(unsaid) = self.troubles.note(message, &camera.to_string()) {
            tracing::warn!(camera.id = %camera, unsaid, "{message}");
        }
    }
}
