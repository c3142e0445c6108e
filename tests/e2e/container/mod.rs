//! The container builder with a real podman: an image of Debian 12, and small C++ programs that are
//! compiled in it as Mesos is in that of CentOS 7.

mod caches;
mod changed;
mod circumstances;
mod engines;
mod failures;
mod farm;
mod image;
mod remote;
pub mod stopped;
pub mod terminal;
pub mod yard;
