//! `rpm --builder sandbox`: the root of a lock, made ready by setup.sh, and compiles in it.

use std::{
    os::unix::fs::{MetadataExt, symlink},
    process::Command,
};

use serde_json::Value;

use super::room::{Who, users};
use crate::{
    checkout::{Checkout, built},
    container::{stopped::until, terminal::conversation},
    support,
};

/// The packages of the root: busybox, and accounts.
const SYSTEM: &str = r#"
[package.system]
version = "1.0"
release = "1"
license = "x"
arch = "x86_64"
summary = "Made for a test"
assets = [
  { source = "busybox", dest = "/bin/busybox", mode = "0755" },
  LINKS
  { source = "accounts", dest = "/etc/passwd" },
  { source = "accounts", dest = "/etc/group" },
  { source = "accounts", dest = "/etc/hosts" },
  { source = "accounts", dest = "/usr/libexec/accounts" },
]
[[changelog]]
date = 2026-11-22
author = "A <a@localhost> - 1-1"
text = ["First"]
"#;

const SETUP: &str = "cp -R /src/image/builder /usr/libexec/builder\n\
    chmod -R 755 /usr/libexec/builder; date > /etc/set-up; echo set up for the sandbox\n";

/// The script of the package `tiny`.
const TINY: &str = "mkdir -p $STAGE/usr/share/tiny; cat $SRC/text > $STAGE/usr/share/tiny/text";

const RPM: [&str; 4] = ["--json", "rpm", "--builder", "sandbox"];

struct Yard {
    checkout: Checkout,
    is_user: bool,
}

fn yards(test: &str) -> Vec<Yard> {
    users(test).into_iter().map(|who| Yard::new(who == Who::User)).collect()
}

impl Yard {
    /// A root of busybox, and the package `tiny` that is compiled in it.
    fn new(is_user: bool) -> Self {
        let checkout = Checkout::empty();
        let busybox = support::ok(Command::new("sh").args(["-c", "command -v busybox"]));
        checkout.write("specs/system/busybox", fs_err::read(busybox.trim()).unwrap());
        let text = SYSTEM.to_owned();
        let applets = [
            "sh", "env", "grep", "mkdir", "cp", "cat", "chmod", "date", "id", "ls", "sort",
            "touch", "hostname", "sleep", "kill", "nc",
        ];
        let links: String = applets
            .map(|name| format!("  {{ dest = \"/bin/{name}\", link = \"busybox\" }},\n"))
            .concat();
        let text = text.replace("  LINKS\n", &links);
        checkout.write("specs/system/package.toml", text);
        checkout.write("specs/system/accounts", "\n");
        checkout.ok(&["rpm"]);
        fs_err::rename(checkout.path("dist/el7"), checkout.path("repository")).unwrap();
        fs_err::remove_dir_all(checkout.path("specs/system")).unwrap();
        let repository = checkout.path("repository");
        let (key, urls) = (repository.join("RPM-GPG-KEY-mesos-calico"), repository.display());
        let description = format!(
            "[key.ours]\nfingerprint = '{}'\nurls = ['file://{}']\n\
             [repository.made]\nurls = ['file://{urls}']\nkey = 'ours'\nsigned-metadata = true\n\
             [[want]]\npackages = ['system']\nwhy = 'a test'\n",
            fingerprint(),
            key.display(),
        );
        checkout.write("containers/made/image.toml", description);
        checkout.write("containers/made/setup.sh", SETUP);
        checkout
            .write("containers/made/builder/bin/tool", "#!/bin/sh\necho a tool of the builder\n");
        let own = Self { checkout, is_user };
        own.spec(TINY);
        own.checkout.write("specs/tiny/src/text", "text\n");
        own
    }

    fn spec(&self, script: &str) {
        let text = format!(
            "[source.tiny]\npath = \"src\"\n[build]\nimage = \"made\"\n\
             [[build.phase]]\nname = \"make\"\nrun = '''\n{script}\n'''\n\
             [package.tiny]\nversion = \"1.0\"\nsummary = \"Tiny\"\nlicense = \"MIT\"\n\
             assets = [{{ staged = \"/usr/share/tiny\" }}]\n\
             [[changelog]]\ndate = 2026-11-22\nauthor = \"A <a@localhost> - 1-1\"\ntext = [\"t\"]\n"
        );
        self.checkout.write("specs/tiny/package.toml", text);
    }

