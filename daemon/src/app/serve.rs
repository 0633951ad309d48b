//! The services and routers, and the ports they answer on.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;

use super::{
    Addresses, Places,
    watch::{self, Troubles},
};
#[cfg(feature = "moq")]
use crate::moq;
use crate::{
    access::{self, Access, Accounts},
    adoption::Adoption,
    alarms::{self, Alarms, Channels},
    backups::{self, Backups},
    cameras::{self, Directory},
    certs::{Alpn, Certs},
    clock::Clock,
    config::Config,
    db::{Db, jobs::Jobs},
    events::Events,
    http::{
        self, hls,
        listen::{Limits, Serve},
        live, metrics,
    },
    hub::Hub,
    ingest::Ingest,
    jobs, mqtt,
    parts::{Parts, Recent},
    recorder::Recorder,
    recordings, relay, rpc, system,
    tasks::Tasks,
    temperatures::{self, Temperatures},
    viewers::{self, Passes, Viewers},
};

/// Connections of the local socket and of gRPC; each may carry many calls.
const GRPC_CONNECTIONS: usize = 256;
/// Connections of gRPC from one address.
const GRPC_CONNECTIONS_PER_ADDRESS: usize = 64;

/// The most connections that are open at once.
pub(super) fn connections(config: &Config) -> usize {
    let web = config.http.max_connections.saturating_mul(2);
    web.saturating_add(2 * GRPC_CONNECTIONS).saturating_add(config.camera_link.max_connections)
}

/// What several routers share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) events: Events,
    pub(super) hub: Hub,
    pub(super) directory: Directory,
    pub(super) access: Access,
    pub(super) viewers: Viewers,
    pub(super) passes: Passes,
    pub(super) recordings: recordings::Store,
    /// The recordings' folder.
    pub(super) root: PathBuf,
    pub(super) certs: Certs,
    pub(super) servers: Tasks,
    /// The other groups of tasks, to be counted.
    pub(super) sources: Tasks,
    pub(super) watchers: Tasks,
    pub(super) background: Tasks,
}

/// The parts behind the services.
pub(super) struct Built {
    pub(super) camera_store: cameras::Store,
    pub(super) accounts: Accounts,
    pub(super) temperatures: Temperatures,
    pub(super) alarms: Alarms,
    pub(super) channels: Channels,
    pub(super) mqtt: Option<mqtt::Client>,
    pub(super) jobs: Jobs,
    pub(super) backups: Backups,
    pub(super) ingest: Ingest,
    pub(super) recorder: Recorder,
    pub(super) adoption: Adoption,
    pub(super) db: Db,
}

impl Shared {
    /// Puts services, routers and listeners together and begins to accept.
    pub(super) async fn serve(&self, built: &Built, places: Places, addresses: &Addresses) -> anyhow::Result<()> {
        let troubles = Troubles {
            #[cfg(feature = "moq")]
            moq: self.publish()?,
            ..Troubles::default()
        };
        let relay = places.relay.serve(&self.config.relay, self.relay()?)?;
        let disk = watch::disk(self).context("starting the thread that looks at the disk")?;
        let parts = watch::parts(self, built, &relay, disk, &troubles);
        let grpc = self.grpc(built, &parts, addresses).await?;
        let pages = self.pages(grpc.clone(), parts, built, addresses)?;
        let pages = http::router(pages, access::layer(self.access.clone()));
        let web = self.config.http.max_connections;
        let each = self.config.http.max_connections_per_address;
        let tls = |alpn| self.certs.server_config(alpn).context("making the TLS configuration");
        let limits = |max, max_per_address| Limits { max_connections: max, max_per_address };
        let grpc_limits = limits(GRPC_CONNECTIONS, each.min(GRPC_CONNECTIONS_PER_ADDRESS));
        let serve = |name, router: &axum::Router, tls, limits, trouble: &Recent| Serve {
            name,
            router: router.clone(),
            tls,
            limits,
            tasks: self.servers.clone(),
            trouble: trouble.clone(),
        };
        places.http.serve(serve("http", &pages, None, limits(web, each), &troubles.http));
        places.https.serve(serve("https", &pages, Some(tls(Alpn::Http)?), limits(web, each), &troubles.https));
        places.grpc.serve(serve("grpc", &grpc, Some(tls(Alpn::Grpc)?), grpc_limits, &troubles.grpc));
        // With the pages, since snapshots for the person on this machine are theirs.
        let all = limits(GRPC_CONNECTIONS, GRPC_CONNECTIONS);
        places.socket.serve(serve("socket", &pages, None, all, &troubles.socket));
        Ok(())
    }

    /// Cameras as broadcasts of a relay elsewhere, if one is configured.
    #[cfg(feature = "moq")]
    fn publish(&self) -> anyhow::Result<Option<moq::Reached>> {
        let (hub, cameras, viewers) = (self.hub.clone(), self.directory.clone(), self.viewers.clone());
        let sources = moq::Sources { hub, cameras, viewers };
        Ok(moq::start(&self.config.moq, sources, &self.servers)?)
    }

