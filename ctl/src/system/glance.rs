//! The status as a person reads it: what is wrong first, then all the rest.

use std::time::Duration;

use super::{
    attention::{Attention, Severity},
    status::{DiskView, StatusView},
};
use crate::{
    Failure, Out,
    camera::view::{CameraView, ago},
    units::{show_bytes, show_count, show_duration},
    viewer, when,
};

/// Characters of the disk's bar.
const BAR: u64 = 40;
/// Other files that grow by less a minute are not said to grow.
const WORTH_A_WORD: u64 = 1_000_000;

pub(super) fn show(view: &StatusView, out: &mut Out) -> Result<(), Failure> {
    let since = view.started_at.map(|at| format!(" (since {})", when::show(at, out.zone()))).unwrap_or_default();
    let up = show_duration(Duration::from_secs(view.uptime_seconds));
    out.line(&format!("{}. Larder {}, up {up}{since}", verdict(view), view.version))?;
    show_attention(&view.attention, out)?;
    show_parts(view, out)?;
    show_cameras(view, out)?;
    if let Some(viewers) = view.viewer_list.as_ref().filter(|viewers| !viewers.is_empty()) {
        out.line("")?;
        viewer::show(viewers, out)?;
    }
    if let Some(disk) = &view.disk {
        out.line("")?;
        show_disk(disk, out)?;
    }
    if view.listeners.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.list(&view.listeners, &["LISTENER", "ADDRESS"], |listener| {
        vec![listener.name.clone(), listener.address.clone()]
    })
}

fn verdict(view: &StatusView) -> String {
    let broken = view.parts.iter().filter(|part| !part.ready).count();
    let warnings = view.attention.len() - view.alarms.len();
    if !view.alarms.is_empty() {
        let are = if view.alarms.len() == 1 { "is" } else { "are" };
        return format!("{} {are} raised", count(view.alarms.len(), "alarm"));
    }
    match (broken, warnings) {
        (0, 0) => "All is well".to_owned(),
        (0, warnings) => format!("It works, with {}", count(warnings, "warning")),
        (broken, _) => {
            format!("{} not ready", if broken == 1 { "1 part is".to_owned() } else { format!("{broken} parts are") })
        }
    }
}

/// A mark and a word: neither colour nor a symbol alone tells anything.
fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Alarm => "* alarm",
        Severity::NotReady => "x not ready",
        Severity::Warning => "! warning",
    }
}

fn show_attention(all: &[Attention], out: &mut Out) -> Result<(), Failure> {
    if all.is_empty() {
        return Ok(());
    }
    out.line("")?;
    for Attention { severity, about, what, to_do } in all {
        out.line(&format!("  {:<11}  {about}: {what}", mark(*severity)))?;
        if !to_do.is_empty() {
            out.line(&format!("  {:<11}  to do: {to_do}", ""))?;
        }
    }
    Ok(())
}

fn show_parts(view: &StatusView, out: &mut Out) -> Result<(), Failure> {
    if view.parts.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.list(&view.parts, &["PART", "STATE", "REASON"], |part| {
        let state = match (part.ready, part.reason.is_empty()) {
            (true, true) => "ok",
            (true, false) => mark(Severity::Warning),
            (false, _) => mark(Severity::NotReady),
        };
        vec![part.name.replace('_', " "), state.to_owned(), part.reason.clone()]
    })
}

fn show_cameras(view: &StatusView, out: &mut Out) -> Result<(), Failure> {
    out.line("")?;
    if view.cameras == 0 {
        return out.line("No camera yet: larderctl camera add NAME");
    }
    let viewers = count(usize::try_from(view.viewers).unwrap_or(usize::MAX), "viewer");
    let (all, online, recording) = (view.cameras, view.cameras_online, view.recording);
    out.line(&format!("{online} of {} online, {recording} recording, {viewers}", show_count(all, "camera")))?;
    let now = view.now().unwrap_or_else(|| out.now());
    out.list(&view.camera_list, &["CAMERA", "STATE", "FPS", "NEWEST", "RECORDING", "LAG", "VIEWERS"], |camera| {
        row(camera, now)
    })
}

