//! Builder images of an engine: the root of a lock is imported once, setup.sh runs in it, and what is compiled in it is the same
//! as in the sandbox.

use std::process::Command;

use super::{
    stopped::until,
    yard::{have, podman, with_engine},
};
use crate::{
    checkout::built,
    sandbox::made::{SETUP, Yard, yards},
    support,
};

const PODMAN: [&str; 4] = ["--json", "rpm", "--builder", "podman"];

/// A checkout with the image `made`, if podman can be tried here.
fn yard(test: &str) -> Option<Yard> {
    let can = have(test, &["busybox"]) && !yards(test).is_empty();
    can.then(|| Yard::new(false))
}

fn xtask(yard: &Yard, args: &[&str]) -> Command {
    let mut command = yard.xtask(args);
    with_engine(&mut command);
    command
}

fn ok(yard: &Yard, args: &[&str]) -> String {
    support::ok(&mut xtask(yard, args))
}

fn fails(yard: &Yard, args: &[&str]) -> (i32, String) {
    yard.checkout.code_and_text(&support::run(&mut xtask(yard, args)))
}

/// The image that the last compile ran in, by the call of the engine in its log.
fn reference(yard: &Yard) -> String {
    let log = yard.checkout.path("target/xtask/logs/compile-tiny.log");
    let log = fs_err::read_to_string(log).unwrap();
    let is_image = |word: &&str| word.starts_with("localhost/mesos-calico-builder-made:");
    log.split_whitespace().find(is_image).unwrap().to_owned()
}

/// Whether the engine has the container in which setup.sh runs.
fn is_left(yard: &Yard) -> bool {
    let id = fs_err::read_to_string(yard.checkout.path("target/xtask/id")).unwrap();
    let all = support::ok(&mut podman(&["ps", "--all", "--format", "{{.Names}}"]));
    all.lines().any(|name| name == format!("mesos-calico-{id}-image-made"))
}

fn package(yard: &Yard) -> Vec<u8> {
    fs_err::read(yard.checkout.path("dist/el7/tiny-1.0-1.el7.x86_64.rpm")).unwrap()
}

/// What a compile tells of the image: modes and sizes of files, where links lead, and the content of small ones; /etc/private is one
/// that its package gives to root alone.
const LOOK: &str = "mkdir -p $STAGE/usr/share/tiny; out=$STAGE/usr/share/tiny/text\n\
    ls -l /bin/* /usr/libexec/accounts /usr/libexec/builder/bin/tool | sed 's/  */ /g' | cut -d ' ' -f 1,5,9- > $out\n\
    cat /usr/libexec/accounts /etc/private >> $out; tool >> $out; [ ! -e /src/image ]; [ -s /etc/set-up ]";

#[test]
fn an_engine_imports_the_root_once_and_gives_the_same_bytes_as_the_sandbox() {
    let Some(yard) = yard("import") else { return };
    yard.ok(&["lock", "made"]);
    yard.spec(LOOK);
    yard.ok(&["rpm", "--builder", "sandbox"]);
    let of_the_sandbox = package(&yard);
    let of_a_user = Yard::new(true);
    of_a_user.spec(LOOK);
    of_a_user.ok(&["rpm", "--builder", "sandbox"]);
    assert!(package(&of_a_user) == of_the_sandbox, "{}", of_a_user.text_of_stage());
    // The result has the same key, so that nothing would be compiled.
    assert_eq!(built(&events(&yard)), Vec::<String>::new());
    fs_err::remove_dir_all(yard.checkout.path("target/xtask/cache")).unwrap();
    fs_err::remove_dir_all(yard.checkout.path("dist")).unwrap();
    // With an image of its own, which no other test has imported.
    let setup = format!("{SETUP}# {}\n", std::process::id());
    yard.checkout.write("containers/made/setup.sh", setup);
    assert!(built(&events(&yard)).contains(&"compile tiny".to_owned()));
    assert!(package(&yard) == of_the_sandbox, "{}", yard.text_of_stage());
    let log = yard.checkout.path("target/xtask/logs/image-made.log");
    assert!(fs_err::read_to_string(&log).unwrap().contains("set up for the sandbox"));
    let first = reference(&yard);

    // It is there now.
    fs_err::remove_file(&log).unwrap();
    yard.spec(&format!("{LOOK}\necho again"));
    assert!(built(&events(&yard)).contains(&"compile tiny".to_owned()));
    assert!(!log.exists(), "it was set up again");
    assert_eq!(reference(&yard), first);
    // Other commands are another image, and what was compiled in the old one is compiled again.
    yard.checkout.write("containers/made/builder/bin/more", "#!/bin/sh\n");
    assert!(built(&events(&yard)).contains(&"compile tiny".to_owned()));
    assert_ne!(reference(&yard), first);
    for image in [first, reference(&yard)] {
        support::ok(&mut podman(&["rmi", "--force", &image]));
    }
    assert!(!is_left(&yard));
}

