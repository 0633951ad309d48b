//! The view in a terminal: the picture by its graphics protocol, or in half blocks, and a status line below.

mod draw;
mod keys;

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use larder_proto::wire::relay::Wish;
use ratatui::DefaultTerminal;
use ratatui_image::picker::{Picker, ProtocolType};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use self::{
    draw::{Drawn, Painter},
    keys::{Key, Keys},
};
use super::{
    Graphics,
    board::Board,
    picture::Picture,
    wanted::{faster, larger, slower, smaller},
};
use crate::Failure;

/// The status line is written anew so often.
const REFRESH: Duration = Duration::from_millis(500);
/// What the status line says beside the figures goes after so many refreshes.
const REMARK_LASTS: u32 = 8;

/// The terminal while it is ours. However the view ends, it is given back as it was: by this guard, and when the
/// program panics by the hook that `ratatui` sets.
struct Given(DefaultTerminal);

impl Given {
    fn take() -> Result<Self, Failure> {
        ratatui::try_init().map(Self).map_err(Failure::Output)
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// What the screen works with.
pub(super) struct Screen<'a> {
    pub(super) board: &'a Board,
    pub(super) wishes: &'a watch::Sender<Wish>,
    pub(super) graphics: Graphics,
    /// For the names of snapshots.
    pub(super) zone: TimeZone,
}

/// Shows the view, when it is to be shown.
pub(super) async fn or_never(screen: Option<Screen<'_>>) -> Result<(), Failure> {
    match screen {
        Some(screen) => screen.show().await,
        None => std::future::pending().await,
    }
}

impl Screen<'_> {
    /// Shows the view until somebody quits. Cancel safe.
    ///
    /// # Errors
    ///
    /// The terminal cannot be written.
    pub(super) async fn show(self) -> Result<(), Failure> {
        let mut terminal = Given::take()?;
        // It asks the terminal and waits for the answer, before anybody else reads what is typed.
        let painter = Painter::new(picker(self.graphics).await);
        let mut keys = Keys::listen();
        let mut newest = self.board.newest();
        let mut ticks = interval(REFRESH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut drawn, mut remark) = (None, Remark::default());
        loop {
            tokio::select! {
                biased;
                key = keys.next() => match key {
                    None | Some(Key::Quit) => return Ok(()),
                    Some(key) => self.press(key, &mut newest, &mut remark),
                },
                _ = ticks.tick() => remark.tick(),
                changed = newest.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let picture = newest.borrow_and_update().clone();
                    if let Some(picture) = picture {
                        drawn = paint(&painter, &mut terminal, picture).await?;
                    }
                }
            }
            let line = remark.text().map_or_else(|| self.board.line(), str::to_owned);
            let drawing = terminal.0.draw(|frame| draw::draw(frame, drawn.as_ref(), &line));
            drawing.map_err(Failure::Output)?;
        }
    }

    fn press(&self, key: Key, newest: &mut watch::Receiver<Option<Arc<Picture>>>, remark: &mut Remark) {
        let change = |change: fn(Wish) -> Wish| self.wishes.send_modify(|wish| *wish = change(*wish));
        match key {
            Key::Faster => change(faster),
            Key::Slower => change(slower),
            Key::Larger => change(larger),
            Key::Smaller => change(smaller),
            Key::NoLimits => change(|_| Wish::default()),
            Key::Snapshot => {
                let picture = newest.borrow().clone();
                remark.set(match picture {
                    Some(picture) => snapshot(self.board.camera(), &picture, &self.zone),
                    None => "no picture has come yet".to_owned(),
                });
            }
            Key::Resized => newest.mark_changed(),
            Key::Quit => {}
        }
    }
}

/// Decoding and encoding take milliseconds, on a thread for such work.
async fn paint(painter: &Painter, terminal: &mut Given, picture: Arc<Picture>) -> Result<Option<Drawn>, Failure> {
    let size = terminal.0.size().map_err(Failure::Output)?;
    let painter = painter.clone();
    let painted = tokio::task::spawn_blocking(move || painter.paint(&picture.jpeg, size)).await;
    // One that cannot be decoded is passed over.
    Ok(painted.unwrap_or_default())
}

async fn picker(graphics: Graphics) -> Picker {
    let asked = async || {
        let asked = tokio::task::spawn_blocking(Picker::from_query_stdio).await;
        asked.ok().and_then(Result::ok).unwrap_or_else(Picker::halfblocks)
    };
    let forced = match graphics {
        Graphics::Auto => return asked().await,
        Graphics::Blocks => return Picker::halfblocks(),
        Graphics::Kitty => ProtocolType::Kitty,
        Graphics::Sixel => ProtocolType::Sixel,
        Graphics::Iterm2 => ProtocolType::Iterm2,
    };
    let mut picker = asked().await;
    picker.set_protocol_type(forced);
    picker
}

/// Keeps a picture in the folder where the program was started; what is said of it.
fn snapshot(camera: &str, picture: &Picture, zone: &TimeZone) -> String {
    let at = jiff::Timestamp::from_microsecond(picture.header.captured_at_us).unwrap_or_default();
    let at = at.to_zoned(zone.clone()).strftime("%Y%m%d-%H%M%S%.3f").to_string();
    let file = format!("{camera}-{at}.jpg");
    let written =
        std::fs::File::create_new(&file).and_then(|mut file| std::io::Write::write_all(&mut file, &picture.jpeg));
    match written {
        Ok(()) => format!("kept as {file}"),
        Err(error) => format!("{file}: {error}"),
    }
}

/// What is said for a moment instead of the figures.
#[derive(Default)]
struct Remark {
    text: Option<String>,
    rest: u32,
}

impl Remark {
    fn set(&mut self, text: String) {
        self.text = Some(text);
        self.rest = REMARK_LASTS;
    }

    fn tick(&mut self) {
        self.rest = self.rest.saturating_sub(1);
    }

    fn text(&self) -> Option<&str> {
        self.text.as_deref().filter(|_| self.rest > 0)
    }
}
