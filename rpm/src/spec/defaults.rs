//! Default values.

/// The release of a package without the key `release`.
pub(super) const RELEASE: &str = "1.el7";
