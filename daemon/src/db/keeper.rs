//! The connection that the hub keeps: it holds the database for this hub, brings the schema up to date, listens for NOTIFY
//! and tells everyone who caches. While it is not there, nobody may use the database.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_postgres::{AsyncMessage, Client, Config, Connection};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Change, Error,
    cluster::Cluster,
    owner::{self, Owned, Unfit},
    pool::{Told, WAIT},
};
use crate::{
    events::{Events, Kind},
    identity::Identity,
    outcome::chain,
};

const CHANNELS: &[&str] = &["cameras", "access", "sensors", "alarms", "jobs"];
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(2);
/// How often the server is asked whether it is there: one that hangs, or whose network is gone, says nothing.
const BEAT: Duration = Duration::from_secs(2);
/// It answers an empty question within this, also when its disk is busy.
const ANSWER: Duration = Duration::from_secs(3);

/// Keeps the database for this hub.
pub(super) struct Keeper {
    pub(super) config: Config,
    /// The hub's own, if it runs one: nobody answers before it runs.
    pub(super) cluster: Option<Arc<Cluster>>,
    pub(super) tls: MakeRustlsConnect,
    pub(super) hub: Identity,
    pub(super) told: Told,
    pub(super) events: Events,
}

impl Keeper {
    /// Keeps it for ever; reconnects with growing pauses.
    pub(super) async fn run(self) {
        let mut retry = FIRST_RETRY;
        // What was told last of what keeps the hub from its database.
        let mut reason = None;
        let mut was_there = false;
        loop {
            let held = self.hold(|owned| {
                retry = FIRST_RETRY;
                if reason.take().is_some() && was_there {
                    tracing::info!("the database is back");
                    metrics::counter!("larder_database_reconnects_total").increment(1);
                    self.events.tell(Kind::DatabaseBack, None, "the database is back");
                }
                was_there = true;
                self.told.connected(owned);
            });
            let unfit = held.await;
            let (now, cause) = (unfit.reason(), chain(&unfit));
            if reason.replace(now) != Some(now) {
                tracing::warn!(
                    reason = now,
                    cause,
                    "the database is away or not this hub's; live view and recording go on"
                );
                self.events.tell(Kind::DatabaseLost, None, format!("{cause}; live view and recording go on"));
            }
            self.told.lost(unfit);
            tokio::time::sleep(retry).await;
            retry = (retry * 2).min(LAST_RETRY);
        }
    }

    /// Connects, takes the database and listens, until that fails.
    async fn hold(&self, taken: impl FnOnce(Owned)) -> Unfit {
        match self.try_hold(taken).await {
            Ok(never) => match never {},
            Err(unfit) => unfit,
        }
    }

    async fn try_hold(&self, taken: impl FnOnce(Owned)) -> Result<Infallible, Unfit> {
        if let Some(cluster) = &self.cluster {
            cluster.running().await;
        }
        let away = |elapsed: tokio::time::error::Elapsed| Error::Unavailable(elapsed.into());
        let connecting = timeout(WAIT, self.config.connect(self.tls.clone())).await.map_err(away)?;
        let (mut client, mut connection) = connecting.map_err(|error| Error::Unavailable(error.into()))?;
        let (owned, applied) = self.drive(&mut connection, owner::take(&mut client, &self.hub)).await??;
        let wanted = CHANNELS.iter().map(|channel| format!("LISTEN {channel};")).collect::<String>();
        let subscribing = timeout(WAIT, client.batch_execute(&wanted));
        self.drive(&mut connection, subscribing).await?.map_err(away)?.map_err(Error::from)?;
        if !applied.is_empty() {
            tracing::info!(db.migrations = applied.join(", "), "the schema was brought up to date");
        }
        taken(owned);
        Err(self.drive(&mut connection, silent(&client)).await?.into())
    }

    /// Drives the connection while something is done over it, and tells of what comes meanwhile.
    async fn drive<T, S, E>(&self, connection: &mut Connection<S, E>, work: impl Future<Output = T>) -> Result<T, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        E: AsyncRead + AsyncWrite + Unpin,
    {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                message = poll_fn(|context| connection.poll_message(context)) => match message {
                    Some(Ok(AsyncMessage::Notification(notice))) => {
                        self.told.tell(Change::Notice(notice.channel().to_owned()));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(Error::Unavailable(error.into())),
                    None => return Err(Error::Unavailable("the connection was closed".into())),
                }
            }
        }
    }
}

/// Asks again and again, until there is no answer. Somebody must poll the connection meanwhile.
async fn silent(client: &Client) -> Error {
    loop {
        tokio::time::sleep(BEAT).await;
        match timeout(ANSWER, client.batch_execute("")).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Error::Unavailable(error.into()),
            Err(_elapsed) => {
                return Error::Unavailable(format!("it did not answer within {} s", ANSWER.as_secs()).into());
            }
        }
    }
}
