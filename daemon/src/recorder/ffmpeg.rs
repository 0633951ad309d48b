//! The encoder: one ffmpeg a run, pictures in as Matroska, fragmented MP4 out.
//!
//! Why each option stands is said beside it. The child has its own process group, so that Ctrl-C reaches only the hub,
//! and is told to end by the kernel when the hub dies (`setpriv --pdeathsig`). It must not be started from a thread of
//! the blocking pool: that signal comes when the starting thread ends.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Buf, Bytes};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::{Instant, timeout},
};

use super::{
    config::{Config, Encoder},
    fragments::{Part, Splitter},
    matroska,
};
use crate::tasks::Tasks;

/// An encoder that takes no picture for this long is stuck: the tap's queue has overrun by then.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// And longer while its output waits for the disk: a card that is being trimmed stands still for many seconds.
pub(super) const LONGEST_EXCUSE: Duration = Duration::from_secs(60);
/// Enough of what it complained of.
const STDERR_TAIL: usize = 2000;
/// How long a whole self-test may take on a slow card.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// What is wanted of an encoder.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) program: OsString,
    pub(super) encoder: Encoder,
    preset: &'static str,
    crf: u8,
    kilobits_per_second: u32,
}

impl Settings {
    /// From the configuration.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            program: config.ffmpeg.clone().into_os_string(),
            encoder: config.encoder,
            preset: config.preset.name(),
            crf: config.crf,
            kilobits_per_second: config.kilobits_per_second,
        }
    }

    fn encoder_arguments(&self) -> Vec<String> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        match self.encoder {
            Encoder::Libx264 => {
                let mut words = owned(&["-c:v", "libx264", "-preset", self.preset, "-tune", "zerolatency", "-crf"]);
                words.push(self.crf.to_string());
                words
            }
            Encoder::V4l2m2m => {
                let mut words = owned(&["-c:v", "h264_v4l2m2m", "-b:v"]);
                words.push(format!("{}k", self.kilobits_per_second));
                words
            }
        }
    }

    fn command(&self, input: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]).arg(&self.program);
        command.args(["-hide_banner", "-nostats", "-v", "error"]).args(input);
        // Every picture keeps its own time: without passthrough ffmpeg fills pauses with copies, and without the
        // time base it rounds to the frame rate it believes in.
        command.args(["-fps_mode", "passthrough", "-enc_time_base", "1:1000"]);
        command.args(self.encoder_arguments());
        command.args(["-pix_fmt", "yuv420p", "-threads", "1"]);
        // A key frame two seconds after the last, by the clock and not by count: a fragment each, also after a pause.
        command.args(["-g", "100000", "-force_key_frames", "expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+2))"]);
        command.args(["-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof+skip_trailer"]);
        command.args(["-video_track_timescale", "1000", "-flush_packets", "1", "pipe:1"]);
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Why no encoder runs.
#[derive(Debug, Error)]
pub(super) enum StartError {
    /// `setpriv` could not be started.
    #[error("cannot run setpriv (package util-linux) to start ffmpeg")]
    Spawn(#[source] io::Error),
    /// A pipe to it is missing.
    #[error("ffmpeg has no {0}")]
    Pipe(&'static str),
}

/// Why a picture could not be given to the encoder.
#[derive(Debug, Error)]
pub(super) enum WriteError {
    /// It took nothing for [`WRITE_TIMEOUT`].
    #[error("ffmpeg took no picture for {} s", WRITE_TIMEOUT.as_secs())]
    Stuck,
    /// It is gone.
    #[error("ffmpeg is gone")]
    Gone(#[source] io::Error),
}

/// A running encoder. Dropping it kills it.
pub(super) struct Ffmpeg {
    child: Child,
    stdin: Option<ChildStdin>,
    complaints: Arc<Mutex<VecDeque<u8>>>,
}

impl Ffmpeg {
    /// Starts an encoder for pictures of this size, and gives the stream that comes out of it.
    ///
    /// # Errors
    /// When the child cannot be started. That ffmpeg itself is missing shows as its end, with a complaint.
    pub(super) async fn start(
        settings: &Settings,
        tasks: &Tasks,
        size: (u16, u16),
    ) -> Result<(Self, ChildStdout), StartError> {
        // `-probesize 32 -analyzeduration 0`: the header says all; probing would wait for pictures.
        let input = ["-probesize", "32", "-analyzeduration", "0", "-f", "matroska", "-i", "pipe:0"];
        let (mut ffmpeg, stdout) = Self::spawn(settings.command(&input), tasks)?;
        // A fresh pipe takes the head at once; a child that is gone shows at the first picture.
        if let Some(stdin) = &mut ffmpeg.stdin {
            let _ = timeout(WRITE_TIMEOUT, stdin.write_all(&matroska::head(size.0, size.1))).await;
        }
        Ok((ffmpeg, stdout))
    }

    fn spawn(mut command: Command, tasks: &Tasks) -> Result<(Self, ChildStdout), StartError> {
        let mut child = command.spawn().map_err(StartError::Spawn)?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or(StartError::Pipe("stdout"))?;
        let stderr = child.stderr.take().ok_or(StartError::Pipe("stderr"))?;
        let complaints = Arc::default();
        // Ends with the child, whose end of the pipe closes then.
        tasks.spawn(keep_tail(stderr, Arc::clone(&complaints)));
        Ok((Self { child, stdin, complaints }, stdout))
    }

    /// Gives it a picture shown at `at_ms` since the run's start; strictly rising. As long as it is `excused`, because
    /// its own output is not being read, it is waited for up to [`LONGEST_EXCUSE`]. Not cancel safe: a dropped call may
    /// leave half a picture, after which only [`Ffmpeg::kill`] is left.
    ///
    /// # Errors
    /// When it takes nothing or is gone.
    pub(super) async fn write(
        &mut self,
        at_ms: u64,
        jpeg: &Bytes,
        excused: impl Fn() -> bool,
    ) -> Result<(), WriteError> {
        let Some(stdin) = &mut self.stdin else {
            return Err(WriteError::Gone(io::ErrorKind::BrokenPipe.into()));
        };
        let head = matroska::picture_head(at_ms, jpeg.len());
        let mut whole = Bytes::from(head).chain(jpeg.clone());
        let mut writing = std::pin::pin!(stdin.write_all_buf(&mut whole));
        let end = Instant::now() + LONGEST_EXCUSE;
        loop {
            match timeout(WRITE_TIMEOUT, &mut writing).await {
                Ok(written) => return written.map_err(WriteError::Gone),
                Err(_elapsed) if excused() && Instant::now() < end => {}
                Err(_elapsed) => return Err(WriteError::Stuck),
            }
        }
    }

    /// Says that no picture comes any more: it writes its last fragment and ends.
    pub(super) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end, at most `grace`, then kills it.
    pub(super) async fn end(&mut self, grace: Duration) -> io::Result<ExitStatus> {
        self.close_input();
        match timeout(grace, self.child.wait()).await {
            Ok(status) => status,
            Err(_elapsed) => self.kill().await,
        }
    }

    /// Kills it and waits for its end.
    pub(super) async fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.start_kill()?;
        self.child.wait().await
    }

    /// The end of what it complained of.
    pub(super) fn complaints(&self) -> String {
        let mut tail = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(tail.make_contiguous()).trim().to_owned()
    }
}

async fn keep_tail(mut stderr: ChildStderr, tail: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(&buffer[..read]);
        let surplus = tail.len().saturating_sub(STDERR_TAIL);
        tail.drain(..surplus);
    }
}

/// Encodes a drawn second in JPEG's full-range colour and reads it back: whether this encoder works here at all.
///
/// # Errors
/// What is wrong, in a sentence that says what to do.
pub(super) async fn self_test(settings: &Settings, tasks: &Tasks) -> Result<(), String> {
    let source = ["-f", "lavfi", "-i", "testsrc2=size=640x480:rate=5:duration=5", "-vf", "format=yuvj422p"];
    let (mut ffmpeg, mut stdout) =
        Ffmpeg::spawn(settings.command(&source), tasks).map_err(|error| crate::outcome::chain(&error))?;
    ffmpeg.close_input();
    let mut bytes = Vec::new();
    let read = timeout(TEST_TIMEOUT, stdout.read_to_end(&mut bytes)).await;
    let status = ffmpeg.end(Duration::from_secs(1)).await;
    if read.is_err() {
        return Err(format!("ffmpeg did not finish a test within {} s", TEST_TIMEOUT.as_secs()));
    }
    let mut splitter = Splitter::default();
    splitter.push(&bytes);
    let mut fragments = 0;
    while let Ok(Some(part)) = splitter.next_part() {
        fragments += usize::from(matches!(part, Part::Piece(_)));
    }
    match status {
        Ok(status) if status.success() && fragments >= 2 => Ok(()),
        Ok(status) if status.code() == Some(127) => {
            Err(format!("there is no {:?}: install the package ffmpeg or set recordings.ffmpeg", settings.program))
        }
        _ => Err(format!("ffmpeg cannot encode a test picture: {}", ffmpeg.complaints())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_self_test_passes_with_a_real_ffmpeg_and_names_a_missing_one() {
        let tasks = Tasks::new();
        assert_eq!(self_test(&Settings::new(&Config::default()), &tasks).await, Ok(()));
        let missing = Settings::new(&Config { ffmpeg: "/nowhere/ffmpeg".into(), ..Config::default() });
        let complaint = self_test(&missing, &tasks).await.unwrap_err();
        assert!(complaint.contains("install the package ffmpeg"), "{complaint}");
        assert!(tasks.stop(Duration::from_secs(5)).await);
    }

    #[tokio::test]
    async fn a_child_that_reads_nothing_is_stuck_and_killed() {
        let tasks = Tasks::new();
        let mut command = Command::new("sleep");
        command.arg("1000").process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (mut ffmpeg, _stdout) = Ffmpeg::spawn(command, &tasks).unwrap();
        let picture = Bytes::from(vec![0; 1 << 20]);
        tokio::time::pause();
        assert!(matches!(ffmpeg.write(0, &picture, || false).await, Err(WriteError::Stuck)));
        assert!(!ffmpeg.kill().await.unwrap().success());
        assert!(tasks.stop(Duration::from_secs(5)).await);
    }
}
