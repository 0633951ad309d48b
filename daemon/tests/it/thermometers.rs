//! Readings over UDP: signed, as text, again, out of order, and in a flood.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use larder_proto::{
    pb::{self, sensor_source::Source, temperature_service_client::TemperatureServiceClient},
    wire::{
        CameraId,
        camera::MilliCelsius,
        reading::{Datagram, ReadingKey, Status},
    },
};
use tokio::net::UdpSocket;
use tonic::transport::Channel;

use crate::support::{Hub, get_with, over_socket, simulated, until};

/// A hub and what sends to it.
struct House {
    hub: Hub,
    sensors: TemperatureServiceClient<Channel>,
    socket: UdpSocket,
    token: String,
}

impl House {
    async fn start(settings: &[&str]) -> Self {
        Self::of(Hub::start_with(settings).await).await
    }

    async fn of(hub: Hub) -> Self {
        let sensors = TemperatureServiceClient::new(over_socket(&hub.addresses().socket).await);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        // The name is free after a restart too.
        let token = hub.token(&format!("metrics-{}", socket.local_addr().unwrap().port()), pb::Role::Viewer).await;
        Self { hub, sensors, socket, token }
    }

    async fn probe(&self, name: &str, camera: CameraId, index: u32) {
        let probe = pb::sensor_source::CameraProbe { camera_id: camera.to_string(), index };
        self.add(name, Source::Probe(probe)).await;
    }

    async fn add(&self, name: &str, source: Source) {
        let source = Some(pb::SensorSource { source: Some(source) });
        let sensor = pb::Sensor { name: name.to_owned(), source, ..pb::Sensor::default() };
        let request = pb::CreateSensorRequest { sensor: Some(sensor) };
        self.sensors.clone().create_sensor(request).await.unwrap();
    }

    async fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.hub.addresses().thermometers).await.unwrap();
    }

    async fn latest(&self, name: &str) -> Option<pb::Reading> {
        let request = pb::GetSensorRequest { sensor: name.to_owned() };
        self.sensors.clone().get_sensor(request).await.unwrap().into_inner().latest
    }

    async fn reads(&self, name: &str, celsius: Option<f64>) {
        let what = format!("{name} to read {celsius:?}");
        until(&what, || async { self.latest(name).await.filter(|reading| reading.celsius == celsius).map(drop) }).await;
    }

    async fn metric(&self, name: &str) -> u64 {
        let bearer = format!("Bearer {}", self.token);
        let page = get_with(self.hub.http(), "/metrics", &[("authorization", &bearer)]).await;
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Runs `during` and waits until one more datagram was refused for that reason. Counters are the process's, and
    /// other tests of it count too.
    async fn refuses(&self, reason: &str, bytes: &[u8]) {
        let name = format!("larder_reading_datagrams_refused_total{{reason=\"{reason}\"}}");
        let before = self.metric(&name).await;
        self.send(bytes).await;
        until(&format!("{reason} to be counted"), || async { (self.metric(&name).await > before).then_some(()) }).await;
    }
}

