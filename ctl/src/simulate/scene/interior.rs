//! The fridge itself: walls, lamp, glass shelves, the drawer. One-point perspective, seen from a little above.

use super::{
    canvas::{Canvas, Color, SHEET_HEIGHT, SHEET_WIDTH},
    shape::{Area, bounds, polygon, segment, smooth},
};

/// Where parallel edges meet.
const VANISH: (f32, f32) = (320.0, 110.0);
/// The size of the back wall against the opening.
const BACK: f32 = 0.656;

/// The front edges of the two glass shelves and of the drawer's lid.
pub(super) const SHELVES: [f32; 3] = [186.0, 322.0, 424.0];

const SHEET: Area = Area { left: 0.0, top: 0.0, right: SHEET_WIDTH, bottom: SHEET_HEIGHT };

/// A point of the opening moved back by `depth` (0 in front, 1 at the back wall).
fn back(x: f32, y: f32, depth: f32) -> (f32, f32) {
    let size = 1.0 - (1.0 - BACK) * depth;
    (VANISH.0 + (x - VANISH.0) * size, VANISH.1 + (y - VANISH.1) * size)
}

/// Where a thing stands on a shelf at that depth.
pub(super) fn standing(shelf: usize, depth: f32) -> f32 {
    back(0.0, SHELVES[shelf.min(SHELVES.len() - 1)], depth).1
}

/// Paints all that stands behind the groceries.
pub(super) fn paint(canvas: &mut Canvas) {
    walls(canvas);
    lamp(canvas);
    drawer(canvas);
    for front in [SHELVES[2], SHELVES[1], SHELVES[0]] {
        shelf(canvas, front);
    }
}

/// Paints the shelves' front edges, which hide the necks of tall bottles.
pub(super) fn edges(canvas: &mut Canvas) {
    for front in SHELVES {
        let edge = Area::new(0.0, front, SHEET_WIDTH, front + 8.0);
        canvas.fill(edge, edge.rounded(0.0), |x, y| {
            let down = (y - front) / 8.0;
            let shine = 0.16 * (x * 0.013 + 0.8).sin().max(0.0);
            (Color::hex(0xd9_f2ea).mix(Color::hex(0x6f_9c93), smooth(0.1, 1.0, down)).times(0.92 + shine), 0.94)
        });
    }
}

/// Darkens what the lamp does not reach, after all is painted.
pub(super) fn shade(canvas: &mut Canvas) {
    canvas.light(SHEET, |x, y| {
        let lamp = (-((x - 320.0).powi(2) / 120_000.0 + (y - 40.0).powi(2) / 60_000.0)).exp();
        let edge = ((x - 320.0) / 320.0).powi(2) * 0.18 + ((y - 200.0) / 280.0).powi(2) * 0.12;
        let below =
            SHELVES.iter().map(|front| 0.16 * (1.0 - smooth(0.0, 34.0, y - front - 6.0))).fold(0.0, |all, one| {
                // Only what hangs just below a shelf is in its shadow.
                if one < 0.16 { all + one } else { all }
            });
        0.74 + 0.34 * lamp - edge - below
    });
}

fn walls(canvas: &mut Canvas) {
    let wall = Color::hex(0xdf_e6ea);
    canvas.fill(SHEET, |_, _| -9.0, |_, _| (wall, 1.0));
    let (left, top) = back(0.0, 0.0, 1.0);
    let (right, bottom) = back(SHEET_WIDTH, SHEET_HEIGHT, 1.0);
    let sides = [
        (vec![(0.0, 0.0), (left, top), (left, bottom), (0.0, SHEET_HEIGHT)], 0.83),
        (vec![(SHEET_WIDTH, 0.0), (right, top), (right, bottom), (SHEET_WIDTH, SHEET_HEIGHT)], 0.80),
        (vec![(0.0, 0.0), (left, top), (right, top), (SHEET_WIDTH, 0.0)], 0.92),
    ];
    for (corners, brightness) in &sides {
        let color = wall.times(*brightness);
        canvas.fill(bounds(corners), polygon(corners), |x, y| {
            let depth = ((x - 320.0).abs() / 320.0).max((110.0 - y) / 110.0);
            (color.times(1.06 - 0.10 * depth), 1.0)
        });
    }
    // The back wall has the grooves that melt water runs down.
    let wall_area = Area::new(left, top, right, bottom);
    canvas.fill(wall_area, wall_area.rounded(8.0), |x, y| {
        let groove = ((x - left) / 21.0).fract() - 0.5;
        let ridge = 1.0 - 0.045 * (-(groove * 9.0).powi(2)).exp() + 0.02 * (-((groove - 0.12) * 9.0).powi(2)).exp();
        (Color::hex(0xe6_edf0).times(ridge * (1.0 - 0.05 * smooth(80.0, 350.0, y))), 1.0)
    });
    for x in [0.0, SHEET_WIDTH] {
        for front in SHELVES {
            // The ledge that a shelf rests on.
            let (from, to) = ((x, front + 9.0), back(x, front + 9.0, 1.0));
            canvas.fill(
                bounds(&[from, (to.0, to.1 - 4.0), (to.0, to.1 + 4.0)]),
                |px, py| segment(from, to, (px, py)) - 3.5,
                |_, py| (wall.times(if py < front { 0.72 } else { 0.66 }), 0.9),
            );
        }
    }
}

