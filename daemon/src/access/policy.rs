//! What each request needs: the one table, and the one decision. What is not in the table is denied.

use std::fmt;

use http::Method;

use super::{Caller, Role, Via};

/// What a request needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Permission {
    /// Anybody, signed in or not.
    Public,
    /// Media: any role, or a signed play URL whose bounds the handler checks.
    Play,
    /// At least this role.
    Role(Role),
}

/// Why a request is not let through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Denial {
    /// Nobody is signed in.
    Unauthenticated,
    /// The caller's role is not enough; this one is.
    Needs(Role),
    /// No permission is stated for it.
    Unknown,
    /// A browser sent it for another site's page.
    Foreign,
    /// The caller may be known, but the database was not there yet to say so.
    NotReady,
}

impl Denial {
    /// A stable name, for the metric.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Needs(_) => "role",
            Self::Unknown => "unknown",
            Self::Foreign => "foreign",
            Self::NotReady => "not_ready",
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthenticated => f.write_str("sign in first, or send a token"),
            Self::Needs(role) => write!(f, "this needs the role {}", role.name()),
            Self::Unknown => f.write_str("there is nothing here"),
            Self::Foreign => f.write_str("this was sent for a page of another site"),
            Self::NotReady => f.write_str("the database is not reachable; try again later"),
        }
    }
}

/// What the web UI and its files need: whatever no other route matches.
pub const FALLBACK: Permission = Permission::Public;

const PUBLIC: Permission = Permission::Public;
const VIEWER: Permission = Permission::Role(Role::Viewer);
const OPERATOR: Permission = Permission::Role(Role::Operator);
const ADMIN: Permission = Permission::Role(Role::Admin);

