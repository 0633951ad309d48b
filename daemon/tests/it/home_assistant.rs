//! Home Assistant is told of everything over a real broker, by the examples of the documentation.

use std::{path::Path, process::Command};

use larder_proto::pb;
use rumqttc::{Broker as Address, MqttOptions, TlsConfiguration, Transport};

use crate::{
    alarms::{above, add_rule, add_sensor, hear},
    support::{Broker, Hub, Listener, Trusted, free_port, simulated, until},
};

const PASSWORD: &str = "correct horse";

/// The first block of the documentation in that language.
fn example(language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/home-assistant.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// A mosquitto by the documentation's example, on another port and with other paths.
async fn documented_broker(trusted: &Trusted) -> Broker {
    let folder = tempfile::tempdir().unwrap();
    let passwords = folder.path().join("passwords");
    let made = Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&passwords).args(["larder", PASSWORD]).status();
    assert!(made.unwrap().success());
    let port = free_port();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let configuration = example("conf")
        .replace("listener 8883", &format!("listener {port} 127.0.0.1"))
        .replace("/etc/mosquitto/ca.pem", &path(&trusted.authority))
        .replace("/etc/mosquitto/broker.pem", &path(&trusted.certificate))
        .replace("/etc/mosquitto/broker.key", &path(&trusted.key))
        .replace("/etc/mosquitto/passwords", &path(&passwords));
    Broker::start_in(folder, port, &configuration).await
}

/// The documentation's example for the hub as settings.
fn documented_hub(broker: &Broker, trusted: &Trusted, folder: &Path) -> Vec<String> {
    let password = folder.join("mqtt.password");
    std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    let text = example("toml")
        .replace("broker.example:8883", &format!("localhost:{}", broker.port))
        .replace("/etc/larder/mqtt.password", password.to_str().unwrap())
        .replace("/etc/larder/mqtt-ca.pem", trusted.authority.to_str().unwrap());
    let tables: toml::Table = toml::from_str(&text).unwrap();
    let mut settings = Vec::new();
    for (table, keys) in &tables {
        settings.extend(keys.as_table().unwrap().iter().map(|(key, value)| format!("{table}.{key}={value}")));
    }
    settings
}

fn listen(broker: &Broker, trusted: &Trusted) -> Listener {
    let mut options = MqttOptions::new("looker", Address::tcp("localhost", broker.port));
    options.set_credentials("larder", PASSWORD);
    let authorities = larder_daemon::trust::certificates(&trusted.authority).unwrap();
    let tls = larder_daemon::trust::alone(&authorities);
    options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    Listener::start(options, "#")
}

fn discovery(component: &str, id: &str) -> String {
    format!("homeassistant/{component}/larder/{id}/config")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_example_tells_of_sensors_cameras_and_alarms_and_takes_them_away() {
    // Set by whichever test is first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let trusted = Trusted::new(folder.path());
    let mut broker = documented_broker(&trusted).await;
    let listener = listen(&broker, &trusted);
    let settings = documented_hub(&broker, &trusted, folder.path());
    let hub = Hub::start_with(&settings.iter().map(String::as_str).collect::<Vec<_>>()).await;
    listener.until("larder/status", "online").await;

    let sensor = add_sensor(&hub, "fridge").await;
    let rule = add_rule(&hub, "warm", above("fridge", 0)).await.unwrap().id;
    let (camera, key) = hub.add_named("cam").await;
    let (stop, simulated) = simulated(&hub, camera, key, |_| {});
    hear(&hub, "fridge", 8.25);
    listener.until("larder/alarms/warm/state", "ON").await;
    let state = until("the reading", || async { listener.json("larder/sensors/fridge/state") }).await;
    assert_eq!(state["celsius"], 8.25);
    listener.until("larder/cameras/cam/status", "online").await;
    let picture = until("a picture", || async { listener.bytes("larder/cameras/cam/image") }).await;
    assert!(picture.starts_with(&[0xff, 0xd8]) && picture.ends_with(&[0xff, 0xd9]));
    let told = until("the sensor", || async { listener.json(&discovery("sensor", &sensor)) }).await;
    assert_eq!((&told["name"], &told["device_class"]), (&"fridge".into(), &"temperature".into()));
    assert_eq!(told["state_topic"], "larder/sensors/fridge/state");
    let told = listener.json(&discovery("camera", &camera.to_string())).unwrap();
    assert_eq!(told["topic"], "larder/cameras/cam/image");
    let told = listener.json(&discovery("binary_sensor", &rule)).unwrap();
    assert_eq!((&told["state_topic"], &told["device_class"]), (&"larder/alarms/warm/state".into(), &"problem".into()));
    let attributes = listener.json("larder/alarms/warm/attributes").unwrap();
    assert!(attributes["message"].as_str().unwrap().starts_with("fridge is above 5.0 °C"));

    // A broker that lost everything is told everything again.
    broker.end();
    drop(listener);
    broker.begin().await;
    let listener = listen(&broker, &trusted);
    listener.until("larder/alarms/warm/state", "ON").await;
    until("the sensor again", || async { listener.json(&discovery("sensor", &sensor)) }).await;

    let gone = pb::DeleteAlarmRuleRequest { rule: "warm".to_owned() };
    hub.clients.alarms.clone().delete_alarm_rule(gone).await.unwrap();
    listener.until_gone(&discovery("binary_sensor", &rule)).await;
    listener.until_gone("larder/alarms/warm/state").await;
    stop.cancel();
    simulated.await.unwrap();
    listener.until("larder/cameras/cam/status", "offline").await;
    hub.stop().await;
    listener.until("larder/status", "offline").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_while_the_broker_was_not_told_is_taken_away_after_the_start() {
    let broker = Broker::start().await;
    let listener = broker.listen("#");
    let url = format!("mqtt.url={}", broker.url());
    let hub = Hub::start_with(&[&url]).await;
    let sensor = add_sensor(&hub, "fridge").await;
    hear(&hub, "fridge", 4.0);
    until("the state", || async { listener.json("larder/sensors/fridge/state") }).await;
    hub.stop().await;
    // Another hub with the same name on the broker has no such sensor.
    let hub = Hub::start_with(&[&url]).await;
    listener.until_gone(&discovery("sensor", &sensor)).await;
    listener.until_gone("larder/sensors/fridge/state").await;
    listener.until("larder/status", "online").await;
    assert_eq!(listener.topics(), ["larder/status"]);
    hub.stop().await;
}
