//! The packages of this very checkout, program and all, as `make rpm` builds them.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use crate::{
    checkout::{Checkout, built, repository, walk},
    support,
};

/// Packages that need no source from elsewhere: with a network, the others would take an hour.
const REAL: [&str; 3] = ["calico-mesos", "mesos-calico-firewalld", "mesos-init-wrapper"];

/// Builds the real packages, signed by the test key, for this address.
pub fn real_packages(base_url: &str, out: &std::path::Path) {
    real_packages_signed_by("a", base_url, out);
}

/// As [`real_packages`], signed by this test key.
pub fn real_packages_signed_by(key: &str, base_url: &str, out: &std::path::Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("--root").arg(repository()).arg("rpm").args(REAL);
    command.args(["--base-url", base_url, "--out"]).arg(out);
    command.arg("--key").arg(support::key_file(key)).env_remove("SOURCE_DATE_EPOCH");
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
    let rpm = PathBuf::from(&out).join("mesos-init-wrapper-0.2.0-2.el7.x86_64.rpm");
    let requires = support::ok(Command::new("rpm").args(["-qp", "--requires"]).arg(&rpm));
    let newest = requires
        .lines()
        .filter_map(|l| {
            l.strip_prefix("libc.so.6(GLIBC_2.")?.split([')', '.']).next()?.parse::<u32>().ok()
        })
        .max();
    // Linked with musl, it needs no library at all.
    assert!(newest.is_none_or(|n| n <= 17), "{requires}");
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

/// A checkout with one crate, which has no dependencies.
pub fn with_crate(source: &str) -> Checkout {
    let checkout = Checkout::new();
    checkout.write("Cargo.toml", "[workspace]\nmembers = [\"host/*\"]\nresolver = \"3\"\n");
    checkout
        .write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"tiny\"\nversion = \"1.0.0\"\n");
    checkout.write("host/tiny/src/main.rs", source);
    checkout.write(
        "host/tiny/Cargo.toml",
        "[package]\nname = \"tiny\"\nversion = \"1.0.0\"\nedition = \"2024\"\ndescription = \"Tiny\"\nlicense = \"MIT\"\n\
         [package.metadata.generate-rpm]\n\
         assets = [{ source = \"target/release/tiny\", dest = \"/usr/bin/tiny\", mode = \"755\" }]\n",
    );
    checkout.write(
        "specs/tiny/package.toml",
        "[build]\ncrate = \"host/tiny\"\n[package.tiny]\ncargo = true\n\
         [[changelog]]\ndate = 2026-11-22\nauthor = \"A\"\ntext = [\"t\"]\n",
    );
    checkout
}

/// The real checkout's zig, which is there once the real packages have been built.
pub fn lend_tools(checkout: &Checkout) {
    let scratch = tempfile::tempdir().unwrap();
    real_packages("file:///srv/x", &scratch.path().join("el7"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let tools = target.unwrap_or_else(|| repository().join("target")).join("xtask/tools");
    fs_err::os::unix::fs::symlink(tools, checkout.path("target/xtask/tools")).unwrap();
}

#[test]
fn packages_that_cannot_be_built_here_are_held_back() {
    let checkout = with_crate("fn main() {}");
    // A PATH with rustc, but with neither zig nor Python.
    let rust: Vec<_> = ["rustc", "cargo"].iter().map(|t| support::on_path(t).unwrap()).collect();
    let path = std::env::join_paths(rust.iter().filter_map(|p| p.parent())).unwrap();
    let output = support::run(checkout.xtask(&["rpm", "--offline"]).env("PATH", &path));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("held back:  tiny: zig and cargo-zigbuild are not installed"), "{text}");
    assert!(text.contains("to get it: run once without --offline"), "{text}");
    assert!(checkout.path("dist/el7/notes-1-1.el7.noarch.rpm").exists());
    checkout.ok(&["verify"]);
}

/// A crate whose table is for other distributions, too: with weak dependencies and variants.
fn with_table_for_others() -> Checkout {
    let checkout = with_crate("fn main() {}");
    let manifest = fs_err::read_to_string(checkout.path("host/tiny/Cargo.toml")).unwrap();
    let more = "recommends = { other = \"*\" }\n\
        [package.metadata.generate-rpm.variants.el7]\nsummary = \"Tiny for CentOS 7\"\n";
    checkout.write("host/tiny/Cargo.toml", manifest + more);
    let spec = fs_err::read_to_string(checkout.path("specs/tiny/package.toml")).unwrap();
    let spec = spec.replace("cargo = true\n", "cargo = true\nvariant = \"el7\"\n");
    checkout.write("specs/tiny/package.toml", spec);
    checkout
}

#[test]
fn weak_dependencies_of_a_crate_are_noted_until_package_toml_lifts_them() {
    let checkout = with_table_for_others();
    let noted = || {
        let output = support::run(&mut checkout.xtask(&["plan"]));
        let said = String::from_utf8(output.stderr).unwrap();
        said.contains("note: package.tiny: the crate's `recommends` is left out")
    };
    assert!(noted());
    // As JSON, the plan is one document.
    let plan = checkout.ok(&["plan", "--json"]);
    serde_json::from_str::<serde_json::Value>(&plan).unwrap();
    let spec = fs_err::read_to_string(checkout.path("specs/tiny/package.toml")).unwrap();
    let lifted = spec.replace("cargo = true\n", "cargo = true\nrecommends = {}\n");
    checkout.write("specs/tiny/package.toml", lifted);
    assert!(!noted());
    checkout.write("specs/tiny/package.toml", spec.replace("\"el7\"", "\"el8\""));
    let (code, message) = checkout.fails(&["plan"]);
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("has no variant `el8`"), "{message}");
    assert!(message.contains("help: variants are: el7"), "{message}");
}