/// Every gRPC method, by its path.
pub const METHODS: &[(&str, Permission)] = &[
    // Each makes sure by itself that the caller may: a password, a one-time code, or the local socket.
    ("/larder.v1.AccessService/GetAccessState", PUBLIC),
    ("/larder.v1.AccessService/CreateFirstAdmin", PUBLIC),
    ("/larder.v1.AccessService/SignIn", PUBLIC),
    ("/larder.v1.AccessService/SignOut", PUBLIC),
    ("/larder.v1.AccessService/CreateSignInLink", ADMIN),
    ("/larder.v1.AccessService/CreateToken", ADMIN),
    ("/larder.v1.AccessService/ListTokens", ADMIN),
    ("/larder.v1.AccessService/RevokeToken", ADMIN),
    ("/larder.v1.CameraService/CreateCamera", ADMIN),
    ("/larder.v1.CameraService/GetCamera", VIEWER),
    ("/larder.v1.CameraService/ListCameras", VIEWER),
    ("/larder.v1.CameraService/UpdateCamera", ADMIN),
    ("/larder.v1.CameraService/DeleteCamera", ADMIN),
    ("/larder.v1.CameraService/RotateCameraKey", ADMIN),
    ("/larder.v1.CameraService/ControlCamera", OPERATOR),
    ("/larder.v1.CameraService/UpdateFirmware", ADMIN),
    ("/larder.v1.CameraService/WatchCameras", VIEWER),
    ("/larder.v1.RecordingService/ListRecordings", VIEWER),
    ("/larder.v1.RecordingService/GetRecording", VIEWER),
    ("/larder.v1.RecordingService/StartRecording", OPERATOR),
    ("/larder.v1.RecordingService/StopRecording", OPERATOR),
    ("/larder.v1.RecordingService/GetTimeline", VIEWER),
    // It hands out what its caller may see already, for a day at most.
    ("/larder.v1.RecordingService/CreatePlayUrl", VIEWER),
    ("/larder.v1.RecordingService/PinRange", OPERATOR),
    ("/larder.v1.RecordingService/Unpin", OPERATOR),
    ("/larder.v1.RecordingService/DeleteRecordings", OPERATOR),
    ("/larder.v1.RecordingService/VerifyRecordings", OPERATOR),
    ("/larder.v1.RecordingService/FindFootage", ADMIN),
    ("/larder.v1.RecordingService/AdoptFootage", ADMIN),
    // Their titles name recordings and channels. Who may delete recordings and acknowledge alarms may also end what deletes
    // and tells.
    ("/larder.v1.JobService/ListJobs", OPERATOR),
    ("/larder.v1.JobService/GetJob", OPERATOR),
    ("/larder.v1.JobService/WatchJobs", OPERATOR),
    ("/larder.v1.JobService/CancelJob", OPERATOR),
    // A backup holds hashes of passwords, and a restore replaces everything.
    ("/larder.v1.BackupService/ListBackups", ADMIN),
    ("/larder.v1.BackupService/CreateBackup", ADMIN),
    ("/larder.v1.BackupService/RestoreBackup", ADMIN),
    ("/larder.v1.SystemService/GetStatus", VIEWER),
    ("/larder.v1.SystemService/GetVersion", VIEWER),
    ("/larder.v1.SystemService/WatchEvents", VIEWER),
    ("/larder.v1.TemperatureService/CreateSensor", ADMIN),
    ("/larder.v1.TemperatureService/GetSensor", VIEWER),
    ("/larder.v1.TemperatureService/ListSensors", VIEWER),
    ("/larder.v1.TemperatureService/UpdateSensor", ADMIN),
    ("/larder.v1.TemperatureService/DeleteSensor", ADMIN),
    // It shows addresses of the house.
    ("/larder.v1.TemperatureService/ListDiscoveredSensors", OPERATOR),
    ("/larder.v1.TemperatureService/GetReadings", VIEWER),
    ("/larder.v1.TemperatureService/ExportReadings", VIEWER),
    ("/larder.v1.TemperatureService/WatchReadings", VIEWER),
    // It shows who watches from where.
    ("/larder.v1.ViewerService/ListViewers", OPERATOR),
    ("/larder.v1.ViewerService/DisconnectViewer", ADMIN),
    // It opens what its caller may see already, for a minute and once.
    ("/larder.v1.ViewerService/CreatePass", VIEWER),
    ("/larder.v1.AlarmService/CreateAlarmRule", OPERATOR),
    ("/larder.v1.AlarmService/GetAlarmRule", VIEWER),
    ("/larder.v1.AlarmService/ListAlarmRules", VIEWER),
    ("/larder.v1.AlarmService/UpdateAlarmRule", OPERATOR),
    ("/larder.v1.AlarmService/DeleteAlarmRule", OPERATOR),
    ("/larder.v1.AlarmService/ListAlarmPresets", VIEWER),
    ("/larder.v1.AlarmService/ListAlarms", VIEWER),
    ("/larder.v1.AlarmService/AcknowledgeAlarm", OPERATOR),
    ("/larder.v1.AlarmService/WatchAlarms", VIEWER),
    // A channel makes the hub send to an address of one's choice.
    ("/larder.v1.AlarmService/CreateAlarmChannel", ADMIN),
    ("/larder.v1.AlarmService/ListAlarmChannels", OPERATOR),
    ("/larder.v1.AlarmService/UpdateAlarmChannel", ADMIN),
    ("/larder.v1.AlarmService/DeleteAlarmChannel", ADMIN),
    ("/larder.v1.AlarmService/TestAlarmChannel", OPERATOR),
    ("/larder.v1.AlarmService/ListAlarmDeliveries", OPERATOR),
    // A probe has no secret. A stream would let anybody hold a place.
    ("/grpc.health.v1.Health/Check", PUBLIC),
    ("/grpc.health.v1.Health/Watch", VIEWER),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", VIEWER),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", VIEWER),
];

