//! Names of the files at the top of a repository.

/// Name of the public key in the repository.
pub const PUBLIC_KEY: &str = "RPM-GPG-KEY-mesos-calico";
/// Name of the file for /etc/yum.repos.d.
pub(super) const REPO_FILE: &str = "mesos-calico.repo";
/// Name of the list of packages and files.
pub(super) const RELEASE: &str = "release.json";
/// Name of the list of checksums.
pub(super) const SUMS: &str = "SHA256SUMS";

/// Name of the list's signature.
pub(super) fn sums_signature() -> String {
    format!("{SUMS}.asc")
}
