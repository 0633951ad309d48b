//! Temperatures as people write and read them.

use std::str::FromStr;

/// A temperature in degrees Celsius, written as `5C`, `41F` or `5`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperature(pub f64);

/// A difference in degrees Celsius, written as `5C`, `9F` or `5`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference(pub f64);

impl FromStr for Temperature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, is_fahrenheit) = read(text)?;
        Ok(Self(thousandths(if is_fahrenheit { (number - 32.0) / 1.8 } else { number })))
    }
}

impl FromStr for Difference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, is_fahrenheit) = read(text)?;
        Ok(Self(thousandths(if is_fahrenheit { number / 1.8 } else { number })))
    }
}

/// What the hub keeps.
fn thousandths(celsius: f64) -> f64 {
    (celsius * 1000.0).round() / 1000.0
}

/// The number, and whether it is in Fahrenheit.
fn read(text: &str) -> Result<(f64, bool), String> {
    let trimmed = text.trim();
    let (number, is_fahrenheit) = match trimmed.char_indices().next_back() {
        Some((at, 'C' | 'c')) => (&trimmed[..at], false),
        Some((at, 'F' | 'f')) => (&trimmed[..at], true),
        _ => (trimmed, false),
    };
    let number = number.trim_end().trim_end_matches('°').trim_end();
    let plain = number.chars().all(|character| character.is_ascii_digit() || ".-+".contains(character));
    let number: Option<f64> = number.parse().ok().filter(|_| plain);
    number
        .map(|number| (number, is_fahrenheit))
        .ok_or_else(|| format!("\"{text}\" is no temperature; write 5C, -15.5C or 41F"))
}

/// For people.
pub(super) fn show(celsius: f64) -> String {
    format!("{celsius:.1} °C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperatures_are_read_in_both_scales() {
        for (text, celsius) in
            [("5", 5.0), ("5C", 5.0), ("-15.5 °C", -15.5), ("41F", 5.0), ("41 °F", 5.0), ("0f", -17.778), ("+4c", 4.0)]
        {
            assert_eq!(text.parse(), Ok(Temperature(celsius)), "{text}");
        }
        assert_eq!("9F".parse(), Ok(Difference(5.0)));
        assert_eq!("-3".parse(), Ok(Difference(-3.0)));
        for wrong in ["", "C", "warm", "5K", "nan", "inf", "1e3", "5 5", "°C"] {
            assert!(wrong.parse::<Temperature>().is_err(), "{wrong:?} was taken");
        }
    }
}
