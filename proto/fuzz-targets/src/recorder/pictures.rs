//! Matroska: what the writer wrote, a reader gives back.

use super::{
    ebml::{child, elements, number},
    matroska::{head, picture_head},
};
use crate::input::Input;

/// Element ids as RFC 9559 has them, not as the writer does.
const SEGMENT: u32 = 0x1853_8067;
const VIDEO: [u32; 3] = [0x1654_AE6B, 0xAE, 0xE0];
const PIXEL_WIDTH: u32 = 0xB0;
const PIXEL_HEIGHT: u32 = 0xBA;
const CLUSTER: u32 = 0x1F43_B675;
const TIMESTAMP: u32 = 0xE7;
const SIMPLE_BLOCK: u32 = 0xA3;

/// Pictures of any size, time and length come back; any bytes at all are elements within them, or none.
pub(crate) fn matroska(data: &[u8]) {
    if let Some(elements) = elements(data) {
        let bodies: usize = elements.iter().map(|(_, body)| body.len()).sum();
        assert!(bodies + 2 * elements.len() <= data.len(), "an element's head has two bytes at least");
    }

    let mut input = Input::new(data);
    let (width, height) = (input.u16(), input.u16());
    let mut stream = head(width, height);
    let mut written = Vec::new();
    while !input.is_empty() {
        let (at_ms, length) = (input.u64(), usize::from(input.byte()));
        let picture = input.take(length);
        stream.extend(picture_head(at_ms, picture.len()));
        stream.extend(picture);
        written.push((at_ms, picture));
    }

    let top = elements(&stream).expect("whole elements");
    let segment = top.iter().find(|(id, _)| *id == SEGMENT).expect("a segment").1;
    let video = VIDEO.iter().try_fold(segment, |parent, id| child(parent, *id)).expect("a video track");
    let pixels = [PIXEL_WIDTH, PIXEL_HEIGHT].map(|id| child(video, id).and_then(number));
    assert_eq!(pixels, [Some(width.into()), Some(height.into())]);

    let inside = elements(segment).expect("whole elements");
    let clusters: Vec<_> = inside.into_iter().filter(|(id, _)| *id == CLUSTER).collect();
    assert_eq!(clusters.len(), written.len());
    for ((_, cluster), (at_ms, picture)) in clusters.into_iter().zip(written) {
        assert_eq!(child(cluster, TIMESTAMP).and_then(number), Some(at_ms));
        let (block, found) = child(cluster, SIMPLE_BLOCK).expect("a block").split_at(4);
        assert_eq!((block, found), (&[0x81, 0, 0, 0x80][..], picture), "track 1, no offset, a key frame");
    }
}
