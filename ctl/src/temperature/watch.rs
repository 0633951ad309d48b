//! `larderctl temperature watch`: readings as they come.

use std::collections::BTreeMap;

use larder_proto::pb::WatchReadingsRequest;
use tokio_util::sync::CancellationToken;

use super::{WatchArgs, show_degrees, views};
use crate::{
    Failure, Out,
    client::{Hub, next},
    sensor::{ReadingView, Scale},
    when,
};

pub(super) async fn watch(hub: &Hub, args: WatchArgs, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    let request = WatchReadingsRequest { sensors: args.sensors };
    let mut stream = hub.temperatures().watch_readings(request).await?.into_inner();
    let mut known: BTreeMap<String, (String, Scale)> = BTreeMap::new();
    loop {
        let Some(reading) = next(&mut stream, &stop).await? else { return Ok(()) };
        let mut view = ReadingView::from(reading);
        if !known.contains_key(&view.sensor_id) {
            known.extend(views(hub, &[], args.unit).await?.into_iter().map(|view| (view.id, (view.name, view.scale))));
        }
        let (name, scale) = known.get(&view.sensor_id).cloned().unwrap_or((view.sensor_id.clone(), Scale::Celsius));
        view.sensor = Some(name.clone());
        if out.is_json() {
            out.json_line(&view)?;
        } else {
            let at = view.captured_at.map(|at| when::show(at, out.zone())).unwrap_or_default();
            out.line(&format!("{at}  {name:<16}  {:>9}", show_degrees(view.celsius, scale)))?;
        }
    }
}
