//! What stands on the shelves.

use super::{
    canvas::{Canvas, Color},
    interior::standing,
    shape::{Area, bounds, curve, polygon, smooth},
};

/// A thing with a round cross-section: a bottle, a jar, a tin.
struct Round<'a> {
    /// Its axis and the line it stands on.
    foot: (f32, f32),
    /// Half its width by the height above the foot, both in units, from the foot up.
    outline: &'a [(f32, f32)],
    /// Its colour by the height above the foot (0 to 1) and across (-1 to 1).
    paint: &'a dyn Fn(f32, f32) -> Color,
    /// How much is seen through it, 0 to 1.
    clear: f32,
}

impl Round<'_> {
    fn height(&self) -> f32 {
        self.outline.last().map_or(0.0, |top| top.0)
    }

    fn draw(&self, canvas: &mut Canvas) {
        let (x, y) = self.foot;
        let widest = self.outline.iter().fold(0.0, |widest: f32, point| widest.max(point.1));
        shadow(canvas, self.foot, widest);
        let (height, bulge) = (self.height(), widest * 0.16);
        let area = Area::new(x - widest, y - height, x + widest, y + bulge);
        let half = |py: f32| curve(self.outline, (y - py).max(0.0)).max(0.1);
        let distance = |px: f32, py: f32| {
            let width = half(py);
            // The foot is an ellipse seen from above.
            let foot = py - y - bulge * (1.0 - ((px - x) / width).powi(2)).max(0.0).sqrt();
            ((px - x).abs() - width).max(foot).max(y - height - py)
        };
        canvas.fill(area, distance, |px, py| {
            let across = ((px - x) / half(py)).clamp(-1.0, 1.0);
            let color = (self.paint)(((y - py) / height).clamp(0.0, 1.0), across);
            (round_light(color, across), 1.0 - self.clear * (1.0 - across.powi(4)))
        });
    }
}

/// Light on a cylinder: a soft body, dark rims, a bright stripe on the left and a dim one on the right.
fn round_light(color: Color, across: f32) -> Color {
    let body = 0.58 + 0.46 * (1.0 - (across + 0.18).powi(2)).max(0.0);
    let stripe = (-((across + 0.46) * 9.0).powi(2)).exp() * 0.55 + (-((across - 0.62) * 11.0).powi(2)).exp() * 0.16;
    color.times(body).mix(Color(1.0, 1.0, 1.0), stripe)
}

fn shadow(canvas: &mut Canvas, (x, y): (f32, f32), half_width: f32) {
    let area = Area::around((x + half_width * 0.12, y + half_width * 0.08), half_width * 1.35, half_width * 0.38);
    let (middle, wide, high) = ((x + half_width * 0.12, y + half_width * 0.08), half_width * 1.35, half_width * 0.38);
    canvas.fill(area, area.ellipse(), |px, py| {
        let away = ((px - middle.0) / wide).hypot((py - middle.1) / high);
        (Color::hex(0x20_2c30), 0.5 * (1.0 - away).max(0.0))
    });
}

/// Paints everything but the juice.
pub(super) fn paint(canvas: &mut Canvas) {
    top_shelf(canvas);
    middle_shelf(canvas);
    bottom_shelf(canvas);
}

fn top_shelf(canvas: &mut Canvas) {
    let far = standing(0, 0.62);
    let near = standing(0, 0.25);
    jar(canvas, (104.0, far), (25.0, 62.0), (0xa8_2136, 0xe8_e2d2));
    jar(canvas, (164.0, far), (23.0, 56.0), (0xd9_8b1f, 0xb5_2b2b));
    jar(canvas, (222.0, far), (24.0, 68.0), (0x75_8f3a, 0xd8_c069));
    cups(canvas, (288.0, near - 4.0));
    cheese(canvas, (352.0, near));
    tin(canvas, (572.0, near - 6.0));
}

fn middle_shelf(canvas: &mut Canvas) {
    let far = standing(1, 0.34);
    let near = standing(1, 0.22);
    wine(canvas, (84.0, far));
    for x in [140.0, 186.0, 233.0] {
        beer(canvas, (x, near - 2.0));
    }
    water(canvas, (296.0, far));
    milk(canvas, (420.0, near));
    ketchup(canvas, (520.0, far - 4.0));
    jar(canvas, (576.0, near - 4.0), (26.0, 50.0), (0x6a_3a20, 0xf0_f0ea));
}

fn bottom_shelf(canvas: &mut Canvas) {
    let near = standing(2, 0.22);
    eggs(canvas, (146.0, near));
    bowl(canvas, (330.0, near - 2.0));
    leftovers(canvas, (500.0, near));
}

