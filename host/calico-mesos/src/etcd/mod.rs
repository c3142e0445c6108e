//! etcd's v2 API over HTTP: addresses, TLS, calls, and compare-and-swap.
//!
//! HTTP is by ureq-proto, which is ureq's protocol without sockets, and TLS by rustls. ureq itself makes one call at a
//! time in a thread; calls that go on together needed threads, which took as long as etcd does
//! (decision 55). (minreq has no client certificates; hyper brings an async runtime.)

pub mod address;
pub mod cas;
pub mod client;
mod config;
mod connection;
mod error;
mod http;
mod node;
mod server;
mod tls;
mod traffic;

pub use client::{Client, Cond, WriteError};
pub use config::{Config, TlsFiles};
pub use error::Error;
pub use node::Node;
