//! A fridge, drawn: shelves with bottles, a clock, a door that opens and closes.
//!
//! [`Scene`] paints what stands still once, and each frame as a small sensor would see it at that moment. The same seed,
//! time and frame number give the same picture, byte by byte.

mod canvas;
mod digits;
mod door;
mod groceries;
mod hand;
mod interior;
mod sensor;
mod shape;

use std::time::Duration;

use jiff::civil::DateTime;

use self::{
    canvas::{Canvas, Color},
    sensor::Sensor,
    shape::Area,
};
use super::jpeg::{self, Quality};

pub(crate) use sensor::Dice;

/// Where the clock's display stands, in units of the sheet.
const DISPLAY: Area = Area { left: 404.0, top: 108.0, right: 540.0, bottom: 168.0 };

/// What one picture shows.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Counts the pictures; decides the noise.
    pub number: u32,
    /// Since the beginning; decides the door and the hand.
    pub elapsed: Duration,
    /// What the clock shows.
    pub clock: DateTime,
    /// The camera's own lamp, 0 to 255.
    pub flash: u8,
}

/// A drawn fridge interior.
pub struct Scene {
    still: Canvas,
    frame: Canvas,
    juice_drawn: bool,
    sensor: Sensor,
    seed: u64,
}

impl Scene {
    /// A scene of `width` x `height` pixels.
    pub fn new(width: u16, height: u16, seed: u64) -> Self {
        let still = still(width, height, true);
        Self { frame: still.clone(), still, juice_drawn: true, sensor: Sensor::new(seed), seed }
    }

    /// The width and height in pixels.
    pub fn size(&self) -> (u16, u16) {
        let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
        (short(self.still.width), short(self.still.height))
    }

    /// One picture as a JPEG in the OV2640's shape.
    pub fn picture(&mut self, view: &View, quality: Quality) -> Vec<u8> {
        let mut moment = self.moment(view.elapsed);
        moment.gain += f32::from(view.flash) / 255.0 * 0.45;
        self.draw(view.number, &moment, view.clock);
        jpeg::encode(&self.frame.pixels, self.size(), quality)
    }

    /// Whether the lamp is on.
    pub fn is_lit(&self, elapsed: Duration) -> bool {
        self.moment(elapsed).lamp
    }

    /// Cameras with different seeds do not open their doors together; seed 0 opens it after two seconds.
    fn moment(&self, elapsed: Duration) -> door::Moment {
        let shift = u32::try_from(self.seed % 7).unwrap_or(0);
        door::at(elapsed.as_secs_f64() + f64::from(shift) * f64::from(door::CYCLE) * 2.0 / 7.0)
    }

    fn draw(&mut self, number: u32, moment: &door::Moment, clock: DateTime) {
        if self.juice_drawn != moment.juice {
            let (width, height) = self.size();
            self.still = still(width, height, moment.juice);
            self.juice_drawn = moment.juice;
        }
        self.frame.pixels.copy_from_slice(&self.still.pixels);
        if moment.hand > 0.0 {
            hand::paint(&mut self.frame, moment.hand, moment.holding);
        }
        self.sensor.expose(&mut self.frame, moment, number);
        show_time(&mut self.frame, clock);
    }
}

/// All that does not move, fully lit.
fn still(width: u16, height: u16, with_juice: bool) -> Canvas {
    let mut canvas = Canvas::new(width, height);
    interior::paint(&mut canvas);
    groceries::paint(&mut canvas);
    if with_juice {
        groceries::juice(&mut canvas, groceries::juice_place());
    }
    interior::edges(&mut canvas);
    display_case(&mut canvas);
    interior::shade(&mut canvas);
    canvas
}

