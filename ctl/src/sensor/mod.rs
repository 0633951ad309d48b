//! Sensors: `larderctl sensor …`.

mod settings;
pub mod simulate;
mod view;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use larder_proto::pb::{
    CreateSensorRequest, DeleteSensorRequest, DiscoveredSensor, GetSensorRequest, ListDiscoveredSensorsRequest,
    ListSensorsRequest, Sensor, UpdateSensorRequest,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Failure, Out, camera,
    client::{Hub, quick},
    pages,
    units::show_length,
};

pub use settings::{OptionalSource, RequiredSource, Scale, Settings};
pub use view::{DiscoveredView, ReadingView, SensorView};

/// What `larderctl sensor` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List the sensors and their newest values
    #[command(visible_alias = "ls")]
    List,
    /// Show everything about one sensor
    Show {
        /// Its name or id
        sensor: String,
    },
    /// Add a sensor; its readings are kept from then on
    Add(AddArgs),
    /// Change a sensor's settings
    #[command(visible_alias = "set")]
    Update(UpdateArgs),
    /// Remove a sensor and all its readings
    #[command(visible_alias = "rm")]
    Remove {
        /// Its name or id
        sensor: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// List what was heard since the hub started and belongs to no sensor
    Discovered,
    /// Make something that was heard a sensor
    Adopt(AdoptArgs),
    /// Be a thermometer: a camera's probe, or a board that sends text
    Simulate(Box<simulate::SimulateArgs>),
}

/// A new sensor.
#[derive(Args, Clone, Debug)]
pub struct AddArgs {
    /// Its name: 1 to 32 of a-z, 0-9 and `-`, beginning with a letter
    pub name: String,
    /// Where its readings come from.
    #[command(flatten)]
    pub source: RequiredSource,
    /// Its settings.
    #[command(flatten)]
    pub settings: Settings,
}

/// Changed settings.
#[derive(Args, Clone, Debug)]
pub struct UpdateArgs {
    /// Its name or id
    pub sensor: String,
    /// Give it another name
    #[arg(long = "name", value_name = "NAME")]
    pub new_name: Option<String>,
    /// Where its readings come from.
    #[command(flatten)]
    pub source: OptionalSource,
    /// Its settings.
    #[command(flatten)]
    pub settings: Settings,
}

/// Something that was heard.
#[derive(Args, Clone, Debug)]
pub struct AdoptArgs {
    /// Its name as `discovered` suggests it
    pub suggested: String,
    /// Give it another name
    #[arg(long = "name", value_name = "NAME")]
    pub new_name: Option<String>,
    /// Its settings.
    #[command(flatten)]
    pub settings: Settings,
}

/// Runs a command.
///
/// # Errors
///
/// The hub refuses or goes away.
pub async fn run(hub: &Hub, command: Command, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    match command {
        Command::List => list(hub, out).await,
        Command::Show { sensor } => {
            let request = GetSensorRequest { sensor };
            let sensor = hub.temperatures().get_sensor(quick(request)).await?.into_inner();
            view::show(&SensorView::of(sensor, &cameras(hub).await?), out)
        }
        Command::Add(args) => {
            let mut sensor = Sensor { name: args.name, source: Some(args.source.wire()), ..Default::default() };
            let _ = args.settings.apply(&mut sensor);
            create(hub, sensor, out).await
        }
        Command::Update(args) => update(hub, args, out).await,
        Command::Remove { sensor, yes } => {
            out.confirm(&format!("Remove sensor \"{sensor}\" and all its readings?"), yes)?;
            hub.temperatures().delete_sensor(quick(DeleteSensorRequest { sensor: sensor.clone() })).await?;
            out.done(&format!("removed {sensor}"))
        }
        Command::Discovered => discovered(hub, out).await,
        Command::Adopt(args) => adopt(hub, args, out).await,
        Command::Simulate(args) => simulate::execute(*args, Some(hub), out, stop).await,
    }
}

