//! Bad input: a clear error, the exit code of its class, and nothing half-written.

use crate::checkout::Checkout;

const HEAD: &str = "version = \"1\"\narch = \"noarch\"\nsummary = \"S\"\nlicense = \"L\"\n";
const LOG: &str = "\n[[changelog]]\ndate = 2026-11-22\nauthor = \"A\"\ntext = [\"t\"]\n";

/// The messages of one test as one snapshot, in tests/e2e/snapshots.
fn snapshot(name: &str, cases: &[(&str, String)]) {
    let text: Vec<_> =
        cases.iter().map(|(what, said)| format!("# {what}\nexit code {said}\n")).collect();
    insta::assert_snapshot!(name, text.join("\n"));
}

/// The output of `rpm` for this description.
fn description(toml: &str) -> String {
    let checkout = Checkout::empty();
    checkout.write("specs/p/package.toml", toml);
    checkout.write("specs/p/file", "content");
    failure(&checkout)
}

/// The output of `rpm` for these keys in `[package.p]`.
fn package(keys: &str) -> String {
    description(&format!("[package.p]\n{HEAD}{keys}{LOG}"))
}

fn failure(checkout: &Checkout) -> String {
    let (code, message) = checkout.fails(&["rpm"]);
    assert!(!checkout.path("dist").exists(), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    format!("{code}\n{message}")
}

#[test]
fn malformed_descriptions_are_refused() {
    snapshot(
        "malformed",
        &[
            ("no TOML", description("[package.p\n")),
            ("unknown key", package("sumary = \"x\"\n")),
            (
                "unknown key of an asset",
                package("assets = [{ source = \"file\", dst = \"/x\" }]\n"),
            ),
            ("wrong type", package("epoch = \"one\"\n")),
            ("weak dependency", package("recommends = { x = \"*\" }\n")),
            ("version without operator", package("requires = { x = \"1.0\" }\n")),
            ("script that is not there", package("post_install_script = \"post.sh\"\n")),
            (
                "a file in place of a folder",
                package("assets = [{ source = \"file\", dest = \"/usr/bin\" }]\n"),
            ),
            (
                "a link in place of a folder",
                package("assets = [{ link = \"usr/lib64\", dest = \"/lib64\" }]\n"),
            ),
            ("no changelog", description(&format!("[package.p]\n{HEAD}"))),
            ("no package", description(&format!("[common]\nversion = \"1\"\n[package]\n{LOG}"))),
        ],
    );
}

#[test]
fn hostile_descriptions_are_refused() {
    snapshot(
        "hostile",
        &[
            ("name with a path", description(&format!("[package.\"../../p\"]\n{HEAD}{LOG}"))),
            (
                "source outside",
                package(
                    "assets = [{ source = \"../../../../../../../../etc/shadow\", dest = \"/x\" }]\n",
                ),
            ),
            (
                "absolute source",
                package("assets = [{ source = \"/etc/shadow\", dest = \"/x\" }]\n"),
            ),
            ("dest with ..", package("assets = [{ source = \"file\", dest = \"/a/../x\" }]\n")),
            (
                "a directory of filesystem's",
                package("assets = [{ dest = \"/usr/bin\", dir = true }]\n"),
            ),
            ("escapes", package("description = \"\\u001b[31mred\"\n")),
            ("shell in a unit", package("units = [\"a.service; reboot\"]\n")),
            (
                "shell in a user",
                package("users = [{ name = \"x\", home = \"/h\", comment = \"'; reboot; '\" }]\n"),
            ),
            (
                "shell in a home",
                package("users = [{ name = \"x\", home = \"/h; reboot\", comment = \"x\" }]\n"),
            ),
            (
                "shell in a shell",
                package(
                    "users = [{ name = \"x\", home = \"/h\", comment = \"x\", shell = \"$(reboot)\" }]\n",
                ),
            ),
            (
                "escapes in an error",
                package("arch = \"\\u001b]0;owned\\u0007\"\n").replace('\u{1b}', "ESC"),
            ),
            (
                "too many bits",
                package("assets = [{ source = \"file\", dest = \"/x\", mode = \"77777\" }]\n"),
            ),
        ],
    );
}

#[test]
fn wrong_assets_are_refused() {
    let linked = Checkout::empty();
    let keys = "assets = [{ source = \"link\", dest = \"/x\" }]\n";
    linked.write("specs/p/package.toml", format!("[package.p]\n{HEAD}{keys}{LOG}"));
    fs_err::os::unix::fs::symlink("/etc/passwd", linked.path("specs/p/link")).unwrap();
    let outside = failure(&linked);
    let script = "post_install_script = \"link\"\n";
    linked.write("specs/p/package.toml", format!("[package.p]\n{HEAD}{script}{LOG}"));
    let script_outside = failure(&linked);
    linked.write("specs/p/package.toml", format!("[package.p]\n{HEAD}{keys}{LOG}"));
    fs_err::remove_file(linked.path("specs/p/link")).unwrap();
    crate::support::ok(std::process::Command::new("mkfifo").arg(linked.path("specs/p/link")));
    let below =
        "assets = [{ source = \"file\", dest = \"/a\" }, { source = \"file\", dest = \"/a/b\" }]\n";
    snapshot(
        "assets",
        &[
            ("missing", package("assets = [{ source = \"missing\", dest = \"/x\" }]\n")),
            (
                "pattern that matches nothing",
                package("assets = [{ source = \"none/*\", dest = \"/x/\" }]\n"),
            ),
            ("pattern to a file", package("assets = [{ source = \"*\", dest = \"/x\" }]\n")),
            ("below a file", package(below)),
            ("link that leads outside", outside),
            ("script that leads outside", script_outside),
            ("FIFO", failure(&linked)),
        ],
    );
}

#[test]
fn unknown_and_duplicate_packages_are_refused() {
    let checkout = Checkout::new();
    let (code, unknown) = checkout.fails(&["rpm", "mesoss"]);
    let twice = fs_err::read(checkout.path("specs/notes/package.toml")).unwrap();
    checkout.write("specs/other/package.toml", twice);
    let doubled = failure(&checkout);
    let empty = failure(&Checkout::empty());
    snapshot(
        "packages",
        &[("unknown", format!("{code}\n{unknown}")), ("doubled", doubled), ("no specs", empty)],
    );
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let checkout = Checkout::new();
    checkout.write("file", "in the way");
    let (code, message) = checkout.fails(&["rpm", "--out", "file/el7"]);
    assert_eq!(code, 10, "{message}");
    let (code, message) = checkout.fails(&["rpm", "--out", "/proc/el7"]);
    assert_eq!(code, 10, "{message}");
    let left = crate::checkout::walk(&checkout.path("target/xtask/tmp"));
    assert_eq!(left, [""; 0]);
}

#[test]
fn a_full_disk_loses_nothing() {
    if !crate::support::have_as_root("full disk", &["mount", "unshare", "sh"]) {
        return;
    }
    let checkout = Checkout::new();
    let script = r#"
        set -e
        mount -t tmpfs -o size=6m none "$1"
        cp -a "$2/." "$1"
        "$3" --root "$1" rpm
        head -c 3000000 /dev/urandom > "$1/specs/notes/README"
        code=0
        "$3" --root "$1" rpm || code=$?
        "$3" --root "$1" verify
        exit $code"#;
    let mount = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(mount.path()).arg(checkout.dir.path());
    let output = crate::support::run(command.arg(env!("CARGO_BIN_EXE_xtask")));
    let (code, message) = checkout.code_and_text(&output);
    assert_eq!(code, 10, "{message}");
    assert!(
        message.contains("No space left on device") && message.contains("help: free some space"),
        "{message}"
    );
}

#[test]
fn arguments() {
    let checkout = Checkout::new();
    for args in
        [&["rpm", "--jobs", "0"][..], &["frobnicate"], &["rpm", "--passphrase-env", "X"], &[]]
    {
        assert_eq!(checkout.fails(args).0, 2, "{args:?}");
    }
    for args in [&["--help"][..], &["rpm", "--help"], &["--version"]] {
        checkout.ok(args);
    }
    assert!(checkout.ok(&["--help"]).contains("verification failed"));
}

#[test]
fn an_archive_without_a_pin_can_be_planned_and_not_built() {
    let checkout = Checkout::new();
    crate::stand_in::pinned_image(&checkout, "test");
    checkout.write(
        "specs/loose/package.toml",
        format!(
            "[source.loose]\nurl = [\"https://localhost:1/loose-1.tar.gz\"]\n\
             [build]\nimage = \"test\"\n[[build.phase]]\nname = \"make\"\nrun = \"true\"\n\
             [package.loose]\nversion = \"1\"\nsummary = \"S\"\nlicense = \"L\"\n\
             assets = [{{ staged = \"/usr/share/loose\" }}]\n{LOG}"
        ),
    );
    // It is nobody else's affair.
    assert!(checkout.ok(&["plan"]).contains("fetch loose"));
    checkout.ok(&["rpm", "notes"]);
    checkout.ok(&["clean"]);
    let (code, message) = checkout.fails(&["rpm", "loose"]);
    assert_eq!(code, 4, "{message}");
    assert!(
        message.contains("the archive of `loose` is not pinned: it has no sha256"),
        "{message}"
    );
    assert!(message.contains("cargo xtask fetch --pin"), "{message}");
}

#[test]
fn deeply_nested_toml_is_refused() {
    let checkout = Checkout::new();
    let toml = fs_err::read_to_string(checkout.path("specs/notes/package.toml")).unwrap();
    let braces = |n: usize| [&"{".repeat(n), "README", &"}".repeat(n)].concat();
    let pattern = |text: &str| toml.replace("source = \"README\"", text);
    let source = |n: usize| pattern(&format!("source = \"{}\"", braces(n)));
    let exclude = |n: usize| pattern(&format!("source = \"*\", exclude = [\"{}\"]", braces(n)));
    for (text, code) in [
        (source(250), 7),
        (source(100_000), 7),
        (exclude(250), 7),
        (exclude(100_000), 7),
        (format!("{toml}x = {}{}", "[".repeat(100_000), "]".repeat(100_000)), 3),
        (format!("{toml}x = {}1{}", "{a=".repeat(50_000), "}".repeat(50_000)), 3),
        (format!("{toml}x{} = 1", ".a".repeat(50_000)), 3),
    ] {
        checkout.write("specs/notes/package.toml", text);
        let (ended, message) = checkout.fails(&["rpm"]);
        assert_eq!(ended, code, "{message}");
    }
}

#[test]
fn too_few_open_files_are_named() {
    let checkout = Checkout::new();
    let xtask = checkout.xtask(&["rpm"]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -n 8 && exec \"$@\"", "sh"]);
    command.arg(xtask.get_program()).args(xtask.get_args());
    let (code, message) = checkout.code_and_text(&crate::support::run(&mut command));
    assert_eq!(code, 2, "{message}");
    assert!(message.contains("the limit of open files is 8"), "{message}");
    assert!(message.contains("ulimit -n 1024"), "{message}");
}
