//! The Rust that a release is compiled with. rustup and what it chooses are stand-ins: no machine has to have
//! the version that they are of.

use std::process::Command;

use serde_json::Value;

use crate::{
    checkout::{Checkout, walk},
    host_program::with_crate,
    support,
    tools::Tools,
};

const PINNED: &str = "[workspace.metadata.release]\nrust = \"1.91.0\"\n";

/// The variables that a stand-in writes down.
const NOTE: &str = r#"
echo "$NAME toolchain=${RUSTUP_TOOLCHAIN-} cargo=${CARGO-} rustc=${RUSTC-} wrapper=${RUSTC_WRAPPER-}" >>"$DIR/variables"
"#;

/// As rustup's proxies are: whoever chooses nothing gets 1.80.0.
const RUSTC: &str = r#"
version=${RUSTUP_TOOLCHAIN:-1.80.0}
case $* in
"--print sysroot") echo "$DIR/sysroot" ;;
*) echo "rustc $version (a stand-in)"; echo "release: $version" ;;
esac
"#;

const CARGO: &str = "[ \"$*\" != -V ] || echo cargo ${RUSTUP_TOOLCHAIN:-1.80.0} '(a stand-in)'";

const RUSTUP: &str = r#"
case $* in
"toolchain list") cat "$DIR/toolchains" ;;
"target add"*) mkdir -p "$DIR/sysroot/lib/rustlib/x86_64-unknown-linux-musl/lib" ;;
esac
"#;

