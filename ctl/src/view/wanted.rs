//! What the viewer asks the hub for, and how keys change it: pure.

use larder_proto::{
    pb::FrameSize,
    wire::relay::{Rate, Wish},
};

/// What `+` and `-` go through, in frames per ten seconds; above them is no limit.
const RATES: [u16; 9] = [5, 10, 20, 50, 80, 100, 150, 200, 250];
/// What `>` and `<` go through; above them is no limit.
const SIZES: [(u16, u16); 4] = [(160, 120), (320, 240), (480, 360), (640, 480)];
/// The slowest and the quickest that may be asked for.
const FPS: std::ops::RangeInclusive<f64> = 0.1..=60.0;

/// Reads `--max-fps`.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let fps: f64 = text.parse().map_err(|_no_number| format!("\"{text}\" is no number"))?;
    let tenths = FPS.contains(&fps).then(|| (fps * 10.0).round());
    // At most 600: no number that does not fit.
    let tenths = tenths.and_then(|tenths| format!("{tenths:.0}").parse().ok());
    tenths.and_then(Rate::from_tenths).ok_or_else(|| format!("{text} is not 0.1 to 60 pictures a second"))
}

/// What was asked for on the command line.
pub(super) fn wish(rate: Option<Rate>, size: Option<FrameSize>) -> Wish {
    let side = |pixels: u32| u16::try_from(pixels).ok().filter(|pixels| *pixels > 0);
    Wish { rate, width: size.and_then(|size| side(size.width)), height: size.and_then(|size| side(size.height)) }
}

/// The next higher rate; after the highest, no limit.
pub(super) fn faster(wish: Wish) -> Wish {
    let now = wish.rate.map_or(u16::MAX, Rate::tenths);
    Wish { rate: RATES.into_iter().find(|rate| *rate > now).and_then(Rate::from_tenths), ..wish }
}

/// The next lower rate.
pub(super) fn slower(wish: Wish) -> Wish {
    let now = wish.rate.map_or(u16::MAX, Rate::tenths);
    let lower = RATES.into_iter().rev().find(|rate| *rate < now).and_then(Rate::from_tenths);
    Wish { rate: lower.or(wish.rate), ..wish }
}

/// The next larger size; after the largest, no limit.
pub(super) fn larger(wish: Wish) -> Wish {
    let now = wish.width.unwrap_or(u16::MAX);
    sized(wish, SIZES.into_iter().find(|(width, _)| *width > now))
}

/// The next smaller size.
pub(super) fn smaller(wish: Wish) -> Wish {
    let now = wish.width.unwrap_or(u16::MAX);
    match SIZES.into_iter().rev().find(|(width, _)| *width < now) {
        Some(size) => sized(wish, Some(size)),
        None => wish,
    }
}

fn sized(wish: Wish, size: Option<(u16, u16)>) -> Wish {
    Wish { width: size.map(|(width, _)| width), height: size.map(|(_, height)| height), ..wish }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_asked_for_in_tenths_and_within_reason() {
        assert_eq!(rate("2.5").map(Rate::tenths), Ok(25));
        assert_eq!(rate("60").map(Rate::tenths), Ok(600));
        for wrong in ["0", "0.05", "61", "-1", "NaN", "many"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_go_through_rates_and_sizes_and_stop_at_the_ends() {
        let mut wish = slower(Wish::default());
        assert_eq!(wish.rate.map(Rate::tenths), Some(250));
        assert_eq!(faster(wish), Wish::default());
        (0..20).for_each(|_| wish = slower(wish));
        assert_eq!(wish.rate.map(Rate::tenths), Some(5));
        let mut wish = smaller(Wish::default());
        assert_eq!((wish.width, wish.height), (Some(640), Some(480)));
        assert_eq!(larger(wish), Wish::default());
        (0..20).for_each(|_| wish = smaller(wish));
        assert_eq!((wish.width, wish.height), (Some(160), Some(120)));
    }
}
