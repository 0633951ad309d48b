//! Readings that came before the clock was set: they wait on the disk with their moments of the kernel's boot, and get
//! their dates when the clock is.
//!
//! A clock that tells a time that can be is waited for only so long: in a house without the Internet nobody ever sets
//! it. Those of another boot are given up: nobody knows any more when they were read.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use uuid::Uuid;

use super::queue::{Entry, Queue};
use crate::clock::{BootMoment, Clock, from_us, is_plausible};

/// A time service needs seconds, and minutes in a bad network.
const PATIENCE: Duration = Duration::from_mins(15);
/// Entries dated together.
const BATCH: usize = 1000;
const FOLDER: &str = "boot-";

/// See the module. Its entries' times are microseconds of the boot.
pub(super) struct Waiting {
    folder: PathBuf,
    most_bytes: u64,
    clock: Clock,
    /// Made when something has to wait.
    queue: Option<(Uuid, Queue)>,
}

impl Waiting {
    /// In the folder of the queue; takes up what has waited since this boot. How many were given up that have waited
    /// since another.
    pub(super) fn open(folder: PathBuf, most_bytes: u64, clock: Clock) -> io::Result<(Self, u64)> {
        let boot = clock.booted(clock.epoch(), clock.now()).map(|now| now.id);
        let (mut queue, mut lost) = (None, 0);
        for (of, path) in folders(&folder)? {
            let waits = Queue::open(path.clone(), most_bytes)?;
            if boot == Some(of) {
                queue = Some((of, waits));
            } else {
                lost += waits.len();
                fs::remove_dir_all(path)?;
            }
        }
        Ok((Self { folder, most_bytes, clock, queue }, lost))
    }

    /// Whether the clock is still waited for. `at`: the moment of the boot.
    fn is_waited_for(&self, at: BootMoment) -> bool {
        let patience = i64::try_from(PATIENCE.as_micros()).unwrap_or(i64::MAX);
        !self.clock.is_set() && (at.us < patience || !is_plausible(self.clock.now()))
    }

    /// Keeps what has to wait; gives what needs not to, after what has waited until now. Entries that were dated when the
    /// hub died may come again.
    pub(super) fn pass(&mut self, entries: Vec<(Entry, Option<BootMoment>)>) -> io::Result<Vec<Entry>> {
        let now = self.clock.booted(self.clock.epoch(), self.clock.now());
        let Some(now) = now.filter(|now| self.is_waited_for(*now)) else {
            let mut dated = self.release()?;
            dated.extend(entries.into_iter().map(|(entry, moment)| moment.map_or(entry, |at| self.dated(entry, at))));
            return Ok(dated);
        };
        let (wait, dated): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(_, moment)| moment.is_some());
        if !wait.is_empty() {
            let moments = wait.into_iter().filter_map(|(entry, moment)| {
                let (captured_at, late) = (moment?.us, entry.received_at.duration_since(entry.captured_at));
                let received_us = captured_at.saturating_add(i64::try_from(late.as_micros()).unwrap_or_default());
                Some(Entry { captured_at: from_us(captured_at), received_at: from_us(received_us), ..entry })
            });
            let moments: Vec<_> = moments.collect();
            let queue = match &mut self.queue {
                Some((_, queue)) => queue,
                none => {
                    let path = self.folder.join(format!("{FOLDER}{}", now.id));
                    &mut none.insert((now.id, Queue::open(path, self.most_bytes)?)).1
                }
            };
            queue.append(&moments)?;
        }
        Ok(dated.into_iter().map(|(entry, _)| entry).collect())
    }

    /// What has waited, with its dates.
    fn release(&mut self) -> io::Result<Vec<Entry>> {
        let Some((boot, mut queue)) = self.queue.take() else { return Ok(Vec::new()) };
        let mut dated = Vec::new();
        loop {
            let batch = queue.front(BATCH);
            if batch.entries.is_empty() {
                break;
            }
            for entry in &batch.entries {
                dated.push(self.dated(*entry, BootMoment { id: boot, us: entry.captured_at.as_microsecond() }));
            }
            queue.done(&batch)?;
        }
        fs::remove_dir_all(self.folder.join(format!("{FOLDER}{boot}")))?;
        tracing::info!(readings = dated.len(), "readings that came before the clock was set have their dates now");
        Ok(dated)
    }

    fn dated(&self, entry: Entry, at: BootMoment) -> Entry {
        let late = entry.received_at.duration_since(entry.captured_at);
        let Some(captured_at) = self.clock.told(at) else { return entry };
        Entry { captured_at, received_at: captured_at.saturating_add(late).unwrap_or(captured_at), ..entry }
    }
}

