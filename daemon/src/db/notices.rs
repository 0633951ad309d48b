//! One connection that listens for NOTIFY and tells everyone who caches.

use std::{future::poll_fn, time::Duration};

use tokio_postgres::{AsyncMessage, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Change, Error, pool::Told};
use crate::{
    events::{Events, Kind},
    outcome::chain,
};

const CHANNELS: &[&str] = &["cameras", "access", "sensors"];
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(5);

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
    let (client, mut connection) = config.connect(tls).await.map_err(|error| Error::Unavailable(error.into()))?;
    let wanted = CHANNELS.iter().map(|channel| format!("LISTEN {channel};")).collect::<String>();
    let mut subscribed = std::pin::pin!(client.batch_execute(&wanted));
    let mut connected = Some(connected);
    loop {
        tokio::select! {
            biased;
            done = &mut subscribed, if connected.is_some() => {
                done?;
                if let Some(connected) = connected.take() {
                    connected();
                    told.tell(Change::Connected);
                }
            }
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
