//! `index`: what a run's folder says of its fragments, so that nobody has to read them to know.
//!
//! Text, a line a record: a word that says what it is, what it says, and the CRC-32C of both in hexadecimal. The first two
//! hold copies of `run.json` and of the init section as they were at the beginning, in Base64; then one follows for each
//! segment as it closes: the start that names its file, the number of its first fragment, and its [`FragmentIndex`].
//! Lines are only added: a later one of the same segment replaces an earlier, and one that was damaged counts for nothing.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::disk::{self, DiskError};
use crate::recordings::FragmentIndex;

/// The file's name.
pub(super) const INDEX_FILE: &str = "index";
const RUN: &str = "run";
const INIT: &str = "init";
const SEGMENT: &str = "segment";
/// A day of fragments a second apart is a tenth of it.
const LARGEST: u64 = 64 << 20;

/// One segment's fragments.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Indexed {
    /// The number of its first, which may be a damaged one.
    pub(super) first: u32,
    pub(super) fragments: FragmentIndex,
}

impl Indexed {
    /// The number behind the last.
    pub(super) fn next(&self) -> u32 {
        self.first.saturating_add(u32::try_from(self.fragments.len()).unwrap_or(u32::MAX))
    }
}

/// All of the file that is sound.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RunIndex {
    /// `run.json` as it was at the beginning.
    pub(super) run: Option<Vec<u8>>,
    /// The init section.
    pub(super) init: Option<Vec<u8>>,
    /// By the microseconds that name their files.
    pub(super) segments: HashMap<i64, Indexed>,
}

/// Makes the file of a run that begins.
pub(super) fn create(folder: &Path, run: &[u8], init: &[u8]) -> Result<(), DiskError> {
    let text = [line(RUN, &BASE64.encode(run)), line(INIT, &BASE64.encode(init))].concat();
    disk::replace(&folder.join(INDEX_FILE), text.as_bytes())
}

/// Adds a segment, named by its file's microseconds, and syncs it.
pub(super) fn append(folder: &Path, name: i64, segment: &Indexed) -> Result<(), DiskError> {
    let path = folder.join(INDEX_FILE);
    let Indexed { first, fragments } = segment;
    let text = line(SEGMENT, &format!("{name} {first} {}", BASE64.encode(fragments.encode())));
    let is_new = !path.exists();
    let write = || {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        // Half a line of a hub that was killed must not spoil this one.
        let text = if ends_a_line(&mut file)? { text } else { format!("\n{text}") };
        file.write_all(text.as_bytes())?;
        file.sync_data()
    };
    write().map_err(DiskError::file(&path))?;
    if is_new { disk::sync_folder(folder) } else { Ok(()) }
}

/// What a run's file says; nothing when there is none.
pub(super) fn read(folder: &Path) -> Result<RunIndex, DiskError> {
    let path = folder.join(INDEX_FILE);
    let mut bytes = Vec::new();
    match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        file => {
            let read = file.and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
            read.map_err(DiskError::file(&path))?;
        }
    }
    Ok(parse(&bytes))
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn line(kind: &str, what: &str) -> String {
    let text = format!("{kind} {what}");
    let crc = crc32c::crc32c(text.as_bytes());
    format!("{text} {crc:08x}\n")
}

fn parse(bytes: &[u8]) -> RunIndex {
    let mut index = RunIndex::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((kind, what)) = std::str::from_utf8(line).ok().and_then(sound) else { continue };
        match kind {
            RUN => index.run = BASE64.decode(what).ok(),
            INIT => index.init = BASE64.decode(what).ok(),
            SEGMENT => index.segments.extend(segment(what)),
            // Of a newer release.
            _ => {}
        }
    }
    index
}

/// The kind and the rest of a line whose checksum is right.
fn sound(line: &str) -> Option<(&str, &str)> {
    let (text, crc) = line.rsplit_once(' ')?;
    let crc = u32::from_str_radix(crc, 16).ok()?;
    (crc32c::crc32c(text.as_bytes()) == crc).then(|| text.split_once(' '))?
}

fn segment(what: &str) -> Option<(i64, Indexed)> {
    let mut words = what.splitn(3, ' ');
    let (name, first) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let fragments = FragmentIndex::decode(&BASE64.decode(words.next()?).ok()?).ok()?;
    Some((name, Indexed { first, fragments }))
}

#[cfg(test)]
pub(super) mod tests {
    use std::{fs, time::Duration};

    use proptest::prelude::*;

    use super::*;
    use crate::recordings::Fragment;

    /// A run's whole file at once.
    pub(in crate::recorder) fn write_all(folder: &Path, run: &[u8], init: &[u8], segments: &[(i64, Indexed)]) {
        create(folder, run, init).unwrap();
        let lines = segments.iter().map(|(name, Indexed { first, fragments })| {
            line(SEGMENT, &format!("{name} {first} {}", BASE64.encode(fragments.encode())))
        });
        let text: String = lines.collect();
        let mut file = OpenOptions::new().append(true).open(folder.join(INDEX_FILE)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn indexed(first: u32) -> Indexed {
        let mut fragments = FragmentIndex::default();
        let duration = Duration::from_secs(2);
        fragments.push(Fragment { duration, size: 5000, crc32c: Some(first), ..Fragment::default() });
        Indexed { first, fragments }
    }

    fn written() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path(), b"{}", b"ftyp").unwrap();
        for first in 0..4 {
            append(folder.path(), i64::from(first) * 60, &indexed(first)).unwrap();
        }
        folder
    }

    #[test]
    fn what_was_added_is_read_and_the_last_word_counts() {
        let folder = written();
        append(folder.path(), 60, &indexed(9)).unwrap();
        let read = read(folder.path()).unwrap();
        assert_eq!((read.run.as_deref(), read.init.as_deref()), (Some(&b"{}"[..]), Some(&b"ftyp"[..])));
        assert_eq!(read.segments.len(), 4);
        assert_eq!(read.segments[&60], indexed(9));
    }

    #[test]
    fn half_a_line_spoils_no_other() {
        let folder = written();
        let path = folder.path().join(INDEX_FILE);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        append(folder.path(), 600, &indexed(7)).unwrap();
        let read = read(folder.path()).unwrap();
        assert_eq!(read.segments.len(), 4);
        assert!(read.segments.contains_key(&600) && !read.segments.contains_key(&180));
    }

    #[test]
    fn a_run_of_a_former_release_has_none_and_gets_one() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), RunIndex::default());
        append(folder.path(), 60, &indexed(2)).unwrap();
        assert_eq!(read(folder.path()).unwrap().segments[&60], indexed(2));
    }

    proptest! {
        #[test]
        fn a_flipped_byte_costs_two_lines_at_most(at: prop::sample::Index, flip in 1u8..) {
            let folder = written();
            let mut bytes = fs::read(folder.path().join(INDEX_FILE)).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let sound = parse(&bytes);
            prop_assert!(sound.segments.len() >= 2 && sound.segments.iter().all(|(name, found)| *found == indexed(u32::try_from(name / 60).unwrap())));
        }

        #[test]
        fn any_bytes_are_an_index(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }
    }
}
