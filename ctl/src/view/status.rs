//! The line that says how the view is: pure.

use std::time::Duration;

use super::tally::Figures;
use crate::units::show_duration;

/// Where the view stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Nobody has answered yet.
    Dialling,
    /// The hub let the viewer in.
    Live,
    /// Not connected, and why; dialled again after so long.
    Away(String, Duration),
}

/// All that is worth knowing, the most important first.
pub(super) fn line(camera: &str, standing: &Standing, figures: &Figures) -> String {
    let mut parts = vec![camera.to_owned()];
    match standing {
        Standing::Dialling => parts.push("dialling".to_owned()),
        Standing::Away(why, again) => {
            parts.push(format!("no connection: {why}; again in {}", show_duration(*again)));
            return parts.join("  ");
        }
        Standing::Live => live(&mut parts, figures),
    }
    parts.join("  ")
}

fn live(parts: &mut Vec<String>, figures: &Figures) {
    match figures.presence {
        Some("offline") => parts.push("the camera is offline".to_owned()),
        Some("stalled") => parts.push("the camera sends nothing".to_owned()),
        _ if figures.frames == 0 => parts.push("no picture yet".to_owned()),
        _ => {}
    }
    parts.push(format!("{:.1} fps", figures.fps));
    if let Some(age) = figures.age_ms {
        parts.push(format!("age {}", milliseconds(age)));
    }
    if figures.skipped > 0 {
        parts.push(format!("skipped {}", figures.skipped));
    }
    if let Some(round_trip) = figures.round_trip_ms {
        parts.push(format!("round trip {round_trip:.0} ms"));
    }
    parts.push(format!("{:.1} Mbit/s", figures.bytes_per_second * 8.0 / 1e6));
    if let (Some(width), Some(height)) = (figures.width, figures.height) {
        parts.push(format!("{width}x{height}"));
    }
    parts.extend(limits(figures));
}

/// What holds it down and why, if anything does.
fn limits(figures: &Figures) -> Option<String> {
    let mut limits = Vec::new();
    if let Some(fps) = figures.max_fps {
        limits.push(format!("{fps} fps"));
    }
    match (figures.max_width, figures.max_height) {
        (None, None) => {}
        (Some(width), None) => limits.push(format!("{width} wide")),
        (None, Some(height)) => limits.push(format!("{height} high")),
        (Some(width), Some(height)) => limits.push(format!("{width}x{height}")),
    }
    let why = match figures.limited_by? {
        "line" => "the line carries no more",
        "wish" => "as asked",
        _ => return None,
    };
    if limits.is_empty() {
        Some(format!("limited: {why}"))
    } else {
        Some(format!("at most {} ({why})", limits.join(", ")))
    }
}

fn milliseconds(ms: u64) -> String {
    if ms < 10_000 { format!("{ms} ms") } else { show_duration(Duration::from_secs(ms / 1000)) }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{super::tally::Tally, *};

    #[test]
    fn the_line_says_what_is_known_and_what_holds_it_down() {
        let mut figures = Tally::new(Instant::now()).figures(Instant::now());
        insta::assert_snapshot!(line("fridge", &Standing::Dialling, &figures), @"fridge  dialling");
        insta::assert_snapshot!(line("fridge", &Standing::Live, &figures), @"fridge  no picture yet  0.0 fps  0.0 Mbit/s");
        figures.frames = 10;
        figures.fps = 9.97;
        figures.age_ms = Some(84);
        figures.skipped = 3;
        figures.round_trip_ms = Some(31.4);
        figures.bytes_per_second = 1_000_000.0;
        (figures.width, figures.height) = (Some(640), Some(480));
        figures.presence = Some("online");
        (figures.max_fps, figures.limited_by) = (Some(10.0), Some("line"));
        insta::assert_snapshot!(
            line("fridge", &Standing::Live, &figures),
            @"fridge  10.0 fps  age 84 ms  skipped 3  round trip 31 ms  8.0 Mbit/s  640x480  at most 10 fps (the line carries no more)"
        );
        figures.presence = Some("offline");
        assert!(line("fridge", &Standing::Live, &figures).starts_with("fridge  the camera is offline"));
        let away = Standing::Away("no answer from pi.local:7443".to_owned(), Duration::from_secs(4));
        insta::assert_snapshot!(line("fridge", &away, &figures), @"fridge  no connection: no answer from pi.local:7443; again in 4s");
    }
}
