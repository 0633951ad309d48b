//! A picture in YCbCr and the few ways to paint on it: any shape that can tell its distance, blended at its edge.
//!
//! Shapes are described on a sheet of 640 x 480 units whatever the picture's size, so one drawing serves all sizes.

use super::shape::Area;

/// The sheet's width in units.
pub(super) const SHEET_WIDTH: f32 = 640.0;
/// The sheet's height in units.
pub(super) const SHEET_HEIGHT: f32 = 480.0;

/// Red, green and blue, each 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Color(pub(super) f32, pub(super) f32, pub(super) f32);

impl Color {
    /// From `0xRRGGBB`.
    pub(super) fn hex(rgb: u32) -> Self {
        let [_, red, green, blue] = rgb.to_be_bytes();
        Self(f32::from(red) / 255.0, f32::from(green) / 255.0, f32::from(blue) / 255.0)
    }

    /// The same colour, brighter or darker.
    pub(super) fn times(self, factor: f32) -> Self {
        Self(self.0 * factor, self.1 * factor, self.2 * factor)
    }

    /// `share` of the other colour (0 to 1), the rest of this one.
    pub(super) fn mix(self, other: Self, share: f32) -> Self {
        let share = share.clamp(0.0, 1.0);
        let mix = |a: f32, b: f32| a + (b - a) * share;
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// JFIF's YCbCr (ITU-T T.871 section 7), each 0 to 255.
    fn ycbcr(self) -> [f32; 3] {
        let Self(red, green, blue) = Self(self.0.clamp(0.0, 1.0), self.1.clamp(0.0, 1.0), self.2.clamp(0.0, 1.0));
        let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
        [luma * 255.0, 128.0 + (blue - luma) * 0.564 * 255.0, 128.0 + (red - luma) * 0.713 * 255.0]
    }
}

/// Pixels, three bytes each: Y, Cb, Cr.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<[u8; 3]>,
}

impl Canvas {
    /// A black picture.
    pub(super) fn new(width: u16, height: u16) -> Self {
        let (width, height) = (usize::from(width), usize::from(height));
        Self { width, height, pixels: vec![[0, 128, 128]; width * height] }
    }

    /// Paints inside a shape. `distance` is negative inside, in units; `paint` gives colour and opacity (0 to 1) of a point.
    pub(super) fn fill(
        &mut self,
        area: Area,
        distance: impl Fn(f32, f32) -> f32,
        paint: impl Fn(f32, f32) -> (Color, f32),
    ) {
        let pixels_per_unit = self.scale();
        self.each(area, |x, y, pixel| {
            let cover = (0.5 - distance(x, y) * pixels_per_unit).clamp(0.0, 1.0);
            if cover > 0.0 {
                let (color, opacity) = paint(x, y);
                blend(pixel, color.ycbcr(), cover * opacity);
            }
        });
    }

    /// Multiplies the light in an area by a factor for each point.
    pub(super) fn light(&mut self, area: Area, factor: impl Fn(f32, f32) -> f32) {
        self.each(area, |x, y, pixel| {
            let factor = factor(x, y);
            let [luma, blue, red] = pixel.map(f32::from);
            *pixel = [luma * factor, 128.0 + (blue - 128.0) * factor, 128.0 + (red - 128.0) * factor].map(byte);
        });
    }

    /// Pixels per unit, the smaller of both directions.
    pub(super) fn scale(&self) -> f32 {
        (self.width as f32 / SHEET_WIDTH).min(self.height as f32 / SHEET_HEIGHT)
    }

    fn each(&mut self, area: Area, mut visit: impl FnMut(f32, f32, &mut [u8; 3])) {
        let (step_x, step_y) = (SHEET_WIDTH / self.width as f32, SHEET_HEIGHT / self.height as f32);
        let columns = span(area.left, area.right, step_x, self.width);
        let rows = span(area.top, area.bottom, step_y, self.height);
        for row in rows {
            let y = (row as f32 + 0.5) * step_y;
            let line = &mut self.pixels[row * self.width..][..self.width];
            for (column, pixel) in columns.clone().zip(&mut line[columns.clone()]) {
                visit((column as f32 + 0.5) * step_x, y, pixel);
            }
        }
    }
}

/// The pixels that an interval touches, one more on either side for the soft edge.
fn span(from: f32, to: f32, step: f32, limit: usize) -> std::ops::Range<usize> {
    let first = whole(from / step - 1.0).min(limit);
    let end = whole(to / step + 2.0).min(limit);
    first..end.max(first)
}

fn blend(pixel: &mut [u8; 3], color: [f32; 3], opacity: f32) {
    for (value, color) in pixel.iter_mut().zip(color) {
        let old = f32::from(*value);
        *value = byte(old + (color - old) * opacity);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float to integer cast saturates")]
fn whole(value: f32) -> usize {
    value as usize
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float to integer cast saturates")]
fn byte(value: f32) -> u8 {
    (value + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Area = Area { left: 0.0, top: 0.0, right: SHEET_WIDTH, bottom: SHEET_HEIGHT };

    #[test]
    fn a_shape_covers_the_same_part_of_every_picture_size() {
        for (width, height) in [(160, 120), (640, 480), (1600, 1200)] {
            let mut canvas = Canvas::new(width, height);
            canvas.fill(ALL, |x, _| x - 320.0, |_, _| (Color::hex(0xff_ffff), 1.0));
            let white = canvas.pixels.iter().filter(|pixel| pixel[0] > 128).count();
            assert_eq!(white * 2, canvas.pixels.len());
        }
    }

    #[test]
    fn colours_become_the_ycbcr_of_jfif() {
        assert_eq!(Color::hex(0xff_ffff).ycbcr().map(byte), [255, 128, 128]);
        assert_eq!(Color::hex(0xff_0000).ycbcr().map(byte), [76, 85, 255]);
        assert_eq!(Color::hex(0x00_00ff).ycbcr().map(byte), [29, 255, 107]);
    }
}
