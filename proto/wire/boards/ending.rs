//! Where a picture ends that comes in pieces and without its length: [`crate::wire::jpeg::check`] in small steps.

/// How far a picture was looked at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Ending {
    at: usize,
    in_scan: bool,
}

/// What is known of its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// It has not come yet.
    Not,
    /// After so many bytes.
    At(usize),
    /// Never: the bytes from `at` on cannot stand in a picture, which those before `seen` show.
    Broken { at: usize, seen: usize },
}

impl Ending {
    /// Looks on; `data` is the picture from its SOI, with more at its end than the last time.
    pub(super) fn look(&mut self, data: &[u8]) -> Found {
        self.at = self.at.max(2);
        loop {
            if self.in_scan {
                let Some(rest) = data.get(self.at..) else { return Found::Not };
                let Some(skipped) = rest.iter().position(|byte| *byte == 0xff) else {
                    self.at = data.len();
                    return Found::Not;
                };
                self.at += skipped;
            }
            let Some(first) = data.get(self.at) else { return Found::Not };
            if *first != 0xff {
                return self.broken(1);
            }
            let Some(marker) = data.get(self.at + 1) else { return Found::Not };
            match (*marker, self.in_scan) {
                (0xff, _) => self.at += 1,
                (0x00 | 0xd0..=0xd7, true) => self.at += 2,
                (0xd9, true) => return Found::At(self.at + 2),
                (0xc4 | 0xda..=0xdd | 0xe0..=0xef | 0xfe, true) => match self.segment(data) {
                    Some(true) => {}
                    Some(false) => return self.broken(4),
                    None => return Found::Not,
                },
                (_, true) | (0x00 | 0x01 | 0xd0..=0xd9, false) => return self.broken(2),
                (marker, false) => match self.segment(data) {
                    Some(true) => self.in_scan = marker == 0xda,
                    Some(false) => return self.broken(4),
                    None => return Found::Not,
                },
            }
        }
    }

    fn broken(self, bytes: usize) -> Found {
        Found::Broken { at: self.at, seen: self.at + bytes }
    }

    /// Passes over the segment whose marker stands here. `Some(false)`: it is none. `None`: its length has not come.
    fn segment(&mut self, data: &[u8]) -> Option<bool> {
        let [high, low] = *data.get(self.at + 2..)?.first_chunk()?;
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len < 2 {
            return Some(false);
        }
        self.at += 2 + len;
        Some(true)
    }
}
