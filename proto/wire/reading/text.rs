//! Readings as text, as boards send them that know nothing of Larder.
//!
//! | form | means |
//! |---|---|
//! | `cam_one_temp_41` | 41 °F of `cam_one_temp` |
//! | `cam_one_temp_int_5` | 5 °C of `cam_one_temp_int`: a name that ends in `_int` counts in Celsius |
//! | `fridge 5.1`, `fridge 5.1C`, `fridge 41F` | Celsius unless it says otherwise |
//! | `fridge=5.1` | the same |

use thiserror::Error;

use super::{HIGHEST, LOWEST};
use crate::wire::camera::MilliCelsius;

/// Bytes of a datagram of text; a longer one is something else.
pub const MOST_TEXT: usize = 96;
/// Characters of a device's name.
pub const MOST_DEVICE: usize = 64;
/// What a DS18B20 says before it has measured (its data sheet's power-on value).
const POWER_ON: MilliCelsius = MilliCelsius(85_000);
/// What its common driver says when the probe does not answer: -127 °C.
const NO_ANSWER: i64 = -127_000;
/// What ends the names that count in Celsius although the value stands after an underscore.
const CELSIUS_NAME: &str = "_int";

/// One reading as text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TextReading {
    /// What the text calls the device: letters, digits, `_`, `-`, `.`, `:`, `/`, at most [`MOST_DEVICE`].
    pub device: String,
    /// `None`: the driver's sign for a probe that does not answer.
    pub value: Option<MilliCelsius>,
}

/// Why a text is refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TextError {
    /// Too long, not text, or in no known form.
    #[error("no reading")]
    Form,
    /// Outside of what a probe measures.
    #[error("a value of {0} thousandths of a degree Celsius")]
    Range(i64),
}

impl TextError {
    /// For logs and metrics. The names are a contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Range(_) => "value",
        }
    }
}

#[derive(Clone, Copy)]
enum Scale {
    Celsius,
    Fahrenheit,
}

impl TextReading {
    /// Reads a datagram.
    ///
    /// # Errors
    /// When it is in no known form, or the value is outside of what a probe measures.
    pub fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        let text = bytes.get(..bytes.len().min(MOST_TEXT + 1)).unwrap_or_default();
        let text = str::from_utf8(text).ok().filter(|text| text.len() <= MOST_TEXT).ok_or(TextError::Form)?;
        // Boards send the terminating zero of a C string, or a line's end.
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0');
        let (device, value, scale) = split(text).ok_or(TextError::Form)?;
        if device.is_empty() || device.len() > MOST_DEVICE || !device.bytes().all(is_of_a_name) {
            return Err(TextError::Form);
        }
        let milli = milli_celsius(value, scale).ok_or(TextError::Form)?;
        let value = match i32::try_from(milli) {
            _ if milli == NO_ANSWER => None,
            Ok(milli) if (LOWEST.0..=HIGHEST.0).contains(&milli) => Some(MilliCelsius(milli)),
            _ => return Err(TextError::Range(milli)),
        };
        Ok(Self { device: device.to_owned(), value })
    }

    /// Whether it is what a probe says that has not measured yet. As a device's first reading it is an error; later
    /// it may be true.
    pub fn is_power_on_value(&self) -> bool {
        self.value == Some(POWER_ON)
    }
}

fn split(text: &str) -> Option<(&str, &str, Scale)> {
    if let Some((device, value)) = text.split_once('=') {
        return Some((device.trim_end(), value.trim_start(), Scale::Celsius));
    }
    if let Some((device, value)) = text.split_once(|c: char| c.is_ascii_whitespace()) {
        return Some((device, value.trim_start(), Scale::Celsius));
    }
    let (device, value) = text.rsplit_once('_')?;
    let scale = if device.ends_with(CELSIUS_NAME) { Scale::Celsius } else { Scale::Fahrenheit };
    Some((device, value, scale))
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte)
}

