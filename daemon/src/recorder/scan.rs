//! Finds the fragments in a segment's bytes, also behind damage. Pure.
//!
//! A `moof` whose parts fit each other and the `mdat` behind it is a candidate. A flipped bit can make one that lies of its
//! number or time, so the fragments are the longest chain of candidates that carry each other on; what lies between two
//! of them is damaged, and keeps its place in numbers, time and bytes.

use std::{ops::Range, time::Duration};

use super::{
    fragments::{Part, Splitter},
    index_file::Indexed,
    mp4,
};
use crate::recordings::{Fragment, FragmentIndex};

/// More candidates than an hour's file has; what comes behind them is not looked at.
const MOST: usize = 2000;
/// No fragment is shorter: heads of boxes alone are longer.
const SHORTEST: usize = 100;
/// None lasts longer, so the next begins within it.
const LONGEST: Duration = Duration::from_secs(60);
/// A file of about a minute holds none that begins later.
const LONGEST_FILE: Duration = Duration::from_secs(600);
/// How long most of them are.
const TYPICAL: Duration = Duration::from_secs(2);
/// Rounding; what does not meet the next fragment by more lies of its duration.
const SLACK: Duration = Duration::from_millis(100);

/// A fragment that is whole as far as its own bytes tell.
#[derive(Debug)]
struct Candidate {
    number: u32,
    start: Duration,
    duration: Duration,
    bytes: Range<usize>,
}

impl Candidate {
    /// Whether `next` carries this one on: at once, or with damaged ones between.
    fn carries_on(&self, next: &Self) -> bool {
        let Some(between) = next.bytes.start.checked_sub(self.bytes.end) else { return false };
        let due = self.number.saturating_add(1);
        let fits = if between == 0 { next.number == due } else { could_lack(between, due, next.number) };
        fits && next.start > self.start && next.start - self.start <= LONGEST * (next.number - self.number)
    }

    /// Whether `next`, which carries it on, begins when it should.
    fn meets(&self, next: &Self) -> bool {
        let end = self.start + self.duration;
        let lacking = next.number - self.number - 1;
        next.start + SLACK >= end && next.start <= end + SLACK + TYPICAL * lacking * 2
    }

    /// Whether it can be the first whole one of a file that begins then, with that number if it is known.
    fn can_begin(&self, start: Duration, expected: Option<u32>) -> bool {
        let before = self.bytes.start;
        if before == 0 {
            return expected.is_none_or(|expected| self.number == expected) && self.start.abs_diff(start) <= SLACK;
        }
        let could_lack = expected.is_none_or(|expected| could_lack(before, expected, self.number));
        could_lack && self.start > start && self.start - start <= LONGEST * self.number.saturating_add(1)
    }
}

/// Whether the fragments from number `from` up to `to` can have been in so many bytes: one at least.
fn could_lack(bytes: usize, from: u32, to: u32) -> bool {
    to > from && usize::try_from(to - from).is_ok_and(|lacking| lacking <= bytes.div_ceil(SHORTEST).min(MOST))
}

/// The fragments of a file that begins at `start` of its run, up to the last that is whole. `expected`: the number of its first one, if that is known.
/// Absent when nothing whole is in it.
pub(super) fn scan(bytes: &[u8], timescale: u32, start: Duration, expected: Option<u32>) -> Option<Indexed> {
    let mut candidates = candidates(bytes, timescale);
    // The first of a run lies at the beginning of its first file.
    candidates.retain(|candidate| candidate.number > 0 || candidate.bytes.start == 0);
    candidates.retain(|candidate| candidate.start + SLACK >= start && candidate.start <= start + LONGEST_FILE);
    let chain = chain(&candidates, start, expected);
    let begin = chain.first().map(|at| &candidates[*at])?;
    let lacking = match expected.filter(|expected| begin.can_begin(start, Some(*expected))) {
        Some(expected) => begin.number - expected,
        None => u32::from(begin.bytes.start > 0).min(begin.number),
    };
    let mut found = Indexed { first: begin.number - lacking, fragments: FragmentIndex::default() };
    let mut end = start;
    let mut chain = chain.into_iter().map(|at| &candidates[at]).peekable();
    while let Some(whole) = chain.next() {
        damaged(&mut found, start, end, whole);
        let next = chain.peek().filter(|next| next.bytes.start == whole.bytes.end).map(|next| next.start);
        let duration = match next.map(|next| next.saturating_sub(whole.start)) {
            Some(until) if until.abs_diff(whole.duration) > SLACK => until,
            _ => whole.duration.min(LONGEST),
        };
        found.fragments.push(Fragment {
            start: whole.start.saturating_sub(start),
            duration,
            size: count(whole.bytes.len()),
            crc32c: Some(crc32c::crc32c(&bytes[whole.bytes.clone()])),
            ..Fragment::default()
        });
        end = whole.start + duration;
    }
    Some(found)
}

