//! The camera link abused: by strangers, by whoever holds a key, and by sheer numbers. Each test runs larderd as a
//! process, with a well-behaved camera beside that must go on undisturbed, and looks at what is said on the wire, what
//! is counted and what is logged.

mod flood;
mod forger;
mod house;
mod proofs;
mod sessions;
mod strangers;

use forger::{Forger, bye, header, hello};
use house::House;
