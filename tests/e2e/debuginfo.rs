//! `debuginfo = true` through the command line, for files that are linked dynamically.

use std::process::Command;

use crate::{
    checkout::{Checkout, walk},
    support,
};

const TOOLS: [&str; 5] = ["gcc", "objcopy", "rpm", "rpm2cpio", "cpio"];

/// Packages of a library, of data, and of texts for all machines; `common` and `own` are keys for all and for
/// the library's.
fn description(common: &str, own: &str) -> String {
    let package = |name: &str, arch: &str, keys: &str, assets: &str| {
        format!(
            "[package.{name}]\narch = \"{arch}\"\nsummary = \"S\"\n{keys}\nassets = [{assets}]\n"
        )
    };
    let library = "{ source = \"libx.so.1\", dest = \"/usr/lib64/libx.so.1\", mode = \"755\" }";
    let data = "{ source = \"data\", dest = \"/usr/share/x/data\" }";
    let text = "{ source = \"data\", dest = \"/usr/share/doc/x/text\" }";
    [
        &format!("[common]\nversion = \"1\"\nlicense = \"MIT\"\n{common}\n"),
        &package("x", "x86_64", own, library),
        &package("x-data", "x86_64", "", data),
        &package("x-doc", "noarch", "", text),
        "[[changelog]]\ndate = 2026-11-22\nauthor = \"A <a@localhost> - 1-1\"\ntext = [\"t\"]\n",
    ]
    .concat()
}

/// A checkout with a library that needs libc.so.6, in a version that CentOS 7 has.
fn with_library() -> Checkout {
    let checkout = Checkout::empty();
    checkout.write("specs/x/data", "data\n");
    checkout.write("x.c", "int puts(const char *);\nint x(void) { return puts(\"x\"); }\n");
    let mut gcc = Command::new("gcc");
    gcc.args(["-g", "-shared", "-fPIC", "-nostartfiles", "-Wl,-soname,libx.so.1,--build-id"]);
    gcc.args(["-o", "specs/x/libx.so.1", "x.c", "-lc"]).current_dir(checkout.dir.path());
    support::ok(&mut gcc);
    checkout
}

fn ask(checkout: &Checkout, query: &[&str], file: &str) -> String {
    let path = checkout.path("dist/el7").join(file);
    support::ok(Command::new("rpm").arg("-qp").args(query).arg(path))
}

/// Names of the RPMs that were published.
fn published(checkout: &Checkout) -> Vec<String> {
    let files = walk(&checkout.path("dist/el7"));
    files.into_iter().filter_map(|f| Some(f.strip_suffix(".rpm")?.to_owned())).collect()
}

#[test]
fn a_package_with_debuginfo_is_published_with_its_companion() {
    if !support::have("debuginfo through the command line", &TOOLS) {
        return;
    }
    let checkout = with_library();
    checkout.write("specs/x/package.toml", description("", "debuginfo = true"));
    checkout.ok(&["rpm"]);
    let debug = "x-debuginfo-1-1.el7.x86_64";
    assert_eq!(
        published(&checkout),
        ["x-1-1.el7.x86_64", "x-data-1-1.el7.x86_64", debug, "x-doc-1-1.el7.noarch"]
    );
    checkout.ok(&["verify"]);
    let files = ask(&checkout, &["--list"], &format!("{debug}.rpm"));
    assert!(files.contains("/usr/lib/debug/usr/lib64/libx.so.1.debug\n"), "{files}");
    let requires = ask(&checkout, &["--requires"], &format!("{debug}.rpm"));
    assert!(requires.lines().all(|l| l.starts_with("rpmlib(")), "{requires}");
    let needs = ask(&checkout, &["--requires"], "x-1-1.el7.x86_64.rpm");
    assert!(needs.contains("libc.so.6(GLIBC_2.2.5)(64bit)"), "{needs}");
    assert!(checkout.ok(&["rpm"]).contains("nothing to do"));
}

#[test]
fn debuginfo_in_common_makes_no_package_where_there_is_none() {
    if !support::have("debuginfo in common", &TOOLS) {
        return;
    }
    let checkout = with_library();
    checkout.write("specs/x/package.toml", description("debuginfo = true", ""));
    let said = checkout.ok(&["rpm"]);
    assert!(!said.contains("x-data-debuginfo") && !said.contains("x-doc-debuginfo"), "{said}");
    let all = [
        "x-1-1.el7.x86_64",
        "x-data-1-1.el7.x86_64",
        "x-debuginfo-1-1.el7.x86_64",
        "x-doc-1-1.el7.noarch",
    ];
    assert_eq!(published(&checkout), all);
    checkout.ok(&["verify"]);
    assert!(checkout.ok(&["rpm"]).contains("nothing to do"));
    // `strip = false` of one of them does not contradict what is said for all.
    checkout.write("specs/x/package.toml", description("debuginfo = true", "strip = false"));
    checkout.ok(&["rpm"]);
    assert_eq!(published(&checkout), [all[0], all[1], all[3]]);
    // A package that asks for it itself has a right to be told.
    let own = description("", "").replacen(
        "[package.x-data]\n",
        "[package.x-data]\ndebuginfo = true\n",
        1,
    );
    checkout.write("specs/x/package.toml", own);
    let (code, message) = checkout.fails(&["rpm"]);
    assert_eq!(code, 7, "{message}");
    assert!(message.contains("no file of the package has debug information"), "{message}");
}

#[test]
fn debug_files_of_the_build_are_shipped_as_they_are() {
    if !support::have("a build's own debug files", &TOOLS) {
        return;
    }
    let checkout = with_library();
    let dir = checkout.path("specs/x");
    let mut split = Command::new("objcopy");
    split.args(["--only-keep-debug", "libx.so.1", "libx.so.1.debug"]).current_dir(&dir);
    support::ok(&mut split);
    let assets = "assets = [\
        { source = \"libx.so.1.debug\", dest = \"/usr/lib/debug/usr/lib64/libx.so.1.debug\", mode = \"755\" }, \
        { source = \"libx.so.1\",";
    let text = description("", "").replacen("assets = [{ source = \"libx.so.1\",", assets, 1);
    checkout.write("specs/x/package.toml", text);
    checkout.ok(&["rpm"]);
    let rpm = checkout.path("dist/el7/x-1-1.el7.x86_64.rpm");
    let unpack = format!("rpm2cpio {} | cpio -idm --quiet", rpm.display());
    support::ok(Command::new("sh").args(["-c", &unpack]).current_dir(checkout.dir.path()));
    let shipped = checkout.path("usr/lib/debug/usr/lib64/libx.so.1.debug");
    assert_eq!(fs_err::read(shipped).unwrap(), fs_err::read(dir.join("libx.so.1.debug")).unwrap());
    let provides = ask(&checkout, &["--provides"], "x-1-1.el7.x86_64.rpm");
    assert!(!provides.contains(".debug"), "{provides}");
}
