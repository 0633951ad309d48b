//! `larderctl status`: how the hub is doing.

use std::time::Duration;

use jiff::Timestamp;
use larder_proto::pb::{GetStatusRequest, ListCamerasRequest, SystemStatus, system_status::Disk};
use serde::Serialize;

use super::{
    attention::{self, Attention},
    glance,
};
use crate::{
    Failure, Out,
    alarm::{self, AlarmView},
    camera::view::CameraView,
    client::{Hub, quick},
    units, viewer, when,
};

/// Cameras a page; beyond what one hub has.
const CAMERAS: i32 = 1000;

/// How the hub is doing, for programs.
#[derive(Debug, Serialize)]
pub(super) struct StatusView {
    pub(super) version: String,
    pub(super) started_at: Option<Timestamp>,
    pub(super) uptime_seconds: u64,
    /// Whether every part is ready.
    pub(super) ready: bool,
    /// What needs somebody, the worst first.
    pub(super) attention: Vec<Attention>,
    /// Raised alarms, the newest first.
    pub(super) alarms: Vec<AlarmView>,
    pub(super) parts: Vec<PartView>,
    pub(super) cameras: u32,
    pub(super) cameras_online: u32,
    pub(super) recording: u32,
    pub(super) viewers: u32,
    pub(super) camera_list: Vec<CameraView>,
    /// Who watches; absent for those who may not know.
    pub(super) viewer_list: Option<Vec<viewer::View>>,
    pub(super) disk: Option<DiskView>,
    pub(super) listeners: Vec<ListenerView>,
}

#[derive(Debug, Serialize)]
pub(super) struct PartView {
    pub(super) name: String,
    pub(super) ready: bool,
    /// One word; empty when nothing is the matter.
    pub(super) reason: String,
    pub(super) detail: String,
}

#[derive(Debug, Serialize)]
pub(super) struct DiskView {
    pub(super) path: String,
    pub(super) total_bytes: u64,
    pub(super) free_bytes: u64,
    pub(super) floor_bytes: u64,
    pub(super) recordings_bytes: u64,
    pub(super) recorded_bytes_per_day: Option<u64>,
    pub(super) database_bytes: Option<u64>,
    pub(super) other_bytes: Option<u64>,
    pub(super) other_growth_bytes_per_minute: u64,
    /// Until the oldest recordings make room for new ones, at the pace of the last day.
    pub(super) days_left: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct ListenerView {
    pub(super) name: String,
    pub(super) address: String,
}

/// `larderctl status`.
///
/// # Errors
///
/// The hub cannot be reached or refuses; [`Failure::NotReady`] after the answer was written, when a part is not ready.
pub async fn status(hub: &Hub, out: &mut Out) -> Result<(), Failure> {
    let status = hub.system().get_status(quick(GetStatusRequest {})).await?.into_inner();
    let request = ListCamerasRequest { page_size: CAMERAS, ..Default::default() };
    let cameras = hub.cameras().list_cameras(quick(request)).await?.into_inner().cameras;
    let alarms = alarm::raised(hub).await?;
    let mut view = StatusView::new(status, cameras.into_iter().map(CameraView::from).collect(), alarms);
    view.viewer_list = viewer::if_allowed(hub).await?;
    out.one(&view, |out| glance::show(&view, out))?;
    if view.ready { Ok(()) } else { Err(Failure::NotReady) }
}

impl StatusView {
    pub(super) fn new(status: SystemStatus, camera_list: Vec<CameraView>, alarms: Vec<AlarmView>) -> Self {
        let parts: Vec<_> = status
            .parts
            .into_iter()
            .map(|part| PartView { name: part.name, ready: part.ready, reason: part.reason, detail: part.detail })
            .collect();
        let mut view = Self {
            version: status.version.map(|version| version.version).unwrap_or_default(),
            started_at: when::from_wire(status.started_at.as_ref()),
            uptime_seconds: units::from_wire(status.uptime.as_ref()).unwrap_or_default().as_secs(),
            ready: parts.iter().all(|part| part.ready),
            attention: Vec::new(),
            alarms,
            parts,
            cameras: status.cameras,
            cameras_online: status.cameras_online,
            recording: status.recording,
            viewers: status.viewers,
            camera_list,
            viewer_list: None,
            disk: status.disk.map(DiskView::from),
            listeners: status
                .listeners
                .into_iter()
                .map(|listener| ListenerView { name: listener.name, address: listener.address })
                .collect(),
        };
        view.attention = attention::needed(&view);
        view
    }

    /// The hub's time: this machine's clock may be another.
    pub(super) fn now(&self) -> Option<Timestamp> {
        self.started_at?.checked_add(Duration::from_secs(self.uptime_seconds)).ok()
    }
}

impl From<Disk> for DiskView {
    fn from(disk: Disk) -> Self {
        let room = disk.free_bytes.saturating_sub(disk.floor_bytes);
        let per_day = disk.recorded_bytes_per_day.filter(|bytes| *bytes > 0);
        Self {
            days_left: per_day.map(|per_day| room / per_day),
            path: disk.path,
            total_bytes: disk.total_bytes,
            free_bytes: disk.free_bytes,
            floor_bytes: disk.floor_bytes,
            recordings_bytes: disk.recordings_bytes,
            recorded_bytes_per_day: disk.recorded_bytes_per_day,
            database_bytes: disk.database_bytes,
            other_bytes: disk.other_bytes,
            other_growth_bytes_per_minute: disk.other_growth_bytes_per_minute,
        }
    }
}
