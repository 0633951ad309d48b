//! Recorded files as ffprobe sees them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use jiff::Timestamp;

/// One run's folder: its init section and its segments in the order of time.
#[derive(Clone, Debug)]
pub(crate) struct RunFiles {
    init: PathBuf,
    pub(crate) segments: Vec<PathBuf>,
    /// What `run.json` says.
    pub(crate) about: serde_json::Value,
}

/// A camera's runs in the order of their ids, which is that of time.
pub(crate) fn runs(recordings: &Path, camera: &str) -> Vec<RunFiles> {
    let mut runs = Vec::new();
    for day in children(&recordings.join(camera)).into_iter().filter(|day| day.is_dir()) {
        for run in children(&day).into_iter().filter(|run| run.is_dir()) {
            let mut segments: Vec<_> = children(&run).into_iter().filter(|file| is(file, "m4s")).collect();
            segments.sort();
            // A run that is being made has none yet.
            let Ok(about) = fs::read(run.join("run.json")) else { continue };
            runs.push((
                run.clone(),
                RunFiles { init: run.join("init.mp4"), segments, about: serde_json::from_slice(&about).unwrap() },
            ));
        }
    }
    runs.sort_by(|(one, _), (other, _)| one.file_name().cmp(&other.file_name()));
    runs.into_iter().map(|(_, run)| run).collect()
}

impl RunFiles {
    /// When its first picture was captured, and when its last fragment ends.
    pub(crate) fn bounds(&self) -> (Timestamp, Option<Timestamp>) {
        let at = |key: &str| self.about[key].as_i64().map(|us| Timestamp::from_microsecond(us).unwrap());
        (at("started_at_us").unwrap(), at("ended_at_us"))
    }

    pub(crate) fn id(&self) -> &str {
        self.about["id"].as_str().unwrap()
    }

    pub(crate) fn end_reason(&self) -> Option<&str> {
        self.about["end_reason"].as_str()
    }
}

/// The presentation times of all pictures of a run, by ffprobe.
pub(crate) fn frame_times(run: &RunFiles) -> Vec<Duration> {
    let mut bytes = fs::read(&run.init).unwrap();
    for segment in &run.segments {
        bytes.extend(fs::read(segment).unwrap());
    }
    let whole = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
    fs::write(whole.path(), bytes).unwrap();
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0"])
        .arg(whole.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "ffprobe: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // A picture with side data has a line of its own for that, which is empty here.
    let times = text.lines().map(|line| line.trim_end_matches(',')).filter(|line| !line.is_empty());
    times.map(|time| Duration::from_secs_f64(time.parse().unwrap())).collect()
}

fn is(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}
