//! Marks in a file of the state folder, and in the database beside it: a restart, with the database or without, opens
//! no replay. The file is written at once after each datagram; a crash within that moment leaves the last one open.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use larder_proto::wire::{CameraId, camera::ReadingMark};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Mark, Probes};
use crate::{files, repeats::say, temperatures::Temperatures};

const FILE: &str = "reading-marks";
/// First line of the file.
const HEADING: &str = "larder reading marks 1: camera, start, number, last start";
/// How often the database is told.
const DATABASE: Duration = Duration::from_mins(1);
/// A pause after each write of the file, so that a flood of cameras does not wear the card out.
const FILE_PAUSE: Duration = Duration::from_millis(200);

/// Reads the marks of earlier: the file's, and the database's where they are higher or the file knows none.
pub(super) async fn load(state: &Path, temperatures: &Temperatures) -> HashMap<CameraId, Mark> {
    let path = state.join(FILE);
    let mut marks = match fs::read_to_string(&path) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => HashMap::new(),
        Err(error) => {
            tracing::error!(file.path = %path.display(), %error, "the marks of readings cannot be read");
            HashMap::new()
        }
    };
    match temperatures.load_marks().await {
        Ok(kept) => {
            for (camera, newest) in kept {
                let mark = marks.entry(camera).or_default();
                // After it began anew, the camera's lower numbers are the right ones.
                if mark.last_boot.is_none() {
                    mark.newest = mark.newest.max(newest);
                }
            }
        }
        Err(error) => tracing::warn!(%error, "the database's marks of readings cannot be read; the file's count"),
    }
    marks
}

/// Keeps the marks until told to stop, and once more then.
pub(super) async fn keep(probes: Probes, state: PathBuf, temperatures: Temperatures, stop: CancellationToken) {
    let path = state.join(FILE);
    let mut told = Instant::now();
    let mut untold = false;
    loop {
        let changed = tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = probes.changed() => true,
            () = tokio::time::sleep_until(told + DATABASE), if untold => false,
        };
        let (stopping, marks) = (stop.is_cancelled(), probes.marks());
        if changed || stopping {
            untold = true;
            write(path.clone(), &marks).await;
        }
        if untold && (stopping || told.elapsed() >= DATABASE) {
            told = Instant::now();
            let newest: Vec<_> = marks.iter().map(|(camera, mark)| (*camera, mark.newest)).collect();
            match temperatures.save_marks(&newest).await {
                Ok(()) => untold = false,
                Err(error) => tracing::debug!(%error, "the database's marks of readings wait"),
            }
        }
        if stopping {
            return;
        }
        tokio::time::sleep(FILE_PAUSE).await;
    }
}

async fn write(path: PathBuf, marks: &HashMap<CameraId, Mark>) {
    let text = text(marks);
    let written = tokio::task::spawn_blocking(move || files::replace(&path, files::PUBLIC, text.as_bytes())).await;
    if let Err(error) = written.unwrap_or_else(|_panic| Err(io::Error::other("the writer panicked"))) {
        say!(error, "", { %error }, "the marks of readings cannot be written; a restart may take old readings again");
    }
}

fn text(marks: &HashMap<CameraId, Mark>) -> String {
    let mut text = format!("{HEADING}\n");
    for (camera, Mark { newest, last_boot }) in marks {
        // Writing to a string does not fail.
        let _ = write!(text, "{camera} {} {}", newest.boot, newest.seq);
        let _ = last_boot.map_or(Ok(()), |last| write!(text, " {last}"));
        text.push('\n');
    }
    text
}

/// Lines that are none are left out: a mark too few asks for one reading too many, none at all would ask for all.
fn parse(text: &str) -> HashMap<CameraId, Mark> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        let camera = words.next()?.parse().ok()?;
        let newest = ReadingMark { boot: words.next()?.parse().ok()?, seq: words.next()?.parse().ok()? };
        let last_boot = words.next().map(str::parse).transpose().ok()?;
        Some((camera, Mark { newest, last_boot }))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_as_they_were_written() {
        let marks = HashMap::from([
            (CameraId::random(), Mark { newest: ReadingMark { boot: 1, seq: u32::MAX }, last_boot: None }),
            (CameraId::random(), Mark { newest: ReadingMark { boot: 2, seq: 0 }, last_boot: Some(7) }),
        ]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, text(&marks)).unwrap();
        assert_eq!(parse(&fs::read_to_string(&path).unwrap()), marks);
    }

    #[test]
    fn a_damaged_line_costs_no_other() {
        let camera = CameraId::random();
        let text = format!("{HEADING}\n{camera} 3\nx 1 2\n{camera} 3 4\n{camera} 5 6 x\n");
        let mark = Mark { newest: ReadingMark { boot: 3, seq: 4 }, last_boot: None };
        assert_eq!(parse(&text), HashMap::from([(camera, mark)]));
    }
}
