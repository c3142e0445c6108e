//! The sandbox itself, by the hidden command that it consists of: as root, and as an ordinary user.

mod builds;
mod ends;
mod holds;
pub mod made;
mod room;
mod works;

pub use room::{Who, users};
