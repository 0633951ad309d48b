//! Readings on their way to PostgreSQL, in files, so that they outlive a database that is away and a hub that is killed.
//!
//! Files of records of one size, each with its checksum, are appended to and synced; the oldest is removed when all of
//! it was written. What a crash tore is cut off. Records may be written to the database twice, never lost: whoever
//! writes them must not mind.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use flate2::Crc;
use jiff::Timestamp;
use larder_proto::wire::camera::MilliCelsius;
use uuid::Uuid;

use super::SensorId;

/// Sensor 16, captured 8, received 8 (microseconds), thousandths of a degree 4, CRC-32 of these 4; big-endian.
const RECORD: usize = 40;
/// Records of a file: what is lost at once when the queue is full, and read at once when one is damaged.
const FILE_RECORDS: u64 = 4096;
/// Records that wait in memory while the disk does not take them.
const MOST_IN_MEMORY: usize = 4096;
const SUFFIX: &str = "readings";

/// A reading to be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) sensor: SensorId,
    pub(super) captured_at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) value: MilliCelsius,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    folder: PathBuf,
    most_files: usize,
    /// Oldest first.
    files: VecDeque<Part>,
    /// What the disk did not take.
    memory: VecDeque<Entry>,
    /// How many went out of `memory` since the start.
    memory_taken: u64,
    dropped: u64,
}

/// One file.
#[derive(Debug)]
struct Part {
    number: u64,
    records: u64,
    /// Of these, how many are in the database.
    written: u64,
    /// `None`: not to be appended to.
    tail: Option<File>,
}

/// Entries at the front of the queue, and where they stand.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    end: End,
}

#[derive(Clone, Copy, Debug)]
enum End {
    File { number: u64, written: u64 },
    Memory { taken: u64 },
}

impl Queue {
    /// Opens the folder, makes it if need be, and cuts off what a crash tore.
    pub(super) fn open(folder: PathBuf, most_bytes: u64) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut numbers: Vec<u64> = Vec::new();
        for entry in fs::read_dir(&folder)? {
            numbers.extend(number(&entry?.path()));
        }
        numbers.sort_unstable();
        let most_files = most_bytes / (FILE_RECORDS * bytes(1));
        let mut queue = Self {
            folder,
            most_files: usize::try_from(most_files).unwrap_or(usize::MAX).max(2),
            files: VecDeque::new(),
            memory: VecDeque::new(),
            memory_taken: 0,
            dropped: 0,
        };
        for number in numbers {
            let records = cut(&queue.path(number))?;
            queue.files.push_back(Part { number, records, written: 0, tail: None });
        }
        queue.remove_written()?;
        queue.keep_bound()?;
        Ok(queue)
    }

    /// Entries that wait.
    pub(super) fn len(&self) -> u64 {
        let on_disk: u64 = self.files.iter().map(|part| part.records - part.written).sum();
        on_disk + u64::try_from(self.memory.len()).unwrap_or(u64::MAX)
    }

    /// Entries that were given up since this was last asked: the queue was full, or a file could not be read.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// Adds entries and syncs. What the disk does not take stays in memory and is tried again with the next ones; the
    /// oldest go when that is full.
    pub(super) fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut flushed = Ok(());
        for some in entries.chunks(MOST_IN_MEMORY) {
            self.memory.extend(some);
            flushed = self.flush();
            while self.memory.len() > MOST_IN_MEMORY {
                self.memory.pop_front();
                self.memory_taken += 1;
                self.dropped += 1;
            }
        }
        flushed.and_then(|()| self.keep_bound())
    }

    /// The oldest entries, `most` at most; empty when none waits.
    pub(super) fn front(&mut self, most: usize) -> Batch {
        while let Some(part) = self.files.iter().find(|part| part.written < part.records) {
            let (number, written) = (part.number, part.written);
            let wanted = (part.records - written).min(u64::try_from(most).unwrap_or(u64::MAX));
            match read(&self.path(number), written, wanted) {
                Ok(entries) => return Batch { entries, end: End::File { number, written: written + wanted } },
                Err(error) => {
                    tracing::error!(%error, queue.file = number, "readings that waited cannot be read and are lost");
                    self.give_up(number);
                }
            }
        }
        let entries: Vec<_> = self.memory.iter().take(most).copied().collect();
        let taken = self.memory_taken + u64::try_from(entries.len()).unwrap_or(u64::MAX);
        Batch { entries, end: End::Memory { taken } }
    }

    /// A batch is in the database. What has moved since is written again one day, which changes nothing.
    pub(super) fn done(&mut self, batch: &Batch) -> io::Result<()> {
        match batch.end {
            End::File { number, written } => {
                if let Some(part) = self.files.iter_mut().find(|part| part.number == number) {
                    part.written = part.written.max(written).min(part.records);
                }
                self.remove_written()
            }
            End::Memory { taken } => {
                while self.memory_taken < taken && self.memory.pop_front().is_some() {
                    self.memory_taken += 1;
                }
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.memory.is_empty() {
            self.flush_some()?;
        }
        Ok(())
    }

    /// Moves entries from memory into the newest file.
    fn flush_some(&mut self) -> io::Result<()> {
        let full = |part: &Part| part.tail.is_none() || part.records >= FILE_RECORDS;
        if self.files.back().is_none_or(full) {
            self.begin_file()?;
        }
        let Some(part) = self.files.back_mut() else { return Ok(()) };
        let room = usize::try_from(FILE_RECORDS - part.records).unwrap_or(usize::MAX).min(self.memory.len());
        let encoded: Vec<u8> = self.memory.iter().take(room).flat_map(encode).collect();
        let Some(file) = &mut part.tail else { return Ok(()) };
        let appended = file.seek(SeekFrom::Start(bytes(part.records)));
        if let Err(error) = appended.and_then(|_| file.write_all(&encoded)).and_then(|()| file.sync_data()) {
            // What a failed sync left in the file is not known; a file that was given up ends at its last good record.
            let cut = file.set_len(bytes(part.records));
            part.tail = None;
            return Err(cut.err().unwrap_or(error));
        }
        let count = u64::try_from(room).unwrap_or(u64::MAX);
        part.records += count;
        self.memory.drain(..room);
        self.memory_taken += count;
        Ok(())
    }

    fn begin_file(&mut self) -> io::Result<()> {
        let number = self.files.back().map_or(1, |part| part.number + 1);
        let tail = OpenOptions::new().create(true).truncate(true).write(true).open(self.path(number))?;
        File::open(&self.folder)?.sync_all()?;
        if let Some(before) = self.files.back_mut() {
            before.tail = None;
        }
        self.files.push_back(Part { number, records: 0, written: 0, tail: Some(tail) });
        Ok(())
    }

    /// Removes files whose entries are all in the database; the newest is emptied instead.
    fn remove_written(&mut self) -> io::Result<()> {
        while let Some(part) = self.files.front_mut().filter(|part| part.written >= part.records) {
            if let Some(tail) = &part.tail {
                tail.set_len(0)?;
                (part.records, part.written) = (0, 0);
                return Ok(());
            }
            let path = self.folder.join(name(part.number));
            fs::remove_file(path)?;
            self.files.pop_front();
        }
        Ok(())
    }

    fn keep_bound(&mut self) -> io::Result<()> {
        while self.files.len() > self.most_files {
            let path = self.files.front().map(|part| self.path(part.number));
            path.map(fs::remove_file).transpose()?;
            if let Some(part) = self.files.pop_front() {
                self.dropped += part.records - part.written;
            }
        }
        Ok(())
    }

    /// A file that can't be read is put aside: what can be saved of it, a person may.
    fn give_up(&mut self, number: u64) {
        let path = self.path(number);
        // It is out of the queue, whether or not its name can be changed.
        let _ = fs::rename(&path, path.with_extension("damaged"));
        let lost = self.files.iter().filter(|part| part.number == number).map(|part| part.records - part.written);
        self.dropped += lost.sum::<u64>();
        self.files.retain(|part| part.number != number);
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(name(number))
    }
}

fn name(number: u64) -> String {
    format!("{number:016x}.{SUFFIX}")
}

fn number(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str().filter(|stem| stem.len() == 16)?;
    path.extension().filter(|suffix| *suffix == SUFFIX)?;
    u64::from_str_radix(stem, 16).ok()
}

fn bytes(records: u64) -> u64 {
    records.saturating_mul(u64::try_from(RECORD).unwrap_or(u64::MAX))
}

/// Cuts a file behind its last whole record; how many it has.
fn cut(path: &Path) -> io::Result<u64> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut all = Vec::new();
    // A file of ours is never larger; what somebody else put there is not read whole.
    (&mut file).take(bytes(FILE_RECORDS)).read_to_end(&mut all)?;
    let whole = all.chunks(RECORD).take_while(|record| decode(record).is_some()).count();
    let records = u64::try_from(whole).unwrap_or(u64::MAX);
    if file.metadata()?.len() > bytes(records) {
        file.set_len(bytes(records))?;
        file.sync_data()?;
    }
    Ok(records)
}

