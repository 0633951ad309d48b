//! Compares recorded bytes with their checksums: when somebody asks, and slowly by itself at night.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rustix::io::Errno;
use thiserror::Error;

use super::{
    collect::blocking,
    disk::DiskError,
    index_file::{self, Indexed},
    shared::Shared,
};
use crate::{
    db,
    events::Kind,
    outcome::{Refusal, chain},
    parts::Trouble,
    recordings::{Fragment, FragmentIndex, StoredSegment, Verified},
    repeats,
};

/// Local hours in which a household sleeps.
const IDLE: std::ops::Range<i8> = 1..5;
/// Every file is read once in so long.
const ROUND: SignedDuration = SignedDuration::from_hours(30 * 24);
/// When a file that could not be read is tried again.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);
/// Bytes a second: a tenth of what a USB disk or a good card reads.
const PACE: u64 = 4 << 20;
/// How often it is looked whether there is something to do.
const LOOK: Duration = Duration::from_mins(5);

/// Why a segment could not be verified.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// Its row was not read or written.
    #[error("the database failed while recordings were verified")]
    Rows(#[from] db::Error),
    /// Its run's index was not written.
    #[error("the disk failed while recordings were verified")]
    Disk(#[from] DiskError),
    /// The recordings are not there: nothing that is missing is gone.
    #[error("{}", .0.detail)]
    Away(Trouble),
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Rows(error) => error.into(),
            VerifyError::Disk(_) => Self::internal(error),
            VerifyError::Away(trouble) => Self::new(crate::outcome::Kind::Unavailable, trouble.detail),
        }
    }
}

/// Verifies one segment by its row, and keeps what was found; `None` when there is nothing to verify any more.
pub(super) async fn segment(shared: &Arc<Shared>, id: i64) -> Result<Option<Verified>, VerifyError> {
    let now = shared.clock.now();
    let (segment, before) = match shared.store.verifiable_segment(id).await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        Err(error @ db::Error::Broken { .. }) => {
            repeats::say!(error, "", { segment = id, error = chain(&error) }, "a segment's row cannot be read");
            shared.store.set_looked_at(id, now).await?;
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let (path, index) = (shared.root.join(segment.path()), before.clone());
    let found = blocking(move || look(&path, index)).await;
    metrics::counter!("larder_recorder_verified_bytes_total").increment(segment.size_bytes);
    let after = match found {
        Ok(Some(after)) => after,
        Ok(None) => {
            shared.check_folder().await.map_err(VerifyError::Away)?;
            // Deleted meanwhile, or gone: the sweep removes its row.
            shared.store.set_looked_at(id, now).await?;
            shared.suspect(segment.run);
            return Ok(Some(Verified::missing(segment)));
        }
        Err(error) => {
            let path = segment.path();
            repeats::say!(warn, &path, { path, cause = %error }, "a recorded file could not be verified; it is tried again");
            let tomorrow = now.saturating_sub(ROUND - AGAIN).unwrap_or(now);
            shared.store.set_looked_at(id, tomorrow).await?;
            return Ok(None);
        }
    };
    if after != before {
        tell(shared, &segment, &before, &after);
        if let Err(error) = keep(shared, &segment, after.clone()).await {
            tracing::warn!(path = segment.path(), error = chain(&error), "what was found is in its row alone");
        }
    }
    shared.store.set_verified(id, now, &after).await?;
    if after != before {
        shared.set_damage(shared.store.damage().await?);
    }
    Ok(Some(Verified::of(segment, &after)))
}

fn tell(shared: &Shared, segment: &StoredSegment, before: &FragmentIndex, after: &FragmentIndex) {
    let (path, damaged) = (segment.path(), after.damaged());
    if damaged <= before.damaged() {
        tracing::info!(path, damaged, "recorded fragments that were damaged are whole again");
        return;
    }
    metrics::counter!("larder_recorder_damaged_fragments_total")
        .increment(u64::try_from(damaged - before.damaged()).unwrap_or_default());
    let shown = path.as_str();
    repeats::say!(error, shown, { path = shown, damaged }, "recorded fragments are not what was written");
    let message = format!("{damaged} recorded fragments in {path} are damaged");
    shared.events.tell(Kind::RecordingFailed, Some(segment.camera), message);
}

/// Also beside the recordings, so that a lost database does not forget it.
async fn keep(shared: &Shared, segment: &StoredSegment, fragments: FragmentIndex) -> Result<(), VerifyError> {
    let Some(run) = shared.store.run(segment.run).await? else { return Ok(()) };
    let first = u32::try_from(segment.first_sequence - run.first_sequence).unwrap_or_default();
    let (folder, file_name) = (shared.root.join(&segment.folder), segment.file_name());
    let name = file_name.split('.').next().and_then(|name| name.parse().ok()).unwrap_or_default();
    blocking(move || index_file::append(&folder, name, &Indexed { first, fragments })).await?;
    Ok(())
}

/// What the file says of its fragments; `None` when there is none. What the disk does not give is damaged; whatever else
/// keeps it from being read says nothing of it.
fn look(path: &Path, mut index: FragmentIndex) -> io::Result<Option<FragmentIndex>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    let mut failed = None;
    index.each(|fragment| {
        let Some(expected) = fragment.crc32c else { return };
        match read(&mut file, fragment, &mut bytes) {
            Ok(()) => fragment.is_damaged = crc32c::crc32c(&bytes) != expected,
            Err(error) if is_damage(&error) => fragment.is_damaged = true,
            Err(error) => failed = Some(error),
        }
    });
    failed.map_or(Ok(Some(index)), Err)
}