/// Adds what is damaged in front of `next`, spread evenly over its time and bytes.
fn damaged(found: &mut Indexed, start: Duration, end: Duration, next: &Candidate) {
    let lacking = next.number.saturating_sub(found.next());
    let mut bytes = count(next.bytes.start).saturating_sub(found.fragments.size_bytes());
    let mut from = end.min(next.start);
    for left in (1..=lacking).rev() {
        let whole_ms = u64::try_from(next.start.saturating_sub(from).as_millis()).unwrap_or_default();
        let duration = Duration::from_millis(whole_ms / u64::from(left));
        let size = bytes / u64::from(left);
        let start = from.saturating_sub(start);
        found.fragments.push(Fragment { start, duration, size, is_damaged: true, ..Fragment::default() });
        (bytes, from) = (bytes - size, from + duration);
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn candidates(bytes: &[u8], timescale: u32) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut at = 0;
    while found.len() < MOST {
        let Some(next) = next_moof(bytes, at) else { break };
        match candidate(bytes, next, timescale) {
            Some(candidate) => {
                at = candidate.bytes.end;
                found.push(candidate);
            }
            None => at = next + 1,
        }
    }
    found
}

/// Where the next box begins that says it is a `moof`.
fn next_moof(bytes: &[u8], from: usize) -> Option<usize> {
    let names = bytes.get(from + 4..)?;
    names.windows(4).position(|name| name == b"moof").map(|at| from + at)
}

fn candidate(bytes: &[u8], at: usize, timescale: u32) -> Option<Candidate> {
    let rest = &bytes[at..];
    let (_, moof) = mp4::head(rest).ok()??;
    let (name, mdat) = mp4::head(rest.get(moof..)?).ok()??;
    let whole = rest.get(..moof + mdat)?;
    // A size that was damaged would make one of two.
    if name != *b"mdat" || mp4::media_bytes(&whole[8..moof]).ok()? != count(mdat - 8) {
        return None;
    }
    let mut splitter = Splitter::after_init(timescale);
    splitter.push(whole);
    let Ok(Some(Part::Piece(piece))) = splitter.next_part() else { return None };
    let bytes = at..at + whole.len();
    Some(Candidate { number: piece.number, start: piece.start, duration: piece.duration, bytes })
}

/// The longest chain, as positions; of equal ones the one whose fragments begin when they should, then the earlier.
fn chain(candidates: &[Candidate], start: Duration, expected: Option<u32>) -> Vec<usize> {
    // How long it is, how many of its links are as they should be, and the link before.
    let mut links: Vec<(usize, usize, Option<usize>)> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let mut best = (1, usize::from(candidate.can_begin(start, expected)), None);
        for (at, (before, link)) in candidates.iter().zip(&links).enumerate() {
            if link.0 + 1 >= best.0 && before.carries_on(candidate) {
                let length = (link.0 + 1, link.1 + usize::from(before.meets(candidate)));
                if length > (best.0, best.1) {
                    best = (length.0, length.1, Some(at));
                }
            }
        }
        links.push(best);
    }
    let best = links.iter().enumerate().max_by_key(|(at, link)| (link.0, link.1, std::cmp::Reverse(*at)));
    let mut at = best.map(|(at, _)| at);
    let mut chain = Vec::new();
    while let Some(position) = at {
        chain.push(position);
        at = links[position].2;
    }
    chain.reverse();
    chain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recorder::made;

    const TWO: Duration = Duration::from_secs(2);

    fn file(first: u32, count: u32) -> Vec<u8> {
        (first..first + count).flat_map(|number| made::fragment(number, number * 2000, &[500; 4], 40)).collect()
    }

    #[test]
    fn a_sound_file_is_read_as_it_was_written() {
        let bytes = file(30, 30);
        let found = scan(&bytes, 1000, TWO * 30, Some(30)).unwrap();
        assert_eq!((found.first, found.next(), found.fragments.damaged()), (30, 60, 0));
        assert_eq!(found.fragments.size_bytes(), count(bytes.len()));
        assert_eq!(found.fragments.end(), Some(TWO * 30));
        assert_eq!(scan(&bytes, 1000, TWO * 30, None), Some(found));
        assert_eq!(scan(b"", 1000, TWO, None), None);
    }

    #[test]
    fn what_is_whole_behind_damage_is_found_and_keeps_its_number_and_time() {
        let one = file(0, 1).len();
        for damaged in 0..5usize {
            let mut bytes = file(10, 6);
            // The name of its `moof`.
            bytes[damaged * one + 5] ^= 1;
            let found = scan(&bytes, 1000, TWO * 10, Some(10)).unwrap();
            assert_eq!((found.first, found.fragments.len()), (10, 6));
            for (at, fragment) in found.fragments.fragments().iter().enumerate() {
                assert_eq!(fragment.is_damaged, at == damaged);
                assert_eq!(fragment.offset, count(at * one));
                assert_eq!(fragment.start, TWO * u32::try_from(at).unwrap());
            }
        }
    }

    proptest! {
        /// Whatever a flipped byte and a cut leave whole is found at its place.
        #[test]
        fn every_whole_fragment_is_found(
            fragments in 1u32..12, first in 0u32..100, at: prop::sample::Index, flip in 1u8.., cut: prop::sample::Index, is_known: bool,
        ) {
            let mut bytes = file(first, fragments);
            let one = file(first, 1).len();
            let flipped = at.index(bytes.len());
            bytes[flipped] ^= flip;
            bytes.truncate(cut.index(bytes.len() + 1));
            let is_whole = |fragment: usize| fragment != flipped / one && (fragment + 1) * one <= bytes.len();
            let whole: Vec<usize> = (0..usize::try_from(fragments).unwrap()).filter(|fragment| is_whole(*fragment)).collect();
            // With one alone nothing tells which of two lies.
            let whole = if is_known || whole.len() > 1 { whole } else { Vec::new() };
            let found = scan(&bytes, 1000, TWO * first, is_known.then_some(first));
            for fragment in whole {
                let found = found.as_ref().unwrap();
                let slot = usize::try_from(first).unwrap() + fragment - usize::try_from(found.first).unwrap();
                let there = found.fragments.fragments()[slot];
                prop_assert!(!there.is_damaged);
                prop_assert_eq!((there.offset, there.size), (count(fragment * one), count(one)));
            }
        }

        #[test]
        fn any_bytes_are_scanned(bytes in proptest::collection::vec(any::<u8>(), 0..2000), expected: Option<u32>) {
            let bytes = [file(3, 1), bytes, file(7, 2)].concat();
            let _ = scan(&bytes, 1000, Duration::ZERO, expected);
        }
    }
}
