//! A real mosquitto.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use rumqttc::{AsyncClient, Broker as Address, Event, MqttOptions, Packet, QoS};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{free_port, until};

/// A mosquitto in a folder of its own, ended with the test.
pub(crate) struct Broker {
    pub(crate) port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl Broker {
    /// Anybody may do anything.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        Self::start_in(folder, port, &format!("listener {port} 127.0.0.1\nallow_anonymous true\n")).await
    }

    /// With this configuration, which has to name the port.
    pub(crate) async fn start_in(folder: TempDir, port: u16, configuration: &str) -> Self {
        fs::write(folder.path().join("mosquitto.conf"), format!("{configuration}\nuser root\n")).unwrap();
        let mut broker = Self { port, folder, child: None };
        broker.begin().await;
        broker
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Starts it, again if it was stopped. It keeps nothing over that.
    pub(crate) async fn begin(&mut self) {
        let mut command = Command::new(program());
        command.arg("-c").arg(self.folder.path().join("mosquitto.conf"));
        self.child = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        until("the broker", || async { tokio::net::TcpStream::connect(address).await.ok() }).await;
    }

    /// Ends it at once.
    pub(crate) fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// What is on topics that fit, now and later.
    pub(crate) fn listen(&self, filter: &str) -> Listener {
        Listener::start(MqttOptions::new(random_id(), Address::tcp("127.0.0.1", self.port)), filter)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.end();
    }
}

/// Debian keeps it out of people's way.
fn program() -> &'static str {
    if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" }
}

fn random_id() -> String {
    uuid::Uuid::new_v4().simple().to_string().chars().take(20).collect()
}

/// The newest message of each topic; an empty one takes its topic away.
pub(crate) struct Listener {
    newest: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Listener {
    pub(crate) fn start(mut options: MqttOptions, filter: &str) -> Self {
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut events) = AsyncClient::builder(options).build();
        let newest = Arc::<Mutex<BTreeMap<_, _>>>::default();
        let (filter, told) = (filter.to_owned(), Arc::clone(&newest));
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        client.subscribe(filter.as_str(), QoS::AtLeastOnce).await.unwrap();
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
                        let mut newest = told.lock().unwrap();
                        if publish.payload.is_empty() {
                            newest.remove(&topic);
                        } else {
                            newest.insert(topic, publish.payload.to_vec());
                        }
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
        Self { newest, task }
    }

    pub(crate) fn topics(&self) -> Vec<String> {
        self.newest.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn bytes(&self, topic: &str) -> Option<Vec<u8>> {
        self.newest.lock().unwrap().get(topic).cloned()
    }

    pub(crate) fn text(&self, topic: &str) -> Option<String> {
        self.bytes(topic).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    pub(crate) fn json(&self, topic: &str) -> Option<serde_json::Value> {
        self.bytes(topic).map(|bytes| serde_json::from_slice(&bytes).unwrap())
    }

    /// Waits for a message of exactly this text.
    pub(crate) async fn until(&self, topic: &str, text: &str) {
        until(&format!("{topic} = {text}"), || async { (self.text(topic)? == text).then_some(()) }).await;
    }

    /// Waits until there is nothing on a topic.
    pub(crate) async fn until_gone(&self, topic: &str) {
        until(&format!("nothing on {topic}"), || async { self.bytes(topic).is_none().then_some(()) }).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}