/// A decimal number of at most three digits before and any after the point, perhaps with its scale.
fn milli_celsius(text: &str, scale: Scale) -> Option<i64> {
    let (number, scale) = match text.as_bytes().last()? {
        b'C' | b'c' => (&text[..text.len() - 1], Scale::Celsius),
        b'F' | b'f' => (&text[..text.len() - 1], Scale::Fahrenheit),
        _ => (text, scale),
    };
    let number = number.trim_end().trim_end_matches('°').trim_end();
    let (negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str, most: usize| {
        (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !is_number(whole, 3) || !is_number(part, 16) {
        return None;
    }
    // Thousandths, the rest cut: a probe has sixteenths of a degree.
    let thousandths: i64 = format!("{part:0<3}").get(..3)?.parse().ok()?;
    let milli = whole.parse::<i64>().ok()? * 1000 + thousandths;
    let milli = if negative { -milli } else { milli };
    Some(match scale {
        Scale::Celsius => milli,
        Scale::Fahrenheit => {
            let ninths = (milli - 32_000) * 5;
            // Rounded, halves away from zero.
            (ninths * 2 + 9 * ninths.signum()) / 18
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<(String, Option<i32>), TextError> {
        TextReading::parse(text.as_bytes()).map(|read| (read.device, read.value.map(|value| value.0)))
    }

    #[test]
    fn every_form_is_read() {
        for (text, device, milli) in [
            ("cam_one_temp_41", "cam_one_temp", 5_000),
            ("cam_one_temp_-4", "cam_one_temp", -20_000),
            ("cam_one_temp_int_5", "cam_one_temp_int", 5_000),
            ("cam_one_temp_int_-18", "cam_one_temp_int", -18_000),
            ("cam_one_temp_int_5\r\n\0", "cam_one_temp_int", 5_000),
            ("fridge 5.0625", "fridge", 5_062),
            ("fridge  5.1 C", "fridge", 5_100),
            ("fridge 41F", "fridge", 5_000),
            ("fridge 40f", "fridge", 4_444),
            ("fridge 39 °F", "fridge", 3_889),
            ("fridge=-0.5", "fridge", -500),
            ("a/b.c:d-e = +125", "a/b.c:d-e", 125_000),
        ] {
            assert_eq!(read(text), Ok((device.to_owned(), Some(milli))), "{text:?}");
        }
    }

    #[test]
    fn a_probe_that_does_not_answer_has_no_value_and_its_first_85_is_none() {
        assert_eq!(read("fridge -127"), Ok(("fridge".to_owned(), None)));
        assert_eq!(read("fridge_-196.6"), Ok(("fridge".to_owned(), None)), "the same in Fahrenheit");
        let first = |text: &str| TextReading::parse(text.as_bytes()).unwrap().is_power_on_value();
        assert!(first("fridge 85.0") && first("fridge_185") && !first("fridge 84.9"));
    }

    #[test]
    fn what_is_no_reading_is_refused() {
        let long = format!("{} 5", "x".repeat(MOST_DEVICE + 1));
        let longer = format!("fridge {}", " ".repeat(MOST_TEXT));
        for text in [
            "",
            " ",
            "fridge",
            "fridge_",
            "fridge ",
            "=5",
            "_5",
            "fridge=",
            "fridge 5e3",
            "fridge nan",
            "fridge inf",
            "fridge 5,1",
            "fridge 5.",
            "fridge .5",
            "fridge 1234",
            "fridge --5",
            "fridge 5 6",
            "fri dge 5",
            "<b> 5",
            "fridge 5CC",
            &long,
            &longer,
        ] {
            assert_eq!(read(text), Err(TextError::Form), "{text:?}");
        }
        assert_eq!(TextReading::parse(b"fridge \xff5"), Err(TextError::Form));
        assert_eq!(read("fridge 125.1"), Err(TextError::Range(125_100)));
        assert_eq!(read("fridge -55.1"), Err(TextError::Range(-55_100)));
        assert_eq!(read("fridge 999F"), Err(TextError::Range(537_222)));
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(reading) = TextReading::parse(&bytes) {
                prop_assert!(!reading.device.is_empty() && reading.device.len() <= MOST_DEVICE);
                prop_assert!(reading.value.is_none_or(|value| (LOWEST..=HIGHEST).contains(&value)));
            }
        }

        #[test]
        fn every_value_of_a_probe_comes_back(milli in LOWEST.0..=HIGHEST.0) {
            let text = format!("fridge {}{}.{:03}", if milli < 0 { "-" } else { "" }, milli.abs() / 1000, milli.abs() % 1000);
            prop_assert_eq!(read(&text), Ok(("fridge".to_owned(), Some(milli))));
        }
    }
}
