//! A client that shares no code with us: Python's grpcio, which learns the services by reflection.

use std::{path::PathBuf, process::Command};

use larder_proto::pb;

use crate::support::{Hub, simulated};

/// A Python with grpcio, made once and kept beside the build.
fn python() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("grpc-client");
    let python = folder.join("bin/python");
    let done = folder.join("installed");
    if !done.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        let packages = ["grpcio>=1.60,<2", "grpcio-reflection>=1.60,<2", "protobuf>=4"];
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(packages));
        std::fs::write(done, "").unwrap();
    }
    python
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_finds_the_services_lists_cameras_and_watches_one() {
    let hub = Hub::start().await;
    let (camera, key) = hub.add_named("fridge").await;
    let token = hub.token("python", pb::Role::Viewer).await;
    let (stop, task) = simulated(&hub, camera, key, |_| {});
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/independent.py");
    let authority = hub.state().join("certs/ca.crt");
    let address = format!("localhost:{}", hub.addresses().grpc.port());
    let said = tokio::task::spawn_blocking(move || {
        run(Command::new(python()).arg(script).arg(address).arg(authority).env("LARDER_TOKEN", token))
    });
    let said = said.await.unwrap();
    assert!(said.contains("larder.v1.CameraService"), "{said}");
    assert!(said.contains("camera fridge"), "{said}");
    assert!(said.contains("online"), "{said}");
    assert!(said.contains("denied PERMISSION_DENIED"), "{said}");
    stop.cancel();
    task.await.unwrap();
    hub.stop().await;
}