/// All sensors, page by page.
///
/// # Errors
///
/// The hub refuses or goes away.
pub async fn all(hub: &Hub) -> Result<Vec<Sensor>, Failure> {
    pages::all(async |page_size, page_token| {
        let request = ListSensorsRequest { page_size, page_token };
        let page = hub.temperatures().list_sensors(quick(request)).await?.into_inner();
        Ok((page.sensors, page.next_page_token))
    })
    .await
}

/// Cameras' names by their ids.
async fn cameras(hub: &Hub) -> Result<BTreeMap<String, String>, Failure> {
    Ok(camera::all(hub).await?.into_iter().map(|camera| (camera.id, camera.name)).collect())
}

async fn list(hub: &Hub, out: &mut Out) -> Result<(), Failure> {
    let names = cameras(hub).await?;
    let views: Vec<_> = all(hub).await?.into_iter().map(|sensor| SensorView::of(sensor, &names)).collect();
    if views.is_empty() && !out.is_json() {
        return out.line("no sensors yet; see what was heard: larderctl sensor discovered");
    }
    view::list(&views, out)
}

async fn create(hub: &Hub, sensor: Sensor, out: &mut Out) -> Result<(), Failure> {
    let request = CreateSensorRequest { sensor: Some(sensor) };
    let sensor = hub.temperatures().create_sensor(quick(request)).await?.into_inner();
    let view = SensorView::of(sensor, &cameras(hub).await?);
    out.one(&view, |out| out.line(&format!("added {} ({}), {}", view.name, view.id, view.source)))
}

async fn update(hub: &Hub, args: UpdateArgs, out: &mut Out) -> Result<(), Failure> {
    let mut sensor = Sensor { id: args.sensor, ..Default::default() };
    let mut paths = args.settings.apply(&mut sensor);
    if let Some(name) = args.new_name {
        sensor.name = name;
        paths.push("name".to_owned());
    }
    if let Some(source) = args.source.wire() {
        sensor.source = Some(source);
        paths.push("source".to_owned());
    }
    if paths.is_empty() {
        let why = "nothing to change: `larderctl sensor update --help` lists the settings";
        return Err(Failure::Usage(why.to_owned()));
    }
    let request = UpdateSensorRequest { sensor: Some(sensor), update_mask: Some(prost_types::FieldMask { paths }) };
    let sensor = hub.temperatures().update_sensor(quick(request)).await?.into_inner();
    view::show(&SensorView::of(sensor, &cameras(hub).await?), out)
}

async fn heard(hub: &Hub) -> Result<Vec<DiscoveredSensor>, Failure> {
    let request = ListDiscoveredSensorsRequest {};
    Ok(hub.temperatures().list_discovered_sensors(quick(request)).await?.into_inner().sensors)
}

async fn discovered(hub: &Hub, out: &mut Out) -> Result<(), Failure> {
    let names = cameras(hub).await?;
    let views: Vec<_> = heard(hub).await?.into_iter().map(|found| DiscoveredView::of(found, &names)).collect();
    if views.is_empty() && !out.is_json() {
        return out.line("nothing was heard that belongs to no sensor");
    }
    view::discovered(&views, out)?;
    if let Some(first) = views.first() {
        out.note(&format!("make one a sensor: larderctl sensor adopt {}", first.suggested_name));
    }
    Ok(())
}

async fn adopt(hub: &Hub, args: AdoptArgs, out: &mut Out) -> Result<(), Failure> {
    let all = heard(hub).await?;
    let known = show_length(all.len(), "source");
    let Some(found) = all.into_iter().find(|found| found.suggested_name == args.suggested) else {
        let why = format!("\"{}\" is none of the {known} that `larderctl sensor discovered` lists", args.suggested);
        return Err(Failure::Other(why));
    };
    let name = args.new_name.unwrap_or(found.suggested_name);
    let mut sensor = Sensor { name, source: found.source, ..Default::default() };
    let _ = args.settings.apply(&mut sensor);
    create(hub, sensor, out).await
}
