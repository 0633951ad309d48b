//! Pictures from a video file: ffmpeg decodes and scales, we encode as the sensor would.

use std::{
    io::{self, Read as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use larder_proto::wire::camera::Size;

use super::{
    jpeg,
    pictures::{Picture, Request, SourceError},
};

/// A video file that begins again at its end.
pub(super) struct Video {
    path: PathBuf,
    running: Option<Running>,
    /// Pictures shown since the file's beginning, in seconds of the file.
    position: f64,
    planes: Vec<u8>,
}

struct Running {
    child: Child,
    output: ChildStdout,
    size: Size,
    fps: u8,
    shown: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left behind.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Video {
    /// A video; ffmpeg starts with the first picture asked for.
    ///
    /// # Errors
    ///
    /// There is no such file.
    pub(super) fn open(path: PathBuf) -> Result<Self, SourceError> {
        if let Err(source) = std::fs::File::open(&path) {
            return Err(SourceError::Read { path, source });
        }
        Ok(Self { path, running: None, position: 0.0, planes: Vec::new() })
    }

    /// The next picture. A change of size or rate goes on from the same place.
    ///
    /// # Errors
    ///
    /// ffmpeg is missing or reads nothing from the file.
    pub(super) fn next(&mut self, request: &Request) -> Result<Picture, SourceError> {
        let pixels = usize::from(request.size.width) * usize::from(request.size.height);
        self.planes.resize(pixels * 3, 0);
        if !self.advance(request)? && !self.advance(request)? {
            return Err(self.complaint());
        }
        let (luma, chroma) = self.planes.split_at(pixels);
        let (blue, red) = chroma.split_at(pixels);
        let picture: Vec<[u8; 3]> =
            luma.iter().zip(blue).zip(red).map(|((&luma, &blue), &red)| [luma, blue, red]).collect();
        let jpeg = jpeg::encode(&picture, (request.size.width, request.size.height), request.quality);
        Ok(Picture { jpeg: jpeg.into(), size: request.size, active: true })
    }

    /// Reads one picture. `false` at the end of the file, which makes the next call begin again.
    fn advance(&mut self, request: &Request) -> Result<bool, SourceError> {
        let fits = |running: &Running| running.size == request.size && running.fps == request.fps;
        if !self.running.as_ref().is_some_and(fits) {
            self.running = None;
            self.running = Some(start(&self.path, self.position, request)?);
        }
        let Some(running) = self.running.as_mut() else { return Ok(false) };
        match running.output.read_exact(&mut self.planes) {
            Ok(()) => {
                running.shown += 1;
                self.position += 1.0 / f64::from(running.fps.max(1));
                Ok(true)
            }
            Err(_) if running.shown > 0 || self.position > 0.0 => {
                self.running = None;
                self.position = 0.0;
                Ok(false)
            }
            Err(_) => Ok(false),
        }
    }

    /// Asks ffmpeg again, this time for its words: kept out of the way while it plays, because a pipe that nobody
    /// reads would stop it.
    fn complaint(&self) -> SourceError {
        let args = ["-nostdin", "-v", "error", "-i"];
        let words =
            Command::new("ffmpeg").args(args).arg(&self.path).args(["-frames:v", "1", "-f", "null", "-"]).output();
        let reason = match words {
            Ok(output) => String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned(),
            Err(error) => error.to_string(),
        };
        SourceError::Video { path: self.path.clone(), reason }
    }
}

fn start(path: &Path, position: f64, request: &Request) -> Result<Running, SourceError> {
    let Size { width, height } = request.size;
    let filter = format!(
        "fps={},scale={width}:{height}:force_original_aspect_ratio=increase:out_range=full,crop={width}:{height}",
        request.fps
    );
    let mut child = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "quiet", "-ss", &format!("{position:.3}"), "-i"])
        .arg(path)
        .args(["-an", "-vf", &filter, "-pix_fmt", "yuvj444p", "-f", "rawvideo", "pipe:1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Ctrl-C is for us; we end it.
        .process_group(0)
        .spawn()
        .map_err(SourceError::Ffmpeg)?;
    let no_pipe = || SourceError::Ffmpeg(io::ErrorKind::BrokenPipe.into());
    let output = child.stdout.take().ok_or_else(no_pipe)?;
    Ok(Running { child, output, size: request.size, fps: request.fps, shown: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn request(width: u16, height: u16) -> Request {
        Request {
            size: Size { width, height },
            quality: Default::default(),
            fps: 5,
            number: 0,
            elapsed: Duration::ZERO,
            clock: jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0),
            flash: 0,
        }
    }

    #[test]
    fn a_video_is_played_in_the_size_asked_for_and_over_and_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.mkv");
        let made = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=5:duration=1"])
            .args(["-c:v", "mjpeg"])
            .arg(&file)
            .status()
            .unwrap();
        assert!(made.success());
        let mut video = Video::open(file).unwrap();
        let round: Vec<_> = (0..10).map(|_| video.next(&request(160, 120)).unwrap().jpeg).collect();
        assert_eq!(round[..5], round[5..], "it has five pictures and begins again");
        assert_ne!(round[0], round[4]);
        let larger = video.next(&request(320, 240)).unwrap();
        assert_eq!(jpeg::size(&larger.jpeg), Some(Size { width: 320, height: 240 }));
    }

    #[test]
    fn what_is_no_video_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("no.mp4");
        assert!(Video::open(file.clone()).is_err());
        std::fs::write(&file, "not a video").unwrap();
        let error = Video::open(file).unwrap().next(&request(160, 120)).err().unwrap().to_string();
        assert!(error.contains("no.mp4") && error.contains("Invalid data"), "{error}");
    }
}
