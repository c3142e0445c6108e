//! The language that net-modules and the plugin speak (facts 1.2 to 1.4).

pub mod fields;
pub mod request;
pub mod response;
pub mod stdin;

pub use request::{Addresses, Allocate, Cleanup, Isolate, Release, Request, Reserve};
pub use response::Response;