fn events(yard: &Yard) -> Vec<serde_json::Value> {
    let text = ok(yard, &PODMAN);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn setup_sh_that_fails_in_an_engine_leaves_no_image() {
    let Some(yard) = yard("failing import") else { return };
    yard.ok(&["lock", "made"]);
    let mark = format!("no such luck {}", std::process::id());
    yard.checkout.write("containers/made/setup.sh", format!("echo {mark} >&2\nexit 3\n"));
    for _ in 0..2 {
        let (code, text) = fails(&yard, &["rpm", "--builder", "podman"]);
        assert_eq!(code, 5, "{text}");
        for part in [
            "containers/made/setup.sh failed in the new root",
            "step: image made",
            &mark,
            "log: [ROOT]/target/xtask/logs/image-made.log",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
    assert!(!is_left(&yard));
}

#[test]
fn making_an_image_ends_with_the_run() {
    let Some(yard) = yard("stopped import") else { return };
    yard.ok(&["lock", "made"]);
    let mark = format!("forever-{}", std::process::id());
    let setup = format!("echo set up begins; mkfifo /etc/{mark}; cat /etc/{mark}\n");
    yard.checkout.write("containers/made/setup.sh", setup);
    let run = until(&mut xtask(&yard, &PODMAN), "set up begins");
    let going = || {
        let processes = fs_err::read_dir("/proc").unwrap().map(|e| e.unwrap().path());
        let line =
            |p: std::path::PathBuf| fs_err::read_to_string(p.join("cmdline")).unwrap_or_default();
        processes.map(line).filter(|line| line.contains(&mark)).count()
    };
    assert_ne!(going(), 0);
    support::ok(Command::new("kill").args(["-TERM", &run.id().to_string()]));
    assert_eq!(run.wait_with_output().unwrap().status.code(), Some(143));
    assert_eq!(going(), 0);
    assert!(!is_left(&yard));
    yard.checkout.write("containers/made/setup.sh", SETUP);
    ok(&yard, &PODMAN);
}

#[test]
fn an_engine_that_cannot_import_says_so() {
    let Some(yard) = yard("import into a full engine") else { return };
    yard.ok(&["lock", "made"]);
    let engine = "#!/bin/sh\ncase $1 in\n--version) echo podman ;;\ninfo) echo 1 1000 false false ;;\n\
                  import) echo 'no space left on device' >&2; exit 125 ;;\n*) exit 1 ;;\nesac\n";
    yard.checkout.write("path/podman", engine);
    let program = yard.checkout.path("path/podman");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(&program, mode).unwrap();
    let rest = std::env::var_os("PATH").unwrap();
    let path = [program.parent().unwrap().to_owned()].into_iter();
    let path = std::env::join_paths(path.chain(std::env::split_paths(&rest))).unwrap();
    let output = support::run(xtask(&yard, &["rpm", "--builder", "podman"]).env("PATH", path));
    let (code, text) = yard.checkout.code_and_text(&output);
    assert_eq!(code, 5, "{text}");
    for part in ["podman cannot import the builder image made", "no space left on device"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn an_image_without_a_description_is_named() {
    let Some(yard) = yard("image without a description") else { return };
    fs_err::remove_file(yard.checkout.path("containers/made/image.toml")).unwrap();
    for builder in ["podman", "sandbox"] {
        let (code, text) = fails(&yard, &["rpm", "--builder", builder]);
        assert_eq!(code, 3, "{text}");
        assert!(text.contains("there is no containers/made/image.toml"), "{text}");
    }
}

/// Both images have the same file, of which each needs a copy in its folder.
#[test]
fn the_images_have_the_same_date() {
    let read = |image: &str| {
        let folder = crate::checkout::repository().join(image);
        fs_err::read_to_string(folder.join("builder/bin/date")).unwrap()
    };
    assert_eq!(read("containers/el7"), read("tests/distribution"));
}

/// The clock is out of reach only where nothing else was asked for.
#[test]
fn date_prints_the_source_date_unless_it_is_given_one() {
    let date = crate::checkout::repository().join("tests/distribution/builder/bin/date");
    let told = |args: &[&str]| {
        let mut command = std::process::Command::new("sh");
        command.arg(&date).args(args).env("SOURCE_DATE_EPOCH", "86400").env("TZ", "UTC");
        support::ok(&mut command).trim().to_owned()
    };
    assert_eq!(told(&["+%F %d"]), "1970-01-02 02");
    assert_eq!(told(&["-u", "-Idate"]), "1970-01-02");
    assert_eq!(told(&["--rfc-3339=date"]), "1970-01-02");
    assert_eq!(told(&["-ud", "@0", "+%s"]), "0");
    assert_eq!(told(&["--date=@5", "+%s"]), "5");
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(told(&["-r", file.path().to_str().unwrap(), "+%s"]), "0");
}