#[test]
fn the_variant_that_package_toml_names_is_packaged() {
    if !support::have("variants", &["python3", "rpm"]) {
        return;
    }
    let checkout = with_table_for_others();
    lend_tools(&checkout);
    let events = checkout.events(&[]);
    let note = |e: &&serde_json::Value| e["event"] == "note";
    let notes: Vec<_> = events.iter().filter(note).filter_map(|e| e["message"].as_str()).collect();
    assert!(notes.iter().any(|n| n.contains("`recommends` is left out")), "{notes:?}");
    let mut query = Command::new("rpm");
    query.args(["-qp", "--qf", "%{SUMMARY}"]);
    let rpm = checkout.path("dist/el7/tiny-1.0.0-1.el7.x86_64.rpm");
    assert_eq!(support::ok(query.arg(rpm)), "Tiny for CentOS 7");
}

#[test]
fn a_compile_error_is_shown_with_step_command_status_log_and_help() {
    if !support::have("compile error", &["python3"]) {
        return;
    }
    let checkout = with_crate("fn main() { let x: u32 = \"no\"; }");
    lend_tools(&checkout);
    let (code, message) = checkout.fails(&["rpm"]);
    assert_eq!(code, 6, "{message}");
    for part in [
        "step: compile host/tiny",
        "command: ",
        "--target x86_64-unknown-linux-",
        "ended: exit status: 101",
        "error[E0308]: mismatched types",
        "log: [ROOT]/target/xtask/logs/compile-tiny.log",
        "help: ",
    ] {
        assert!(message.contains(part), "{part} is not in\n{message}");
    }
    let published = walk(&checkout.path("dist"));
    assert!(!published.iter().any(|f| f.contains("/tiny-")), "{published:?}");
    assert!(checkout.path("target/xtask/logs/compile-tiny.log").exists());
    // Mended, the rest of the work is still there.
    checkout.write("host/tiny/src/main.rs", "fn main() {}");
    assert!(built(&checkout.events(&[])).contains(&"compile host/tiny".to_owned()));
    assert_eq!(built(&checkout.events(&[])), [""; 0]);
}