/// Every HTTP route: the method (`GET` stands for `HEAD` too) and the pattern it is registered under.
pub const ROUTES: &[(&str, &str, Permission)] = &[
    ("GET", "/healthz", PUBLIC),
    ("GET", "/readyz", PUBLIC),
    ("GET", "/metrics", VIEWER),
    ("GET", "/cameras/{camera}/live", VIEWER),
    ("GET", "/cameras/{camera}/stream.mjpeg", VIEWER),
    ("GET", "/cameras/{camera}/snapshot.jpg", VIEWER),
    ("GET", "/hls/{camera}/live.m3u8", Permission::Play),
    ("GET", "/hls/{camera}/{from}/{to}", Permission::Play),
    ("GET", "/hls/{camera}/runs/{run}/init.mp4", Permission::Play),
    ("GET", "/hls/{camera}/runs/{run}/{segment}", Permission::Play),
];

/// What a gRPC method needs. `None`: it is denied.
pub fn of_method(path: &str) -> Option<Permission> {
    METHODS.iter().find(|(known, _)| *known == path).map(|(_, permission)| *permission)
}

/// What an HTTP route needs, by the pattern that the router matched. `None`: it is denied.
pub fn of_route(method: &Method, pattern: &str) -> Option<Permission> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    ROUTES.iter().find(|(verb, known, _)| *verb == method && *known == pattern).map(|(_, _, permission)| *permission)
}

/// What a path needs that no route matched: what the pattern says that would have, and [`FALLBACK`] for a `GET` of
/// anything else.
pub fn of_path(method: &Method, path: &str) -> Option<Permission> {
    let covers = |pattern: &str| {
        let (mut wanted, mut has) = (pattern.split('/'), path.split('/'));
        loop {
            match (wanted.next(), has.next()) {
                (None, None) => return true,
                (Some(wanted), Some(has)) if wanted == has || wanted.starts_with('{') => {}
                _ => return false,
            }
        }
    };
    match ROUTES.iter().find(|(_, pattern, _)| covers(pattern)) {
        Some((_, pattern, _)) => of_route(method, pattern),
        None => matches!(*method, Method::GET | Method::HEAD).then_some(FALLBACK),
    }
}

