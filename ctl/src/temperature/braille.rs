//! Lines on a grid of braille characters, two dots wide and four high each: pure.

/// The first of the 256 braille patterns (Unicode block 2800).
const EMPTY: u32 = 0x2800;
/// The bit of each dot, by row and column within a character.
const BITS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// A canvas.
pub(super) struct Canvas {
    columns: usize,
    rows: usize,
    cells: Vec<u32>,
}

impl Canvas {
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, cells: vec![0; columns * rows] }
    }

    /// Dots from left to right.
    pub(super) fn width(&self) -> usize {
        self.columns * 2
    }

    /// Dots from top to bottom.
    pub(super) fn height(&self) -> usize {
        self.rows * 4
    }

    /// Sets one dot; beyond the edges nothing happens.
    pub(super) fn dot(&mut self, x: usize, y: usize) {
        if x < self.width() && y < self.height() {
            self.cells[y / 4 * self.columns + x / 2] |= BITS[y % 4][x % 2];
        }
    }

    /// A straight line, both ends included.
    pub(super) fn line(&mut self, from: (usize, usize), to: (usize, usize)) {
        let (from, to) = if from.0 <= to.0 { (from, to) } else { (to, from) };
        let (wide, high) = (to.0 - from.0, to.1.abs_diff(from.1));
        let steps = wide.max(high).max(1);
        for step in 0..=steps {
            // Rounded to the nearest dot.
            let along = |length: usize| (length * step * 2 + steps) / (steps * 2);
            let y = if to.1 >= from.1 { from.1 + along(high) } else { from.1 - along(high) };
            self.dot(from.0 + along(wide), y);
        }
    }

    /// Each row as text, without spaces at the end.
    pub(super) fn text(&self) -> Vec<String> {
        let character = |cell: &u32| if *cell == 0 { ' ' } else { char::from_u32(EMPTY + cell).unwrap_or(' ') };
        let row = |cells: &[u32]| cells.iter().map(character).collect::<String>().trim_end().to_owned();
        self.cells.chunks(self.columns.max(1)).map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_goes_through_characters() {
        let mut canvas = Canvas::new(4, 1);
        canvas.line((0, 3), (7, 0));
        assert_eq!(canvas.text(), ["⣀⠤⠒⠉"]);
        let mut dot = Canvas::new(1, 1);
        dot.dot(0, 0);
        dot.dot(5, 5);
        assert_eq!(dot.text(), ["⠁"]);
    }

    proptest! {
        #[test]
        fn a_line_has_no_hole_and_both_its_ends(x0 in 0_usize..80, y0 in 0_usize..40, x1 in 0_usize..80, y1 in 0_usize..40) {
            let mut canvas = Canvas::new(40, 10);
            canvas.line((x0, y0), (x1, y1));
            let set = |x: usize, y: usize| canvas.cells[y / 4 * 40 + x / 2] & BITS[y % 4][x % 2] != 0;
            prop_assert!(set(x0, y0) && set(x1, y1));
            for x in x0.min(x1)..=x0.max(x1) {
                prop_assert!((0..40).any(|y| set(x, y)), "no dot above {x}");
            }
            let dots: u32 = canvas.cells.iter().map(|cell| cell.count_ones()).sum();
            let longest = x0.abs_diff(x1).max(y0.abs_diff(y1)) + 1;
            prop_assert_eq!(usize::try_from(dots).unwrap(), longest);
        }
    }
}