/// The bottle that somebody takes: drawn on its shelf or in a hand.
pub(super) fn juice(canvas: &mut Canvas, foot: (f32, f32)) {
    let outline =
        [(0.0, 19.0), (3.0, 21.0), (62.0, 21.0), (70.0, 20.0), (88.0, 10.0), (92.0, 9.0), (94.0, 11.5), (106.0, 11.5)];
    let paint = |up: f32, across: f32| {
        if up > 0.89 {
            Color::hex(0x2f_8f3e)
        } else if (0.2..0.52).contains(&up) {
            let fruit = (across * 1.3).hypot((up - 0.36) * 6.5);
            if fruit < 0.72 { Color::hex(0xf2_7d0c) } else { Color::hex(0xfb_f4de) }
        } else if up > 0.78 {
            Color::hex(0xf3_d9a4)
        } else {
            Color::hex(0xf0_9a1c)
        }
    };
    Round { foot, outline: &outline, paint: &paint, clear: 0.0 }.draw(canvas);
}

/// Where the juice stands.
pub(super) fn juice_place() -> (f32, f32) {
    (360.0, standing(1, 0.35))
}

fn wine(canvas: &mut Canvas, foot: (f32, f32)) {
    let outline =
        [(0.0, 20.0), (4.0, 21.0), (58.0, 21.0), (79.0, 8.5), (98.0, 7.5), (100.0, 9.0), (104.0, 9.0), (107.0, 7.0)];
    let paint = |up: f32, _: f32| match up {
        up if up > 0.78 => Color::hex(0x6b_1420),
        up if (0.16..0.47).contains(&up) => {
            let line = (up * 40.0).fract();
            if line > 0.75 { Color::hex(0xc9_b98c) } else { Color::hex(0xef_e6cc) }
        }
        _ => Color::hex(0x1f_3a24),
    };
    Round { foot, outline: &outline, paint: &paint, clear: 0.04 }.draw(canvas);
}

fn beer(canvas: &mut Canvas, foot: (f32, f32)) {
    let outline = [(0.0, 15.5), (3.0, 17.0), (52.0, 17.0), (74.0, 7.5), (92.0, 6.5), (93.0, 8.0), (99.0, 8.0)];
    let paint = |up: f32, across: f32| match up {
        up if up > 0.93 => Color::hex(0xd8_b23c),
        up if (0.18..0.46).contains(&up) => {
            let badge = (across * 1.4).hypot((up - 0.32) * 9.0);
            if badge < 0.7 { Color::hex(0xb3_2222) } else { Color::hex(0xe9_d9a3) }
        }
        up if (0.66..0.76).contains(&up) => Color::hex(0xe9_d9a3),
        _ => Color::hex(0x6a_3610),
    };
    Round { foot, outline: &outline, paint: &paint, clear: 0.08 }.draw(canvas);
}

fn water(canvas: &mut Canvas, foot: (f32, f32)) {
    let outline =
        [(0.0, 17.0), (4.0, 19.0), (34.0, 18.0), (40.0, 18.8), (64.0, 19.0), (88.0, 9.0), (96.0, 8.0), (106.0, 8.0)];
    let paint = |up: f32, _: f32| match up {
        up if up > 0.91 => Color::hex(0x1f_4fb0),
        up if (0.36..0.58).contains(&up) => {
            if (0.44..0.5).contains(&up) {
                Color::hex(0xf4_f8fb)
            } else {
                Color::hex(0x2d_7fc4)
            }
        }
        up if up < 0.72 => Color::hex(0xa9_d0de),
        _ => Color::hex(0xd2_e6ec),
    };
    Round { foot, outline: &outline, paint: &paint, clear: 0.38 }.draw(canvas);
}

fn ketchup(canvas: &mut Canvas, foot: (f32, f32)) {
    let outline = [(0.0, 13.0), (8.0, 13.0), (12.0, 18.0), (50.0, 17.0), (78.0, 14.0), (88.0, 12.0)];
    let paint = |up: f32, across: f32| match up {
        up if up < 0.13 => Color::hex(0xf4_f2ee),
        up if (0.36..0.68).contains(&up) && across.abs() < 0.8 => Color::hex(0xf6_e9c8),
        _ => Color::hex(0xb8_1d18),
    };
    Round { foot, outline: &outline, paint: &paint, clear: 0.0 }.draw(canvas);
}

/// A preserving jar: (half width, height), (contents, lid).
fn jar(canvas: &mut Canvas, foot: (f32, f32), (half, height): (f32, f32), (contents, lid): (u32, u32)) {
    let outline = [
        (0.0, half * 0.94),
        (4.0, half),
        (height * 0.72, half),
        (height * 0.82, half * 0.86),
        (height * 0.83, half * 0.93),
        (height, half * 0.93),
    ];
    let paint = |up: f32, across: f32| {
        let (wave, label) = (0.5 + 0.5 * (across * 7.0 + up * 23.0).sin(), (0.24..0.58).contains(&up));
        if up > 0.83 {
            Color::hex(lid).times(0.94 + 0.06 * (across * 40.0).sin())
        } else if label && across.abs() < 0.62 {
            Color::hex(0xf3_ecdc).times(if (0.36..0.42).contains(&up) { 0.6 } else { 1.0 })
        } else {
            Color::hex(contents).times(0.85 + 0.2 * wave)
        }
    };
    Round { foot, outline: &outline, paint: &paint, clear: 0.05 }.draw(canvas);
}