fn datagram(camera: CameraId, key: &[u8; 32], boot: u32, seq: u32, milli: i32) -> Vec<u8> {
    let status = Status::Measured(MilliCelsius(milli));
    let datagram = Datagram { camera, probe: 1, status, boot, seq, t_us: u64::from(seq) * 30_000_000 };
    datagram.seal(&ReadingKey::derive(key, camera)).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_reading_counts_once_and_a_restart_opens_no_replay() {
    let house = House::start(&[]).await;
    let (camera, key) = house.hub.add_named("fridge").await;
    house.probe("shelf", camera, 1).await;
    let (first, second) = (datagram(camera, &key, 4, 7, 4_500), datagram(camera, &key, 4, 9, 5_062));
    house.send(&first).await;
    house.reads("shelf", Some(4.5)).await;
    house.send(&second).await;
    house.reads("shelf", Some(5.062)).await;
    house.refuses("replayed", &first).await;
    house.refuses("replayed", &datagram(camera, &key, 4, 8, 9_000)).await;
    let mut forged = datagram(camera, &key, 4, 10, 9_000);
    forged[40] ^= 1;
    house.refuses("mac", &forged).await;
    house.refuses("unknown-camera", &datagram(CameraId::random(), &key, 4, 10, 9_000)).await;
    house.refuses("length", &second[..59]).await;
    house.refuses("value", &datagram(camera, &key, 4, 10, 126_000)).await;

    let house = House::of(house.hub.restart().await).await;
    house.refuses("replayed", &second).await;
    house.send(&datagram(camera, &key, 4, 11, 6_000)).await;
    house.reads("shelf", Some(6.0)).await;
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_taken_from_listed_addresses_and_others_are_shown() {
    let house = House::start(&["thermometers.text_address=127.0.0.1:0"]).await;
    let text_port = house.hub.addresses().thermometers_text.unwrap();
    house.refuses("unknown-address", b"cam_one_temp_41").await;
    let found = until("the board to be discovered", || async {
        let request = pb::ListDiscoveredSensorsRequest {};
        let found = house.sensors.clone().list_discovered_sensors(request).await.unwrap().into_inner().sensors;
        found.into_iter().next()
    })
    .await;
    assert_eq!(found.celsius, Some(5.0));
    house.add("board", found.source.unwrap().source.unwrap()).await;
    // A device's readings closer together than a probe can measure are one.
    until("the board to be heard", || async {
        house.socket.send_to(b"cam_one_temp_39\r\n", text_port).await.unwrap();
        house.latest("board").await.filter(|reading| reading.celsius == Some(3.889)).map(drop)
    })
    .await;
    house.refuses("form", b"GET / HTTP/1.1").await;
    house.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_garbage_costs_no_picture_and_no_reading() {
    let house = House::start(&[]).await;
    let (camera, key) = house.hub.add_named("fridge").await;
    house.probe("fridge", camera, 0).await;
    let thermometers = house.hub.addresses().thermometers.to_string();
    let (stop, task) = simulated(&house.hub, camera, key, |options| {
        options.fps = Some(10);
        options.readings = Some(thermometers);
    });
    let status = || async {
        let request = pb::GetCameraRequest { camera: "fridge".to_owned() };
        house.hub.clients.cameras.clone().get_camera(request).await.unwrap().into_inner().status.unwrap()
    };
    until("the first reading", || async { house.latest("fridge").await.map(drop) }).await;

    let (over, to) = (AtomicBool::new(false), house.hub.addresses().thermometers);
    let (sent, frames) = std::thread::scope(|scope| {
        let flood = scope.spawn(|| flood(to, &over));
        let frames = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let before = status().await.frames_received;
                until("fifty pictures in the flood", || async {
                    (status().await.frames_received >= before + 50).then_some(())
                })
                .await;
                before
            })
        });
        over.store(true, Ordering::Relaxed);
        (flood.join().unwrap(), frames)
    });
    assert!(sent > 10_000, "{sent} datagrams are no flood");
    stop.cancel();
    let report = task.await.unwrap();
    assert_eq!(report.sessions, 1, "the session stood");
    let status = until("all that was sent to be there", || async {
        Some(status().await).filter(|status| status.frames_received == report.frames)
    })
    .await;
    assert!(status.frames_received >= frames + 50 && status.frames_refused.is_empty(), "{status:?}");
    house.hub.stop().await;
}

/// As fast as one thread can, in rounds of what a socket's queue holds. How many.
fn flood(to: SocketAddr, over: &AtomicBool) -> u64 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut garbage: Vec<u8> = (0..60).collect();
    let mut sent = 0;
    while !over.load(Ordering::Relaxed) {
        for _ in 0..500 {
            garbage[..4].copy_from_slice(if sent % 2 == 0 { b"LRT1" } else { b"junk" });
            garbage[8] = u8::try_from(sent % 251).unwrap();
            // A full queue drops it, or says so.
            let _ = socket.send_to(&garbage, to);
            sent += 1;
        }
        // 50,000 a second.
        std::thread::park_timeout(Duration::from_millis(10));
    }
    sent
}
