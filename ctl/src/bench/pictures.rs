//! Pictures made before anything is measured, so that drawing costs nothing while it is.

use std::time::Duration;

use super::stamp::STAMP_LEN;
use crate::simulate::{Scene, View, jpeg::Quality};

/// VGA, as the camera's default.
pub(super) const SIZE: (u16, u16) = (640, 480);
/// So many different ones, over and over: two seconds at 25 a second.
const COUNT: u32 = 50;
/// The door is open from 2 s on, so that what is seen is lit and moves.
const FROM: Duration = Duration::from_secs(3);

/// Different pictures of the drawn fridge, as they leave the sensor at its default quality.
pub(super) fn make(fps: u32) -> Vec<Vec<u8>> {
    let mut scene = Scene::new(SIZE.0, SIZE.1, 0);
    let clock = jiff::civil::date(2026, 11, 22).at(15, 0, 0, 0);
    (0..COUNT)
        .map(|number| {
            let elapsed = FROM + Duration::from_secs(1) * number / fps.max(1);
            scene.picture(&View { number, elapsed, clock, flash: 0 }, Quality::default())
        })
        .collect()
}

/// The same, each made to `bytes` with a comment (COM, ITU-T T.81 B.2.4.5) that nobody reads, so that lines and protocols
/// are compared at one size. Room is left for the stamp.
pub(super) fn of_bytes(fps: u32, bytes: usize) -> Vec<Vec<u8>> {
    let mut pictures = make(fps);
    for picture in &mut pictures {
        let missing = bytes.saturating_sub(STAMP_LEN - 2 + picture.len());
        picture.splice(2..2, comments(missing));
    }
    pictures
}

/// Comment segments of so many bytes together, markers and lengths included; of fewer when it is not enough for one.
fn comments(mut bytes: usize) -> Vec<u8> {
    let mut all = Vec::with_capacity(bytes);
    while bytes >= 4 {
        let length = u16::try_from(bytes - 2).unwrap_or(u16::MAX);
        all.extend_from_slice(&[0xff, 0xfe]);
        all.extend_from_slice(&length.to_be_bytes());
        all.resize(all.len() + usize::from(length) - 2, b' ');
        bytes -= usize::from(length) + 2;
    }
    all
}

/// The mean size in bytes, rounded down.
pub(super) fn mean_bytes(pictures: &[Vec<u8>]) -> usize {
    pictures.iter().map(Vec::len).sum::<usize>() / pictures.len().max(1)
}

#[cfg(test)]
mod tests {
    use larder_proto::wire::jpeg;

    use super::{super::stamp::Stamp, *};

    #[test]
    fn pictures_of_a_size_are_pictures_of_that_size() {
        for bytes in [54_000, 200_000] {
            let pictures = of_bytes(20, bytes);
            let picture = Stamp { number: 1, captured_ns: 2 }.into_picture(&pictures[0]);
            let checked = jpeg::check(&picture).expect("a picture");
            assert_eq!((checked.width, checked.len), (640, bytes));
        }
    }
}