fn tin(canvas: &mut Canvas, foot: (f32, f32)) {
    let outline = [(0.0, 27.0), (2.0, 28.0), (46.0, 28.0), (47.0, 29.0), (50.0, 29.0)];
    let paint = |up: f32, across: f32| match up {
        up if !(0.08..0.9).contains(&up) => Color::hex(0xc4_c9cc),
        up if (0.42..0.66).contains(&up) => Color::hex(0xf5_efdf),
        _ => Color::hex(0x2b_5d8a).mix(Color::hex(0x5f_98c4), 0.3 * (across * 3.0).sin().abs()),
    };
    Round { foot, outline: &outline, paint: &paint, clear: 0.0 }.draw(canvas);
}

/// Two yoghurt pots, one on the other.
fn cups(canvas: &mut Canvas, foot: (f32, f32)) {
    let outline = [(0.0, 17.0), (27.0, 22.0), (28.0, 23.5), (31.0, 23.5)];
    for (level, berry) in [(0.0, 0xc6_3d6b), (31.0, 0x4a_5bb0)] {
        let paint = |up: f32, across: f32| match up {
            up if up > 0.9 => Color::hex(0xd9_dde0),
            up if (across * 1.2).hypot((up - 0.45) * 2.6) < 0.55 => Color::hex(berry),
            _ => Color::hex(0xf7_f5ef),
        };
        let foot = (foot.0, foot.1 - level);
        Round { foot, outline: &outline, paint: &paint, clear: 0.0 }.draw(canvas);
    }
}

fn milk(canvas: &mut Canvas, (x, y): (f32, f32)) {
    shadow(canvas, (x + 4.0, y), 38.0);
    let (left, edge, right) = (x - 28.0, x + 18.0, x + 34.0);
    let side = [(edge, y), (right, y - 7.0), (right, y - 84.0), (edge, y - 82.0)];
    canvas.fill(bounds(&side), polygon(&side), |_, py| (milk_color((y - py) / 82.0, 0.0).times(0.72), 1.0));
    let front = Area::new(left, y - 82.0, edge, y);
    canvas.fill(front, front.rounded(0.0), |px, py| {
        (milk_color((y - py) / 82.0, (px - left) / 46.0 * 2.0 - 1.0).times(1.02 - 0.05 * (px - left) / 46.0), 1.0)
    });
    let roof = [(left, y - 82.0), (edge, y - 82.0), (edge - 2.0, y - 104.0), (left + 2.0, y - 104.0)];
    canvas
        .fill(bounds(&roof), polygon(&roof), |_, py| (Color::hex(0x2c_64b4).times(1.2 + (py - y + 82.0) * 0.012), 1.0));
    let gable = [(edge, y - 82.0), (right, y - 84.0), (edge + 3.0, y - 104.0), (edge - 2.0, y - 104.0)];
    canvas.fill(bounds(&gable), polygon(&gable), |_, _| (Color::hex(0x1d_4583), 1.0));
    let fin = Area::new(left + 2.0, y - 115.0, edge + 3.0, y - 103.0);
    canvas.fill(fin, fin.rounded(1.5), |_, py| {
        (Color::hex(0xe9_eef2).times(if py > y - 106.0 { 0.8 } else { 1.0 }), 1.0)
    });
}

fn milk_color(up: f32, across: f32) -> Color {
    let wave = 0.30 + 0.05 * (across * 2.6).sin();
    let drop = (across * 1.1).hypot((up - 0.62) * 3.2);
    if up < wave || (0.24..0.34).contains(&drop) { Color::hex(0x2c_64b4) } else { Color::hex(0xf6_f8f9) }
}

fn cheese(canvas: &mut Canvas, (x, y): (f32, f32)) {
    shadow(canvas, (x + 6.0, y - 2.0), 34.0);
    let rind = [(x - 34.0, y), (x + 38.0, y - 4.0), (x + 38.0, y - 30.0), (x - 34.0, y - 20.0)];
    canvas.fill(bounds(&rind), polygon(&rind), |px, py| {
        let holes =
            [(x - 16.0, y - 9.0, 4.0), (x + 4.0, y - 14.0, 5.0), (x + 22.0, y - 10.0, 3.5), (x + 28.0, y - 22.0, 3.0)];
        let hole = holes.iter().any(|&(hx, hy, radius)| ((px - hx) / 1.2).hypot(py - hy) < radius);
        (Color::hex(0xf2_c94c).times(if hole { 0.72 } else { 1.0 }), 1.0)
    });
    let top = [(x - 34.0, y - 20.0), (x + 38.0, y - 30.0), (x + 16.0, y - 38.0)];
    canvas.fill(bounds(&top), polygon(&top), |_, _| (Color::hex(0xfb_e08a), 1.0));
}

