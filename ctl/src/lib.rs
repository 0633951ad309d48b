//! The library of `larderctl`.
//!
//! ```text
//! cli ──▶ target ──▶ client ──▶ one module per domain ──▶ output
//!  (what)   (which hub)  (gRPC, HTTP)  (camera, recording, sensor, ...)  (table or JSON)
//! ```
//!
//! [`cli`] says what was asked, [`target`] finds the hub (local socket, address or profile), [`dial`] opens the
//! connection, [`client`] speaks gRPC and HTTP over it, and each domain has a module with its commands and views.
//! [`output`] writes tables for people and JSON for programs; [`failure`] explains what went wrong and decides the
//! exit code. [`when`] and [`units`] read and write times, durations and sizes.

pub mod alarm;
pub mod backup;
pub mod bench;
pub mod camera;
pub mod cli;
pub mod client;
pub mod clock;
mod daemon;
pub mod demo;
pub mod dial;
pub mod failure;
pub mod fetch;
pub mod job;
pub mod login;
pub mod output;
mod pages;
pub mod profile;
mod progress;
pub mod recording;
pub mod sensor;
pub mod simulate;
pub mod system;
pub mod target;
pub mod temperature;
pub mod token;
pub mod trace;
pub mod units;
pub mod view;
pub mod viewer;
pub mod when;

pub use cli::{Cli, run};
pub use failure::Failure;
pub use output::Out;
