//! Keeps each camera's `camera.json` as its rows are.

use std::time::Duration;

use tokio::{sync::broadcast::error::RecvError, time::Instant};

use super::{kept, rows};
use crate::{
    db::{Change, Db},
    outcome::chain,
    recorder::Recorder,
    repeats,
};

/// How often it is looked without a notice: pins give none, and a disk that was away comes back.
const LOOK: Duration = Duration::from_mins(1);
/// How often while the folder is not ready.
const WAIT: Duration = Duration::from_secs(2);
/// Several changes at once are written once.
const SETTLE: Duration = Duration::from_millis(200);
/// What is notified of what is kept.
const CHANNELS: [&str; 2] = ["cameras", "sensors"];

/// Runs until dropped. Cancel safe.
pub(super) async fn keep(db: Db, recorder: Recorder) {
    let mut changes = db.changes();
    let mut due = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(due) => {
                let written = write_all(&db, &recorder).await;
                let is_waiting = written == Ok(false);
                if let Err(error) = written {
                    repeats::say!(warn, "", { error }, "what cameras are was not written beside their recordings");
                }
                due = Instant::now() + if is_waiting { WAIT } else { LOOK };
            }
            change = changes.recv() => match change {
                Ok(Change::Notice(channel)) if !CHANNELS.contains(&channel.as_str()) => {}
                Ok(Change::Lost) => {}
                Ok(Change::Notice(_) | Change::Connected) | Err(RecvError::Lagged(_)) => due = due.min(Instant::now() + SETTLE),
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// `false`: not yet.
async fn write_all(db: &Db, recorder: &Recorder) -> Result<bool, String> {
    if db.trouble().is_some() {
        return Ok(true);
    }
    let all = rows::kept(db).await.map_err(|error| chain(&error))?;
    recorder.forget_removed(all.iter().map(|(camera, _)| *camera).collect()).await;
    let mut done = Ok(true);
    for (camera, kept) in all {
        let text = kept.text().map_err(|error| format!("{camera}: {error}"))?;
        match recorder.keep_beside(camera, kept::FILE, text).await {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) => done = Err(format!("{camera}: {}", chain(&error))),
        }
    }
    done
}