fn eggs(canvas: &mut Canvas, (x, y): (f32, f32)) {
    shadow(canvas, (x, y), 88.0);
    for (row, depth) in [(0.0, -9.0), (1.0, 0.0)] {
        for place in 0..6_u8 {
            let middle = (x - 66.0 + f32::from(place) * 26.4 - row * 2.0, y - 25.0 + depth);
            let egg = Area::around(middle, 11.5, 14.5);
            let tone = if place % 3 == 1 { 0xe2_b48c } else { 0xee_cfae };
            canvas.fill(egg, egg.ellipse(), |px, py| {
                let light = 1.06 - 0.026 * (px - middle.0 + 4.0).hypot(py - middle.1 + 6.0);
                (Color::hex(tone).times(light), 1.0)
            });
        }
    }
    let tray = Area::new(x - 86.0, y - 24.0, x + 84.0, y + 2.0);
    canvas.fill(
        tray,
        |px, py| tray.rounded(5.0)(px, py).max(y - 20.0 - 4.0 * (px * 0.238 + 2.2).cos() - py),
        |px, py| {
            let dent = 0.08 * (px * 0.238).cos();
            (Color::hex(0x9a_a0a0).times(0.95 + dent - 0.008 * (py - y + 24.0)), 1.0)
        },
    );
}

fn bowl(canvas: &mut Canvas, (x, y): (f32, f32)) {
    let fruit: [(f32, f32, f32, u32); 5] = [
        (-30.0, -36.0, 17.0, 0xc9_3030),
        (28.0, -36.0, 17.0, 0xe9_8a1e),
        (0.0, -44.0, 18.0, 0x8f_b83c),
        (-14.0, -32.0, 16.0, 0xe3_c93c),
        (14.0, -31.0, 16.0, 0xd2_4a2a),
    ];
    shadow(canvas, (x, y), 44.0);
    for (dx, dy, radius, color) in fruit {
        let area = Area::around((x + dx, y + dy), radius, radius);
        canvas.fill(area, area.ellipse(), |px, py| {
            let away = (px - x - dx + radius * 0.35).hypot(py - y - dy + radius * 0.4) / radius;
            (Color::hex(color).times(1.12 - 0.42 * away).mix(Color(1.0, 1.0, 1.0), 0.5 - away), 1.0)
        });
    }
    let outline = [(0.0, 22.0), (3.0, 26.0), (14.0, 43.0), (30.0, 52.0)];
    let paint = |up: f32, _: f32| {
        if (0.62..0.76).contains(&up) { Color::hex(0x3f_6f9f) } else { Color::hex(0xf2_f1ec) }
    };
    Round { foot: (x, y), outline: &outline, paint: &paint, clear: 0.0 }.draw(canvas);
}

fn leftovers(canvas: &mut Canvas, (x, y): (f32, f32)) {
    shadow(canvas, (x, y), 66.0);
    let body = [(x - 62.0, y - 36.0), (x + 62.0, y - 36.0), (x + 54.0, y + 1.0), (x - 54.0, y + 1.0)];
    canvas.fill(bounds(&body), polygon(&body), |px, py| {
        let stew = smooth(-28.0, -24.0, py - y + 1.5 * (px * 0.12).sin());
        let lumps = 0.9 + 0.16 * ((px * 0.31).sin() * (py * 0.43).cos());
        (Color::hex(0xcf_dfe4).mix(Color::hex(0xa4_5526).times(lumps), stew * 0.85), 0.95)
    });
    let lid = Area::new(x - 68.0, y - 47.0, x + 68.0, y - 35.0);
    canvas.fill(lid, lid.rounded(4.0), |_, py| (Color::hex(0x2f_9c9a).times(1.2 - (py - y + 47.0) * 0.035), 1.0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_juice_is_orange_where_it_stands_and_nothing_else_changes() {
        let mut canvas = Canvas::new(640, 480);
        let before = canvas.clone();
        let (x, y) = juice_place();
        juice(&mut canvas, (x, y));
        let changed = canvas.pixels.iter().zip(&before.pixels).filter(|(now, then)| now != then).count();
        assert!((2_000..8_000).contains(&changed), "{changed} pixels changed");
        let [_, blue, red] = canvas.pixels[300 * 640 + 362 - 640 * 14];
        assert!(red > 140 && blue < 110, "cb {blue} cr {red}");
    }
}
