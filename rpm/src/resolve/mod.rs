//! Chooses packages from repositories for a list of wishes: with all that they require, and without conflicts.
//!
//! [`Universe`] holds all packages and applies rpm's rules. [`resolve`] asks the crate resolvo for a choice, and checks the choice
//! by rpm's rules again ([`Universe::faults`]).

mod missing;
mod prune;
mod solver;
mod universe;

#[cfg(test)]
mod tests;

pub use solver::resolve;
pub use universe::Universe;
