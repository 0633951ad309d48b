//! What is typed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

/// How long the thread that reads keys outlives the view.
const LOOK: Duration = Duration::from_millis(100);
/// Keys that are typed while a picture is drawn.
const MOST_WAITING: usize = 16;

/// What a key means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Key {
    Quit,
    Snapshot,
    Faster,
    Slower,
    Larger,
    Smaller,
    NoLimits,
    /// The terminal has another size.
    Resized,
}

/// Listens while it lives.
pub(super) struct Keys {
    typed: mpsc::Receiver<Key>,
    stop: Arc<AtomicBool>,
}

impl Keys {
    /// Reading keys blocks, so a thread does.
    pub(super) fn listen() -> Self {
        let (told, typed) = mpsc::channel(MOST_WAITING);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || {
            while !stopped.load(Relaxed) {
                match event::poll(LOOK) {
                    Ok(false) => {}
                    // No terminal any more.
                    Err(_gone) => return,
                    Ok(true) => {
                        let Ok(event) = event::read() else { return };
                        if let Some(key) = key(&event)
                            && told.blocking_send(key).is_err()
                        {
                            return;
                        }
                    }
                }
            }
        });
        Self { typed, stop }
    }

    /// The next key; `None` when the terminal is gone. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Key> {
        self.typed.recv().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

fn key(event: &Event) -> Option<Key> {
    match event {
        Event::Resize(..) => Some(Key::Resized),
        Event::Key(key) if key.kind != KeyEventKind::Release => typed(key),
        _ => None,
    }
}

fn typed(key: &KeyEvent) -> Option<Key> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if control => Key::Quit,
        KeyCode::Char('q') | KeyCode::Esc => Key::Quit,
        KeyCode::Char('s') => Key::Snapshot,
        KeyCode::Char('+' | '=') => Key::Faster,
        KeyCode::Char('-') => Key::Slower,
        KeyCode::Char('>' | '.') => Key::Larger,
        KeyCode::Char('<' | ',') => Key::Smaller,
        KeyCode::Char('0') => Key::NoLimits,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quitting_is_possible_in_every_usual_way() {
        let pressed = |code, modifiers| key(&Event::Key(KeyEvent::new(code, modifiers)));
        for (code, modifiers) in [
            (KeyCode::Char('q'), KeyModifiers::NONE),
            (KeyCode::Esc, KeyModifiers::NONE),
            (KeyCode::Char('c'), KeyModifiers::CONTROL),
        ] {
            assert_eq!(pressed(code, modifiers), Some(Key::Quit), "{code:?}");
        }
        assert_eq!(pressed(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(key(&Event::Resize(80, 24)), Some(Key::Resized));
    }
}
