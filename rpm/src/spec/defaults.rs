//! What holds where a description is silent.

/// The release of a package that names none.
pub(super) const RELEASE: &str = "1.el7";
