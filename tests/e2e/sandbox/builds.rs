//! `rpm --builder sandbox`: the root of a lock, made ready by setup.sh, and compiles in it.

use std::{
    os::unix::fs::{MetadataExt, symlink},
    process::Command,
};

use super::made::{RPM, SETUP, TINY, Yard, yards};
use crate::{
    checkout::{NOTES, built},
    container::{stopped::until, terminal::conversation},
    support,
};

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
        // What it took is told beforehand of the next one.
        let doctor = support::run(&mut yard.xtask(&["doctor"]));
        let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
        let taken = |what: &str| {
            let line = doctor.lines().find(|line| line.contains(what)).unwrap_or_default();
            line.contains(" free; ") && !line.contains(" 0 B are taken")
        };
        assert!(taken("disk: results of compiles") && taken("disk: roots, sources"), "{doctor}");
        assert!(doctor.contains("last compiles took        tiny "), "{doctor}");
        // Another last step makes another root.
        yard.checkout.write("containers/made/setup.sh", format!("{SETUP}echo more\n"));
        assert!(built(&yard.events()).contains(&"compile tiny".to_owned()));
    }
}

#[test]
fn a_narrow_umask_changes_nothing() {
    for yard in yards("a umask in the sandbox") {
        let run = |umask: &str, args: &[&str]| {
            let xtask = yard.xtask(args);
            let mut command = Command::new("sh");
            command.arg("-c").arg(format!("umask {umask}; exec \"$@\"")).arg("sh");
            command.arg(xtask.get_program()).args(xtask.get_args());
            command.envs(xtask.get_envs().filter_map(|(k, v)| Some((k, v?))));
            support::ok(command.current_dir(yard.checkout.dir.path()))
        };
        run("077", &["rpm"]);
        let rpm = yard.checkout.path("dist/el7/tiny-1.0-1.el7.x86_64.rpm");
        let first = fs_err::read(&rpm).unwrap();
        yard.checkout.write("containers/made/setup.sh", format!("{SETUP}# more\n"));
        run("022", &["rpm"]);
        assert!(fs_err::read(&rpm).unwrap() == first);
        // Its second build has the narrowest of them.
        let text = run("022", &["rpm", "--check-reproducible"]);
        assert!(text.contains("reproducible"), "{text}");
    }
}

#[test]
fn an_image_that_is_edited_between_two_plans_of_a_run_is_not_kept() {
    for yard in yards("an image that changes between plans") {
        // Two images without a lock: the second one gives time to edit the first, and the run plans again after both.
        for file in ["image.toml", "builder/bin/tool"] {
            let content = fs_err::read(yard.checkout.path(&format!("containers/made/{file}")));
            yard.checkout.write(&format!("containers/waits/{file}"), content.unwrap());
        }
        yard.checkout.write("containers/waits/setup.sh", WAIT);
        let spec = fs_err::read_to_string(yard.checkout.path("specs/tiny/package.toml")).unwrap();
        let spec = spec.replace("tiny", "waits").replace("image = \"made\"", "image = \"waits\"");
        yard.checkout.write("specs/waits/package.toml", spec);
        yard.checkout.write("specs/waits/src/text", "text\n");
        let run = until(&mut yard.xtask(&["--json", "rpm", "--jobs", "1"]), "set up begins");
        yard.checkout.write("containers/made/setup.sh", format!("{SETUP}# edited\n"));
        go_on(&yard);
        let output = run.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(4), "{text}");
        assert!(
            text.contains("containers/made/setup.sh, builder/ or root.lock was changed"),
            "{text}"
        );
        yard.ok(&["rpm"]);
    }
}

/// A last step that waits for [`go_on`].
const WAIT: &str = "echo set up begins; until [ -e /etc/go ]; do :; done\n";

/// Lets it end, by a file in the root that is being made.
fn go_on(yard: &Yard) {
    let roots = fs_err::read_dir(yard.checkout.path("cache/roots")).unwrap();
    let mut roots = roots.map(|entry| entry.unwrap().path());
    let root = roots.find(|path| path.extension().is_some_and(|end| end == "tmp")).unwrap();
    fs_err::write(root.join("tree/etc/go"), "").unwrap();
}

fn own_uid() -> u32 {
    fs_err::metadata("/proc/self").unwrap().uid()
}

