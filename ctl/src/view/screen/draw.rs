//! From a JPEG to what a terminal shows.

use image::{DynamicImage, RgbImage};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect, Size},
    style::{Modifier, Style},
    text::Line,
    widgets::Paragraph,
};
use ratatui_image::{
    FilterType, Image, Resize,
    picker::{Picker, ProtocolType},
    protocol::Protocol,
};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

const KEYS: &str = " q quit  s snapshot  +/- rate  >/< size  0 no limits ";

/// Makes pictures into what the terminal understands.
#[derive(Clone)]
pub(super) struct Painter {
    picker: Picker,
}

/// A picture for a terminal of one size.
pub(super) struct Drawn(Protocol);

impl Painter {
    pub(super) fn new(picker: Picker) -> Self {
        Self { picker }
    }

    /// For a terminal of this size; `None` when it is no picture, or the terminal has no room.
    pub(super) fn paint(&self, jpeg: &[u8], terminal: Size) -> Option<Drawn> {
        let room = Size::new(terminal.width, terminal.height.saturating_sub(1));
        if room.width == 0 || room.height == 0 {
            return None;
        }
        let image = decode(jpeg)?;
        // A cell is two blocks and knows no pixels: a picture is made as large as fits. Real pixels are shown as they
        // are, or smaller, since each one more is sent to the terminal.
        let resize = match self.picker.protocol_type() {
            ProtocolType::Halfblocks => Resize::Scale(Some(FilterType::Triangle)),
            _ => Resize::Fit(Some(FilterType::Triangle)),
        };
        self.picker.new_protocol(image, room, resize).ok().map(Drawn)
    }
}

fn decode(jpeg: &[u8]) -> Option<DynamicImage> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let pixels = decoder.decode().ok()?;
    let (width, height) = decoder.dimensions()?;
    let image = RgbImage::from_raw(u32::try_from(width).ok()?, u32::try_from(height).ok()?, pixels)?;
    Some(DynamicImage::ImageRgb8(image))
}

/// The picture in the middle, and the line below.
pub(super) fn draw(frame: &mut Frame<'_>, drawn: Option<&Drawn>, line: &str) {
    let [room, below] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
    if let Some(Drawn(protocol)) = drawn {
        frame.render_widget(Image::new(protocol), middle(protocol.size(), room));
    }
    let reversed = Style::default().add_modifier(Modifier::REVERSED);
    let keys = u16::try_from(KEYS.chars().count()).unwrap_or(u16::MAX);
    let wide = usize::from(below.width) >= line.chars().count() + 2 + usize::from(keys);
    let [left, right] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(if wide { keys } else { 0 })]).areas(below);
    frame.render_widget(Paragraph::new(Line::from(format!(" {line} "))).style(reversed), left);
    frame.render_widget(Paragraph::new(KEYS).style(reversed), right);
}

fn middle(size: Size, room: Rect) -> Rect {
    let (width, height) = (size.width.min(room.width), size.height.min(room.height));
    Rect { x: room.x + (room.width - width) / 2, y: room.y + (room.height - height) / 2, width, height }
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend, style::Color};

    use super::*;
    use crate::simulate::jpeg::encode;

    #[test]
    fn a_picture_is_shown_in_half_blocks_with_the_line_below() {
        // Bright above, dark below.
        let pixels: Vec<[u8; 3]> =
            (0..64 * 64).map(|at| if at < 64 * 32 { [235, 128, 128] } else { [16, 128, 128] }).collect();
        let jpeg = encode(&pixels, (64, 64), Default::default());
        let mut terminal = Terminal::new(TestBackend::new(100, 12)).unwrap();
        let drawn = Painter::new(Picker::halfblocks()).paint(&jpeg, terminal.size().unwrap()).unwrap();
        terminal.draw(|frame| draw(frame, Some(&drawn), "fridge  10.0 fps")).unwrap();
        let buffer = terminal.backend().buffer();
        let brightness = |x, y| match buffer[(x, y)].fg {
            Color::Rgb(red, ..) => red,
            _ => 0,
        };
        assert!(brightness(50, 1) > 150 && brightness(50, 9) < 60, "{} {}", brightness(50, 1), brightness(50, 9));
        let line: String = (0..100).map(|x| buffer[(x, 11)].symbol().to_owned()).collect();
        assert!(line.starts_with(" fridge  10.0 fps ") && line.ends_with(KEYS), "{line}");
    }

    #[test]
    fn no_picture_and_no_room_are_no_failure() {
        let painter = Painter::new(Picker::halfblocks());
        assert!(painter.paint(b"no picture", Size::new(80, 24)).is_none());
        assert!(painter.paint(b"", Size::new(80, 1)).is_none());
        let mut terminal = Terminal::new(TestBackend::new(10, 1)).unwrap();
        terminal.draw(|frame| draw(frame, None, "a line that is longer than the terminal is wide")).unwrap();
        assert!(terminal.backend().to_string().contains(" a line t"), "{}", terminal.backend());
    }
}