/// A `rustc` that says it has only these targets, and a `rustup` that does what is said here; the rest of PATH
/// is behind them.
fn with_targets(checkout: &Checkout, targets: &[&str], rustup: &str) -> String {
    let sysroot = checkout.dir.path().join("sysroot");
    for target in targets {
        fs_err::create_dir_all(sysroot.join("lib/rustlib").join(target).join("lib")).unwrap();
    }
    let bin = checkout.dir.path().join("bin");
    fs_err::create_dir_all(&bin).unwrap();
    let path = std::env::var("PATH").unwrap();
    let real = std::env::split_paths(&path).map(|dir| dir.join("rustc")).find(|p| p.is_file());
    let rustc = format!(
        "if [ \"$*\" = '--print sysroot' ]; then echo {}; else exec {} \"$@\"; fi",
        sysroot.display(),
        real.unwrap().display()
    );
    let rustup = rustup.replace("SYSROOT", sysroot.to_str().unwrap());
    for (name, text) in [("rustc", rustc), ("rustup", rustup)] {
        let path = bin.join(name);
        fs_err::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs_err::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    format!("{}:{path}", bin.display())
}

const MUSL: &str = "x86_64-unknown-linux-musl";

#[test]
fn the_library_for_musl_is_asked_for_where_it_is_missing() {
    if !support::have("Rust's library for musl", &["python3"]) {
        return;
    }
    let checkout = with_crate("fn main() {}");
    lend_tools(&checkout);
    let step = format!("rustup target add {MUSL}");
    let add = format!("echo \"$*\" > SYSROOT/asked; mkdir -p SYSROOT/lib/rustlib/{MUSL}/lib");
    let path = with_targets(&checkout, &["x86_64-unknown-linux-gnu"], &add);
    let plan = support::ok(checkout.xtask(&["plan"]).env("PATH", &path));
    assert!(plan.contains(&step), "{plan}");
    let plan = support::ok(checkout.xtask(&["doctor"]).env("PATH", &path));
    assert!(plan.contains(&format!("a run will: {step}")), "{plan}");
    // Before anything is compiled; once it is there, nobody is asked again.
    let output = support::run(checkout.xtask(&["rpm"]).env("PATH", &path));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.lines().any(|line| line == format!("start  {step}")), "{said}");
    let asked = fs_err::read_to_string(checkout.dir.path().join("sysroot/asked")).unwrap();
    assert_eq!(asked.trim_end(), format!("target add {MUSL}"));
    let log = fs_err::read_to_string(checkout.path("target/xtask/logs/compile-tiny.log")).unwrap();
    assert!(log.contains(MUSL) || output.status.success(), "{log}");
    let plan = support::ok(checkout.xtask(&["plan"]).env("PATH", &path));
    assert!(!plan.contains(&step), "{plan}");
}

#[test]
fn without_the_library_for_musl_programs_are_linked_for_glibc() {
    if !support::have("glibc 2.17", &["python3", "rpm"]) {
        return;
    }
    let checkout = with_crate("fn main() {}");
    lend_tools(&checkout);
    let path =
        with_targets(&checkout, &["x86_64-unknown-linux-gnu"], "echo no network >&2; exit 1");
    let said = support::run(checkout.xtask(&["rpm"]).env("PATH", &path));
    assert!(said.status.success(), "{said:?}");
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(text.contains("programs are linked for glibc 2.17"), "{text}");
    let requires = Command::new("rpm")
        .args(["-qp", "--requires"])
        .arg(checkout.path("dist/el7/tiny-1.0.0-1.el7.x86_64.rpm"))
        .output();
    let requires = String::from_utf8(requires.unwrap().stdout).unwrap();
    assert!(requires.contains("libc.so.6(GLIBC_2."), "{requires}");
    // Asked again when there is something to compile, and only then; and never with --offline.
    let again = support::run(checkout.xtask(&["rpm"]).env("PATH", &path));
    assert!(!String::from_utf8_lossy(&again.stderr).contains("rustup"), "{again:?}");
    checkout.write("host/tiny/src/main.rs", "fn main() { println!() }");
    let offline = support::run(checkout.xtask(&["rpm", "--offline"]).env("PATH", &path));
    assert!(!String::from_utf8_lossy(&offline.stderr).contains("rustup"), "{offline:?}");
}

