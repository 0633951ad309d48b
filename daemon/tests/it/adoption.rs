//! The database is lost and the footage is there: cameras, keys, recordings and pins come back from the files alone.

use std::{fs, path::PathBuf};

use larder_proto::{pb, wire::CameraId};

use crate::support::{Clients, Daemon, Habits, Home, Witness, record, runs, until};

async fn found(clients: &Clients) -> pb::FoundFootage {
    clients.recordings.clone().find_footage(pb::FindFootageRequest {}).await.unwrap().into_inner()
}

async fn adopt(clients: &Clients) -> pb::AdoptFootageResponse {
    let mut progress = clients.recordings.clone().adopt_footage(pb::AdoptFootageRequest {}).await.unwrap().into_inner();
    let mut last = pb::AdoptFootageResponse::default();
    while let Some(now) = progress.message().await.unwrap() {
        last = now;
    }
    last
}

async fn camera(clients: &Clients, id: CameraId) -> pb::Camera {
    clients.cameras.clone().get_camera(pb::GetCameraRequest { camera: id.to_string() }).await.unwrap().into_inner()
}

/// How the parts are, as text.
async fn parts(clients: &Clients) -> String {
    let status = clients.system.clone().get_status(pb::GetStatusRequest {}).await.unwrap().into_inner();
    format!("{:?}", status.parts)
}

/// The hub hears of the row.
async fn known(clients: &Clients, id: CameraId) {
    until("the camera to be known", || async {
        let request = pb::GetCameraRequest { camera: id.to_string() };
        clients.cameras.clone().get_camera(request).await.ok().map(drop)
    })
    .await;
}

/// Written within seconds of a change.
async fn kept(home: &Home, camera: CameraId, what: &str) {
    let path = home.recordings().join(camera.to_string()).join("camera.json");
    until("camera.json", || async { fs::read_to_string(&path).ok().filter(|text| text.contains(what)).map(drop) })
        .await;
}

/// A camera was recorded, and its hub is stopped.
struct Recorded {
    home: Home,
    fridge: CameraId,
    before: Vec<pb::Recording>,
}

impl Recorded {
    async fn new() -> Self {
        let home = Home::new(&[]);
        let daemon = home.start();
        let clients = home.clients().await;
        let (fridge, _) = record(&home, &clients, "fridge", 1).await;
        kept(&home, fridge, "fridge").await;
        let before = clients.recordings_of(fridge).await;
        daemon.stop().await;
        Self { home, fridge, before }
    }

    fn folder(&self) -> PathBuf {
        self.home.recordings().join(self.fridge.to_string())
    }

    fn lose_database(&self) {
        fs::remove_dir_all(self.home.state().join("postgres")).unwrap();
    }