    fn xtask(&self, args: &[&str]) -> Command {
        if !self.is_user {
            return self.checkout.xtask(args);
        }
        self.checkout.for_everybody();
        self.checkout.as_user(args)
    }

    fn ok(&self, args: &[&str]) -> String {
        support::ok(&mut self.xtask(args))
    }

    fn fails(&self, args: &[&str]) -> (i32, String) {
        self.checkout.code_and_text(&support::run(&mut self.xtask(args)))
    }

    fn events(&self) -> Vec<Value> {
        let text = self.ok(&RPM);
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// A file of the last compile's build folder.
    fn text(&self, name: &str) -> String {
        let compiles = self.checkout.path("target/xtask/cache/compile");
        let paths =
            fs_err::read_dir(compiles).unwrap().map(|e| e.unwrap().path().join("build").join(name));
        let mut found: Vec<_> = paths.filter(|path| path.exists()).collect();
        found.sort_by_key(|p| fs_err::metadata(p).unwrap().modified().unwrap());
        fs_err::read_to_string(found.pop().unwrap()).unwrap()
    }
}

fn fingerprint() -> String {
    use el7rpm::openpgp::Signer;
    support::key("a").certificate().fingerprint()
}

#[test]
fn a_package_is_compiled_in_the_root_of_the_lock() {
    for yard in yards("--builder sandbox") {
        yard.ok(&["lock", "made"]);
        let look = "mkdir -p $STAGE/usr/share/tiny; cat $SRC/text > $STAGE/usr/share/tiny/text\n\
            cd $BUILD; env | grep -v SHLVL | sort > env; id -u > id; tool > tool; cat /etc/set-up > set-up; cat /etc/passwd > passwd";
        yard.spec(look);
        let events = yard.events();
        assert!(built(&events).contains(&"compile tiny".to_owned()), "{events:?}");
        assert_eq!(
            (yard.text("id"), yard.text("tool")),
            ("1000\n".into(), "a tool of the builder\n".into())
        );
        assert!(yard.text("passwd").contains("builder:x:1000:1000:"));
        assert!(!yard.text("set-up").is_empty());
        let env = yard.text("env");
        let names: Vec<_> =
            env.lines().filter_map(|l| l.split_once('=')).map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "BUILD",
                "CCACHE_COMPILERCHECK",
                "CCACHE_DIR",
                "CCACHE_MAXSIZE",
                "CFLAGS",
                "CXXFLAGS",
                "HOME",
                "JOBS",
                "LC_ALL",
                "LDFLAGS",
                "LOGNAME",
                "NAME",
                "OLDPWD",
                "PATH",
                "PWD",
                "SOURCE_DATE_EPOCH",
                "SRC",
                "STAGE",
                "SWITCHES",
                "TZ",
                "USER",
                "VERSION"
            ]
        );
        // The results belong to the user.
        let owner = fs_err::metadata(yard.checkout.path("dist/el7/tiny-1.0-1.el7.x86_64.rpm"))
            .unwrap()
            .uid();
        assert_eq!(owner, if yard.is_user { 65534 } else { own_uid() });
        yard.ok(&["verify"]);
        // Nothing is to be done again, and without a network the root is there.
        let again = yard.ok(&["rpm", "--builder", "sandbox", "--offline"]);
        assert!(!again.contains("compile tiny"), "{again}");
        // Another last step makes another root.
        yard.checkout.write("containers/made/setup.sh", format!("{SETUP}echo more\n"));
        assert!(built(&yard.events()).contains(&"compile tiny".to_owned()));
    }
}

fn own_uid() -> u32 {
    fs_err::metadata("/proc/self").unwrap().uid()
}

#[test]
fn without_a_lock_the_packages_are_held_back() {
    for yard in yards("--builder sandbox without a lock") {
        let (code, text) = yard.fails(&["rpm", "--builder", "sandbox"]);
        assert_eq!(code, 11, "{text}");
        assert!(text.contains("containers/made/root.lock is not there"), "{text}");
        assert!(text.contains("cargo xtask lock made"), "{text}");
    }
}

#[test]
fn a_last_step_that_fails_leaves_no_root() {
    for yard in yards("setup.sh that fails") {
        yard.ok(&["lock", "made"]);
        yard.checkout.write(
            "containers/made/setup.sh",
            "echo half > /etc/half\necho no such luck >&2\nexit 3\n",
        );
        let (code, text) = yard.fails(&["rpm", "--builder", "sandbox"]);
        assert_eq!(code, 5, "{text}");
        assert!(text.contains("containers/made/setup.sh failed in the new root"), "{text}");
        assert!(text.contains("no such luck"), "{text}");
        yard.checkout.write("containers/made/setup.sh", SETUP);
        yard.ok(&["rpm", "--builder", "sandbox"]);
    }
}

