//! Pictures made before anything is measured, so that drawing costs nothing while it is.

use std::time::Duration;

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

/// The mean size in bytes, rounded down.
pub(super) fn mean_bytes(pictures: &[Vec<u8>]) -> usize {
    pictures.iter().map(Vec::len).sum::<usize>() / pictures.len().max(1)
}
