//! What the view has come to, where everyone who shows or tells it looks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{sync::watch, time::Instant};

use super::{
    files::Newest,
    picture::Picture,
    session::Event,
    status::{Standing, line},
    tally::{Figures, Tally},
};

/// The newest picture and the figures.
pub(super) struct Board {
    asked: String,
    newest: watch::Sender<Option<Arc<Picture>>>,
    notes: Mutex<Notes>,
}

struct Notes {
    tally: Tally,
    standing: Standing,
    /// The camera's name, once the hub has told it.
    name: Option<String>,
}

/// What an event was, for whoever has more to do with it.
pub(super) enum Noted {
    Picture(Arc<Picture>),
    /// Connected, or no longer.
    Standing(Standing),
    Figures,
}

impl Board {
    /// For what was asked for on the command line.
    pub(super) fn new(asked: &str) -> Self {
        let notes = Notes { tally: Tally::new(Instant::now()), standing: Standing::Dialling, name: None };
        Self { asked: asked.to_owned(), newest: watch::Sender::new(None), notes: Mutex::new(notes) }
    }

    /// For those who show one picture after the other.
    pub(super) fn newest(&self) -> Newest {
        self.newest.subscribe()
    }

    /// What it was called on the command line.
    pub(super) fn camera(&self) -> &str {
        &self.asked
    }

    pub(super) fn note(&self, event: Event) -> Noted {
        let mut notes = self.notes();
        match event {
            Event::Live(welcome) => {
                notes.tally.connected();
                notes.name = Some(welcome.name);
                notes.standing = Standing::Live;
                Noted::Standing(Standing::Live)
            }
            Event::Away(why, again) => {
                notes.standing = Standing::Away(why, again);
                Noted::Standing(notes.standing.clone())
            }
            Event::Picture(picture) => {
                notes.tally.picture(&picture);
                let picture = Arc::new(picture);
                self.newest.send_replace(Some(Arc::clone(&picture)));
                Noted::Picture(picture)
            }
            Event::Status(status) => {
                notes.tally.status(status);
                Noted::Figures
            }
            Event::RoundTrip(round_trip) => {
                notes.tally.round_trip(round_trip);
                Noted::Figures
            }
        }
    }

    pub(super) fn figures(&self) -> Figures {
        self.notes().tally.figures(Instant::now())
    }

    pub(super) fn standing(&self) -> Standing {
        self.notes().standing.clone()
    }

    /// For people.
    pub(super) fn line(&self) -> String {
        let mut notes = self.notes();
        let figures = notes.tally.figures(Instant::now());
        line(notes.name.as_deref().unwrap_or(&self.asked), &notes.standing, &figures)
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