#[test]
fn a_last_step_that_is_edited_while_it_runs_is_not_kept() {
    for yard in yards("setup.sh that changes") {
        yard.ok(&["lock", "made"]);
        let waiting =
            format!("echo set up begins; until [ -e /src/image/builder/go ]; do :; done\n{SETUP}");
        yard.checkout.write("containers/made/setup.sh", waiting);
        let run = until(&mut yard.xtask(&RPM), "set up begins");
        yard.checkout.write("containers/made/builder/go", "");
        let output = run.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(4), "{text}");
        assert!(text.contains("containers/made/builder was changed while it was being"), "{text}");
        yard.ok(&["rpm", "--builder", "sandbox"]);
    }
}

#[test]
fn a_last_step_leaves_nothing_that_is_dangerous_or_cannot_be_removed() {
    for yard in yards("set-id programs of setup.sh") {
        yard.ok(&["lock", "made"]);
        let closed = "mkdir -p /usr/closed/in; touch /usr/closed/in/file; chmod 0 /usr/closed";
        yard.checkout.write("containers/made/setup.sh", format!("{closed}; exit 3\n"));
        for _ in 0..2 {
            let (code, text) = yard.fails(&["rpm", "--builder", "sandbox"]);
            assert_eq!(code, 5, "{text}");
        }
        let set_id = "cp /bin/busybox /usr/mine; chmod 6755 /usr/mine";
        yard.checkout.write("containers/made/setup.sh", format!("{SETUP}{closed}; {set_id}\n"));
        yard.ok(&["rpm", "--builder", "sandbox"]);
        let roots = yard.checkout.path("cache/roots");
        let mode = |path: &std::path::Path| fs_err::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(&roots), 0o700);
        let made: Vec<_> = walkdir::WalkDir::new(&roots).into_iter().map(|e| e.unwrap()).collect();
        let named = |name: &str| made.iter().find(|e| e.file_name() == name).unwrap().path();
        assert_eq!((mode(named("mine")), mode(named("closed"))), (0o755, 0o700));
        // A root that somebody has half removed is made again.
        fs_err::remove_dir_all(named("tree")).unwrap();
        yard.spec(&format!("{TINY}; echo again"));
        yard.ok(&["rpm", "--builder", "sandbox"]);
    }
}

#[test]
fn a_link_among_the_builders_commands_is_a_part_of_the_root() {
    for yard in yards("a link in builder/") {
        yard.ok(&["lock", "made"]);
        yard.checkout.write("containers/made/builder/bin/a", "#!/bin/sh\necho a\n");
        yard.checkout.write("containers/made/builder/bin/b", "#!/bin/sh\necho b\n");
        yard.spec(
            "mkdir -p $STAGE/usr/share/tiny; chosen > $STAGE/usr/share/tiny/text; chosen > chosen",
        );
        let link = yard.checkout.path("containers/made/builder/bin/chosen");
        for target in ["a", "b"] {
            let _ = fs_err::remove_file(&link);
            symlink(target, &link).unwrap();
            yard.ok(&["rpm", "--builder", "sandbox"]);
            assert_eq!(yard.text("chosen"), format!("{target}\n"));
        }
    }
}

