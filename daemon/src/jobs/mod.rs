//! Jobs as people see them: what goes on by itself, how far it is, and its end. What does them is [`crate::db::jobs`].

mod messages;
mod service;

pub use messages::job as message;
pub use service::Service;