fn read(path: &Path, first: u64, count: u64) -> io::Result<Vec<Entry>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(bytes(first)))?;
    let mut all = Vec::new();
    file.take(bytes(count)).read_to_end(&mut all)?;
    let entries: Option<Vec<Entry>> = all.chunks(RECORD).map(decode).collect();
    let whole = entries.filter(|entries| u64::try_from(entries.len()) == Ok(count));
    whole.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a record is damaged"))
}

fn encode(entry: &Entry) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..16].copy_from_slice(entry.sensor.0.as_bytes());
    record[16..24].copy_from_slice(&entry.captured_at.as_microsecond().to_be_bytes());
    record[24..32].copy_from_slice(&entry.received_at.as_microsecond().to_be_bytes());
    record[32..36].copy_from_slice(&entry.value.0.to_be_bytes());
    let sum = checksum(&record[..36]);
    record[36..].copy_from_slice(&sum.to_be_bytes());
    record
}

fn decode(record: &[u8]) -> Option<Entry> {
    let (sensor, rest) = record.split_first_chunk::<16>()?;
    let (captured, rest) = rest.split_first_chunk::<8>()?;
    let (received, rest) = rest.split_first_chunk::<8>()?;
    let (milli, rest) = rest.split_first_chunk::<4>()?;
    let sum = <[u8; 4]>::try_from(rest).ok()?;
    if u32::from_be_bytes(sum) != checksum(&record[..36]) {
        return None;
    }
    Some(Entry {
        sensor: SensorId(Uuid::from_bytes(*sensor)),
        captured_at: Timestamp::from_microsecond(i64::from_be_bytes(*captured)).ok()?,
        received_at: Timestamp::from_microsecond(i64::from_be_bytes(*received)).ok()?,
        value: MilliCelsius(i32::from_be_bytes(*milli)),
    })
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = Crc::new();
    sum.update(bytes);
    sum.sum()
}

#[cfg(test)]
mod tests;