    async fn grpc(&self, built: &Built, parts: &Parts, addresses: &Addresses) -> anyhow::Result<axum::Router> {
        let bases = self.bases(addresses);
        let links = bases.clone();
        let certs = self.certs.clone();
        let services = rpc::Services {
            cameras: cameras::Service::new(cameras::Parts {
                store: built.camera_store.clone(),
                directory: self.directory.clone(),
                hub: self.hub.clone(),
                ingest: built.ingest.clone(),
                recorder: built.recorder.clone(),
                clock: self.clock.clone(),
                events: self.events.clone(),
                host: self.host(),
            }),
            recordings: recordings::Service::new(recordings::Parts {
                store: self.recordings.clone(),
                directory: self.directory.clone(),
                recorder: Arc::new(built.recorder.clone()),
                adoption: Arc::new(built.adoption.clone()),
                jobs: built.jobs.clone(),
                access: self.access.clone(),
                clock: self.clock.clone(),
                bases,
            }),
            temperatures: temperatures::Service::new(temperatures::Parts {
                temperatures: built.temperatures.clone(),
                cameras: self.directory.clone(),
                clock: self.clock.clone(),
                events: self.events.clone(),
            }),
            alarms: alarms::Service::new(alarms::Parts {
                alarms: built.alarms.clone(),
                channels: built.channels.clone(),
                temperatures: built.temperatures.clone(),
                cameras: self.directory.clone(),
                clock: self.clock.clone(),
            }),
            jobs: jobs::Service::new(built.jobs.clone()),
            backups: backups::Service::new(built.backups.clone()),
            system: system::Service::new(system::Parts {
                hub: self.hub.clone(),
                directory: self.directory.clone(),
                recorder: built.recorder.clone(),
                clock: self.clock.clone(),
                events: self.events.clone(),
                parts: parts.clone(),
                started_at: self.clock.now(),
                listeners: addresses.listed(),
            }),
            access: access::Service::new(built.accounts.clone(), move || links.clone()),
            viewers: viewers::Service::new(viewers::Parts {
                viewers: self.viewers.clone(),
                passes: self.passes.clone(),
                directory: self.directory.clone(),
                clock: self.clock.clone(),
                details: viewers::PassDetails {
                    relay: addresses.relay,
                    certificate_hashes: Arc::new(move || certs.browser_hashes()),
                },
            }),
        };
        Ok(rpc::router(services, &self.config.grpc, self.access.clone(), &self.servers).await?)
    }

    fn relay(&self) -> anyhow::Result<relay::Deps> {
        let directory = self.directory.clone();
        let camera = |camera: Arc<cameras::Camera>| relay::Camera { id: camera.id, name: camera.name.as_str().into() };
        Ok(relay::Deps {
            hub: self.hub.clone(),
            find: Arc::new(move |name| directory.find(name).map(camera)),
            access: self.access.clone(),
            viewers: self.viewers.clone(),
            passes: self.passes.clone(),
            clock: self.clock.clone(),
            tls: self.certs.server_config(Alpn::Relay).context("making the TLS configuration")?,
            tasks: self.servers.clone(),
        })
    }

    fn pages(
        &self,
        rpc: axum::Router,
        parts: Parts,
        built: &Built,
        addresses: &Addresses,
    ) -> anyhow::Result<http::Parts> {
        let (directory, names) = (self.directory.clone(), self.directory.clone());
        let recorder = metrics::install()?;
        self.servers.spawn_until_stop(metrics::keep_small(recorder.clone()));
        Ok(http::Parts {
            rpc,
            hls: hls::routes(hls::Deps {
                store: self.recordings.clone(),
                cameras: self.directory.clone(),
                temperatures: built.temperatures.clone(),
                root: self.root.clone(),
                clock: self.clock.clone(),
            }),
            live: live::Live {
                hub: self.hub.clone(),
                find: Arc::new(move |camera| directory.find(camera).map(|camera| camera.id)),
                viewers: self.viewers.clone(),
                clock: self.clock.clone(),
                tasks: self.servers.clone(),
            },
            metrics: metrics::Metrics {
                recorder,
                hub: self.hub.clone(),
                viewers: self.viewers.clone(),
                name: Arc::new(move |camera| names.get(camera).map(|camera| camera.name.clone())),
                sensors: watch::sensors(built),
                measure: watch::measure(self, built, parts.clone()),
            },
            parts,
            authority: self.certs.authority_pem().map(str::to_owned),
            relay: addresses.relay.port(),
        })
    }

    /// Where cameras dial: an address, for few home networks resolve names for a board.
    fn host(&self) -> Arc<dyn Fn() -> String + Send + Sync> {
        let link = self.config.camera_link.clone();
        Arc::new(move || link.dialled().map_or_else(|| "localhost".to_owned(), |address| address.to_string()))
    }

    /// Where browsers reach the hub: this machine first, then by name.
    fn bases(&self, addresses: &Addresses) -> Vec<String> {
        let mut bases = vec![format!("http://localhost:{}", addresses.http.port())];
        bases.extend(self.certs.names().iter().map(|name| format!("https://{name}:{}", addresses.https.port())));
        bases
    }
}
