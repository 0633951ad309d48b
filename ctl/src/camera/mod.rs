//! Cameras: `larderctl camera …`.

mod control;
mod firmware;
mod settings;
mod snapshot;
mod source;
pub(crate) mod view;
mod watch;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use larder_proto::pb::{
    Camera, CameraKey, CreateCameraRequest, DeleteCameraRequest, GetCameraRequest, ListCamerasRequest,
    RotateCameraKeyRequest, UpdateCameraRequest,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Failure, Out,
    client::{Hub, long, quick},
    pages,
    profile::write_private,
    simulate::{self, SimulateArgs},
    trace::{self, TraceArgs},
};

pub use control::{Control, ControlArgs};
pub use firmware::UpdateArgs;
pub use settings::{Limit, Mode, Settings};
pub use snapshot::SnapshotArgs;
pub use source::SourceArgs;
pub use view::{CameraView, SensorView, StatusView, TelemetryView};
pub use watch::WatchArgs;

/// What `larderctl camera` can do with a hub.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List the cameras and how they are doing
    #[command(visible_alias = "ls")]
    List,
    /// Show everything about one camera
    Show {
        /// Its name or id
        camera: String,
    },
    /// Add a camera; prints its key, this once
    Add(AddArgs),
    /// Change a camera's settings; a connected camera obeys at once
    Set(SetArgs),
    /// Remove a camera, its recordings and their files
    #[command(visible_alias = "rm")]
    Remove {
        /// Its name or id
        camera: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Make a new key; the old one stops working at once
    Key(KeyArgs),
    /// Send one command to a connected camera
    Control(ControlArgs),
    /// Send new firmware to a connected camera, and wait until it runs
    Update(UpdateArgs),
    /// Show presence and telemetry as they change, until Ctrl-C
    Watch(WatchArgs),
    /// Save the newest picture
    Snapshot(SnapshotArgs),
    /// Stand between a camera and its hub and tell what they say to each other
    Trace(TraceArgs),
    /// Be a camera: send a drawn fridge, a folder of pictures or a video
    Simulate(Box<SimulateArgs>),
}

/// A new camera.
#[derive(Args, Clone, Debug)]
pub struct AddArgs {
    /// Its name: 1 to 32 of a-z, 0-9 and `-`, beginning with a letter
    pub name: String,
    /// Write the key into this new file (mode 0600) and do not print it
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Its settings.
    #[command(flatten)]
    pub settings: Settings,
}

/// Changed settings.
#[derive(Args, Clone, Debug)]
pub struct SetArgs {
    /// Its name or id
    pub camera: String,
    /// Give it another name
    #[arg(long = "name", value_name = "NAME")]
    pub new_name: Option<String>,
    /// Its settings.
    #[command(flatten)]
    pub settings: Settings,
}