fn row(camera: &CameraView, now: jiff::Timestamp) -> Vec<String> {
    let Some(status) = &camera.status else { return vec![camera.name.clone(), "unknown".to_owned()] };
    let state = match status.presence {
        "online" => "ok online".to_owned(),
        other => format!("! {other}"),
    };
    let recording = match (status.recording, camera.mode) {
        (true, _) => "ok now".to_owned(),
        (false, "continuous") => "! not now".to_owned(),
        (false, mode) => format!("- {mode}"),
    };
    vec![
        camera.name.clone(),
        state,
        if status.fps > 0.0 { format!("{:.1}", status.fps) } else { String::new() },
        status.last_frame_at.map_or_else(|| "never".to_owned(), |at| ago(at, now)),
        recording,
        status.recording_lag_seconds.map(|lag| format!("{lag:.1} s")).unwrap_or_default(),
        status.viewers.to_string(),
    ]
}

fn show_disk(disk: &DiskView, out: &mut Out) -> Result<(), Failure> {
    out.line(&format!("Recordings in {}", disk.path))?;
    if disk.total_bytes == 0 {
        return out.line("  its disk was not looked at yet");
    }
    out.line(&format!("  [{}]  # recordings, = other things, . free, ! kept free", bar(disk)))?;
    let (used, free, total) = (disk.recordings_bytes, disk.free_bytes, disk.total_bytes);
    out.line(&format!(
        "  {} of recordings, {} of {} free, {} kept free",
        show_bytes(used),
        show_bytes(free),
        show_bytes(total),
        show_bytes(disk.floor_bytes)
    ))?;
    if let Some(others) = others(disk) {
        out.line(&format!("  {others}"))?;
    }
    out.line(&format!("  {}", outlook(disk)))
}

/// What else takes the disk; a hub of an earlier release does not say.
fn others(disk: &DiskView) -> Option<String> {
    let mut words = format!("{} of other files", show_bytes(disk.other_bytes?));
    if disk.other_growth_bytes_per_minute >= WORTH_A_WORD {
        words += &format!(", growing by {} a minute", show_bytes(disk.other_growth_bytes_per_minute));
    }
    if let Some(database) = disk.database_bytes {
        words += &format!(", {} of the database", show_bytes(database));
    }
    Some(words)
}

fn outlook(disk: &DiskView) -> String {
    match (disk.recorded_bytes_per_day, disk.days_left) {
        (None, _) => "how long that lasts is known ten minutes after the hub's start".to_owned(),
        (Some(0), _) | (_, None) => "nothing was recorded in the last day".to_owned(),
        (Some(per_day), Some(days)) => {
            let days = if days == 0 { "less than a day".to_owned() } else { show_count(days, "day") };
            format!("{} a day: room for {days}, then the oldest go or their limits do it sooner", show_bytes(per_day))
        }
    }
}

/// What is used from the left, what is kept free at the right end. What is there at all has one character at least.
fn bar(disk: &DiskView) -> String {
    let total = disk.total_bytes.max(1);
    let cells = |bytes: u64| {
        let cells = u64::try_from(u128::from(bytes) * u128::from(BAR) / u128::from(total)).unwrap_or(BAR);
        if bytes > 0 { cells.max(1) } else { 0 }
    };
    let others = total.saturating_sub(disk.free_bytes).saturating_sub(disk.recordings_bytes);
    let recordings = cells(disk.recordings_bytes).min(BAR);
    let others = cells(others).min(BAR - recordings);
    let rest = BAR - recordings - others;
    let kept = cells(disk.floor_bytes).min(rest);
    let run = |character: &str, count: u64| character.repeat(usize::try_from(count).unwrap_or_default());
    run("#", recordings) + &run("=", others) + &run(".", rest - kept) + &run("!", kept)
}

fn count(count: usize, one: &str) -> String {
    show_count(u64::try_from(count).unwrap_or(u64::MAX), one)
}

#[cfg(test)]
mod tests;
