//! Pictures into files and pipes: MJPEG for players, Matroska to keep.
//!
//! Each file has a thread, since a pipe may take nothing for as long as it likes; nobody waits for a thread that hangs
//! in such a pipe when the view ends.

use std::{
    fs::File,
    io::{self, BufWriter, Seek as _, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{matroska::Muxer, picture::Picture};
use crate::Failure;

/// Pictures that wait for the disk: about three seconds.
const MOST_WAITING: usize = 64;
/// For what is still to be written when the view ends.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// For a pipe that nobody reads any more.
const PIPE_PATIENCE: Duration = Duration::from_millis(300);

/// The newest picture, for those who show one after the other and skip what they have no time for.
pub(super) type Newest = watch::Receiver<Option<Arc<Picture>>>;

/// A file that is being written.
pub(super) struct Writing {
    /// None once it has ended.
    done: Option<oneshot::Receiver<Result<(), Failure>>>,
    patience: Duration,
}

impl Writing {
    /// When it ended by itself, which is a failure or a reader that went away; told once. Cancel safe.
    pub(super) async fn ended(&mut self) -> Result<(), Failure> {
        let Some(done) = &mut self.done else { return std::future::pending().await };
        let ended = done.await.unwrap_or_else(|_gone| Err(Failure::Other("a file's writer is gone".to_owned())));
        self.done = None;
        ended
    }

    /// After its source has ended: waits until all is written, for a while.
    pub(super) async fn finish(mut self) -> Result<(), Failure> {
        match self.done {
            Some(_) => timeout(self.patience, self.ended()).await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

/// Writes JPEG after JPEG to a file, or to standard output for `-`. A reader that is slow gets the newest.
pub(super) fn mjpeg(path: &Path, mut newest: Newest) -> Result<Writing, Failure> {
    let is_pipe = path == Path::new("-");
    let mut to: Box<dyn Write + Send> = if is_pipe {
        Box::new(io::stdout())
    } else {
        Box::new(File::create(path).map_err(|source| Failure::file(path, source))?)
    };
    let path = path.to_owned();
    let failed = move |source: io::Error| match source.kind() {
        io::ErrorKind::BrokenPipe => Failure::Output(source),
        _ => Failure::file(&path, source),
    };
    let runtime = Handle::current();
    Ok(in_a_thread(PIPE_PATIENCE, move || {
        while runtime.block_on(newest.changed()).is_ok() {
            let Some(picture) = newest.borrow_and_update().clone() else { continue };
            to.write_all(&picture.jpeg).and_then(|()| to.flush()).map_err(&failed)?;
        }
        Ok(())
    }))
}

/// Where pictures to be kept are put; clones are the same.
#[derive(Clone)]
pub(super) struct Tape {
    queue: mpsc::Sender<Arc<Picture>>,
    lost: Arc<AtomicU64>,
}

impl Tape {
    /// One more picture. A disk that cannot keep up loses it, which is counted.
    pub(super) fn add(&self, picture: &Arc<Picture>) {
        if self.queue.try_send(Arc::clone(picture)).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    /// How many were lost.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

/// Keeps every picture that comes, with the time of its capture, in a new file; one that is there already is not
/// touched. The file is whole when all clones of the tape are gone and the writing has finished.
pub(super) fn matroska(path: &Path, title: String) -> Result<(Tape, Writing), Failure> {
    let file = File::create_new(path).map_err(|source| Failure::file(path, source))?;
    let (queue, pictures) = mpsc::channel(MOST_WAITING);
    let path = path.to_owned();
    let writing = in_a_thread(END_PATIENCE, move || record(file, &path, &title, pictures));
    Ok((Tape { queue, lost: Arc::default() }, writing))
}

fn record(file: File, path: &Path, title: &str, mut pictures: mpsc::Receiver<Arc<Picture>>) -> Result<(), Failure> {
    let failed = |source| Failure::file(path, source);
    let mut file = BufWriter::with_capacity(256 * 1024, file);
    let mut muxer = None;
    while let Some(picture) = pictures.blocking_recv() {
        let header = &picture.header;
        let muxer = match &mut muxer {
            Some(muxer) => muxer,
            none => {
                let (made, head) = Muxer::new(title, (header.width, header.height), header.captured_at_us);
                file.write_all(&head).map_err(failed)?;
                none.insert(made)
            }
        };
        let before = muxer.before_picture(header.captured_at_us, picture.jpeg.len());
        file.write_all(&before).and_then(|()| file.write_all(&picture.jpeg)).map_err(failed)?;
    }
    let Some(mut muxer) = muxer else {
        // Nothing came: an empty file would only be in the way of the next attempt.
        return std::fs::remove_file(path).map_err(failed);
    };
    let (end, head) = muxer.end();
    file.write_all(&end).map_err(failed)?;
    let mut file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.rewind().and_then(|()| file.write_all(&head)).and_then(|()| file.sync_all()).map_err(failed)
}

fn in_a_thread(patience: Duration, work: impl FnOnce() -> Result<(), Failure> + Send + 'static) -> Writing {
    let (tell, done) = oneshot::channel();
    thread::spawn(move || {
        // Nobody waits for it any more, maybe.
        let _untold = tell.send(work());
    });
    Writing { done: Some(done), patience }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{super::tally::tests::picture, *};

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_recorded_is_whole_when_the_view_ends_and_an_old_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fridge.mkv");
        let (tape, writing) = matroska(&path, "fridge".to_owned()).unwrap();
        (0..20).for_each(|number| tape.add(&Arc::new(picture(number, Instant::now(), None))));
        assert_eq!(tape.lost(), 0);
        drop(tape);
        writing.finish().await.unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.windows(4).filter(|four| *four == [0xff, 0xd8, 0xff, 0xd9]).count(), 20);
        assert!(matches!(matroska(&path, "fridge".to_owned()), Err(Failure::File { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);

        let empty = folder.path().join("empty.mkv");
        let (tape, writing) = matroska(&empty, "fridge".to_owned()).unwrap();
        drop(tape);
        writing.finish().await.unwrap();
        assert!(!empty.exists());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_pipe_that_nobody_empties_holds_nothing_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        // Held open, and never read.
        let _reader = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let (newest, looking) = watch::channel(None);
        let writing = mjpeg(&path, looking).unwrap();
        for number in 0..50_000 {
            newest.send_replace(Some(Arc::new(picture(number, Instant::now(), None))));
        }
        drop(newest);
        writing.finish().await.unwrap();
    }
}
