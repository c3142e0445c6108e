//! The builders: they compile sources into the files of packages.
//!
//! [`host_builder`] compiles the crates of host/ on this machine, for CentOS 7: [`rust`] and [`toolchain`] say with which
//! compiler, [`target`] for which libc, [`tools`] links with the pinned zig, [`pinned_rust`] makes sure that a
//! release uses the Rust that the checkout names, and [`odd_paths`] refuses paths that the programs cannot read.
//! [`container`] compiles all other sources in an image of CentOS 7.
//! [`root`] chooses, pins and unpacks the packages of a build system's root.
//!
//! A builder gets a [`site::Site`] (the checkout, the toolchain, the reporter) and fills a folder. The pipeline
//! decides which builds there are, in which order they run, and whether a result is cached.

mod archive;
pub mod container;
pub mod host_builder;
mod modes;
pub mod mount;
pub mod odd_paths;
pub mod pinned_rust;
pub mod root;
pub mod rust;
pub mod sandbox;
pub mod site;
pub mod target;
pub mod toolchain;
pub mod tools;
