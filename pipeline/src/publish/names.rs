//! Names of the files at the top of a repository.

/// Name of the public key in the repository.
pub const PUBLIC_KEY: &str = "RPM-GPG-KEY-mesos-calico";
/// Name of yum's description of the repository.
pub(super) const REPO_FILE: &str = "mesos-calico.repo";
/// Name of the record of what was released.
pub(super) const RELEASE: &str = "release.json";
/// Name of the list of checksums.
pub(super) const SUMS: &str = "SHA256SUMS";

/// Name of the list's signature.
pub(super) fn sums_signature() -> String {
    format!("{SUMS}.asc")
}
