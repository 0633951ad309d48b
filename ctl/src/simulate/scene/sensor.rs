//! What a small sensor makes of the light: exposure, and noise that grows when it is dark.

use super::{canvas::Canvas, door::Moment};

/// Entries of the noise table; a power of two larger than a row, so that rows do not repeat it.
const TABLE: usize = 1 << 14;

/// A small, fast generator of equally likely bits (xorshift64*, Vigna 2016). Not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The same seed gives the same throws.
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds are spread (the odd constant of splitmix64), and zero is a fixed point to avoid.
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 32 bits.
    pub(crate) fn throw(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let [_, _, _, _, high @ ..] = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes();
        u32::from_le_bytes(high)
    }

    /// A number from 0 to below 1.
    pub(crate) fn share(&mut self) -> f64 {
        f64::from(self.throw()) / 4_294_967_296.0
    }
}

/// The sensor with its noise.
#[derive(Clone, Debug)]
pub(super) struct Sensor {
    noise: Vec<i8>,
    seed: u64,
}

impl Sensor {
    /// A sensor whose noise is decided by `seed` and the number of the frame.
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut noise = Vec::with_capacity(TABLE);
        for _ in 0..TABLE {
            // The sum of four bytes is near enough to a bell; one standard deviation is 16.
            let sum: i32 = dice.throw().to_le_bytes().into_iter().map(i32::from).sum();
            noise.push(i8::try_from((sum - 510) * 16 / 148).unwrap_or(i8::MAX));
        }
        Self { noise, seed }
    }

    /// Exposes a fully lit picture as at this moment.
    pub(super) fn expose(&self, canvas: &mut Canvas, moment: &Moment, frame: u32) {
        let mut dice = Dice::new(self.seed ^ u64::from(frame).wrapping_mul(0x9e37_79b9));
        let gains = column_gains(canvas.width, moment);
        // 16 units of the table are one standard deviation: 1.6 levels in the light, 4 in the dark.
        let strength = if moment.lamp { 26 } else { 64 };
        // The dark is bluish: the infrared filter leaves little else.
        let tint = if moment.lamp { 0 } else { 5 };
        for row in canvas.pixels.chunks_exact_mut(canvas.width) {
            let start = usize::try_from(dice.throw()).unwrap_or(0);
            for (column, (pixel, gain)) in row.iter_mut().zip(&gains).enumerate() {
                let noise = i32::from(self.noise[(start + column) % TABLE]) * strength / 256;
                let [luma, blue, red] = pixel.map(i32::from);
                *pixel = [
                    clamp(((luma * gain) >> 8) + noise),
                    clamp(128 + (((blue - 128) * gain) >> 8) + tint),
                    clamp(128 + (((red - 128) * gain) >> 8) - tint / 2),
                ];
            }
        }
    }
}

/// The gain of each column in 1/256: the room lights the side where the door opens.
fn column_gains(width: usize, moment: &Moment) -> Vec<i32> {
    let lamp = moment.gain;
    let room = 0.14 * moment.open * if moment.lamp { moment.gain } else { 2.0 };
    (0..width).map(|column| whole((lamp + room * (column as f32 / width as f32).powi(2)) * 256.0)).collect()
}

fn clamp(value: i32) -> u8 {
    u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "a float to integer cast saturates")]
fn whole(value: f32) -> i32 {
    value as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_centred_and_as_wide_as_said() {
        let sensor = Sensor::new(7);
        let count = sensor.noise.len() as f64;
        let mean = sensor.noise.iter().map(|&n| f64::from(n)).sum::<f64>() / count;
        let spread = (sensor.noise.iter().map(|&n| f64::from(n).powi(2)).sum::<f64>() / count).sqrt();
        assert!(mean.abs() < 0.6, "mean {mean}");
        assert!((13.0..19.0).contains(&spread), "spread {spread}");
    }

    #[test]
    fn dice_are_fair_enough_and_repeatable() {
        let (mut one, mut other) = (Dice::new(3), Dice::new(3));
        let mean = (0..10_000).map(|_| one.share()).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "mean {mean}");
        assert_eq!(Dice::new(3).throw(), other.throw());
        assert_ne!(Dice::new(4).throw(), Dice::new(5).throw());
    }
}
