//! `multipart/x-mixed-replace`: one picture after the other in an answer that does not end.

use bytes::{Buf as _, Bytes, BytesMut};
use thiserror::Error;

use super::{
    boundary::{Boundary, Line},
    ending::{Ending, Found},
};

/// Bytes of a picture. Twice what a camera of Larder's own may send.
pub const MOST_PART: usize = 1 << 20;
/// Bytes of a part's header.
const MOST_HEADER: usize = 4 * 1024;
/// A longer line is no delimiter.
const MOST_LINE: usize = 1024;
/// Bytes between two pictures that are passed over before what comes is taken for something else.
const MOST_BETWEEN: usize = MOST_PART;
/// A part whose header says that it is so large is passed over as it says; beyond, the header is nonsense.
const MOST_SKIPPED: usize = 16 << 20;

/// What a decoder finds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Item {
    /// A picture, perhaps a broken one.
    Part(Part),
    /// A part that is none; the next one may be.
    Refused(PartError),
    /// The sender says that no more follow.
    End,
}

/// One picture as it came. Nothing of it is checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    /// At most [`MOST_PART`].
    pub jpeg: Bytes,
    /// `X-Timestamp`: when it was captured, on the board's clock, in microseconds.
    pub t_us: Option<u64>,
}

/// Why a part is refused. The names label metrics: a contract.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PartError {
    /// More than [`MOST_PART`].
    #[error("a picture of more than {MOST_PART} bytes")]
    TooLarge,
    /// A header without end.
    #[error("a header of more than {MOST_HEADER} bytes")]
    Header,
}

impl PartError {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Header => "part-header",
        }
    }
}

/// What comes are no parts.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("more than {MOST_BETWEEN} bytes came without the boundary between pictures")]
pub struct Lost;

/// Takes pictures out of a stream of bytes.
#[derive(Debug)]
pub struct Multipart {
    boundary: Boundary,
    /// In a picture of unknown length, it shows that the picture was cut.
    mark: Option<Vec<u8>>,
    state: State,
    /// Bytes passed over since the last picture.
    between: usize,
    /// Whether the beginning of this line was thrown away.
    is_within_line: bool,
}

#[derive(Debug)]
enum State {
    /// Before a delimiter.
    Between,
    Header {
        /// What was passed over before it.
        from: usize,
        header: Header,
    },
    /// So many bytes.
    Counted {
        len: usize,
        t_us: Option<u64>,
    },
    /// Of unknown length.
    Open {
        /// `None` before its SOI.
        ending: Option<Ending>,
        /// Bytes that were searched for the mark.
        searched: usize,
        t_us: Option<u64>,
    },
    Skip(usize),
    Over,
}

/// Where a picture was cut, and how many bytes show it.
#[derive(Clone, Copy)]
struct Cut {
    at: usize,
    seen: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Header {
    len: Option<usize>,
    t_us: Option<u64>,
}

impl Multipart {
    /// For an answer with this boundary.
    pub fn new(boundary: Boundary) -> Self {
        Self { mark: boundary.mark(), boundary, state: State::Between, between: 0, is_within_line: false }
    }

    /// Whether the bytes so far end within a picture.
    pub fn is_within_part(&self) -> bool {
        matches!(self.state, State::Counted { .. } | State::Open { ending: Some(_), .. } | State::Skip(_))
    }

    /// Takes the next thing out of `buffer`; `None` when it needs more. At most a picture stays in the buffer.
    ///
    /// # Errors
    /// When nothing that comes is a part.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Item>, Lost> {
        loop {
            match &mut self.state {
                State::Over => return Ok(Some(Item::End)),
                State::Between => match self.line(buffer)? {
                    None => return Ok(None),
                    Some(line) => self.state = self.after(&line).unwrap_or(State::Between),
                },
                State::Header { from, header } => {
                    let (from, mut header) = (*from, *header);
                    let Some(line) = self.line(buffer)? else { return Ok(None) };
                    if self.between - from > MOST_HEADER {
                        return Ok(self.refuse(PartError::Header));
                    }
                    if line.is_empty() {
                        if let Some(item) = self.begin(header) {
                            return Ok(Some(item));
                        }
                    } else {
                        header.read(&line);
                        self.state = self.after(&line).unwrap_or(State::Header { from, header });
                    }
                }
                State::Counted { len, t_us } => {
                    if buffer.len() < *len {
                        buffer.reserve(*len - buffer.len());
                        return Ok(None);
                    }
                    let part = Part { jpeg: buffer.split_to(*len).freeze(), t_us: *t_us };
                    return Ok(self.found(Item::Part(part), State::Between));
                }
                State::Skip(left) => {
                    let skipped = buffer.len().min(*left);
                    buffer.advance(skipped);
                    *left -= skipped;
                    if *left > 0 {
                        return Ok(None);
                    }
                    self.state = State::Between;
                }
                State::Open { .. } => return self.open(buffer),
            }
        }
    }

