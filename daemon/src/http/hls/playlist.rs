//! The text of a playlist: pure.

use std::{collections::HashMap, fmt::Write as _, time::Duration};

use hls_m3u8::{
    MediaPlaylist, MediaSegment,
    tags::{ExtXMap, ExtXProgramDateTime},
    types::PlaylistType,
};
use thiserror::Error;

use super::{
    noted::{self, Noted},
    window::Item,
};
use crate::recordings::RunId;

/// The longest fragment there should be (a key frame every two seconds, a run's end after five without a frame),
/// rounded up. Constant, as RFC 8216 (6.2.1) asks of playlists that are asked for again.
const TARGET: Duration = Duration::from_secs(8);
/// Rounding of media time is no hole.
const HOLE: Duration = Duration::from_millis(250);

/// Which kind of playlist.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Playlist {
    /// The live edge, asked for again and again.
    Live {
        /// `grant=...` for media URLs.
        grant: Option<String>,
    },
    /// What is stored of a range now.
    Closed {
        /// `grant=...` for media URLs.
        grant: Option<String>,
    },
}

/// Why there is no text.
#[derive(Debug, Error)]
pub(super) enum WriteError {
    #[error("the playlist is not valid: {0}")]
    Invalid(#[from] hls_m3u8::Error),
    #[error("{0} is no number of a playlist")]
    Number(i64),
    #[error("no text was written")]
    Text(#[from] std::fmt::Error),
}

impl Playlist {
    /// The text for fragments, of which there is one at least, the bytes of their runs' init sections, and the
    /// temperatures read meanwhile.
    pub(super) fn write(
        &self,
        items: &[Item],
        inits: &HashMap<RunId, u64>,
        noted: &[Noted],
    ) -> Result<String, WriteError> {
        let first = items.first().map_or((0, 0), |item| (item.sequence, item.ordinal));
        let mut segments = Vec::with_capacity(items.len());
        let mut previous = None;
        for item in items {
            segments.push(self.segment(item, previous, inits)?);
            previous = Some(item);
        }
        let mut builder = MediaPlaylist::builder();
        builder
            .target_duration(self.target(items))
            .media_sequence(number(first.0)?)
            .discontinuity_sequence(number(first.1)?)
            .has_independent_segments(true)
            .segments(segments);
        if matches!(self, Self::Closed { .. }) {
            builder.playlist_type(PlaylistType::Vod).has_end_list(true);
        }
        let mut text = discontinuity_first(&builder.build()?.to_string())?;
        // All in front of the first fragment: they belong to the playlist, and the library knows one a fragment.
        if let Some(at) = text.find("#EXT-X-MAP:") {
            text.insert_str(at, &noted::lines(noted)?);
        }
        Ok(text)
    }

    fn segment(
        &self,
        item: &Item,
        previous: Option<&Item>,
        inits: &HashMap<RunId, u64>,
    ) -> Result<MediaSegment<'static>, WriteError> {
        let same_run = previous.is_some_and(|previous| previous.run == item.run);
        let same_file = same_run && previous.is_some_and(|previous| previous.file == item.file);
        let hole = previous.is_some_and(|previous| item.start.duration_since(previous.end()).unsigned_abs() > HOLE);
        let (prefix, grant) = match self {
            Self::Live { grant } => ("runs", grant),
            Self::Closed { grant } => ("../runs", grant),
        };
        let query = grant.as_ref().map(|grant| format!("?{grant}")).unwrap_or_default();
        let run = item.run.0;

        let mut segment = MediaSegment::builder();
        segment
            .uri(format!("{prefix}/{run}/{}{query}", item.file))
            .byte_range(byte(item.bytes.start)?..byte(item.bytes.end)?)
            .duration(self.duration(item))
            .has_discontinuity(previous.is_some() && (!same_run || hole));
        if !same_run {
            let mut map = ExtXMap::new(format!("{prefix}/{run}/init.mp4{query}"));
            // Whole, but with its range: on a kept connection ffmpeg (5.1, libavformat/hls.c) asks for a resource
            // without one by the range before, and then waits for bytes that never come.
            if let Some(size) = inits.get(&item.run) {
                map.set_range(Some(0..byte(*size)?));
            }
            segment.map(map);
        }
        if !same_file || hole {
            let moment = item.start.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
            segment.program_date_time(ExtXProgramDateTime::new(moment));
        }
        Ok(segment.build()?)
    }

    fn duration(&self, item: &Item) -> Duration {
        match self {
            // A longer one breaks the promise of the target; players take the media's own times anyway.
            Self::Live { .. } => item.duration.min(TARGET),
            Self::Closed { .. } => item.duration,
        }
    }

    fn target(&self, items: &[Item]) -> Duration {
        let longest = items.iter().map(|item| self.duration(item)).max().unwrap_or_default();
        let whole = Duration::from_secs(longest.as_secs() + u64::from(longest.subsec_nanos() > 0));
        TARGET.max(whole)
    }
}

/// The library writes a fragment's init section and byte range before the discontinuity they belong behind; players
/// would count the init section to the run before.
fn discontinuity_first(text: &str) -> Result<String, WriteError> {
    const DISCONTINUITY: &str = "#EXT-X-DISCONTINUITY";
    let mut ordered = String::with_capacity(text.len());
    let mut held = String::new();
    for line in text.lines() {
        if line.starts_with("#EXT-X-MAP:") || line.starts_with("#EXT-X-BYTERANGE:") {
            writeln!(held, "{line}")?;
            continue;
        }
        if line == DISCONTINUITY {
            writeln!(ordered, "{line}")?;
            continue;
        }
        ordered.push_str(&held);
        held.clear();
        writeln!(ordered, "{line}")?;
    }
    Ok(ordered)
}

fn number(value: i64) -> Result<usize, WriteError> {
    usize::try_from(value).ok().ok_or(WriteError::Number(value))
}

fn byte(value: u64) -> Result<usize, WriteError> {
    usize::try_from(value).ok().ok_or(WriteError::Number(i64::try_from(value).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn item(ordinal: i64, sequence: i64, start_ms: i64, duration_ms: u64) -> Item {
        Item {
            run: RunId(Uuid::from_u128(u128::try_from(ordinal).unwrap())),
            ordinal,
            sequence,
            start: Timestamp::from_millisecond(1_700_000_000_000 + start_ms).unwrap(),
            duration: Duration::from_millis(duration_ms),
            file: format!("{}.m4s", sequence / 2).into(),
            bytes: 1000..3000,
        }
    }

    fn inits() -> HashMap<RunId, u64> {
        [(RunId(Uuid::from_u128(3)), 772)].into()
    }

    fn parsed(text: &str) -> MediaPlaylist<'_> {
        MediaPlaylist::try_from(text).expect("a strict parser takes it")
    }

    #[test]
    fn a_closed_range_reads_as_it_should() {
        let items = [item(3, 40, 0, 2000), item(3, 41, 2000, 2040), item(4, 42, 90_000, 1960)];
        let text = Playlist::Closed { grant: Some("grant=abc".into()) }.write(&items, &inits(), &[]).unwrap();
        let expected = "\
#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:8
#EXT-X-MEDIA-SEQUENCE:40
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI=\"../runs/00000000-0000-0000-0000-000000000003/init.mp4?grant=abc\",BYTERANGE=\"772@0\"
#EXT-X-BYTERANGE:2000@1000
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z
#EXTINF:2,
../runs/00000000-0000-0000-0000-000000000003/20.m4s?grant=abc
#EXT-X-BYTERANGE:2000@1000
#EXTINF:2.04,
../runs/00000000-0000-0000-0000-000000000003/20.m4s?grant=abc
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"../runs/00000000-0000-0000-0000-000000000004/init.mp4?grant=abc\"
#EXT-X-BYTERANGE:2000@1000
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:14:50.000Z
#EXTINF:1.96,
../runs/00000000-0000-0000-0000-000000000004/21.m4s?grant=abc
#EXT-X-ENDLIST
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_live_playlist_has_no_end_and_a_constant_target() {
        let text = Playlist::Live { grant: None }
            .write(&[item(0, 7, 0, 11_000), item(0, 8, 11_000, 2000)], &HashMap::new(), &[])
            .unwrap();
        let playlist = parsed(&text);
        assert_eq!(playlist.target_duration, TARGET);
        assert!(!playlist.has_end_list && playlist.playlist_type.is_none());
        assert_eq!(playlist.media_sequence, 7);
        let uris: Vec<_> = playlist.segments.values().map(|segment| segment.uri().as_ref()).collect();
        let run = "runs/00000000-0000-0000-0000-000000000000";
        assert_eq!(uris, [format!("{run}/3.m4s"), format!("{run}/4.m4s")]);
    }

    #[test]
    fn a_hole_within_a_run_is_a_discontinuity_with_its_own_time() {
        let text = Playlist::Closed { grant: None }
            .write(&[item(0, 0, 0, 2000), item(0, 30, 60_000, 2000)], &HashMap::new(), &[])
            .unwrap();
        let playlist = parsed(&text);
        let second = playlist.segments.values().nth(1).unwrap();
        assert!(second.has_discontinuity && second.map.is_none());
        assert_eq!(second.program_date_time.as_ref().unwrap().date_time, "2023-11-14T22:14:20.000Z");
    }

    #[test]
    fn temperatures_stand_in_front_of_the_first_fragment_and_a_strict_parser_takes_them() {
        let noted = |key, second: i64, milli| Noted {
            name: format!("sensor-{key}"),
            key,
            at: Timestamp::from_second(1_700_000_000 + second).unwrap(),
            value: larder_proto::wire::camera::MilliCelsius(milli),
        };
        let noted = [noted(1, 0, 4250), noted(1, 60, 4300), noted(2, 0, -18_000)];
        let items = [item(3, 40, 0, 2000), item(3, 41, 2000, 2040)];
        let text = Playlist::Live { grant: None }.write(&items, &inits(), &noted).unwrap();
        assert_eq!(parsed(&text).segments.values().count(), 2);
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.iter().position(|line| line.starts_with("#EXT-X-DATERANGE:")).unwrap();
        assert!(lines[first..first + 3].iter().all(|line| line.starts_with("#EXT-X-DATERANGE:")));
        assert!(lines[first + 3].starts_with("#EXT-X-MAP:"));
        let ids: std::collections::BTreeSet<_> = lines[first..first + 3]
            .iter()
            .map(|line| hls_m3u8::tags::ExtXDateRange::try_from(*line).unwrap().id().to_string())
            .collect();
        assert_eq!(ids.len(), 3);
    }

    proptest! {
        #[test]
        fn every_playlist_passes_a_strict_parser_and_keeps_its_numbers(
            runs in proptest::collection::vec(proptest::collection::vec(1u64..7400, 1..12), 1..6),
            first in 0i64..4_000_000_000, live in any::<bool>(),
        ) {
            let mut items = Vec::new();
            let (mut sequence, mut start) = (first, 0);
            for (ordinal, durations) in (first..).zip(runs) {
                for duration in durations {
                    items.push(item(ordinal, sequence, start, duration));
                    sequence += 1;
                    start += i64::try_from(duration).unwrap();
                }
                start += 30_000;
            }
            let kind = if live { Playlist::Live { grant: None } } else { Playlist::Closed { grant: None } };
            let text = kind.write(&items, &inits(), &[]).unwrap();
            let playlist = parsed(&text);
            prop_assert_eq!(playlist.segments.values().count(), items.len());
            prop_assert_eq!(playlist.discontinuity_sequence, usize::try_from(items[0].ordinal).unwrap());
            let mut ordinal = items[0].ordinal;
            for (segment, item) in playlist.segments.values().zip(&items) {
                prop_assert_eq!(segment.number(), usize::try_from(item.sequence).unwrap());
                prop_assert_eq!(segment.duration.duration(), item.duration);
                ordinal += i64::from(segment.has_discontinuity);
                prop_assert_eq!(ordinal, item.ordinal);
                prop_assert!(segment.uri().contains(&item.run.0.to_string()));
            }
        }
    }
}
