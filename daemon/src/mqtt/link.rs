//! The connection itself: made again whenever it is lost, and ended with a good-bye.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use rumqttc::{
    AsyncClient, Broker, Event, EventLoop, LastWill, MqttOptions, Packet, PublishOptions, QoS, TlsConfiguration,
    Transport,
};
use tokio_util::sync::CancellationToken;

use super::{Client, Config, Held, StartError, config::Place};
use crate::{backoff::Backoff, repeats, tasks::Tasks, trust};

/// Pauses between two attempts: doubled up to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
const KEEP_ALIVE_SECONDS: u16 = 30;
/// Of what comes in: discovery messages of other things have a few KB.
const LARGEST_IN: usize = 1024 * 1024;
/// Of what goes out: a camera's largest picture.
const LARGEST_OUT: usize = 8 * 1024 * 1024;
/// For the good-bye.
const LAST: Duration = Duration::from_secs(2);

pub(super) fn options(config: &Config, place: &Place, password: &str) -> Result<MqttOptions, StartError> {
    let mut options = MqttOptions::new(config.client_id.clone(), Broker::tcp(place.host.clone(), place.port));
    options.set_keep_alive(KEEP_ALIVE_SECONDS).set_max_packet_size(LARGEST_IN, LARGEST_OUT);
    let status = format!("{}/status", config.topic);
    options.set_last_will(LastWill::new(status, "offline", QoS::AtLeastOnce, true));
    if let Some(user) = &config.user {
        options.set_credentials(user.clone(), password.to_owned());
    }
    if place.is_tls {
        let tls = match &config.ca_file {
            Some(path) => trust::alone(&trust::certificates(path)?),
            None => trust::beside_the_system(&[]),
        };
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    }
    Ok(options)
}

pub(super) fn spawn(client: Client, events: EventLoop, tasks: &Tasks) {
    // The connection lives a little longer than the hub's other tasks, to say good-bye.
    let gone = CancellationToken::new();
    let link = Link { client: client.clone(), stop: tasks.stopping(), gone: gone.clone() };
    let polling = tasks.spawn(link.run(events));
    let stop = tasks.stopping();
    tasks.spawn(async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = send_shelf(&client) => {}
        }
        let _ = tokio::time::timeout(LAST, async {
            if client.is_connected() {
                good_bye(&client).await;
                let _ = polling.await;
            }
        })
        .await;
        gone.cancel();
    });
}

async fn good_bye(client: &Client) {
    let offline = Bytes::from_static(b"offline");
    let retained = PublishOptions::at_least_once().retained();
    let sent = client.0.client.publish(client.status_topic(), offline, retained).await;
    if sent.is_ok() {
        // An error means that the connection was lost: the broker's will says the same.
        let _ = client.0.client.disconnect_with_timeout(LAST).await;
    }
}

/// Gives the broker what is on the shelf, for ever.
async fn send_shelf(client: &Client) {
    let retained = PublishOptions::at_least_once().retained();
    loop {
        client.0.wake.notified().await;
        while client.is_connected() {
            let Some((topic, payload)) = client.shelf().next() else { break };
            if let Err(error) = client.0.client.publish(topic.as_str(), payload, retained).await {
                repeats::say!(warn, &topic, { topic, cause = error.to_string() }, "a message can't be given to the broker");
            }
        }
    }
}

pub(super) async fn subscribe(client: &AsyncClient, filter: String) {
    // An error means that the connection is lost: everything is asked for again at the next.
    let _ = client.subscribe(filter.as_str(), QoS::AtLeastOnce).await;
}

struct Link {
    client: Client,
    stop: CancellationToken,
    gone: CancellationToken,
}

impl Link {
    async fn run(self, mut events: EventLoop) {
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        loop {
            let event = tokio::select! {
                biased;
                () = self.gone.cancelled() => return,
                event = events.poll() => event,
            };
            match event {
                Ok(Event::Incoming(packet)) => {
                    if matches!(packet, Packet::ConnAck(_)) {
                        backoff.reset();
                    }
                    self.incoming(packet);
                }
                Ok(Event::Outgoing(_)) => {}
                Err(error) => {
                    // It tells its cause itself.
                    self.lost(&error.to_string());
                    if self.stop.is_cancelled() {
                        return;
                    }
                    tokio::select! {
                        biased;
                        () = self.stop.cancelled() => return,
                        () = tokio::time::sleep(backoff.pause()) => {}
                    }
                }
            }
        }
    }

    fn incoming(&self, packet: Packet) {
        match packet {
            Packet::ConnAck(_) => {
                tracing::info!("the broker is reached");
                metrics::gauge!("larder_mqtt_up").set(1.0);
                metrics::counter!("larder_mqtt_connections_total").increment(1);
                for filter in self.client.listened().clone() {
                    // Nothing may be awaited where events are read; a full queue means that it is asked for next time.
                    let _ = self.client.0.client.try_subscribe(filter.as_str(), QoS::AtLeastOnce);
                }
                self.client.0.is_connected.store(true, Ordering::Relaxed);
                self.client.shelf().begin_again();
                self.client.0.wake.notify_one();
            }
            Packet::Publish(publish) if !publish.payload.is_empty() => {
                let topic = String::from_utf8_lossy(publish.topic.as_ref()).into_owned();
                // An error means that nobody listens.
                let _ = self.client.0.held.send(Held { topic, payload: publish.payload });
            }
            _ => {}
        }
    }

    fn lost(&self, cause: &str) {
        self.client.0.is_connected.store(false, Ordering::Relaxed);
        metrics::gauge!("larder_mqtt_up").set(0.0);
        if !self.stop.is_cancelled() {
            repeats::say!(warn, "", { cause }, "the broker is not reached");
        }
    }
}