#[test]
fn a_build_in_the_sandbox_sees_the_staged_tree_of_what_it_needs() {
    for yard in yards("needs in the sandbox") {
        yard.ok(&["lock", "made"]);
        // What its packages ship may be closed to others.
        yard.spec(&format!("umask 077; {TINY}"));
        let path = yard.checkout.path("specs/tiny/package.toml");
        let tiny = fs_err::read_to_string(path).unwrap();
        let look = "mkdir -p $STAGE/usr/share/more; cd /needs/tiny\n\
                    cat usr/share/tiny/text > $STAGE/usr/share/more/text\n\
                    ls /needs > $BUILD/text; cat usr/share/tiny/text >> $BUILD/text\n\
                    touch new usr/share/tiny/text 2> $BUILD/refused || :";
        let more = tiny.replace("tiny", "more");
        let image = "image = \"made\"";
        let more = more.replace(image, &format!("{image}\nneeds = [\"tiny\"]"));
        let (head, rest) = more.split_once("run = '''\n").unwrap();
        let (_, tail) = rest.split_once("\n'''").unwrap();
        yard.checkout
            .write("specs/more/package.toml", format!("{head}run = '''\n{look}\n'''{tail}"));
        yard.checkout.write("specs/more/src/own", "own\n");
        yard.events();
        assert_eq!(yard.text("text"), "tiny\ntext\n");
        assert!(yard.text("refused").contains("Read-only file system"));
        // What is shipped keeps its mode.
        let mut query = Command::new("rpm");
        query.args(["-qp", "--queryformat", "[%{FILEMODES:perms} %{FILENAMES}\n]"]);
        query.arg(yard.checkout.path("dist/el7/tiny-1.0-1.el7.x86_64.rpm"));
        if support::have("modes in the sandbox", &["rpm"]) {
            let modes = support::ok(&mut query);
            assert!(modes.contains("-rw------- /usr/share/tiny/text"), "{modes}");
        }
    }
}

#[test]
fn checks_can_be_left_out_and_such_a_result_is_never_taken_for_checked() {
    for yard in yards("--no-check") {
        yard.ok(&["lock", "made"]);
        let phases = |check: &str| {
            yard.spec(TINY);
            let path = yard.checkout.path("specs/tiny/package.toml");
            let text = fs_err::read_to_string(path).unwrap();
            let check = format!("[[build.phase]]\nname = \"check\"\nrun = '''\n{check}\n'''\n");
            let text = text.replace("[package.tiny]", &format!("{check}[package.tiny]"));
            yard.checkout.write("specs/tiny/package.toml", text);
        };
        phases("echo FAIL: sum; exit 1");
        let (code, text) = yard.fails(&RPM[1..]);
        assert!(code == 6 && text.contains("phase check failed"), "{text}");
        let without = [&RPM[..], &["--no-check"]].concat();
        let text = yard.ok(&without);
        assert!(text.contains("the checks of tiny are left out (--no-check)"), "{text}");
        assert!(!text.contains("\"phase\":\"check\""), "{text}");
        assert!(yard.checkout.path("dist/el7/tiny-1.0-1.el7.x86_64.rpm").exists());
        // The result is there, and counts for runs of its kind alone.
        let again = yard.ok(&without);
        assert!(!again.contains("\"phase\":"), "{again}");
        let (code, text) = yard.fails(&RPM[1..]);
        assert!(code == 6 && text.contains("phase check failed"), "{text}");
        phases("echo PASS: sum");
        assert!(yard.ok(&RPM).contains("\"phase\":\"check\""));
        let key = support::key_file("b");
        let release = [&RPM[1..], &["--release", "--no-check", "--key", key.to_str().unwrap()][..]];
        let (code, text) = yard.fails(&release.concat());
        assert!(code == 2 && text.contains("--no-check"), "{text}");
    }
}

