//! The daemon as a black box: each test starts a whole hub with its own PostgreSQL cluster, ffmpeg and ports in a
//! temporary folder, and speaks its public protocols.

mod camera;
mod database;
mod gates;
mod layering;
mod live;
mod process;
mod recording;
mod support;