#[test]
fn the_first_run_writes_the_lock_and_a_release_wants_it_beforehand() {
    for yard in yards("a first run") {
        let lock = yard.checkout.path("containers/made/root.lock");
        let key = support::key_file("b");
        let release = ["rpm", "--release", "--key", key.to_str().unwrap()];
        let (code, text) = yard.fails(&release);
        assert!(code == 5 && text.contains("root.lock was missing"), "{code}: {text}");
        let first = fs_err::read(&lock).unwrap();
        fs_err::remove_file(&lock).unwrap();
        // The sandbox is the default.
        let text = yard.ok(&["--json", "rpm"]);
        assert!(text.contains("root.lock now pins the image's 1 packages: commit it"), "{text}");
        assert_eq!(fs_err::read(&lock).unwrap(), first);
        // The lock that the run has written is in the key: a second one has nothing to do.
        let text = yard.ok(&["--json", "rpm"]);
        assert!(!text.contains("now pins") && !text.contains("compile tiny\",\"state"), "{text}");
        assert_eq!(built(&yard.events()), Vec::<String>::new());
        yard.ok(&release);
    }
}

#[test]
fn without_a_lock_and_a_repository_the_packages_are_held_back() {
    for yard in yards("no lock, no repository") {
        let repository = yard.checkout.path("repository");
        fs_err::rename(&repository, yard.checkout.path("elsewhere")).unwrap();
        yard.checkout.write("specs/notes/README", "Notes\n");
        yard.checkout.write("specs/notes/package.toml", NOTES);
        let text = yard.ok(&["rpm"]);
        for part in [
            "held back:  tiny: containers/made/root.lock is not there, and cannot be written: ",
            "to get it: run it where the repositories and keys of image.toml can be reached (--mirror NAME=URL",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(yard.checkout.path("dist/el7/notes-1-1.el7.noarch.rpm").exists());
        let mirror = format!("made=file://{}", yard.checkout.path("elsewhere").display());
        let (code, text) = yard.fails(&["rpm", "--mirror", "other=file:///nowhere"]);
        assert!(code == 2 && text.contains("there is no such repository"), "{code}: {text}");
        // The key is fetched as well, and has no mirror.
        let key = "RPM-GPG-KEY-mesos-calico";
        fs_err::create_dir(&repository).unwrap();
        fs_err::copy(yard.checkout.path("elsewhere").join(key), repository.join(key)).unwrap();
        let text = yard.ok(&["--json", "rpm", "--mirror", &mirror]);
        assert!(text.contains("now pins"), "{text}");
        assert!(yard.checkout.path("dist/el7/tiny-1.0-1.el7.x86_64.rpm").exists());
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
        yard.checkout.write("containers/made/setup.sh", format!("{WAIT}{SETUP}"));
        let run = until(&mut yard.xtask(&RPM), "set up begins");
        yard.checkout.write("containers/made/builder/more", "");
        go_on(&yard);
        let output = run.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(4), "{text}");
        assert!(text.contains("containers/made/builder was changed while it was being"), "{text}");
        yard.checkout.write("containers/made/setup.sh", SETUP);
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
        assert_eq!((mode(named("mine")), mode(named("closed"))), (0o755, 0o755));
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
        let release = || {
            let text = fs_err::read(yard.checkout.path("dist/el7/release.json")).unwrap();
            serde_json::from_slice::<serde_json::Value>(&text).unwrap()
        };
        let names = |release: &serde_json::Value| release["packages"][0]["name"] == "tiny";
        assert!(names(&release()) && release()["unchecked"] == true, "{}", release());
        // The result is there, and counts for runs of its kind alone.
        let again = yard.ok(&without);
        assert!(!again.contains("\"phase\":"), "{again}");
        let (code, text) = yard.fails(&RPM[1..]);
        assert!(code == 6 && text.contains("phase check failed"), "{text}");
        phases("echo PASS: sum");
        assert!(yard.ok(&RPM).contains("\"phase\":\"check\""));
        assert!(release().get("unchecked").is_none(), "{}", release());
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
    // Neither does podman work there.
    assert!(rpm.contains("this machine allows no sandbox"), "{rpm}");
    assert!(rpm.contains("user.max_user_namespaces"), "{rpm}");
}
