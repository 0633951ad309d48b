//! A captured session: a line of JSON for each piece of bytes, in the order in which they came.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Side;
use crate::Failure;

/// Longest line: a piece of [`super::ROOM`] bytes as Base64 and what stands around it.
const MOST_LINE: u64 = 64 * 1024;

/// Bytes of one side, cut as the network cut them; none when that side has closed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Piece {
    pub(super) at: Timestamp,
    /// Counts the connections.
    pub(super) session: u32,
    pub(super) side: Side,
    #[serde(with = "text")]
    pub(super) bytes: Vec<u8>,
}

/// A file that is written to.
pub(super) struct Capture {
    path: PathBuf,
    file: File,
}

impl Capture {
    /// A new file: an old one is never replaced.
    pub(super) fn new(path: &Path) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        Ok(Self { path: path.to_owned(), file: file.map_err(|source| Failure::file(path, source))? })
    }

    pub(super) fn write(&mut self, piece: &Piece) -> Result<(), Failure> {
        let line = serde_json::to_string(piece).map_err(|error| Failure::file(&self.path, error.into()))?;
        writeln!(self.file, "{line}").map_err(|source| Failure::file(&self.path, source))
    }
}

/// The pieces of a file.
pub(super) fn read(path: &Path) -> Result<impl Iterator<Item = Result<Piece, Failure>>, Failure> {
    let path = path.to_owned();
    let mut file = BufReader::new(File::open(&path).map_err(|source| Failure::file(&path, source))?);
    let mut number = 0;
    Ok(std::iter::from_fn(move || {
        number += 1;
        let mut line = String::new();
        match std::io::Read::take(&mut file, MOST_LINE).read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).map_err(|error| {
                Failure::Other(format!("line {number} of {} is none of a captured session: {error}", path.display()))
            })),
            Err(source) => Some(Err(Failure::file(&path, source))),
        }
    }))
}

/// Bytes as text.
mod text {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_comes_back_and_what_is_none_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session");
        let piece =
            |bytes: &[u8]| Piece { at: Timestamp::UNIX_EPOCH, session: 1, side: Side::Hub, bytes: bytes.to_vec() };
        let mut capture = Capture::new(&path).unwrap();
        capture.write(&piece(&[0, 1, 0xfe])).unwrap();
        capture.write(&piece(&[])).unwrap();
        assert!(Capture::new(&path).is_err(), "it is not replaced");
        writeln!(capture.file, "{{\"at\":1}}").unwrap();
        let read: Vec<_> = read(&path).unwrap().collect();
        assert_eq!(read[0].as_ref().unwrap(), &piece(&[0, 1, 0xfe]));
        assert_eq!(read[1].as_ref().unwrap(), &piece(&[]));
        assert!(read[2].as_ref().unwrap_err().to_string().contains("line 3"));
        assert_eq!(read.len(), 3);
    }
}
