//! The layers and `AccessService` on a real PostgreSQL, asked by a real gRPC client over TCP.

mod browser;
mod reflection;
mod signing_in;
mod tokens;

use std::{net::SocketAddr, os::unix::fs::PermissionsExt as _, time::Duration};

use axum::{Extension, Router};
use larder_proto::pb::{self, access_service_client::AccessServiceClient, access_service_server::AccessServiceServer};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::{Request, Status, service::Routes, transport::Channel};

use super::{Config, router};
use crate::{
    access::{self, Access, Accounts, PeerAddress, PeerCredentials, Service},
    clock::Clock,
    db::{self, Cache, Db},
    events::Events,
    secrets::HubKey,
    tasks::Tasks,
};

/// A hub that offers access, health and reflection alone.
struct Bench {
    db: Db,
    access: Access,
    /// Where everybody may come from.
    address: SocketAddr,
    /// As over the local socket.
    local: AccessServiceClient<Channel>,
    /// Over TCP.
    remote: AccessServiceClient<Channel>,
    tasks: Tasks,
    _folder: TempDir,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The user who runs PostgreSQL has to get in.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        crate::testing::prepare_cluster(folder.path());
        let (tasks, clock) = (Tasks::new(), Clock::new());
        let db = Db::start(&db::Config::default(), folder.path(), Events::new(clock.clone()), &tasks).await.unwrap();
        let key = HubKey::load_or_create(folder.path()).unwrap();
        let access = Access::new(&key, &access::Links::default(), clock);
        let kept = (db.clone(), Cache::new(folder.path(), key));
        let accounts = Accounts::start(&access::Config::default(), access.clone(), kept, &tasks).await;
        let service = Service::new(accounts, || vec!["http://localhost:8080".to_owned()]);
        let (_, health) = tonic_health::server::health_reporter();
        let routes = Routes::new(AccessServiceServer::new(service)).add_service(health);
        let routes = router::with_reflection(routes).unwrap();
        let router = router::stack(routes, &Config::default(), access.clone(), tasks.stopping());
        let peer: SocketAddr = "192.0.2.7:5000".parse().unwrap();
        let address = serve(&tasks, router.clone().layer(Extension(PeerAddress(peer)))).await;
        let local = serve(&tasks, router.layer(Extension(PeerCredentials::own()))).await;
        let (local, remote) = (AccessServiceClient::new(channel(local)), AccessServiceClient::new(channel(address)));
        Self { db, access, address, local, remote, tasks, _folder: folder }
    }

    /// The first admin, `ada` with the password `correct horse`.
    async fn admin(&mut self) -> pb::SignInResponse {
        let request = pb::CreateFirstAdminRequest {
            name: "ada".to_owned(),
            password: "correct horse".to_owned(),
            code: String::new(),
        };
        self.local.create_first_admin(request).await.unwrap().into_inner()
    }

    async fn sign_in(&mut self, name: &str, password: &str) -> Result<pb::SignInResponse, Status> {
        let given = pb::sign_in_request::Password { name: name.to_owned(), password: password.to_owned() };
        let credentials = Some(pb::sign_in_request::Credentials::Password(given));
        self.remote.sign_in(pb::SignInRequest { credentials }).await.map(tonic::Response::into_inner)
    }

    async fn sign_in_by_code(&mut self, code: &str) -> Result<pb::SignInResponse, Status> {
        let credentials = Some(pb::sign_in_request::Credentials::Code(code.to_owned()));
        self.remote.sign_in(pb::SignInRequest { credentials }).await.map(tonic::Response::into_inner)
    }

    async fn token(&mut self, name: &str, role: pb::Role) -> Result<pb::CreateTokenResponse, Status> {
        let request = pb::CreateTokenRequest { name: name.to_owned(), role: role.into(), valid_for: None };
        self.local.create_token(request).await.map(tonic::Response::into_inner)
    }

    async fn who(&mut self, secret: &str) -> Option<pb::Identity> {
        let request = with(pb::GetAccessStateRequest {}, secret);
        self.remote.get_access_state(request).await.unwrap().into_inner().identity
    }

    async fn stop(self) {
        assert!(self.tasks.stop(Duration::from_secs(10)).await);
        self.db.close(Duration::from_secs(20)).await;
    }
}

fn with<T>(message: T, secret: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    request
}

async fn serve(tasks: &Tasks, router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn_until_stop(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}