fn is_damage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof || error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

fn read(file: &mut File, fragment: &Fragment, bytes: &mut Vec<u8>) -> io::Result<()> {
    io::Seek::seek(file, io::SeekFrom::Start(fragment.offset))?;
    bytes.clear();
    let read = file.take(fragment.size).read_to_end(bytes)?;
    if u64::try_from(read).is_ok_and(|read| read == fragment.size) {
        return Ok(());
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Verifies what was not read for a month, in the hours of the night, at a pace that nobody notices. Runs until dropped.
pub(super) async fn scrub(shared: Arc<Shared>) {
    loop {
        let pause = match scrub_one(&shared, shared.clock.now()).await {
            Ok(Some(bytes)) => Duration::from_millis(bytes * 1000 / PACE),
            Ok(None) => LOOK,
            Err(error) => {
                repeats::say!(warn, "", { error = chain(&error) }, "recordings could not be verified");
                LOOK
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Bytes that were read; `None` when nothing is to be done now.
pub(super) async fn scrub_one(shared: &Arc<Shared>, now: Timestamp) -> Result<Option<u64>, VerifyError> {
    if !IDLE.contains(&now.to_zoned(TimeZone::system()).hour()) || shared.store.is_away() || shared.trouble().is_some()
    {
        return Ok(None);
    }
    let since = now.saturating_sub(ROUND).unwrap_or(now);
    let Some(id) = shared.store.least_verified(since).await? else { return Ok(None) };
    let verified = segment(shared, id).await?;
    Ok(Some(verified.map_or(PACE, |verified| verified.segment.size_bytes.max(1))))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_fragment_is_compared_with_its_own_checksum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.m4s");
        let mut index = FragmentIndex::default();
        for number in 0..4u8 {
            let crc32c = (number != 3).then(|| crc32c::crc32c(&[number; 100]));
            let start = Duration::from_secs(2) * u32::from(number);
            index.push(Fragment { start, duration: Duration::from_secs(2), size: 100, crc32c, ..Fragment::default() });
        }
        let mut bytes: Vec<u8> = (0..4u8).flat_map(|number| [number; 100]).collect();
        assert_eq!(look(&path, index.clone()).unwrap(), None);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(look(&path, index.clone()).unwrap(), Some(index.clone()));
        bytes[150] ^= 1;
        // It has no checksum: nobody can tell.
        bytes[350] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let found = look(&path, index.clone()).unwrap().unwrap();
        assert_eq!(
            found.fragments().iter().map(|found| found.is_damaged).collect::<Vec<_>>(),
            [false, true, false, false]
        );
        bytes[150] ^= 1;
        bytes.truncate(250);
        fs::write(&path, &bytes).unwrap();
        let found = look(&path, found).unwrap().unwrap();
        assert_eq!(
            found.fragments().iter().map(|found| found.is_damaged).collect::<Vec<_>>(),
            [false, false, true, false]
        );
    }
}
