//! Brings what comes to everyone who waits for it, and tells people and programs how the view is.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::ProgressBar;
use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::{
    ViewArgs,
    board::{Board, Noted},
    files::Tape,
    session::Event,
    status::Standing,
    tally::Figures,
};
use crate::{Failure, Out, units::show_duration};

/// Figures are told so often.
const TELL: Duration = Duration::from_secs(1);

/// A line for programs.
#[derive(Serialize)]
struct Told<'a> {
    camera: &'a str,
    /// `dialling`, `live`, `away` or `ended`.
    state: &'static str,
    /// Why it is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Pictures that came and that the disk was too slow for.
    not_recorded: u64,
    #[serde(flatten)]
    figures: Figures,
}

/// Tells.
pub(super) struct Teller<'a> {
    board: &'a Board,
    /// The line on standard error, where nobody looks at a screen.
    bar: Option<ProgressBar>,
    is_quiet: bool,
}

impl<'a> Teller<'a> {
    pub(super) fn new(board: &'a Board, on_screen: bool, out: &Out) -> Self {
        let is_quiet = on_screen || out.is_json();
        let bar = (!is_quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { board, bar, is_quiet }
    }

    /// Until no event comes any more. Nothing here waits for anybody who shows pictures.
    pub(super) async fn run(
        &mut self,
        mut coming: mpsc::Receiver<Event>,
        tape: Option<&Tape>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let mut ticks = interval(TELL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                event = coming.recv() => {
                    let Some(event) = event else { return Ok(()) };
                    match self.board.note(event) {
                        Noted::Picture(picture) => {
                            if let Some(tape) = tape {
                                tape.add(&picture);
                            }
                        }
                        Noted::Standing(standing) => self.say(&standing, out),
                        Noted::Figures => {}
                    }
                }
                _ = ticks.tick() => self.tick(tape, out)?,
            }
        }
    }

    /// The line goes, so that others can be written.
    pub(super) fn silent(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn say(&self, standing: &Standing, out: &Out) {
        if self.is_quiet || self.bar.is_some() {
            return;
        }
        match standing {
            Standing::Live => out.note("live"),
            Standing::Away(why, again) => {
                out.note(&format!("no connection: {why}; again in {}", show_duration(*again)));
            }
            Standing::Dialling => {}
        }
    }

    fn tick(&self, tape: Option<&Tape>, out: &mut Out) -> Result<(), Failure> {
        if let Some(bar) = &self.bar {
            bar.set_message(self.board.line());
        }
        if !out.is_json() {
            return Ok(());
        }
        let (state, reason) = match self.board.standing() {
            Standing::Dialling => ("dialling", None),
            Standing::Live => ("live", None),
            Standing::Away(why, _) => ("away", Some(why)),
        };
        let not_recorded = tape.map_or(0, Tape::lost);
        out.json_line(&Told { camera: self.board.camera(), state, reason, not_recorded, figures: self.board.figures() })
    }
}

/// The last word.
///
/// # Errors
///
/// No picture ever came although there was time for it.
pub(super) fn sum_up(args: &ViewArgs, figures: Figures, not_recorded: u64, out: &mut Out) -> Result<(), Failure> {
    let (frames, skipped) = (figures.frames, figures.skipped);
    let ages = figures.age_p50_ms.zip(figures.age_p95_ms);
    if out.is_json() {
        out.json_line(&Told { camera: &args.camera, state: "ended", reason: None, not_recorded, figures })?;
    } else {
        let ages = ages.map(|(p50, p95)| format!(", age {p50} ms (one in twenty above {p95} ms)")).unwrap_or_default();
        let lost = if not_recorded > 0 { format!(", {not_recorded} not recorded") } else { String::new() };
        out.note(&format!("{frames} pictures, {skipped} skipped{ages}{lost}"));
    }
    match args.duration {
        Some(duration) if frames == 0 => {
            Err(Failure::Other(format!("no picture of \"{}\" came within {}", args.camera, show_duration(duration))))
        }
        _ => Ok(()),
    }
}
