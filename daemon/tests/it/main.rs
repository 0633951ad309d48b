//! The daemon as a black box: each test starts a whole hub with its own PostgreSQL cluster, ffmpeg and ports in a
//! temporary folder, and speaks its public protocols.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests are tests: what fails, fails the test, and its tasks end with its runtime"
)]

mod abuse;
mod adoption;
mod alarms;
mod backups;
mod boards;
mod camera;
mod channels;
mod clocks;
mod ctl;
mod database;
mod flood;
mod gates;
mod home_assistant;
mod jobs;
mod layering;
mod live;
mod loss;
mod metrics;
#[cfg(feature = "moq")]
mod moq;
mod ownership;
mod process;
mod ready;
mod recording;
mod relay;
mod soak;
mod states;
mod support;
mod temperatures;
mod thermometers;
mod verify;
mod view;