    /// What comes after a line; `None` when it is no delimiter.
    fn after(&self, line: &[u8]) -> Option<State> {
        match self.boundary.read(line) {
            Line::Delimiter => Some(State::Header { from: self.between, header: Header::default() }),
            Line::Last => Some(State::Over),
            Line::Other => None,
        }
    }

    /// After a header. A part that is too large is refused before any of it is kept.
    fn begin(&mut self, Header { len, t_us }: Header) -> Option<Item> {
        match len {
            None => self.state = State::Open { ending: None, searched: 0, t_us },
            Some(len) if len <= MOST_PART => self.state = State::Counted { len, t_us },
            Some(len) => return self.found(Item::Refused(PartError::TooLarge), State::Skip(len.min(MOST_SKIPPED))),
        }
        None
    }

    /// A picture of unknown length: from its SOI to its EOI.
    fn open(&mut self, buffer: &mut BytesMut) -> Result<Option<Item>, Lost> {
        let State::Open { ending, t_us, .. } = &mut self.state else { return Ok(None) };
        let t_us = *t_us;
        if ending.is_none() {
            let begins = buffer.windows(2).position(|pair| pair == [0xff, 0xd8]);
            let ends_with_ff = usize::from(buffer.last() == Some(&0xff));
            let passed_over = begins.unwrap_or_else(|| buffer.len() - ends_with_ff);
            buffer.advance(passed_over);
            if begins.is_some() {
                *ending = Some(Ending::default());
            }
            self.pass_over(passed_over)?;
        }
        let State::Open { ending: Some(ending), searched, .. } = &mut self.state else { return Ok(None) };
        let found = ending.look(buffer);
        let mark = self.mark.as_ref().and_then(|mark| {
            let from = searched.saturating_sub(mark.len() - 1);
            *searched = buffer.len();
            let at = buffer.get(from..)?.windows(mark.len()).position(|bytes| bytes == mark)? + from;
            Some(Cut { at, seen: at + mark.len() })
        });
        // What fewer bytes show counts, so that it does not matter in which pieces they come.
        let cut = match found {
            Found::Not => mark,
            Found::At(len) => mark.filter(|mark| mark.seen < len),
            Found::Broken { at, seen } => Some(mark.filter(|mark| mark.seen < seen).unwrap_or(Cut { at, seen })),
        };
        match (found, cut) {
            (_, Some(Cut { at, .. })) if at <= MOST_PART => {
                let broken = Part { jpeg: buffer.split_to(at).freeze(), t_us };
                // The next picture's beginning: the line between the two went with this one's end.
                let is_next = buffer.starts_with(&[0xff, 0xd8]);
                let next = if is_next { State::Open { ending: None, searched: 0, t_us: None } } else { State::Between };
                Ok(self.found(Item::Part(broken), next))
            }
            (Found::At(len), None) if len <= MOST_PART => {
                let part = Part { jpeg: buffer.split_to(len).freeze(), t_us };
                Ok(self.found(Item::Part(part), State::Between))
            }
            (Found::Not, None) if buffer.len() <= MOST_PART => Ok(None),
            _ => {
                buffer.advance(MOST_PART);
                Ok(self.refuse(PartError::TooLarge))
            }
        }
    }

    fn refuse(&mut self, error: PartError) -> Option<Item> {
        self.found(Item::Refused(error), State::Between)
    }

    #[expect(clippy::unnecessary_wraps, reason = "what a decoder gives back")]
    fn found(&mut self, item: Item, next: State) -> Option<Item> {
        self.state = next;
        self.between = 0;
        Some(item)
    }

    /// The next line without its end, once it is whole. What is too long for a line is thrown away.
    fn line(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Lost> {
        loop {
            let Some(end) = buffer.iter().position(|byte| *byte == b'\n') else {
                if buffer.len() > MOST_LINE {
                    self.is_within_line = true;
                    let thrown_away = buffer.len();
                    buffer.clear();
                    self.pass_over(thrown_away)?;
                }
                return Ok(None);
            };
            let line = buffer.split_to(end + 1).freeze();
            self.pass_over(line.len())?;
            if std::mem::take(&mut self.is_within_line) || line.len() > MOST_LINE {
                continue;
            }
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            return Ok(Some(Bytes::copy_from_slice(line.strip_suffix(b"\r").unwrap_or(line))));
        }
    }

    fn pass_over(&mut self, bytes: usize) -> Result<(), Lost> {
        self.between += bytes;
        if self.between > MOST_BETWEEN { Err(Lost) } else { Ok(()) }
    }
}

impl Header {
    /// Learns from one line. What is not understood is left out.
    fn read(&mut self, line: &[u8]) {
        let Some((name, value)) = str::from_utf8(line).ok().and_then(|line| line.split_once(':')) else { return };
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("content-length") {
            self.len = value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok()).flatten();
        } else if name.eq_ignore_ascii_case("x-timestamp") {
            self.t_us = microseconds(value);
        }
    }
}

/// `12.034567`: seconds, and up to six digits of their fraction.
fn microseconds(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) || fraction.len() > 6 {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction)
}