    /// Starts the hub and takes over what it finds: what was found, and the clients. All recordings are as they were.
    async fn adopted(&self) -> (Daemon, Clients, pb::FoundFootage) {
        let daemon = self.home.start();
        let clients = self.home.clients().await;
        let there = found(&clients).await;
        adopt(&clients).await;
        known(&clients, self.fridge).await;
        assert_eq!(clients.recordings_of(self.fridge).await, self.before);
        (daemon, clients, there)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn footage_and_cameras_outlive_their_database() {
    let home = Home::new(&[]);
    let daemon = home.start();
    let clients = home.clients().await;
    let (fridge, key) = record(&home, &clients, "fridge", 2).await;
    let (gone, _) = record(&home, &clients, "cellar", 1).await;
    clients.pin_around_now("fridge").await;
    // One that never recorded; its probe lies in the fridge.
    let (attic, _) = clients.add(pb::Camera { name: "attic".to_owned(), ..Default::default() }).await;
    let probe = pb::sensor_source::CameraProbe { camera_id: attic.to_string(), index: 0 };
    let source = pb::SensorSource { source: Some(pb::sensor_source::Source::Probe(probe)) };
    let sensor = pb::Sensor {
        name: "butter".to_owned(),
        source: Some(source),
        camera_id: fridge.to_string(),
        offset_celsius: 0.5,
        ..Default::default()
    };
    let request = pb::CreateSensorRequest { sensor: Some(sensor) };
    clients.temperatures.clone().create_sensor(request).await.unwrap();
    let mut titled = camera(&clients, fridge).await;
    titled.title = "The fridge".to_owned();
    let mask = prost_types::FieldMask { paths: vec!["title".to_owned()] };
    let request = pb::UpdateCameraRequest { camera: Some(titled), update_mask: Some(mask) };
    clients.cameras.clone().update_camera(request).await.unwrap();
    kept(&home, fridge, "The fridge").await;
    kept(&home, fridge, "butter").await;
    kept(&home, attic, "attic").await;
    // What was removed stays away, even when its files come back.
    let aside = home.state().join("aside");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(home.recordings().join(gone.to_string()))
        .arg(&aside)
        .status()
        .unwrap();
    assert!(copied.success());
    clients.cameras.clone().delete_camera(pb::DeleteCameraRequest { camera: "cellar".to_owned() }).await.unwrap();
    let before = clients.recordings_of(fridge).await;
    let fragments = clients.media(home.http(), "fridge", None).await.len();
    assert!(found(&clients).await.cameras.is_empty(), "everything has its rows");
    daemon.stop().await;
    fs::rename(&aside, home.recordings().join(gone.to_string())).unwrap();
    fs::remove_dir_all(home.state().join("postgres")).unwrap();

    let daemon = home.start();
    let clients = home.clients().await;
    let there = found(&clients).await;
    assert!(there.foreign.contains("another database"), "{}", there.foreign);
    let mut names: Vec<_> =
        there.cameras.iter().map(|one| (one.name.as_str(), one.recordings, one.key_opens)).collect();
    names.sort_unstable();
    let recordings = u64::try_from(before.len()).unwrap();
    assert_eq!((names, there.days), (vec![("attic", 0, true), ("fridge", recordings, true)], 1));
    let files = runs(&home.recordings(), &fridge.to_string());

    let adopted = adopt(&clients).await;
    assert_eq!((adopted.cameras, adopted.recordings), (2, recordings));
    known(&clients, fridge).await;
    let after = clients.recordings_of(fridge).await;
    assert_eq!(after, before);
    assert!(after.iter().all(|recording| recording.pinned));
    assert_eq!(clients.media(home.http(), "fridge", None).await.len(), fragments);
    assert_eq!(camera(&clients, fridge).await.title, "The fridge");
    assert!(files.iter().flat_map(|run| &run.segments).all(|file| file.exists()));
    assert!(found(&clients).await.cameras.is_empty());
    let cameras = clients.cameras.clone().list_cameras(pb::ListCamerasRequest::default()).await.unwrap().into_inner();
    assert_eq!(cameras.cameras.len(), 2, "what was removed is not revived");
    let request = pb::GetSensorRequest { sensor: "butter".to_owned() };
    let sensor = until("the sensor to be known", || async {
        clients.temperatures.clone().get_sensor(request.clone()).await.ok().map(tonic::Response::into_inner)
    })
    .await;
    assert_eq!((sensor.camera_id, sensor.offset_celsius), (fridge.to_string(), 0.5));

    // The board goes on with the key it has, and its recordings are counted on.
    let mut witness = Witness::start(home.link(), fridge, key, Habits::default());
    until("the next run", || async { (clients.recordings_of(fridge).await.len() > before.len()).then_some(()) }).await;
    witness.stop().await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_hubs_key_footage_comes_back_and_keys_do_not() {
    let recorded = Recorded::new().await;
    let home = &recorded.home;
    // All of the state is lost but the recordings, which lie on their own disk.
    let kept_aside = home.state().join("kept");
    fs::rename(home.recordings(), &kept_aside).unwrap();
    for entry in fs::read_dir(home.state()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_owned();
        if path.is_dir() && name != "kept" {
            fs::remove_dir_all(&path).unwrap();
        } else if name.to_string_lossy().ends_with(".id") {
            fs::remove_file(&path).unwrap();
        }
    }
    fs::rename(&kept_aside, home.recordings()).unwrap();

    let (daemon, clients, there) = recorded.adopted().await;
    assert!(there.foreign.contains("another hub"), "{}", there.foreign);
    assert!(!there.cameras[0].key_opens);
    assert!(parts(&clients).await.contains("keys_lost"));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_description_of_a_camera_costs_its_name_and_key_alone() {
    let recorded = Recorded::new().await;
    let path = recorded.folder().join("camera.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"quality\": 12", "\"quality\": 92")).unwrap();
    recorded.lose_database();
    let (daemon, _, there) = recorded.adopted().await;
    assert!(!there.cameras[0].is_named);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn footage_without_an_index_and_a_description_is_adopted_by_its_media() {
    let recorded = Recorded::new().await;
    // What a former release left.
    fs::remove_file(recorded.folder().join("camera.json")).unwrap();
    for run in runs(&recorded.home.recordings(), &recorded.fridge.to_string()) {
        let folder = run.segments[0].parent().unwrap().to_owned();
        fs::remove_file(folder.join("index")).unwrap();
        let mut about = run.about.clone();
        about.as_object_mut().unwrap().remove("crc32c");
        fs::write(folder.join("run.json"), serde_json::to_vec(&about).unwrap()).unwrap();
    }
    // Its marker names neither hub nor database: nothing says that another one knows the footage.
    let marker = recorded.home.recordings().join(".larder-recordings");
    let folder = fs::read_to_string(&marker).unwrap().lines().next().unwrap().to_owned();
    fs::write(&marker, format!("{folder}\n")).unwrap();
    recorded.lose_database();
    let daemon = recorded.home.start();
    let clients = recorded.home.clients().await;
    until("the footage to be told", || async { parts(&clients).await.contains("unknown_footage").then_some(()) }).await;
    daemon.stop().await;
    let (daemon, clients, there) = recorded.adopted().await;
    assert!(there.foreign.is_empty() && !there.cameras[0].is_named, "{there:?}");
    assert!(there.cameras[0].name.starts_with("camera-"));
    assert!(!parts(&clients).await.contains("unknown_footage"));
    daemon.stop().await;
}
