//! The clock's figures: five columns by seven rows.

/// Columns of a figure.
pub(super) const COLUMNS: usize = 5;
/// Rows of a figure.
pub(super) const ROWS: usize = 7;

/// A figure's rows from the top, the leftmost dot in bit 4. Anything but digits, `:`, `-` and `.` is blank.
pub(super) fn figure(character: char) -> [u8; ROWS] {
    match character {
        '0' => [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        '1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        '2' => [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111],
        '3' => [0b11111, 0b00010, 0b00100, 0b00010, 0b00001, 0b10001, 0b01110],
        '4' => [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
        '5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
        '6' => [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
        '7' => [0b11111, 0b00001, 0b00010, 0b00100, 0b00100, 0b00100, 0b00100],
        '8' => [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
        '9' => [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
        ':' => [0b00000, 0b00100, 0b00100, 0b00000, 0b00100, 0b00100, 0b00000],
        '-' => [0b00000, 0b00000, 0b00000, 0b01110, 0b00000, 0b00000, 0b00000],
        '.' => [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00110, 0b00110],
        _ => [0; ROWS],
    }
}

/// The dots of a text that are lit, as (column, row), six columns to a figure.
pub(super) fn dots(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    text.chars().enumerate().flat_map(|(place, character)| {
        figure(character).into_iter().enumerate().flat_map(move |(row, bits)| {
            (0..COLUMNS)
                .filter(move |column| bits & (0b10000 >> column) != 0)
                .map(move |column| (place * (COLUMNS + 1) + column, row))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_another() {
        let figures: std::collections::BTreeSet<_> = "0123456789:-. ".chars().map(figure).collect();
        assert_eq!(figures.len(), 14);
    }

    #[test]
    fn dots_stand_where_the_text_puts_them() {
        assert_eq!(dots(":").collect::<Vec<_>>(), [(2, 1), (2, 2), (2, 4), (2, 5)]);
        assert_eq!(dots(" -").collect::<Vec<_>>(), [(7, 3), (8, 3), (9, 3)]);
    }
}
