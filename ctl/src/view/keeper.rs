//! Keeps a view alive: dials, dials again when the connection is lost, and beside it when it went silent.
//!
//! QUIC survives a short cut by itself, but its timers double: after ten seconds of silence the next packet may be ten
//! seconds away. So a connection that was silent for [`SILENCE`] gets rivals, a new one every [`RIVAL_EVERY`]; whoever is
//! heard first goes on, and the others are closed.

use std::{sync::Arc, time::Duration};

use larder_proto::wire::relay::Wish;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    backoff::Backoff,
    dial::{Dialer, PATIENCE},
    ended::Ended,
    session::{Asked, Event, Session},
};
use crate::Failure;

/// The hub answers a ping each second, whether the camera sends or not.
const SILENCE: Duration = Duration::from_millis(2500);
/// Between two looks whether something came.
const LOOK: Duration = Duration::from_millis(250);
/// Between two rivals.
const RIVAL_EVERY: Duration = Duration::from_millis(500);
/// So many at once; the eldest of more is given up.
const MOST_RIVALS: usize = 8;

/// What it takes to keep a view.
pub(crate) struct Keeper {
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) asked: Asked,
    pub(crate) wishes: watch::Receiver<Wish>,
    pub(crate) out: mpsc::Sender<Event>,
}

/// How a session's time ended.
enum Turn {
    Ended(Ended),
    /// A rival was quicker.
    Overtaken(Box<Session>),
}

impl Keeper {
    /// Until the hub refuses, or nobody takes the events any more. Cancel safe.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        let mut backoff = Backoff::new();
        let mut next = None;
        loop {
            let opened = match next.take() {
                Some(session) => Ok(session),
                None => {
                    let wish = *self.wishes.borrow_and_update();
                    attempt(&self.dialer, &self.asked, wish).await
                }
            };
            let began = Instant::now();
            let ended = match opened {
                Err(ended) => ended,
                Ok(session) => {
                    if self.out.send(Event::Live(session.welcome().clone())).await.is_err() {
                        return Ok(());
                    }
                    match self.turn(session).await {
                        Turn::Overtaken(session) => {
                            next = Some(*session);
                            continue;
                        }
                        Turn::Ended(ended) => {
                            backoff.stood(began.elapsed());
                            ended
                        }
                    }
                }
            };
            let why = match ended {
                Ended::Refused(failure) => return Err(failure),
                Ended::Lost(why) => why,
            };
            let pause = backoff.pause();
            if self.out.send(Event::Away(why, pause)).await.is_err() {
                return Ok(());
            }
            sleep(pause).await;
        }
    }

    /// A session until it ends or is overtaken.
    async fn turn(&mut self, session: Session) -> Turn {
        let (heard, close) = (session.heard(), session.closer());
        let (dialer, asked, wish) = (Arc::clone(&self.dialer), self.asked.clone(), *self.wishes.borrow());
        let running = session.run(&mut self.wishes, &self.out);
        tokio::pin!(running);
        loop {
            tokio::select! {
                biased;
                ended = &mut running => return Turn::Ended(ended),
                () = silent(&heard) => {}
            }
            tokio::select! {
                biased;
                ended = &mut running => return Turn::Ended(ended),
                () = speaks(&heard) => {}
                rival = rivals(&dialer, &asked, wish) => match rival {
                    Ok(session) => {
                        close();
                        return Turn::Overtaken(Box::new(session));
                    }
                    Err(ended) => return Turn::Ended(ended),
                },
            }
        }
    }
}

/// Returns when nothing came for [`SILENCE`].
async fn silent(heard: &impl Fn() -> u64) {
    let (mut last, mut since) = (heard(), Instant::now());
    while since.elapsed() < SILENCE {
        sleep(LOOK).await;
        let now = heard();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}

/// Returns when something came.
async fn speaks(heard: &impl Fn() -> u64) {
    let last = heard();
    while heard() == last {
        sleep(LOOK).await;
    }
}

/// The first rival that is let in; an error when the hub answers that none will be.
async fn rivals(dialer: &Arc<Dialer>, asked: &Asked, wish: Wish) -> Result<Session, Ended> {
    let mut trying = JoinSet::new();
    let mut eldest = std::collections::VecDeque::new();
    loop {
        let (dialer, asked) = (Arc::clone(dialer), asked.clone());
        eldest.push_back(trying.spawn(async move { attempt(&dialer, &asked, wish).await }));
        if eldest.len() > MOST_RIVALS
            && let Some(eldest) = eldest.pop_front()
        {
            eldest.abort();
        }
        let pause = sleep(RIVAL_EVERY);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                Some(done) = trying.join_next() => match done {
                    Ok(Ok(session)) => return Ok(session),
                    Ok(Err(Ended::Refused(failure))) => return Err(Ended::Refused(failure)),
                    // Others may have more luck.
                    Ok(Err(Ended::Lost(_))) | Err(_) => {}
                },
            }
        }
    }
}

async fn attempt(dialer: &Dialer, asked: &Asked, wish: Wish) -> Result<Session, Ended> {
    let opened = timeout(PATIENCE, Session::open(dialer, asked, wish)).await;
    opened.unwrap_or_else(|_elapsed| {
        let (address, seconds) = (dialer.address(), PATIENCE.as_secs());
        Err(Ended::Lost(format!("no answer from {address} within {seconds} s: does anything on the way block UDP?")))
    })
}