fn lamp(canvas: &mut Canvas) {
    let glow = Area::around((320.0, 22.0), 230.0, 90.0);
    canvas.fill(glow, glow.ellipse(), |x, y| {
        let away = ((x - 320.0) / 230.0).hypot((y - 22.0) / 90.0);
        (Color::hex(0xff_fdf2), 0.75 * (1.0 - away).max(0.0).powi(2))
    });
    let housing = Area::new(246.0, 8.0, 394.0, 30.0);
    canvas.fill(housing, housing.rounded(9.0), |_, _| (Color::hex(0xc9_ced0), 1.0));
    let glass = Area::new(252.0, 11.0, 388.0, 27.0);
    canvas.fill(glass, glass.rounded(7.0), |x, _| {
        let rib = 0.97 + 0.03 * (x * 1.1).sin();
        (Color::hex(0xff_fff4).times(rib), 1.0)
    });
}

/// A pane of glass; its front edge comes after what stands below it.
fn shelf(canvas: &mut Canvas, front: f32) {
    let pane = [(0.0, front), back(0.0, front, 1.0), back(SHEET_WIDTH, front, 1.0), (SHEET_WIDTH, front)];
    let depth = front - pane[1].1;
    canvas.fill(bounds(&pane), polygon(&pane), |x, y| {
        let near = (y - pane[1].1) / depth;
        let streak = smooth(0.93, 1.0, ((x + y * 1.6) * 0.011).sin()) * 0.22;
        (Color::hex(0xb4_cfcb).mix(Color::hex(0xf4_fbfa), near * 0.45 + streak), 0.62)
    });
}

/// The drawer at the bottom: vegetables behind a clouded front.
fn drawer(canvas: &mut Canvas) {
    let front = Area::new(14.0, SHELVES[2] + 8.0, 626.0, SHEET_HEIGHT + 20.0);
    canvas.fill(front, front.rounded(10.0), |_, y| (Color::hex(0x9f_afb2).times(1.15 - (y - 424.0) * 0.004), 1.0));
    let vegetables: [(f32, f32, f32, u32); 14] = [
        (70.0, 470.0, 34.0, 0x5e_9440),
        (110.0, 464.0, 30.0, 0x74_aa4a),
        (150.0, 476.0, 32.0, 0x4d_8237),
        (205.0, 468.0, 21.0, 0xc8_3a2c),
        (243.0, 474.0, 22.0, 0xd6_4a31),
        (279.0, 466.0, 20.0, 0xbf_3028),
        (322.0, 478.0, 22.0, 0xd9_8a2b),
        (360.0, 468.0, 19.0, 0xe0_952f),
        (398.0, 476.0, 23.0, 0xcf_7d26),
        (448.0, 470.0, 26.0, 0xd8_c24a),
        (490.0, 476.0, 24.0, 0xe2_cf58),
        (530.0, 466.0, 22.0, 0x7f_3d68),
        (566.0, 476.0, 24.0, 0x6d_3259),
        (600.0, 470.0, 20.0, 0x85_4470),
    ];
    for (x, y, radius, color) in vegetables {
        let area = Area::around((x, y), radius, radius * 0.86);
        canvas.fill(area, area.ellipse(), |px, py| {
            let shine = 1.0 - ((px - x + radius * 0.35).hypot(py - y + radius * 0.4) / radius) * 0.5;
            (Color::hex(color).times(0.7 + 0.5 * shine), 0.96)
        });
    }
    canvas.fill(front, front.rounded(10.0), |x, y| {
        let frost = 0.34 + 0.05 * ((x * 0.02).sin() + (y * 0.13).sin());
        (Color::hex(0xdc_e8ea), frost)
    });
    let handle = Area::new(236.0, 437.0, 404.0, 452.0);
    canvas.fill(handle, handle.rounded(7.0), |_, y| (Color::hex(0xf3_f7f8).times(1.0 - (y - 437.0) * 0.018), 0.96));
    let grip = Area::new(244.0, 446.0, 396.0, 451.0);
    canvas.fill(grip, grip.rounded(2.5), |_, _| (Color::hex(0x6c_7a7e), 0.7));
}
