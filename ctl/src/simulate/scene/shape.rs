//! Shapes by their signed distance, and the smooth steps that paint is mixed with.

/// A box that holds a shape, in units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) right: f32,
    pub(super) bottom: f32,
}

impl Area {
    /// From the edges.
    pub(super) fn new(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self { left, top, right, bottom }
    }

    /// Around a point.
    pub(super) fn around((x, y): (f32, f32), half_width: f32, half_height: f32) -> Self {
        Self::new(x - half_width, y - half_height, x + half_width, y + half_height)
    }

    /// The distance to this box with corners rounded by `radius`.
    pub(super) fn rounded(self, radius: f32) -> impl Fn(f32, f32) -> f32 + Copy {
        let (x, y) = ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0);
        let (half_width, half_height) = ((self.right - self.left) / 2.0, (self.bottom - self.top) / 2.0);
        let radius = radius.min(half_width).min(half_height);
        move |px, py| {
            let (dx, dy) = ((px - x).abs() - half_width + radius, (py - y).abs() - half_height + radius);
            dx.max(dy).min(0.0) + dx.max(0.0).hypot(dy.max(0.0)) - radius
        }
    }

    /// About the distance to the ellipse that touches this box from within.
    pub(super) fn ellipse(self) -> impl Fn(f32, f32) -> f32 + Copy {
        let (x, y) = ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0);
        let (half_width, half_height) = ((self.right - self.left) / 2.0, (self.bottom - self.top) / 2.0);
        move |px, py| {
            let radius = ((px - x) / half_width).hypot((py - y) / half_height);
            (radius - 1.0) * half_width.min(half_height)
        }
    }
}

/// The box around points.
pub(super) fn bounds(points: &[(f32, f32)]) -> Area {
    let start = Area::new(f32::MAX, f32::MAX, f32::MIN, f32::MIN);
    points.iter().fold(start, |area, &(x, y)| {
        Area::new(area.left.min(x), area.top.min(y), area.right.max(x), area.bottom.max(y))
    })
}

/// The distance to a polygon, whichever way round its corners go.
pub(super) fn polygon(points: &[(f32, f32)]) -> impl Fn(f32, f32) -> f32 + '_ {
    move |px, py| {
        let mut nearest = f32::MAX;
        let mut inside = false;
        let mut last = points.len().saturating_sub(1);
        for (index, &(x, y)) in points.iter().enumerate() {
            let (last_x, last_y) = points[last];
            nearest = nearest.min(segment((x, y), (last_x, last_y), (px, py)));
            if (y > py) != (last_y > py) && px < (last_x - x) * (py - y) / (last_y - y) + x {
                inside = !inside;
            }
            last = index;
        }
        if inside { -nearest } else { nearest }
    }
}

/// The distance from a point to a straight line between two others.
pub(super) fn segment(from: (f32, f32), to: (f32, f32), point: (f32, f32)) -> f32 {
    let (along_x, along_y) = (to.0 - from.0, to.1 - from.1);
    let (dx, dy) = (point.0 - from.0, point.1 - from.1);
    let length = (along_x * along_x + along_y * along_y).max(f32::EPSILON);
    let share = ((dx * along_x + dy * along_y) / length).clamp(0.0, 1.0);
    (dx - along_x * share).hypot(dy - along_y * share)
}

/// 0 before `from`, 1 after `to`, smooth between.
pub(super) fn smooth(from: f32, to: f32, at: f32) -> f32 {
    let share = ((at - from) / (to - from)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

/// A value between fixed points `(at, value)`, smooth from each to the next.
pub(super) fn curve(points: &[(f32, f32)], at: f32) -> f32 {
    let mut value = points.first().map_or(0.0, |point| point.1);
    for pair in points.windows(2) {
        if at >= pair[0].0 {
            value = pair[0].1 + (pair[1].1 - pair[0].1) * smooth(pair[0].0, pair[1].0, at);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_negative_inside_and_grow_outside() {
        let square = Area::around((10.0, 10.0), 5.0, 5.0);
        assert!((square.rounded(0.0)(10.0, 10.0) + 5.0).abs() < 1e-3);
        assert!((square.rounded(0.0)(18.0, 10.0) - 3.0).abs() < 1e-3);
        assert!(square.ellipse()(14.9, 14.9) > 0.0);
        let corners = [(5.0, 5.0), (15.0, 5.0), (15.0, 15.0), (5.0, 15.0)];
        assert!((polygon(&corners)(10.0, 10.0) + 5.0).abs() < 1e-3);
        assert!((polygon(&corners)(18.0, 10.0) - 3.0).abs() < 1e-3);
        assert_eq!(bounds(&corners), square);
    }

    #[test]
    fn a_curve_goes_through_its_points_and_stays_at_the_ends() {
        let points = [(0.0, 1.0), (10.0, 5.0), (20.0, 3.0)];
        for (at, value) in [(-5.0, 1.0), (0.0, 1.0), (5.0, 3.0), (10.0, 5.0), (20.0, 3.0), (99.0, 3.0)] {
            assert!((curve(&points, at) - value).abs() < 1e-4, "at {at}");
        }
    }
}
