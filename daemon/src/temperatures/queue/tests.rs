//! The queue on a real disk.

use std::{collections::VecDeque, os::unix::fs::PermissionsExt as _};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::clock::from_us;

const MIB: u64 = 1 << 20;

fn entry(index: u64) -> Entry {
    let at = from_us(i64::try_from(index).unwrap() * 30_000_000);
    let value = MilliCelsius(i32::try_from(index % 50_000).unwrap() - 25_000);
    Entry { sensor: SensorId(Uuid::from_u128(7)), captured_at: at, received_at: at, value }
}

fn entries(range: std::ops::Range<u64>) -> Vec<Entry> {
    range.map(entry).collect()
}

fn open(folder: &TempDir) -> Queue {
    Queue::open(folder.path().join("queue"), MIB).unwrap()
}

/// Everything that waits, in order.
fn drain(queue: &mut Queue) -> Vec<Entry> {
    let mut all = Vec::new();
    loop {
        let batch = queue.front(1000);
        if batch.entries.is_empty() {
            return all;
        }
        all.extend(&batch.entries);
        queue.done(&batch).unwrap();
    }
}

#[test]
fn what_was_appended_is_there_after_a_restart_until_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(&folder);
    queue.append(&entries(0..5000)).unwrap();
    let batch = queue.front(100);
    assert_eq!(batch.entries, entries(0..100));
    queue.done(&batch).unwrap();
    assert_eq!(queue.len(), 4900);

    let mut again = open(&folder);
    // Which of a file were written is not kept: they come again.
    assert_eq!(drain(&mut again), entries(0..5000));
    assert_eq!((again.len(), again.take_dropped()), (0, 0));
    again.append(&entries(5000..5001)).unwrap();
    assert_eq!(drain(&mut open(&folder)), entries(5000..5001));
}

#[test]
fn an_idle_queue_takes_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(&folder);
    for index in 0..200 {
        queue.append(&[entry(index)]).unwrap();
        assert_eq!(drain(&mut queue), [entry(index)]);
    }
    let sizes = fs::read_dir(folder.path().join("queue")).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    assert_eq!(sizes.collect::<Vec<_>>(), [0]);
}

#[test]
fn a_full_queue_drops_the_oldest_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(&folder);
    let files = MIB / (FILE_RECORDS * bytes(1));
    for file in 0..files + 2 {
        queue.append(&entries(file * FILE_RECORDS..(file + 1) * FILE_RECORDS)).unwrap();
    }
    assert_eq!(queue.take_dropped(), 2 * FILE_RECORDS);
    assert_eq!(queue.len(), files * FILE_RECORDS);
    assert_eq!(queue.front(1).entries, entries(2 * FILE_RECORDS..2 * FILE_RECORDS + 1));
}

#[test]
fn a_batch_that_was_dropped_meanwhile_takes_nothing_newer_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(&folder);
    queue.append(&entries(0..10)).unwrap();
    let batch = queue.front(10);
    queue.append(&entries(10..FILE_RECORDS * 40)).unwrap();
    assert!(queue.take_dropped() > 0);
    let before = queue.front(1).entries;
    queue.done(&batch).unwrap();
    assert_eq!(queue.front(1).entries, before);
}

#[test]
fn a_damaged_file_is_put_aside_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(&folder);
    queue.append(&entries(0..FILE_RECORDS + 3)).unwrap();
    let first = queue.path(1);
    let mut content = fs::read(&first).unwrap();
    content[500] ^= 1;
    fs::write(&first, content).unwrap();
    assert_eq!(queue.front(1000).entries, entries(FILE_RECORDS..FILE_RECORDS + 3));
    assert_eq!(queue.take_dropped(), FILE_RECORDS);
    assert!(first.with_extension("damaged").exists());
}

#[test]
fn what_the_disk_does_not_take_waits_in_memory_and_keeps_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(&folder);
    let place = folder.path().join("queue");
    // A file in the folder's place refuses every user, root too.
    fs::remove_dir_all(&place).unwrap();
    fs::write(&place, "").unwrap();
    assert!(queue.append(&entries(0..10)).is_err());
    assert!(queue.append(&entries(10..20)).is_err());
    let batch = queue.front(5);
    assert_eq!(batch.entries, entries(0..5));
    queue.done(&batch).unwrap();
    let in_flight = queue.front(5);
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    queue.append(&entries(20..21)).unwrap();
    queue.done(&in_flight).unwrap();
    assert_eq!(drain(&mut queue), entries(5..21), "what moved to the disk meanwhile comes again");
}

#[test]
fn memory_is_bounded_while_the_disk_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(&folder);
    fs::remove_dir_all(folder.path().join("queue")).unwrap();
    let most = u64::try_from(MOST_IN_MEMORY).unwrap();
    assert!(queue.append(&entries(0..most + 100)).is_err());
    assert_eq!((queue.take_dropped(), queue.len()), (100, most));
    assert_eq!(drain(&mut queue), entries(100..most + 100));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_torn_tail_costs_what_was_torn_and_no_more(
        count in 1_u64..60, torn in 0_u64..2400, garbage in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut queue = open(&folder);
        queue.append(&entries(0..count)).unwrap();
        let path = queue.path(1);
        let kept = bytes(count).saturating_sub(torn);
        let mut content = fs::read(&path).unwrap();
        content.truncate(usize::try_from(kept).unwrap());
        // What a crash leaves behind the last sync is anything.
        content.extend(&garbage);
        fs::write(&path, content).unwrap();
        let mut again = open(&folder);
        prop_assert_eq!(drain(&mut again), entries(0..kept / bytes(1)));
        again.append(&entries(100..103)).unwrap();
        prop_assert_eq!(drain(&mut open(&folder)), entries(100..103));
    }

    #[test]
    fn entries_come_in_their_order_whatever_happens_between(
        steps in proptest::collection::vec((0_u8..4, 1_u64..3000), 1..30),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut queue = Queue::open(folder.path().join("queue"), 1 << 30).unwrap();
        let (mut model, mut next): (VecDeque<Entry>, u64) = (VecDeque::new(), 0);
        for (step, count) in steps {
            match step {
                0 | 1 => {
                    queue.append(&entries(next..next + count)).unwrap();
                    model.extend(entries(next..next + count));
                    next += count;
                }
                2 => {
                    let batch = queue.front(usize::try_from(count).unwrap());
                    prop_assert!(model.iter().take(batch.entries.len()).eq(&batch.entries));
                    model.drain(..batch.entries.len());
                    queue.done(&batch).unwrap();
                }
                _ => {
                    // Killed: what was written of the oldest file comes once more, in front.
                    queue = Queue::open(folder.path().join("queue"), 1 << 30).unwrap();
                    let again = usize::try_from(queue.len()).unwrap() - model.len();
                    let first = model.front().map_or(next, |entry| u64::try_from(entry.captured_at.as_second()).unwrap() / 30);
                    prop_assert!(u64::try_from(again).unwrap() < FILE_RECORDS);
                    for index in (first - u64::try_from(again).unwrap()..first).rev() {
                        model.push_front(entry(index));
                    }
                }
            }
            prop_assert_eq!(queue.len(), u64::try_from(model.len()).unwrap());
        }
        prop_assert_eq!(drain(&mut queue), model.into_iter().collect::<Vec<_>>());
    }
}