#[test]
fn the_abi_gate_refuses_what_centos_7_could_not_start() {
    let checkout = Checkout::new();
    let toml = fs_err::read_to_string(checkout.path("specs/notes/package.toml")).unwrap();
    let fails = |content: &[u8], arch: &str| {
        checkout.write("specs/notes/README", content);
        checkout.write("specs/notes/package.toml", toml.replace("noarch", arch));
        let (code, message) = checkout.fails(&["rpm"]);
        assert_eq!(code, 7, "{message}");
        assert!(message.contains("package: notes"), "{message}");
        message
    };
    let program = fs_err::read("/bin/true").unwrap();
    let message = fails(&program, "x86_64");
    assert!(message.contains("/usr/share/doc/notes/README needs version GLIBC_2."), "{message}");
    assert!(message.contains("of libc.so.6, which the target does not have (for "), "{message}");
    assert!(fails(&program, "noarch").contains("is machine code in a noarch package"));
    // e_machine of aarch64.
    let mut foreign = program.clone();
    foreign[18] = 183;
    assert!(fails(&foreign, "x86_64").contains("is not for x86_64"));
    // e_shoff and e_shnum: without sections the program runs as before.
    let mut bare = program.clone();
    bare[40..48].fill(0);
    bare[60..64].fill(0);
    assert!(fails(&bare, "x86_64").contains("its dynamic section cannot be read"));
    assert!(fails(&program[..80], "x86_64").contains("its dynamic section cannot be read"));
}

/// A build script that fails if it can find out the passphrase. It knows the passphrase itself in
/// two halves only, so that it does not find its own traces.
const SPY: &str = r#"
fn main() {
    let secret = ["unsagbar", "geheim"].join("-");
    let found = |bytes: &[u8]| bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
    for (name, value) in std::env::vars_os() {
        let value = value.into_encoded_bytes();
        assert!(name != "PASS" && !found(&value), "{name:?} holds the passphrase");
    }
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        // Programs that have ended meanwhile have no arguments.
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!found(&line), "an argument of {process:?} holds the passphrase");
    }
}
"#;

/// Neither in the build nor in the second one, which has no reason to know that there is a secret.
#[test]
fn no_program_that_is_run_sees_the_passphrase() {
    if !support::have("passphrase and builds", &["python3", "gpg", "sh"]) {
        return;
    }
    let checkout = with_crate("fn main() {}");
    lend_tools(&checkout);
    checkout.write("host/tiny/build.rs", SPY);
    let passphrase = "unsagbar-geheim";
    let key = crate::keys::protected_key(checkout.dir.path(), passphrase);
    let key = ["--key", key.to_str().unwrap(), "--passphrase-env", "PASS"];
    let run = |more: &[&str]| {
        let mut command = checkout.xtask(&[&["rpm", "--json"][..], &key, more].concat());
        support::ok(command.env("PASS", passphrase))
    };
    run(&[]);
    let said = run(&["--check-reproducible"]);
    assert!(said.contains("\"reproducible\":\"path, umask"), "{said}");
    assert!(!said.contains(passphrase), "{said}");
    let left = checkout.path("target/xtask");
    for file in walk(&left) {
        let bytes = fs_err::read(left.join(&file)).unwrap_or_default();
        let found = bytes.windows(passphrase.len()).any(|w| w == passphrase.as_bytes());
        assert!(!found, "{file} holds the passphrase");
    }
}

#[test]
fn a_second_build_elsewhere_gives_the_same_bytes_or_the_run_fails() {
    if !support::have("--check-reproducible", &["python3", "sh", "unshare", "faketime"]) {
        return;
    }
    let checkout = with_crate("fn main() {}");
    lend_tools(&checkout);
    let said = checkout.ok(&["rpm", "--check-reproducible"]);
    assert!(said.contains("reproducible: a second build gave the same bytes"), "{said}");
    assert!(said.contains("user id, date"), "{said}");
    // A program that knows where it was built, one that knows when, and one that knows by whom.
    let knows = [
        "fn main() { println!(\"cargo:rustc-env=KNOWN={}\", env!(\"CARGO_MANIFEST_DIR\")) }",
        "fn main() {
            let now = std::time::SystemTime::now();
            let days = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 86400;
            println!(\"cargo:rustc-env=KNOWN={}\", days / 100);
        }",
        "use std::os::unix::fs::MetadataExt;
        fn main() {
            let uid = std::fs::metadata(\"/proc/self\").unwrap().uid();
            println!(\"cargo:rustc-env=KNOWN={uid}\");
        }",
    ];
    checkout.write("host/tiny/src/main.rs", "fn main() { println!(env!(\"KNOWN\")) }");
    for script in knows {
        checkout.write("host/tiny/build.rs", script);
        let (code, message) = checkout.fails(&["rpm", "--check-reproducible"]);
        assert_eq!(code, 9, "{script}: {message}");
        let differs = "tiny-1.0.0-1.el7.x86_64: the file tiny differs";
        assert!(message.contains(differs), "{script}: {message}");
    }
}
