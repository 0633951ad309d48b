//! Where pictures go besides the terminal.

use super::{
    ViewArgs,
    board::Board,
    files::{self, Tape, Writing},
    serve::Server,
};
use crate::Failure;

/// What was asked for on the command line.
pub(super) struct Sinks {
    pub(super) tape: Option<Tape>,
    pub(super) server: Option<Server>,
    writing: Vec<Writing>,
}

impl Sinks {
    /// Opens files and ports before the hub is dialled: what is in the way is told at once.
    pub(super) async fn open(args: &ViewArgs, board: &Board) -> Result<Self, Failure> {
        let mut sinks = Self { tape: None, server: None, writing: Vec::new() };
        if let Some(address) = args.serve {
            sinks.server = Some(Server::bind(address, &args.camera, board.newest()).await?);
        }
        if let Some(path) = &args.output {
            sinks.writing.push(files::mjpeg(path, board.newest())?);
        }
        if let Some(path) = &args.record {
            let (tape, writing) = files::matroska(path, args.camera.clone())?;
            sinks.tape = Some(tape);
            sinks.writing.push(writing);
        }
        Ok(sinks)
    }

    /// When one ended by itself: it failed, or its reader went away. Never without any. Cancel safe.
    pub(super) async fn ended(&mut self) -> Result<(), Failure> {
        match self.writing.as_mut_slice() {
            [] => std::future::pending().await,
            [one] => one.ended().await,
            [one, other, ..] => tokio::select! {
                ended = one.ended() => ended,
                ended = other.ended() => ended,
            },
        }
    }

    /// When no picture comes any more: waits until all files are whole.
    pub(super) async fn finish(self) -> Result<(), Failure> {
        let mut finished = Ok(());
        drop(self.tape);
        for writing in self.writing {
            finished = finished.and(writing.finish().await);
        }
        finished
    }
}