/// Whether this caller gets through.
///
/// # Errors
/// Why it does not.
pub fn decide(permission: Option<Permission>, caller: Option<&Caller>) -> Result<(), Denial> {
    let needed = match permission {
        Some(Permission::Public) => return Ok(()),
        Some(Permission::Play) if caller.is_some() => return Ok(()),
        Some(Permission::Play) => return Err(Denial::Unauthenticated),
        Some(Permission::Role(role)) => Some(role),
        None => None,
    };
    // Who is not signed in is not told what there is; a play URL is no sign-in.
    match (caller, needed) {
        (None | Some(Caller { via: Via::Grant(_), .. }), _) => Err(Denial::Unauthenticated),
        (Some(_), None) => Err(Denial::Unknown),
        (Some(caller), Some(role)) if caller.role < role => Err(Denial::Needs(role)),
        (Some(_), Some(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use larder_proto::{pb, wire::CameraId};
    use prost::Message as _;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::access::Grant;

    fn caller(role: Role, via: Via) -> Caller {
        Caller { name: "x".into(), role, via, revoked: CancellationToken::new() }
    }

    fn methods_of(descriptors: &[u8]) -> BTreeSet<String> {
        let set = prost_types::FileDescriptorSet::decode(descriptors).unwrap();
        let mut paths = BTreeSet::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    paths.insert(format!("/{}.{}/{}", file.package(), service.name(), method.name()));
                }
            }
        }
        paths
    }

    #[test]
    fn every_method_has_one_stated_permission_and_nothing_else_has() {
        let mut offered = methods_of(pb::DESCRIPTORS);
        assert!(offered.len() > 20);
        offered.extend(methods_of(tonic_health::pb::FILE_DESCRIPTOR_SET));
        offered.extend(methods_of(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET));
        offered.extend(methods_of(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET));
        let stated: BTreeSet<_> = METHODS.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(stated.len(), METHODS.len(), "a method is stated twice");
        let without: Vec<_> = offered.difference(&stated).collect();
        assert!(without.is_empty(), "without permission: {without:?}");
        let gone: Vec<_> = stated.difference(&offered).collect();
        assert!(gone.is_empty(), "stated but not offered: {gone:?}");
    }

    #[test]
    fn every_route_has_one_stated_permission_and_nothing_else_has() {
        let offered: BTreeSet<_> = crate::http::routes().collect();
        let stated: BTreeSet<_> = ROUTES.iter().map(|(verb, pattern, _)| (*verb, *pattern)).collect();
        assert_eq!(stated.len(), ROUTES.len(), "a route is stated twice");
        assert_eq!(offered, stated);
    }

    #[test]
    fn what_anybody_may_call_is_this_and_no_more() {
        let public: Vec<_> = METHODS.iter().filter(|(_, p)| *p == PUBLIC).map(|(path, _)| *path).collect();
        assert_eq!(
            public,
            [
                "/larder.v1.AccessService/GetAccessState",
                "/larder.v1.AccessService/CreateFirstAdmin",
                "/larder.v1.AccessService/SignIn",
                "/larder.v1.AccessService/SignOut",
                "/grpc.health.v1.Health/Check",
            ]
        );
        let routes: Vec<_> = ROUTES.iter().filter(|(_, _, p)| *p == PUBLIC).map(|(_, pattern, _)| *pattern).collect();
        assert_eq!(routes, ["/healthz", "/readyz"]);
    }

    #[test]
    fn what_is_not_in_the_table_is_denied_to_all() {
        assert_eq!(of_method("/larder.v1.CameraService/Nothing"), None);
        assert_eq!(of_method("/larder.v1.CameraService/GetCamera/"), None);
        assert_eq!(of_route(&Method::POST, "/metrics"), None);
        assert_eq!(of_route(&Method::HEAD, "/metrics"), Some(VIEWER));
        assert_eq!(decide(None, None), Err(Denial::Unauthenticated));
        assert_eq!(decide(None, Some(&caller(Role::Admin, Via::Socket))), Err(Denial::Unknown));
    }

    #[test]
    fn a_path_that_no_route_matched_is_the_ui_unless_a_pattern_covers_it() {
        assert_eq!(of_path(&Method::GET, "/cameras/fridge"), Some(FALLBACK));
        assert_eq!(of_path(&Method::GET, "/cameras/fridge/live"), Some(VIEWER));
        assert_eq!(of_path(&Method::HEAD, "/hls/fridge/live.m3u8"), Some(Permission::Play));
        assert_eq!(of_path(&Method::POST, "/hls/fridge/live.m3u8"), None);
        assert_eq!(of_path(&Method::POST, "/"), None);
    }

    #[test]
    fn a_role_gets_through_from_its_own_step_down() {
        for have in Role::ALL {
            for need in Role::ALL {
                let decision = decide(Some(Permission::Role(need)), Some(&caller(have, Via::Token)));
                assert_eq!(decision, if have >= need { Ok(()) } else { Err(Denial::Needs(need)) });
            }
            assert_eq!(decide(Some(Permission::Role(have)), None), Err(Denial::Unauthenticated));
        }
    }

    #[test]
    fn a_grant_opens_media_and_nothing_else() {
        let grant =
            Grant { camera: CameraId::random(), from: Timestamp::MIN, to: Timestamp::MAX, expires_at: Timestamp::MAX };
        // Even if it came with a role.
        let granted = caller(Role::Admin, Via::Grant(grant));
        assert_eq!(decide(Some(Permission::Play), Some(&granted)), Ok(()));
        assert_eq!(decide(Some(VIEWER), Some(&granted)), Err(Denial::Unauthenticated));
        assert_eq!(decide(None, Some(&granted)), Err(Denial::Unauthenticated));
        assert_eq!(decide(Some(Permission::Play), None), Err(Denial::Unauthenticated));
    }
}