/// A new key.
#[derive(Args, Clone, Debug)]
pub struct KeyArgs {
    /// Its name or id
    pub camera: String,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Write the key into this new file (mode 0600) and do not print it
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

/// Runs a command.
///
/// # Errors
///
/// The hub refuses or goes away.
pub async fn run(hub: &Hub, command: Command, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    match command {
        Command::List => list(hub, out).await,
        Command::Show { camera } => show(hub, camera, out).await,
        Command::Add(args) => add(hub, args, out).await,
        Command::Set(args) => set(hub, args, out).await,
        Command::Remove { camera, yes } => remove(hub, camera, yes, out).await,
        Command::Key(args) => rotate_key(hub, args, out).await,
        Command::Control(args) => control::control(hub, args, out).await,
        Command::Update(args) => firmware::update(hub, args, out).await,
        Command::Watch(args) => watch::watch(hub, args, out, stop).await,
        Command::Snapshot(args) => snapshot::snapshot(hub, args, out).await,
        Command::Trace(args) => trace::run(args, out, stop).await,
        Command::Simulate(args) => simulate::execute(*args, Some(hub), out, stop).await,
    }
}

/// All cameras, page by page.
///
/// # Errors
///
/// The hub refuses or goes away.
pub async fn all(hub: &Hub) -> Result<Vec<Camera>, Failure> {
    pages::all(async |page_size, page_token| {
        let request = ListCamerasRequest { page_size, page_token };
        let page = hub.cameras().list_cameras(quick(request)).await?.into_inner();
        Ok((page.cameras, page.next_page_token))
    })
    .await
}

async fn list(hub: &Hub, out: &mut Out) -> Result<(), Failure> {
    let views: Vec<_> = all(hub).await?.into_iter().map(CameraView::from).collect();
    if views.is_empty() && !out.is_json() {
        return out.line("no cameras yet; add one: larderctl camera add fridge");
    }
    view::list(&views, out)
}

async fn show(hub: &Hub, camera: String, out: &mut Out) -> Result<(), Failure> {
    let camera = hub.cameras().get_camera(quick(GetCameraRequest { camera })).await?.into_inner();
    view::show(&CameraView::from(camera), out)
}

async fn add(hub: &Hub, args: AddArgs, out: &mut Out) -> Result<(), Failure> {
    refuse_existing(args.key_file.as_ref())?;
    let mut camera = Camera { name: args.name, ..Default::default() };
    let _ = args.settings.apply(&mut camera);
    // Before there is a secret that a failure would lose.
    let port = if args.settings.source.pushes() { source::push_port(hub).await? } else { None };
    let request = CreateCameraRequest { camera: Some(camera) };
    let answer = hub.cameras().create_camera(quick(request)).await?.into_inner();
    let camera = CameraView::from(answer.camera.unwrap_or_default());
    let mut key = answer.key.unwrap_or_default();
    if camera.source == "link" {
        key.websocket_path.clear();
    }
    if let Some(file) = &args.key_file {
        keep_key(file, &key)?;
    }
    let view = view::Added::new(&camera, &key, args.key_file.as_deref());
    out.one(&view, |out| {
        out.line(&format!("added {} ({})", camera.name, camera.id))?;
        if camera.source == "mjpeg" {
            return out
                .line(&format!("its pictures are fetched from {}", camera.source_url.as_deref().unwrap_or_default()));
        }
        if camera.source == "websocket" {
            return source::pushed(&camera, &key, port, out);
        }
        show_key(&key, args.key_file.as_ref(), out)
    })
}

async fn set(hub: &Hub, args: SetArgs, out: &mut Out) -> Result<(), Failure> {
    let mut camera = Camera { id: args.camera, ..Default::default() };
    let mut paths = args.settings.apply(&mut camera);
    if let Some(name) = args.new_name {
        camera.name = name;
        paths.push("name".to_owned());
    }
    if paths.is_empty() {
        return Err(Failure::Usage("nothing to change: `larderctl camera set --help` lists the settings".to_owned()));
    }
    let request = UpdateCameraRequest { camera: Some(camera), update_mask: Some(prost_types::FieldMask { paths }) };
    let camera = hub.cameras().update_camera(quick(request)).await?.into_inner();
    view::show(&CameraView::from(camera), out)
}

async fn remove(hub: &Hub, camera: String, yes: bool, out: &mut Out) -> Result<(), Failure> {
    out.confirm(&format!("Remove camera \"{camera}\" and delete everything recorded of it?"), yes)?;
    let working = out.working("deleting recordings");
    hub.cameras().delete_camera(long(DeleteCameraRequest { camera: camera.clone() })).await?;
    drop(working);
    out.done(&format!("removed {camera}"))
}

async fn rotate_key(hub: &Hub, args: KeyArgs, out: &mut Out) -> Result<(), Failure> {
    refuse_existing(args.key_file.as_ref())?;
    out.confirm(&format!("Make a new key for \"{}\"? The camera stays out until it has it.", args.camera), args.yes)?;
    let request = RotateCameraKeyRequest { camera: args.camera };
    let key = hub.cameras().rotate_camera_key(quick(request)).await?.into_inner().key.unwrap_or_default();
    if let Some(file) = &args.key_file {
        keep_key(file, &key)?;
    }
    let view = view::Key::new(&key, args.key_file.as_deref());
    out.one(&view, |out| show_key(&key, args.key_file.as_ref(), out))
}

/// Before the hub makes a key that could then not be kept.
fn refuse_existing(file: Option<&PathBuf>) -> Result<(), Failure> {
    match file {
        Some(file) if file.exists() => {
            Err(Failure::Usage(format!("{} is there already; a key is never written over another", file.display())))
        }
        _ => Ok(()),
    }
}

fn keep_key(file: &PathBuf, key: &CameraKey) -> Result<(), Failure> {
    write_private(file, &format!("{}\n", key.key_hex)).map_err(|source| {
        // The key is made and would be lost: better on a terminal than nowhere.
        eprintln!("the key could not be written; it is {}", key.key_hex);
        Failure::file(file, source)
    })
}

fn show_key(key: &CameraKey, file: Option<&PathBuf>, out: &mut Out) -> Result<(), Failure> {
    if let Some(file) = file {
        return out.line(&format!("its key is in {}", file.display()));
    }
    out.line("")?;
    out.fields(&[
        ("Key", key.key_hex.clone()),
        ("For its console", key.provisioning_line.clone()),
        ("WebSocket path", key.websocket_path.clone()),
    ])?;
    out.line("")?;
    out.line("This is the only time the key is shown.")
}
