//! The Calico network plugin for the Mesos network isolator module (net-modules) of Mesos 0.25.
//!
//! One process answers one request: JSON on stdin, one JSON object on stdout. The program is a thin
//! `main`; everything lives here so that tests, the benchmark and the fuzz target can reach it.
//!
//! The way of a request: [`standin`] sees to it that there is an answer in any case; [`plugin`]
//! reads stdin, [`protocol`] turns it into a checked [`protocol::Request`], and one of [`ipam`],
//! [`isolate`] and [`cleanup`] carries it out against [`etcd`] and [`netns`]. What a request will surely
//! read is read ahead, on other connections, while it does something else.

pub mod check;
pub mod cleanup;
pub mod cli;
pub mod deadline;
pub mod endpoint;
pub mod error;
pub mod etcd;
pub mod files;
pub mod host;
pub mod ipam;
pub mod isolate;
pub mod log;
pub mod netns;
pub mod plugin;
pub mod profile;
pub mod protocol;
pub mod random;
pub mod settings;
pub mod standin;
pub mod survey;
