//! The packages of this very checkout, program and all, as `make rpm` builds them.

use std::{path::PathBuf, process::Command};

use crate::{checkout::repository, support};

/// Builds the real packages, signed by the test key, for this address.
pub fn real_packages(base_url: &str, out: &std::path::Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("--root").arg(repository()).args(["rpm", "--base-url", base_url, "--out"]).arg(out);
    command.arg("--key").arg(support::key_file("a")).env_remove("SOURCE_DATE_EPOCH");
    support::ok(&mut command);
}

#[test]
fn the_wrapper_is_built_for_centos_7_and_nothing_newer() {
    if !support::have("el7 binaries", &["python3", "rpm", "rpm2cpio", "cpio", "readelf"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("el7");
    real_packages("file:///srv/x", &out);
    let rpm = PathBuf::from(&out).join("mesos-init-wrapper-0.1.0-1.el7.x86_64.rpm");
    let requires = support::ok(Command::new("rpm").args(["-qp", "--requires"]).arg(&rpm));
    let newest = requires
        .lines()
        .filter_map(|l| {
            l.strip_prefix("libc.so.6(GLIBC_2.")?.split([')', '.']).next()?.parse::<u32>().ok()
        })
        .max();
    assert!(newest.is_some_and(|n| n <= 17), "{requires}");
    let unpack = format!("rpm2cpio {} | cpio -idm --quiet", rpm.display());
    support::ok(Command::new("sh").args(["-c", &unpack]).current_dir(scratch.path()));
    let program = scratch.path().join("usr/bin/mesos-init-wrapper");
    let help = support::ok(Command::new(&program).arg("--help"));
    assert!(help.contains("/etc/mesos-master/quorum"));
    // No path of the machine that built it.
    let bytes = fs_err::read(&program).unwrap();
    let root = repository();
    let root = root.to_str().unwrap().as_bytes();
    assert!(!bytes.windows(root.len()).any(|w| w == root));
}
