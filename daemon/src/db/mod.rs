//! PostgreSQL: the pool, migrations, change notices, and the hub's own cluster.

mod cache;
mod cause;
mod client;
pub mod cluster;
mod config;
mod connections;
mod dump;
mod health;
pub mod jobs;
mod keeper;
mod migrations;
mod mirror;
mod offline;
mod owner;
mod pool;
mod probe;
mod restore;
mod tools;

pub use cache::Cache;
pub use client::{Client, Transaction};
pub use config::Config;
pub use dump::{Contents, Error as DumpError, PART, Unsuited, part_of};
pub use migrations::{MigrateError, migrate, migrate_blocking};
pub use mirror::{Mirror, Mirrored, until_read};
pub use offline::{migrate_and_end, take_over_and_end};
pub use owner::{Signed, Unfit};
pub use pool::{Change, Db, Error, StartError, Usage};
pub use restore::{Restore, RestoreError, Restored, restore_and_end};
pub use tools::{Programs, Tools};
