//! What boards say that know nothing of Larder: pictures as `multipart/x-mixed-replace` over HTTP, and pictures and a
//! status in messages over WebSocket. Bytes alone; `docs/boards.md` names the boards.

mod boundary;
mod ending;
mod multipart;
mod pushed;

pub use boundary::{Boundary, BoundaryError};
pub use multipart::{Item, Lost, MOST_PART, Multipart, Part, PartError};
pub use pushed::{MOST_MESSAGE, Pushed};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
