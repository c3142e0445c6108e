//! etcd's v2 API over HTTP: addresses, TLS, calls, and compare-and-swap.
//!
//! The HTTP library is ureq: synchronous, kept, with rustls and client certificates, and with a time
//! limit for each phase of a call. (minreq is smaller, but has no client certificates; everything
//! built on hyper brings an async runtime.)

pub mod address;
mod ahead;
pub mod cas;
pub mod client;
mod error;
mod resolver;
mod tls;

pub use client::{Client, Cond, Node, WriteError};
pub use error::Error;
