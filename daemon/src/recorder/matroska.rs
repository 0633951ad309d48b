//! Matroska as ffmpeg's `matroska` demuxer wants it from a pipe: pictures with true times, nothing else. Pure.
//!
//! EBML head, a Segment of unknown size, a TimestampScale of one millisecond, one `V_MJPEG` track; then, for each
//! picture, a Cluster of known size with one SimpleBlock, so that the demuxer hands each picture on at once.
//! Element ids and sizes: RFC 9559 and RFC 8794.

const EBML: u32 = 0x1A45_DFA3;
const EBML_READ_VERSION: u32 = 0x42F7;
const DOC_TYPE: u32 = 0x4282;
const DOC_TYPE_VERSION: u32 = 0x4287;
const DOC_TYPE_READ_VERSION: u32 = 0x4285;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_A966;
const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
const MUXING_APP: u32 = 0x4D80;
const WRITING_APP: u32 = 0x5741;
const TRACKS: u32 = 0x1654_AE6B;
const TRACK_ENTRY: u32 = 0xAE;
const TRACK_NUMBER: u32 = 0xD7;
const TRACK_UID: u32 = 0x73C5;
const TRACK_TYPE: u32 = 0x83;
const FLAG_LACING: u32 = 0x9C;
const CODEC_ID: u32 = 0x86;
const VIDEO: u32 = 0xE0;
const PIXEL_WIDTH: u32 = 0xB0;
const PIXEL_HEIGHT: u32 = 0xBA;
const CLUSTER: u32 = 0x1F43_B675;
const CLUSTER_TIMESTAMP: u32 = 0xE7;
const SIMPLE_BLOCK: u32 = 0xA3;

/// One millisecond, in the nanoseconds that TimestampScale counts in.
const MILLISECOND_NS: u64 = 1_000_000;
/// Track number 1, no time relative to the cluster, key frame: every JPEG stands alone.
const BLOCK_HEAD: [u8; 4] = [0x81, 0, 0, 0x80];

/// What comes before the first picture.
pub(super) fn head(width: u16, height: u16) -> Vec<u8> {
    let mut ebml = Vec::new();
    unsigned(&mut ebml, EBML_READ_VERSION, 1);
    element(&mut ebml, DOC_TYPE, b"matroska");
    unsigned(&mut ebml, DOC_TYPE_VERSION, 4);
    unsigned(&mut ebml, DOC_TYPE_READ_VERSION, 2);

    let mut info = Vec::new();
    unsigned(&mut info, TIMESTAMP_SCALE, MILLISECOND_NS);
    element(&mut info, MUXING_APP, b"larder");
    element(&mut info, WRITING_APP, b"larder");

    let mut video = Vec::new();
    unsigned(&mut video, PIXEL_WIDTH, width.into());
    unsigned(&mut video, PIXEL_HEIGHT, height.into());
    let mut track = Vec::new();
    unsigned(&mut track, TRACK_NUMBER, 1);
    unsigned(&mut track, TRACK_UID, 1);
    unsigned(&mut track, TRACK_TYPE, 1);
    unsigned(&mut track, FLAG_LACING, 0);
    element(&mut track, CODEC_ID, b"V_MJPEG");
    element(&mut track, VIDEO, &video);
    let mut tracks = Vec::new();
    element(&mut tracks, TRACK_ENTRY, &track);

    let mut head = Vec::new();
    element(&mut head, EBML, &ebml);
    id(&mut head, SEGMENT);
    // All ones: a size that is not known.
    head.extend_from_slice(&[0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    element(&mut head, INFO, &info);
    element(&mut head, TRACKS, &tracks);
    head
}

/// What comes right before a picture of `length` bytes shown at `at_ms`, milliseconds since the first one.
/// The caller keeps `at_ms` strictly rising.
pub(super) fn picture_head(at_ms: u64, length: usize) -> Vec<u8> {
    let mut inner = Vec::with_capacity(40);
    unsigned(&mut inner, CLUSTER_TIMESTAMP, at_ms);
    id(&mut inner, SIMPLE_BLOCK);
    size(&mut inner, BLOCK_HEAD.len() + length);
    inner.extend_from_slice(&BLOCK_HEAD);

    let mut head = Vec::with_capacity(inner.len() + 12);
    id(&mut head, CLUSTER);
    size(&mut head, inner.len() + length);
    head.extend_from_slice(&inner);
    head
}

fn id(out: &mut Vec<u8>, id: u32) {
    out.extend(id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0));
}

/// A size as an eight-byte variable number: always allowed, and simpler than the shortest form.
fn size(out: &mut Vec<u8>, size: usize) {
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    out.extend_from_slice(&(size | 1 << 56).to_be_bytes());
}

fn element(out: &mut Vec<u8>, element: u32, body: &[u8]) {
    id(out, element);
    size(out, body.len());
    out.extend_from_slice(body);
}

fn unsigned(out: &mut Vec<u8>, name: u32, value: u64) {
    let bytes = value.to_be_bytes();
    let leading = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
    element(out, name, &bytes[leading..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recorder::ebml::{child, elements, number};

    #[test]
    fn the_head_says_one_mjpeg_track_in_milliseconds() {
        let head = head(640, 480);
        let top = elements(&head).unwrap();
        assert_eq!(top.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [EBML, SEGMENT]);
        let segment = top[1].1;
        let within = |path: &[u32]| path.iter().try_fold(segment, |parent, id| child(parent, *id)).unwrap();
        assert_eq!(number(within(&[INFO, TIMESTAMP_SCALE])), Some(1_000_000));
        assert_eq!(within(&[TRACKS, TRACK_ENTRY, CODEC_ID]), b"V_MJPEG");
        assert_eq!(number(within(&[TRACKS, TRACK_ENTRY, VIDEO, PIXEL_WIDTH])), Some(640));
        assert_eq!(number(within(&[TRACKS, TRACK_ENTRY, VIDEO, PIXEL_HEIGHT])), Some(480));
    }

    proptest! {
        #[test]
        fn pictures_come_back_with_their_times(
            pictures in proptest::collection::vec((1u64..100_000_000, proptest::collection::vec(any::<u8>(), 1..300)), 1..20),
        ) {
            let mut stream = Vec::new();
            for (at_ms, jpeg) in &pictures {
                stream.extend(picture_head(*at_ms, jpeg.len()));
                stream.extend(jpeg);
            }
            let clusters = elements(&stream).unwrap();
            prop_assert_eq!(clusters.len(), pictures.len());
            for ((id, cluster), (at_ms, jpeg)) in clusters.into_iter().zip(&pictures) {
                prop_assert_eq!(id, CLUSTER);
                prop_assert_eq!(child(cluster, CLUSTER_TIMESTAMP).and_then(number), Some(*at_ms));
                let block = child(cluster, SIMPLE_BLOCK).unwrap();
                prop_assert_eq!(&block[..4], &BLOCK_HEAD);
                prop_assert_eq!(&block[4..], &jpeg[..]);
            }
        }
    }
}
