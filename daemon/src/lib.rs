//! `larderd`, the hub of Larder.

pub mod access;
pub mod addresses;
pub mod alarms;
pub mod app;
pub mod cameras;
pub mod certs;
pub mod clock;
pub mod config;
pub mod db;
pub mod events;
pub mod http;
pub mod hub;
pub mod ingest;
pub mod outcome;
pub mod parts;
pub mod pb_page;
pub mod pb_time;
pub mod recorder;
pub mod recordings;
pub mod repeats;
pub mod rpc;
pub mod secrets;
pub mod system;
pub mod tasks;
pub mod temperatures;
