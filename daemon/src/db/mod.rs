//! PostgreSQL: the pool, migrations, change notices, and the hub's own cluster.

pub mod cluster;
mod config;
mod connections;
pub mod jobs;
mod migrations;
mod mirror;
mod notices;
mod pool;

pub use config::Config;
pub use migrations::{MigrateError, migrate, migrate_blocking};
pub use mirror::{Mirror, Mirrored};
pub use pool::{Change, Client, Db, Error, StartError, Usage, migrate_and_end};