fn folders(parent: &Path) -> io::Result<Vec<(Uuid, PathBuf)>> {
    let entries = match fs::read_dir(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(FOLDER));
        found.extend(name.and_then(|name| Uuid::try_parse(name).ok()).map(|boot| (boot, path.clone())));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use larder_proto::wire::camera::MilliCelsius;

    use super::*;
    use crate::{clock::tests::Settable, temperatures::SensorId};

    const RIGHT: i64 = 1_780_000_000_000_000;

    fn heard(clock: &Clock, sensor: SensorId) -> (Entry, Option<BootMoment>) {
        let now = clock.now();
        let received_at = from_us(now.as_microsecond() + 1000);
        let entry = Entry { sensor, captured_at: now, received_at, value: MilliCelsius(4000) };
        (entry, if clock.is_set() { None } else { clock.booted(clock.epoch(), now) })
    }

    #[tokio::test(start_paused = true)]
    async fn readings_of_1970_wait_for_the_clock_also_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Settable::new(0);
        let (clock, sensor) = (machine.clock(), SensorId::random());
        let open = |clock: &Clock| Waiting::open(folder.path().to_owned(), 1 << 20, clock.clone()).unwrap();
        let (mut waiting, lost) = open(&clock);
        assert_eq!(lost, 0);
        for _ in 0..3 {
            machine.pass(PATIENCE).await;
            assert_eq!(waiting.pass(vec![heard(&clock, sensor)]).unwrap(), []);
        }
        let (mut waiting, lost) = open(&clock);
        assert_eq!(lost, 0);
        machine.pass(PATIENCE).await;
        machine.set(RIGHT);
        clock.check();
        let dated = waiting.pass(vec![heard(&clock, sensor)]).unwrap();
        let patience = i64::try_from(PATIENCE.as_micros()).unwrap();
        let expected: Vec<Timestamp> = (0..4).rev().map(|n| from_us(RIGHT - n * patience)).collect();
        assert_eq!(dated.iter().map(|entry| entry.captured_at).collect::<Vec<_>>(), expected);
        assert!(dated.iter().all(|entry| entry.received_at.duration_since(entry.captured_at).as_micros() == 1000));
        assert_eq!(waiting.pass(Vec::new()).unwrap(), [], "once");
        assert_eq!(folders(folder.path()).unwrap(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_nobody_sets_is_waited_for_only_so_long_and_another_boot_never() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Settable::unsynchronised(RIGHT);
        let (clock, sensor) = (machine.clock(), SensorId::random());
        let open = |clock: &Clock| Waiting::open(folder.path().to_owned(), 1 << 20, clock.clone()).unwrap();
        let (mut waiting, _) = open(&clock);
        let first = heard(&clock, sensor);
        assert_eq!(waiting.pass(vec![first]).unwrap(), []);
        machine.pass(PATIENCE).await;
        assert_eq!(waiting.pass(Vec::new()).unwrap(), [first.0]);

        let other = Settable::unsynchronised(RIGHT);
        let clock = other.clock();
        let (mut waiting, _) = open(&clock);
        waiting.pass(vec![heard(&clock, sensor)]).unwrap();
        let third = Settable::unsynchronised(RIGHT).of_boot(Uuid::from_u128(78));
        assert_eq!(open(&third.clock()).1, 1);
        assert_eq!(open(&third.clock()).1, 0);
    }
}
