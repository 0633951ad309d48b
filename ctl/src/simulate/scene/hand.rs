//! The hand that takes the juice and brings it back.

use super::{
    canvas::{Canvas, Color},
    groceries::{juice, juice_place},
    shape::{Area, bounds, segment},
};

/// How far a hand that is out of the picture is from its goal, in units.
const AWAY: (f32, f32) = (250.0, 290.0);

/// Paints a hand that has reached in by `reach` (0 to 1), with the juice or without.
pub(super) fn paint(canvas: &mut Canvas, reach: f32, holding: bool) {
    let place = juice_place();
    let back = 1.0 - reach;
    let foot = (place.0 + AWAY.0 * back, place.1 + AWAY.1 * back);
    let grip = (foot.0, foot.1 - 40.0);
    if holding {
        juice(canvas, foot);
    }
    let skin = Color::hex(0xd9_a07c);
    let wrist = (grip.0 + 62.0, grip.1 + 40.0);
    let elbow = (grip.0 + 330.0, grip.1 + 300.0);
    limb(canvas, (wrist, elbow), (20.0, 46.0), |along| {
        // A rolled-up sleeve begins behind the wrist.
        if along > 0.16 { Color::hex(0x3c_5670).times(1.0 - 0.14 * (along * 60.0).sin().abs()) } else { skin }
    });
    limb(canvas, ((grip.0 + 20.0, grip.1 + 10.0), wrist), (19.0, 20.0), |_| skin);
    for finger in 0..4_u8 {
        let drop = f32::from(finger) * 9.5;
        let (knuckle, tip) = ((grip.0 + 24.0, grip.1 - 8.0 + drop), (grip.0 - 9.0, grip.1 - 13.0 + drop * 1.05));
        limb(canvas, (knuckle, tip), (6.4, 5.0), |_| skin.times(0.97));
    }
    limb(canvas, ((grip.0 + 22.0, grip.1 - 6.0), (grip.0 + 2.0, grip.1 - 26.0)), (7.5, 5.6), |_| skin.times(1.03));
}

/// A tapering limb between two points, with a round light on it.
fn limb(
    canvas: &mut Canvas,
    (from, to): ((f32, f32), (f32, f32)),
    (thick_from, thick_to): (f32, f32),
    color: impl Fn(f32) -> Color,
) {
    let thickest = thick_from.max(thick_to);
    let around = bounds(&[from, to]);
    let area =
        Area::new(around.left - thickest, around.top - thickest, around.right + thickest, around.bottom + thickest);
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(1.0);
    let along = move |x: f32, y: f32| (((x - from.0) * dx + (y - from.1) * dy) / (length * length)).clamp(0.0, 1.0);
    let thick = move |share: f32| thick_from + (thick_to - thick_from) * share;
    canvas.fill(
        area,
        |x, y| segment(from, to, (x, y)) - thick(along(x, y)),
        |x, y| {
            let share = along(x, y);
            let across = ((x - from.0) * dy - (y - from.1) * dx) / (length * thick(share));
            (color(share).times(1.04 - 0.34 * (across * 0.9 + 0.35).powi(2)), 1.0)
        },
    );
}