/// pip, which installs the stand-in of cargo-zigbuild as the pinned one.
const PYTHON: &str = r#"
while [ $# -gt 0 ]; do
    if [ "$1" = --target ]; then
        mkdir -p "$2/bin" "$2/ziglang"
        cp "$DIR/bin/cargo-zigbuild" "$2/bin"
        cp "$DIR/bin/zig" "$2/ziglang"
    fi
    shift
done
"#;

/// With rustup, which has 1.91.0 among others.
fn with_rustup() -> Tools {
    let tools = Tools::new();
    tools.add("rustc", &format!("{NOTE}{RUSTC}"));
    tools.add("cargo", &format!("{NOTE}{CARGO}"));
    tools.add("cargo-zigbuild", &format!("{NOTE}{}", crate::tools::ZIGBUILD));
    tools.add("rustup", &format!("{NOTE}{RUSTUP}"));
    tools.add("python3", PYTHON);
    // The second build is run by these: scripts would hand on a PATH of their own.
    for (name, path) in ["sh", "unshare"].map(|name| (name, support::on_path(name))) {
        if let Some(path) = path {
            tools.remove(&format!("bin/{name}"));
            fs_err::os::unix::fs::symlink(path, tools.path("bin").join(name)).unwrap();
        }
    }
    let host = "x86_64-unknown-linux-gnu";
    tools.write("toolchains", &format!("stable-{host} (active, default)\n1.91.0-{host}\n"));
    tools
}

fn pinned() -> Checkout {
    let checkout = with_crate("fn main() {}");
    let manifest = fs_err::read_to_string(checkout.path("Cargo.toml")).unwrap();
    checkout.write("Cargo.toml", manifest + PINNED);
    checkout
}

/// A release, from a shell whose variables choose other compilers.
fn release(tools: &Tools, checkout: &Checkout, args: &[&str]) -> Command {
    let key = support::key_file("b");
    let base = ["rpm", "--release", "--key", key.to_str().unwrap()];
    let mut command = tools.xtask(checkout, &[&base[..], args].concat());
    command.env("RUSTUP_TOOLCHAIN", "nightly");
    for name in ["CARGO", "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_RUSTC"]
    {
        command.env(name, "/nowhere/rust");
    }
    command
}

fn release_json(checkout: &Checkout) -> Value {
    let text = fs_err::read(checkout.path("dist/el7/release.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn a_release_is_compiled_by_the_rust_that_the_checkout_names_whatever_the_shell_says() {
    if !support::have("the Rust of a release", &["cp", "sh"]) {
        return;
    }
    let (tools, checkout) = (with_rustup(), pinned());
    // Its library for musl is added to it as well.
    fs_err::remove_dir_all(tools.path("sysroot/lib/rustlib/x86_64-unknown-linux-musl")).unwrap();
    support::ok(&mut release(&tools, &checkout, &["--check-reproducible"]));
    let noted = fs_err::read_to_string(tools.path("variables")).unwrap();
    for line in noted.lines().filter(|line| !line.starts_with("rustup ")) {
        assert!(line.contains(" toolchain=1.91.0 "), "{noted}");
        assert!(!line.contains("/nowhere/rust"), "{noted}");
    }
    // In the first build, and in the second.
    assert_eq!(noted.matches("cargo-zigbuild toolchain=1.91.0 cargo= ").count(), 2, "{noted}");
    let calls = tools.calls();
    let added = "rustup target add --toolchain 1.91.0 x86_64-unknown-linux-musl\n";
    assert_eq!(calls.matches(added).count(), 1, "{calls}");
    assert_eq!(release_json(&checkout)["compiler"], "rustc 1.91.0 (a stand-in)");
    checkout.ok(&["verify"]);

    // An ordinary run takes what is there.
    support::ok(tools.xtask(&checkout, &["rpm"]).env_remove("RUSTUP_TOOLCHAIN"));
    assert_eq!(release_json(&checkout)["compiler"], "rustc 1.80.0 (a stand-in)");
}

/// Situations in which a release is refused before anything is fetched or compiled, with the message.
#[test]
fn a_release_without_its_rust_is_refused_before_the_work() {
    let refused = |spoil: fn(&Tools, &Checkout), parts: [&str; 2]| {
        let (tools, checkout) = (with_rustup(), pinned());
        spoil(&tools, &checkout);
        let output = support::run(&mut release(&tools, &checkout, &[]));
        let (code, message) = checkout.code_and_text(&output);
        assert_eq!(code, 5, "{message}");
        for part in parts {
            assert!(message.contains(part), "{part} is not in\n{message}");
        }
        let calls = tools.calls();
        let work = ["cargo fetch", "cargo-zigbuild", "pip install", "target add"];
        assert!(!work.iter().any(|call| calls.contains(call)), "{calls}");
        assert!(!checkout.path("dist").exists());
    };
    let install = "rustup toolchain install 1.91.0 --profile minimal`";
    refused(|tools, _| tools.remove("bin/rustup"), ["no rustup on PATH", install]);
    refused(|tools, _| tools.write("toolchains", "1.91.00-x\n1.9-x\n"), ["not installed", install]);
    refused(
        |tools, _| tools.add("rustup", "echo broken >&2; exit 1"),
        ["ended with exit status: 1: broken", "Rust 1.91.0"],
    );
    // cargo and rustc of a distribution, which rustup does not control.
    let other_rustc = |tools: &Tools, _: &Checkout| {
        tools.add("rustc", "echo rustc 1.63.0; echo release: 1.63.0");
    };
    refused(other_rustc, ["the first rustc on PATH, is 1.63.0", "first on PATH"]);
    let other_cargo = |tools: &Tools, _: &Checkout| tools.add("cargo", "echo cargo 1.65.0");
    refused(other_cargo, ["the first cargo on PATH, is 1.65.0", "first on PATH"]);

    let not_named = |_: &Tools, checkout: &Checkout| checkout.write("Cargo.toml", "[workspace]\n");
    let name = "[workspace.metadata.release] rust = \"X.Y.Z\"";
    refused(not_named, ["[ROOT]/Cargo.toml does not say which Rust", name]);
    let by_channel = |_: &Tools, checkout: &Checkout| {
        checkout.write("Cargo.toml", PINNED.replace("1.91.0", "stable"));
    };
    refused(by_channel, ["names `stable` as the Rust of a release", name]);
}

#[test]
fn a_release_that_compiles_no_crate_needs_no_rust() {
    let (tools, checkout) = (with_rustup(), with_crate("fn main() {}"));
    for name in ["bin/rustup", "bin/rustc", "bin/cargo"] {
        tools.remove(name);
    }
    support::ok(&mut release(&tools, &checkout, &["notes"]));
    assert_eq!(release_json(&checkout).get("compiler"), None);
}

/// A release has no other program in it than one that is made elsewhere.
#[test]
fn a_release_without_the_library_for_musl_or_the_pinned_zig_publishes_nothing() {
    let (tools, checkout) = (with_rustup(), pinned());
    support::ok(&mut tools.xtask(&checkout, &["rpm", "notes"]));
    let before = walk(&checkout.path("dist/el7"));
    let refused = |args: &[&str], parts: [&str; 2]| {
        let output = support::run(&mut release(&tools, &checkout, args));
        let (code, message) = checkout.code_and_text(&output);
        assert_eq!(code, 11, "{message}");
        for part in parts {
            assert!(message.contains(part), "{part} is not in\n{message}");
        }
        assert_eq!(walk(&checkout.path("dist/el7")), before);
    };
    refused(
        &["--offline"],
        ["tiny: zig and cargo-zigbuild are not installed", "run once without --offline"],
    );
    fs_err::remove_dir_all(tools.path("sysroot/lib/rustlib/x86_64-unknown-linux-musl")).unwrap();
    tools.add("rustup", &RUSTUP.replace("mkdir -p", "echo no network >&2; exit 1 #"));
    let musl = "x86_64-unknown-linux-musl";
    refused(
        &[],
        [
            &format!("tiny: Rust's library for {musl} is missing, and cannot be added"),
            &format!("help: rustup target add --toolchain 1.91.0 {musl}"),
        ],
    );
}
