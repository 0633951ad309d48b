//! One connection that listens for NOTIFY and tells everyone who caches.

use std::{future::poll_fn, time::Duration};

use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Change, Error,
    pool::{Told, WAIT},
};
use crate::{
    events::{Events, Kind},
    outcome::chain,
};

const CHANNELS: &[&str] = &["cameras", "access", "sensors", "alarms", "jobs"];
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(2);
/// How often the server is asked whether it is there: one that hangs, or whose network is gone, says nothing.
const BEAT: Duration = Duration::from_secs(2);
/// It answers an empty question within this, also when its disk is busy.
const ANSWER: Duration = Duration::from_secs(3);

/// Listens for ever; reconnects with growing pauses.
pub(super) async fn run(config: Config, tls: MakeRustlsConnect, told: Told, events: Events) {
    let mut retry = FIRST_RETRY;
    let mut lost = false;
    loop {
        let ended = listen(&config, tls.clone(), &told, || {
            retry = FIRST_RETRY;
            if std::mem::take(&mut lost) {
                tracing::info!("the database is back");
                metrics::counter!("larder_database_reconnects_total").increment(1);
                events.tell(Kind::DatabaseBack, None, "the database is back");
            }
        })
        .await;
        if let Err(error) = ended
            && !std::mem::replace(&mut lost, true)
        {
            tracing::warn!(cause = chain(&error), "the database is away; live view and recording go on");
            events.tell(Kind::DatabaseLost, None, "the database is away; live view and recording go on");
            told.tell(Change::Lost);
        }
        tokio::time::sleep(retry).await;
        retry = (retry * 2).min(LAST_RETRY);
    }
}

async fn listen(config: &Config, tls: MakeRustlsConnect, told: &Told, connected: impl FnOnce()) -> Result<(), Error> {
    let connecting = timeout(WAIT, config.connect(tls)).await.map_err(|elapsed| Error::Unavailable(elapsed.into()))?;
    let (client, mut connection) = connecting.map_err(|error| Error::Unavailable(error.into()))?;
    let wanted = CHANNELS.iter().map(|channel| format!("LISTEN {channel};")).collect::<String>();
    let mut subscribed = std::pin::pin!(timeout(WAIT, client.batch_execute(&wanted)));
    let mut silent = std::pin::pin!(silent(&client));
    let mut connected = Some(connected);
    loop {
        tokio::select! {
            biased;
            done = &mut subscribed, if connected.is_some() => {
                done.map_err(|elapsed| Error::Unavailable(elapsed.into()))??;
                if let Some(connected) = connected.take() {
                    connected();
                    told.tell(Change::Connected);
                }
            }
            error = &mut silent, if connected.is_none() => return Err(error),
            message = poll_fn(|context| connection.poll_message(context)) => match message {
                Some(Ok(AsyncMessage::Notification(notice))) => {
                    told.tell(Change::Notice(notice.channel().to_owned()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Error::Unavailable(error.into())),
                None => return Err(Error::Unavailable("the connection was closed".into())),
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