/// A ccache of 3.3.4, as EPEL 7 has it, which knows no --print-stats; its count of misses is in its folder.
const OLD_CCACHE: &str = "#!/bin/sh
[ \"$1\" = -s ] || { echo \"ccache: unrecognized option '$1'\" >&2; exit 1; }
n=$(cat $CCACHE_DIR/misses 2>/dev/null || echo 0)
cat <<END
cache directory                     $CCACHE_DIR
cache hit (direct)                     7
cache hit (preprocessed)               0
cache miss                             $n
files in cache                        12
END
";

#[test]
fn the_rate_of_an_old_ccache_is_told_and_what_cannot_be_read_is_not() {
    for yard in yards("an old ccache") {
        yard.ok(&["lock", "made"]);
        let told = |ccache: &str, script: &str| {
            yard.checkout.write("containers/made/builder/bin/ccache", ccache);
            yard.spec(&format!("{script}; {TINY}"));
            let events = yard.events();
            let notes = events.iter().filter_map(|e| e["message"].as_str());
            notes.filter(|note| note.contains("ccache had")).map(str::to_owned).collect::<Vec<_>>()
        };
        let rate = "compile tiny: ccache had 0 of 4 objects (0 %)";
        assert_eq!(told(OLD_CCACHE, "echo 4 > $CCACHE_DIR/misses"), [rate]);
        let unknown = OLD_CCACHE.replace("cache miss ", "misses ");
        assert_eq!(told(&unknown, "echo 8 > $CCACHE_DIR/misses"), [""; 0]);
    }
}

#[test]
fn a_phase_that_fails_says_so() {
    for yard in yards("a failing phase in the sandbox") {
        yard.ok(&["lock", "made"]);
        yard.spec("echo 'x.cpp:1:1: error: no such luck'; exit 3");
        let (code, text) = yard.fails(&["rpm", "--builder", "sandbox"]);
        assert_eq!(code, 6, "{text}");
        assert!(text.contains("phase make failed"), "{text}");
        assert!(text.contains("error: no such luck"), "{text}");
        assert!(text.contains("sandbox run ... containers/made"), "{text}");
        let (code, text) = yard.fails(&["rpm", "--builder", "sandbox", "--distcc", "127.0.0.1/1"]);
        assert_eq!(code, 2, "{text}");
    }
}

#[test]
fn a_shell_opens_where_the_phase_failed() {
    for yard in yards("--shell-on-failure in the sandbox") {
        if !support::have("--shell-on-failure in the sandbox", &["python3"]) {
            return;
        }
        yard.ok(&["lock", "made"]);
        yard.spec("echo half > half; echo 'x.cpp:1:1: error: no such luck'; exit 3");
        let run = yard.xtask(&["rpm", "--builder", "sandbox", "--shell-on-failure"]);
        let talk = [
            ("a shell in the builder", ""),
            ("$ ", "echo == $NAME $(cat half) $(id -u) $(hostname) ==\r"),
            ("== tiny half 1000 builder ==", "sh -eu -c \"$PHASE\"\r"),
            ("no such luck", "exit\r"),
        ];
        let seen = conversation(&run, yard.checkout.dir.path(), &talk);
        assert!(seen.contains("phase make failed"), "{seen}");
        assert!(seen.ends_with("\n6"), "{seen}");
    }
}

/// Whether a process of this machine was started with this argument.
fn runs(argument: &str) -> bool {
    let processes = fs_err::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let mut lines = processes.filter_map(|path| fs_err::read(path.join("cmdline")).ok());
    lines.any(|line| line.split(|b| *b == 0).any(|word| word == argument.as_bytes()))
}

#[test]
fn a_run_that_is_stopped_or_killed_ends_the_phase_and_the_next_run_goes_on() {
    for (signal, code) in [("-INT", Some(130)), ("-KILL", None)] {
        let argument = &format!("standing{signal}-{}", std::process::id());
        for yard in yards("a stopped run in the sandbox") {
            yard.ok(&["lock", "made"]);
            yard.spec(&format!("sh -c 'echo standing; sleep 1000; :' {argument}"));
            let mut run = until(&mut yard.xtask(&RPM), "\"line\":\"standing\"");
            assert!(runs(argument));
            support::ok(Command::new("kill").args([signal, &run.id().to_string()]));
            assert_eq!(run.wait().unwrap().code(), code);
            yard.spec(TINY);
            yard.events();
            assert!(!runs(argument), "{signal}");
            yard.ok(&["verify"]);
        }
    }
}

#[test]
fn a_machine_that_forbids_it_is_told_which_switch() {
    let all = yards("a machine without user namespaces");
    if all.is_empty() || !support::have("a machine without user namespaces", &["unshare"]) {
        return;
    }
    let yard = &all[all.len() - 1];
    yard.ok(&["lock", "made"]);
    let run = |args: &[&str]| {
        let xtask = yard.checkout.xtask(args);
        let mut forbidden = Command::new("unshare");
        forbidden.args(["--user", "--map-root-user", "sh", "-c"]);
        forbidden.arg("echo 0 > /proc/sys/user/max_user_namespaces; exec \"$@\"").arg("sh");
        forbidden.arg(xtask.get_program()).args(xtask.get_args());
        forbidden.envs(xtask.get_envs().filter_map(|(k, v)| Some((k, v?)))).env("PATH", "/bin");
        let output = support::run(&mut forbidden);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        text(&output.stdout) + &text(&output.stderr)
    };
    if yard.is_user {
        support::ok(Command::new("chown").args(["-R", "0:0"]).arg(yard.checkout.dir.path()));
    }
    let doctor = run(&["doctor"]);
    assert!(doctor.contains("sysctl -w user.max_user_namespaces=15000"), "{doctor}");
    let rpm = run(&["rpm", "--builder", "sandbox"]);
    assert!(rpm.contains("podman or docker compiles instead"), "{rpm}");
    assert!(rpm.contains("user.max_user_namespaces"), "{rpm}");
}
