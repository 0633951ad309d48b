//! The segments of a run on disk: from its `index`, and from their own bytes where that says nothing.
//!
//! A file is never changed, but for the one that was being written when the hub died: what follows its last whole fragment
//! is cut off and kept beside it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use rustix::io::Errno;

use super::{
    commit::{CUT_SUFFIX, INIT_FILE, SEGMENT_SUFFIX},
    dating,
    disk::{self, DiskError, sync_folder},
    fragments::Splitter,
    index_file::{self, Indexed, RunIndex},
    recover::RunOnDisk,
    scan::scan,
};
use crate::{
    clock::from_us,
    files,
    outcome::chain,
    recordings::{Fragment, Segment},
};

/// A minute of the largest pictures is a quarter of it; what lies behind is taken for damaged.
const LARGEST_FILE: u64 = 256 << 20;
/// Read at once; a bad sector costs one.
const BLOCK: usize = 64 << 10;
/// Of what is cut off so much is kept: several of the largest fragments.
const MOST_CUT: u64 = 16 << 20;

/// A run's segment files and the starts that they are named by, in order.
pub(super) fn files(folder: &Path) -> Result<Vec<(Timestamp, PathBuf)>, DiskError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(DiskError::folder(folder))? {
        let entry = entry.map_err(DiskError::folder(folder))?;
        let name = entry.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(SEGMENT_SUFFIX));
        if let Some(us) = stem.and_then(|stem| stem.parse().ok()) {
            files.push((from_us(us), entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// A run's folder, to read its segments one after the other.
struct Reader<'a> {
    on_disk: &'a RunOnDisk,
    index: RunIndex,
    timescale: Option<u32>,
    /// The number that the next file begins with, when the one before it tells.
    expected: Option<u32>,
}

/// Reads a run's segments from `from` on, all closed. Files without a whole fragment are left out.
pub(super) fn read(on_disk: &RunOnDisk, from: Option<Timestamp>) -> Result<Vec<Segment>, DiskError> {
    let files = dating::segment_files(on_disk)?;
    let mut reader = Reader::new(on_disk)?;
    let mut segments = Vec::with_capacity(files.len());
    for (start, path) in files {
        if from.is_some_and(|from| start < from) {
            reader.pass(start);
        } else if let Some(indexed) = reader.read(start, &path)? {
            segments.push(reader.segment(start, indexed));
        }
    }
    // What the index says is exact.
    let is_exact = |segment: &&mut Segment| reader.index.segments.contains_key(&reader.name(segment.started_at));
    if let (Some(last), Some(ended_at)) = (segments.last_mut().filter(|last| !is_exact(last)), on_disk.run.ended_at) {
        shorten(last, ended_at);
    }
    Ok(segments)
}

/// Cuts the segment that was open when the hub died to its last whole fragment, and writes into the index what is not in
/// it yet. Gives all segments.
pub(super) fn close(on_disk: &RunOnDisk) -> Result<Vec<Segment>, DiskError> {
    let files = dating::segment_files(on_disk)?;
    let mut reader = Reader::new(on_disk)?;
    let may_cut = reader.timescale.is_some();
    let mut segments = Vec::with_capacity(files.len());
    let last = files.last().map(|(start, _)| *start);
    for (start, path) in files {
        let is_open = Some(start) == last;
        let name = reader.name(start);
        let is_new = !reader.index.segments.contains_key(&name);
        let found = reader.read(start, &path)?;
        // Nobody knows where it ends when it can't be read, or not all of it was.
        let found = if is_open && is_new && may_cut { cut(&path, found)? } else { found };
        let Some(indexed) = found else { continue };
        if is_new {
            index_file::append(&on_disk.folder, name, &indexed)?;
        }
        segments.push(reader.segment(start, indexed));
    }
    Ok(segments)
}

impl<'a> Reader<'a> {
    fn new(on_disk: &'a RunOnDisk) -> Result<Self, DiskError> {
        let index = index_file::read(&on_disk.folder)?;
        let timescale = timescale(&on_disk.folder, index.init.as_deref())?;
        Ok(Self { on_disk, index, timescale, expected: None })
    }

    /// The microseconds that name the file of a segment.
    fn name(&self, start: Timestamp) -> i64 {
        self.on_disk.run.dated.named(start).as_microsecond()
    }

    /// A file that is not asked for.
    fn pass(&mut self, start: Timestamp) {
        let indexed = self.index.segments.get(&self.name(start));
        self.expected = indexed.map(Indexed::next);
    }

    fn read(&mut self, start: Timestamp, path: &Path) -> Result<Option<Indexed>, DiskError> {
        let length = fs::metadata(path).map_err(DiskError::file(path))?.len();
        if let Some(indexed) = self.index.segments.get(&self.name(start)) {
            self.expected = Some(indexed.next());
            let fragments = indexed.fragments.in_file_of(length);
            return Ok((!fragments.is_empty()).then_some(Indexed { first: indexed.first, fragments }));
        }
        let run = &self.on_disk.run;
        let is_first = start == run.started_at;
        let expected = self.expected.take().or_else(|| is_first.then_some(0));
        let Some(timescale) = self.timescale else { return Ok(None) };
        let bytes = read_all(path, length.min(LARGEST_FILE)).map_err(DiskError::file(path))?;
        let begins = Duration::try_from(start.duration_since(run.started_at)).unwrap_or_default();
        let Some(found) = scan(&bytes, timescale, begins, expected) else { return Ok(None) };
        let damaged = found.fragments.damaged();
        if damaged > 0 {
            tracing::warn!(path = %path.display(), damaged, "recorded fragments are damaged; those behind them are kept");
        }
        self.expected = (found.fragments.size_bytes() == length).then(|| found.next());
        Ok(Some(Indexed { fragments: found.fragments.in_file_of(length), ..found }))
    }

    fn segment(&self, start: Timestamp, indexed: Indexed) -> Segment {
        let run = &self.on_disk.run;
        Segment {
            run: run.id,
            camera: run.camera,
            first_sequence: run.first_sequence + i64::from(indexed.first),
            started_at: start,
            fragments: indexed.fragments,
            closed: true,
        }
    }
}

/// A file's bytes. A sector that cannot be read is damage, as one that was changed is: zeros stand for it.
fn read_all(path: &Path, length: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    for (number, block) in (0u64..).zip(bytes.chunks_mut(BLOCK)) {
        match file.read_exact_at(block, number * u64::try_from(BLOCK).unwrap_or_default()) {
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => block.fill(0),
            read => read?,
        }
    }
    Ok(bytes)
}

/// Cuts a file behind its last whole fragment; what is cut off is kept beside it, up to a limit.
fn cut(path: &Path, found: Option<Indexed>) -> Result<Option<Indexed>, DiskError> {
    let whole = found.as_ref().map_or(&[][..], |indexed| indexed.fragments.fragments());
    let kept = whole.iter().rev().find(|fragment| !fragment.is_damaged);
    let whole = kept.map_or(0, |last| last.offset + last.size);
    let length = fs::metadata(path).map_err(DiskError::file(path))?.len();
    if length > LARGEST_FILE {
        return Ok(found);
    }
    if length > whole {
        tracing::warn!(path = %path.display(), bytes = length - whole, "half a fragment is cut off; it is kept beside the file");
        metrics::counter!("larder_recorder_cut_bytes_total").increment(length - whole);
        let cut = match whole {
            0 => fs::rename(path, path.with_extension(CUT_SUFFIX)),
            _ => keep_end(path, whole).and_then(|()| shorten_file(path, whole)),
        };
        cut.map_err(DiskError::file(path))?;
        path.parent().map_or(Ok(()), sync_folder)?;
    }
    Ok(found.map(|indexed| Indexed { fragments: indexed.fragments.in_file_of(whole), ..indexed }).filter(|_| whole > 0))
}

fn keep_end(path: &Path, from: u64) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(MOST_CUT).read_to_end(&mut end)?;
    files::replace(&path.with_extension(CUT_SUFFIX), files::PUBLIC, &end)
}

fn shorten_file(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_all()
}

/// The run's end tells how long its last picture was shown better than the encoder's guess does.
fn shorten(last: &mut Segment, ended_at: Timestamp) {
    let end = Duration::try_from(ended_at.duration_since(last.started_at)).unwrap_or_default();
    let end = Duration::from_millis(u64::try_from(end.as_millis()).unwrap_or(u64::MAX));
    let mut left = last.fragments.len();
    last.fragments.each(|fragment: &mut Fragment| {
        left -= 1;
        if left == 0 && end > fragment.start {
            fragment.duration = end.saturating_sub(fragment.start);
        }
    });
}

/// Units in a second. An init section that is not what it was is written anew from the copy in the index.
fn timescale(folder: &Path, copy: Option<&[u8]>) -> Result<Option<u32>, DiskError> {
    let path = folder.join(INIT_FILE);
    match (files::read(&path), copy) {
        (Ok(Some(found)), Some(copy)) if found == copy => Ok(timescale_of(copy)),
        (_, Some(copy)) => {
            let mended = disk::replace(&path, copy).err().map(|error| chain(&error));
            tracing::warn!(path = %path.display(), error = mended, "the init section is damaged; its copy counts");
            Ok(timescale_of(copy))
        }
        (found, None) => Ok(found.map_err(DiskError::file(&path))?.and_then(|bytes| timescale_of(&bytes))),
    }
}

fn timescale_of(init: &[u8]) -> Option<u32> {
    let mut splitter = Splitter::default();
    splitter.push(init);
    splitter.next_part().ok().flatten().and_then(|_init| splitter.timescale())
}