fn display_case(canvas: &mut Canvas) {
    let foot = Area::new(DISPLAY.left + 14.0, DISPLAY.bottom - 4.0, DISPLAY.right - 10.0, DISPLAY.bottom + 7.0);
    canvas.fill(foot, foot.ellipse(), |_, _| (Color::hex(0x1c_2528), 0.45));
    let case = Area::new(DISPLAY.left - 6.0, DISPLAY.top - 6.0, DISPLAY.right + 6.0, DISPLAY.bottom + 2.0);
    canvas.fill(case, case.rounded(7.0), |_, y| (Color::hex(0xf1_f3f4).times(1.0 - (y - case.top) * 0.003), 1.0));
    canvas.fill(DISPLAY, DISPLAY.rounded(4.0), |x, y| {
        let sheen = if x - DISPLAY.left + (y - DISPLAY.top) * 0.8 < 46.0 { 1.5 } else { 1.0 };
        (Color::hex(0x0c_1418).times(sheen), 1.0)
    });
}

/// The time glows by itself, so it is drawn after the exposure.
fn show_time(canvas: &mut Canvas, clock: DateTime) {
    let time = clock.strftime("%H:%M:%S").to_string();
    let date = clock.strftime("%Y-%m-%d").to_string();
    show_text(canvas, &time, (DISPLAY.left + 9.0, DISPLAY.top + 8.0), 2.52);
    show_text(canvas, &date, (DISPLAY.left + 22.0, DISPLAY.top + 38.0), 1.6);
}

fn show_text(canvas: &mut Canvas, text: &str, (left, top): (f32, f32), pitch: f32) {
    for (column, row) in digits::dots(text) {
        let middle = (left + (column as f32 + 0.5) * pitch, top + (row as f32 + 0.5) * pitch);
        let dot = Area::around(middle, pitch * 0.48, pitch * 0.48);
        canvas.fill(dot, dot.rounded(pitch * 0.2), |_, _| (Color::hex(0x59_f0c0), 1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: DateTime = jiff::civil::date(2026, 3, 1).at(12, 34, 56, 0);

    fn luma(seconds: u64) -> u64 {
        let mut scene = Scene::new(160, 120, 0);
        scene.draw(1, &door::at(Duration::from_secs(seconds).as_secs_f64()), NOON);
        scene.frame.pixels.iter().map(|pixel| u64::from(pixel[0])).sum::<u64>() / 19_200
    }

    #[test]
    fn the_same_seed_time_and_number_give_the_same_bytes() {
        let quality = Quality::new(12).unwrap();
        let picture = |seed, number| {
            let view = View { number, elapsed: Duration::from_millis(5_300), clock: NOON, flash: 0 };
            Scene::new(160, 120, seed).picture(&view, quality)
        };
        assert_eq!(picture(1, 7), picture(1, 7));
        assert_ne!(picture(1, 7), picture(1, 8));
        assert_ne!(picture(1, 7), picture(2, 7));
    }

    #[test]
    fn it_is_light_with_the_door_open_and_dark_with_it_closed() {
        let (light, dark) = (luma(20), luma(44));
        assert!(light > 90, "mean luma {light}");
        assert!(dark < 40, "mean luma {dark}");
    }

    #[test]
    fn the_clock_changes_the_display_and_nothing_else() {
        let mut scene = Scene::new(640, 480, 0);
        let moment = door::at(10.0);
        scene.draw(1, &moment, NOON);
        let before = scene.frame.clone();
        scene.draw(1, &moment, NOON.checked_add(jiff::Span::new().seconds(1)).unwrap());
        let changed = before.pixels.iter().zip(&scene.frame.pixels).enumerate().filter(|(_, (a, b))| a != b);
        let places: Vec<_> = changed.map(|(index, _)| (index % 640, index / 640)).collect();
        assert!(places.len() > 20);
        assert!(places.iter().all(|(x, y)| (404..540).contains(x) && (108..168).contains(y)), "{places:?}");
    }

    #[test]
    fn the_juice_is_gone_after_the_hand_was_there() {
        let mut scene = Scene::new(320, 240, 0);
        scene.draw(1, &door::at(10.0), NOON);
        let with = scene.still.clone();
        scene.draw(1, &door::at(25.0), NOON);
        assert_ne!(with.pixels, scene.still.pixels);
        scene.draw(1, &door::at(48.0 + 25.0), NOON);
        assert_eq!(with.pixels, scene.still.pixels);
    }
}
