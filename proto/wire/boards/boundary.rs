//! What stands between two pictures.

use thiserror::Error;

/// Characters of a boundary: RFC 2046 allows 70.
const MOST: usize = 200;
/// A shorter one may stand in a picture by chance.
const SHORTEST_SURE: usize = 8;

/// What stands between two parts (RFC 2046, section 5.1.1), without the dashes before it: boards put them into the
/// header, before the line, into both or into neither.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Boundary(Vec<u8>);

/// Why an answer has no parts.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BoundaryError {
    /// It is something else: a page, or a single picture.
    #[error("it is {0:?} and not multipart/x-mixed-replace")]
    Type(String),
    /// No boundary, or one that nothing could be told apart by.
    #[error("its content-type names no boundary")]
    Missing,
}

impl Boundary {
    /// As `Content-Type` names it, with or without quotes and dashes.
    ///
    /// # Errors
    /// When it is no multipart, or names no boundary.
    pub fn of(content_type: &str) -> Result<Self, BoundaryError> {
        let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let is_multipart = kind.trim().get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/"));
        if !is_multipart {
            let shown: String = kind.trim().chars().filter(|c| c.is_ascii_graphic()).take(60).collect();
            return Err(BoundaryError::Type(shown));
        }
        let named = parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("boundary").then_some(value.trim())
        });
        let name = named.unwrap_or_default().trim_matches('"').trim().trim_start_matches('-');
        let fits = !name.is_empty() && name.len() <= MOST && name.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if fits { Ok(Self(name.as_bytes().to_vec())) } else { Err(BoundaryError::Missing) }
    }

    /// What ends a line and begins one with the boundary, as most boards write it: in a picture it shows that the
    /// picture was cut. `None`: it may stand in a picture by chance.
    pub(super) fn mark(&self) -> Option<Vec<u8>> {
        (self.0.len() >= SHORTEST_SURE).then(|| [b"\n--", &self.0[..]].concat())
    }

    /// What a line, without its end, is.
    pub(super) fn read(&self, line: &[u8]) -> Line {
        let dashes = line.iter().take_while(|byte| **byte == b'-').count();
        match line.get(dashes..).unwrap_or_default().trim_ascii_end().strip_prefix(&self.0[..]) {
            Some(b"") => Line::Delimiter,
            Some(b"--") => Line::Last,
            _ => Line::Other,
        }
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Line {
    /// A part begins.
    Delimiter,
    /// No part follows.
    Last,
    /// Anything else.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_the_same_with_and_without_quotes_and_dashes() {
        let plain = Boundary::of("multipart/x-mixed-replace;boundary=frame").unwrap();
        for form in ["boundary=\"frame\"", "boundary=--frame", "boundary=\"--frame\"", "Boundary = frame ;x=y"] {
            assert_eq!(Boundary::of(&format!("Multipart/X-Mixed-Replace; {form}")), Ok(plain.clone()), "{form}");
        }
        for line in ["frame", "--frame", "----frame", "--frame  "] {
            assert_eq!(plain.read(line.as_bytes()), Line::Delimiter, "{line}");
        }
        assert_eq!(plain.read(b"--frame--"), Line::Last);
        for line in ["", "--", "--frames", "--fram", "x--frame"] {
            assert_eq!(plain.read(line.as_bytes()), Line::Other, "{line}");
        }
    }

    #[test]
    fn what_has_no_parts_says_what_it_is() {
        assert_eq!(Boundary::of("text/html; charset=utf-8"), Err(BoundaryError::Type("text/html".to_owned())));
        assert_eq!(Boundary::of("image/jpeg"), Err(BoundaryError::Type("image/jpeg".to_owned())));
        for none in ["multipart/x-mixed-replace", "multipart/mixed; boundary=", "multipart/mixed; boundary=\"----\""] {
            assert_eq!(Boundary::of(none), Err(BoundaryError::Missing), "{none}");
        }
    }
}
