//! Reads the metadata of repositories that others made. repomd.xml lists the files of the metadata, primary.xml the packages with
//! their dependencies, and filelists.xml all paths; the last is needed only for paths that primary.xml does not list.
//!
//! Metadata may be hostile. All lengths and numbers are limited while it is read.

mod filelists;
mod offer;
mod primary;
mod repomd;
mod xml;

pub use filelists::find as find_in_filelists;
pub use offer::{Dependency, Evr, Offer, Sense};
pub use primary::read as read_primary;
pub use repomd::{MetadataFile, check_path, read as read_repomd};
