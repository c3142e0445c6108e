//! The builders: from sources to the files that packages hold.
//!
//! [`host_builder`] compiles the crates of host/ on this machine, for CentOS 7: [`rust`] and [`toolchain`] say with which
//! compiler, [`target`] for which machine, [`tools`] links with the pinned zig, and [`pinned_rust`] sees to it that a
//! release has the Rust that the checkout names, [`odd_paths`] that programs can read our paths. [`container`] compiles all other sources in an image of CentOS 7.
//!
//! A builder gets a [`site::Site`], which says where it works and to whom it reports, and fills a folder. Which builds
//! there are, in which order, and whether a result is there already, the pipeline knows.

pub mod container;
pub mod host_builder;
pub mod odd_paths;
pub mod pinned_rust;
pub mod rust;
pub mod site;
pub mod target;
pub mod toolchain;
pub mod tools;
