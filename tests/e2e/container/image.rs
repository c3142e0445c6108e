//! Builder images: built once, listed, compared, and told apart from what cannot be had.

use super::yard::{MAKE, Yard, have, notes, podman, units};
use crate::{checkout::built, support};

const CONTAINERFILE: &str = "containers/test/Containerfile";

pub fn containerfile(yard: &Yard, change: impl Fn(String) -> String) {
    let text = fs_err::read_to_string(yard.checkout.path(CONTAINERFILE)).unwrap();
    yard.checkout.write(CONTAINERFILE, change(text));
}

#[test]
fn the_list_of_packages_is_written_and_compared() {
    if !have("image.lock", &[]) {
        return;
    }
    let yard = Yard::new(&MAKE);
    units(&yard, 1);
    let events = yard.events(&[]);
    let lock = "containers/test/image.lock";
    let written = format!("{lock} now lists the image's packages: commit it");
    assert!(notes(&events).contains(&written.as_str()), "{:?}", notes(&events));
    // A release takes only what somebody could look at before.
    let key = support::key_file("b");
    let release = ["rpm", "--release", "--key", key.to_str().unwrap()];
    fs_err::remove_file(yard.checkout.path(lock)).unwrap();
    yard.checkout.write("specs/tiny/src/main.cpp", "int main() { return 1; }\n");
    let (code, message) = yard.fails(&release);
    assert!(code == 5 && message.contains("image.lock was missing"), "{code}: {message}");
    yard.ok(&release);
    let text = fs_err::read_to_string(yard.checkout.path(lock)).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.is_sorted() && lines.iter().any(|l| l.starts_with("g++ 4:12.")), "{text}");
    // The same list: nothing is said of it.
    assert!(!notes(&yard.events(&[])).contains(&written.as_str()));
    // Another version than the one that was committed, and a package too many.
    let gcc = lines.iter().find(|l| l.starts_with("g++ 4:12.")).unwrap();
    let other = text.replace(gcc, "g++ 4:4.8.5 amd64") + "zz-more 1 amd64\n";
    yard.checkout.write(lock, other);
    yard.checkout.write("specs/tiny/src/main.cpp", "int main() { return 0; }\n");
    let (code, message) = yard.fails(&["rpm"]);
    assert_eq!(code, 5, "{message}");
    for part in [
        "has other packages than containers/test/image.lock says",
        "\n    - g++ 4:4.8.5 amd64\n    + g++ 4:12.",
        "\n    - zz-more 1 amd64\n",
        "remove containers/test/image.lock",
    ] {
        assert!(message.contains(part), "{part} is not in\n{message}");
    }
    fs_err::remove_file(yard.checkout.path(lock)).unwrap();
    yard.ok(&["rpm"]);
}

#[test]
fn an_image_is_built_once_and_again_when_its_folder_changes() {
    if !have("image identity", &[]) {
        return;
    }
    let yard = Yard::new(&MAKE);
    units(&yard, 1);
    // One of its own, so that no other test has built it.
    let stamp = std::process::id();
    containerfile(&yard, |text| {
        format!("{text}ARG GREETING=none\nRUN echo $GREETING {stamp} > /greeting\n")
    });
    yard.ok(&["rpm", "--image-arg", "GREETING=hello"]);
    let log = yard.checkout.path("target/xtask/logs/image-test.log");
    assert!(fs_err::read_to_string(&log).unwrap().contains("--build-arg GREETING=hello"));
    let reference = || {
        let log = fs_err::read_to_string(&log).unwrap();
        log.split_whitespace()
            .find(|w| w.starts_with("localhost/mesos-calico-b"))
            .unwrap()
            .to_owned()
    };
    let first = reference();
    let mut cat = podman(&[
        "run",
        "--rm",
        "--network=none",
        "--ulimit=nofile=700:700",
        "--ulimit=nproc=900:900",
        &first,
        "cat",
        "/greeting",
    ]);
    assert_eq!(support::ok(&mut cat), format!("hello {stamp}\n"));
    fs_err::remove_file(&log).unwrap();
    yard.checkout.write("specs/tiny/src/main.cpp", "int main() { return 0; }\n");
    yard.ok(&["rpm"]);
    assert!(!log.exists(), "it was not built again");
    // Another folder is another image, and what was built in the old one is built again.
    containerfile(&yard, |text| text + "RUN true\n");
    assert!(built(&yard.events(&[])).contains(&"compile tiny".to_owned()));
    let second = reference();
    assert_ne!(first, second);
    // Layers stay: the build of another test may stand on one.
    support::ok(&mut podman(&["untag", &first]));
    support::ok(&mut podman(&["untag", &second]));
    assert_eq!(yard.xtask(&["rpm", "--image-arg", "x"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn an_instruction_that_fails_fails_the_run() {
    if !have("image failure", &[]) {
        return;
    }
    let yard = Yard::new(&MAKE);
    containerfile(&yard, |text| text + "RUN echo about to fail && false\n");
    let (code, message) = yard.fails(&["rpm"]);
    assert_eq!(code, 5, "{message}");
    for part in [
        "the builder image test cannot be built",
        "step: image test",
        "    about to fail\n",
        "log: [ROOT]/target/xtask/logs/image-test.log",
        "mend containers/test/Containerfile",
    ] {
        assert!(message.contains(part), "{part} is not in\n{message}");
    }
    fs_err::remove_file(yard.checkout.path(CONTAINERFILE)).unwrap();
    let (code, message) = yard.fails(&["rpm"]);
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("there is no containers/test/Containerfile"), "{message}");
}

#[test]
fn an_unreachable_registry_holds_packages_back() {
    if !have("image out of reach", &[]) {
        return;
    }
    let yard = Yard::new(&MAKE);
    yard.checkout.write("specs/notes/README", "Notes\n");
    yard.checkout.write("specs/notes/package.toml", crate::checkout::NOTES);
    let held_back = |why: &str| {
        let text = yard.ok(&["rpm"]);
        assert!(text.contains(why), "{why} is not in\n{text}");
        assert!(text.contains("to get it: ") && text.contains("--image-arg BASE="), "{text}");
        assert!(yard.checkout.path("dist/el7/notes-1-1.el7.noarch.rpm").exists());
    };
    // No registry answers at this address; nor would a mirror, from inside an image that is here.
    containerfile(&yard, |text| text.replace("localhost/", "127.0.0.1:1/"));
    held_back(
        "held back:  tiny: the builder image test cannot be made: something that it needs cannot be reached",
    );
    let offline = yard.xtask(&["rpm", "--offline"]).output().unwrap();
    let said = String::from_utf8_lossy(&offline.stdout).into_owned();
    assert!(said.contains("is not here, and --offline forbids to make it"), "{said}");
    containerfile(&yard, |text| {
        text.replace("127.0.0.1:1/", "localhost/")
            + "RUN echo 'Could not resolve host: vault' && false\n"
    });
    held_back("cannot be reached: Could not resolve host: vault");
    let key = support::key_file("b");
    let (code, message) = yard.fails(&["rpm", "--release", "--key", key.to_str().unwrap()]);
    assert_eq!(code, 11, "{message}");
}

/// Both images have the same file, of which each needs a copy in its folder.
#[test]
fn the_images_have_the_same_date() {
    let read = |image: &str| {
        let folder = crate::checkout::repository().join("containers").join(image);
        fs_err::read_to_string(folder.join("builder/bin/date")).unwrap()
    };
    assert_eq!(read("el7"), read("test"));
}

/// The clock is out of reach only where nothing else was asked for.
#[test]
fn date_prints_the_source_date_unless_it_is_given_one() {
    let date = crate::checkout::repository().join("containers/test/builder/bin/date");
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

/// Stands in for CentOS 7: a package manager that writes down what it is asked for.
const STAND_IN: &str = r#"FROM localhost/mesos-calico-test-base
RUN rm -f /etc/yum.repos.d/* && mkdir -p /etc/yum/vars /etc/yum.repos.d /etc/pki/rpm-gpg \
    && touch /etc/yum.repos.d/CentOS-Base.repo /etc/pki/rpm-gpg/RPM-GPG-KEY-CentOS-7 /etc/yum.conf
COPY yum rpm /usr/bin/
RUN chmod 755 /usr/bin/yum /usr/bin/rpm && rm /usr/bin/gcc \
    && printf '#!/bin/sh\necho 4.8.5\n' >/usr/bin/gcc && chmod 755 /usr/bin/gcc
"#;

const YUM: &str = r#"#!/bin/sh
echo "$@" >>/asked
case "$*" in
*epel-release)
    touch /etc/yum.repos.d/epel.repo /etc/yum.repos.d/epel-testing.repo \
        /etc/pki/rpm-gpg/RPM-GPG-KEY-EPEL-7 ;;
esac
"#;

const RPM: &str = r#"#!/bin/sh
case "$1" in
--import) cat "$2" ;;
-q) echo "$@" >>/asked ;;
-qa) echo 'zlib 1.2.7-21.el7_9 x86_64'; echo 'gcc 4.8.5-44.el7 x86_64' ;;
*) exit 1 ;;
esac
"#;

/// All of the description of CentOS 7's image that can be tried without CentOS.
#[test]
fn the_description_of_centos_7s_builder_holds_together() {
    if !have("containers/el7", &[]) {
        return;
    }
    let yard = Yard::new(&MAKE);
    for (name, text) in [("Containerfile", STAND_IN), ("yum", YUM), ("rpm", RPM)] {
        yard.checkout.write(&format!("stand-in/{name}"), text);
    }
    let base = format!("localhost/mesos-calico-test-stand-in-{}", std::process::id());
    let stand_in = yard.checkout.path("stand-in");
    support::ok(&mut podman(&["build", "--tag", &base, stand_in.to_str().unwrap()]));
    let el7 = crate::checkout::repository().join("containers/el7");
    let builder = format!("{base}-builder");
    let arg = format!("BASE={base}");
    let args = ["build", "--build-arg", &arg, "--build-arg", "VAULT=http://mirror/centos"];
    let args = [&args[..], &["--tag", &builder, el7.to_str().unwrap()]].concat();
    support::ok(&mut podman(&args));
    let look = "cat /etc/yum/vars/vault /etc/yum/vars/epel /etc/yum.conf; ls /etc/yum.repos.d; \
                id -u builder; /usr/libexec/builder/packages; SOURCE_DATE_EPOCH=0 \
                /usr/libexec/builder/bin/date +%Y; readlink /usr/libexec/builder/bin/c++; cat /asked";
    let limits = ["--ulimit=nofile=700:700", "--ulimit=nproc=900:900"];
    let run = [&["run", "--rm", "--network=none"], &limits[..], &[&builder, "sh", "-euc", look]];
    let seen = support::ok(&mut podman(&run.concat()));
    support::ok(&mut podman(&["rmi", "--force", &builder, &base]));
    let expected = "http://mirror/centos\n\
        https://archives.fedoraproject.org/pub/archive/epel/7\n\
        skip_missing_names_on_install=0\ntsflags=nodocs\nlocalpkg_gpgcheck=1\n\
        epel.repo\nvault.repo\n1000\n\
        gcc 4.8.5-44.el7 x86_64\nzlib 1.2.7-21.el7_9 x86_64\n1970\n/usr/bin/ccache\n\
        -y install epel-release\n-y install gcc-c++ make patch ";
    assert!(seen.starts_with(expected), "{seen}");
    assert!(seen.contains("\n-q gcc-c++ make patch "), "what was installed is asked for: {seen}");
    // Every repository checks signatures, and no package comes from elsewhere.
    for repo in ["vault.repo", "epel.repo"] {
        let text = fs_err::read_to_string(el7.join(repo)).unwrap();
        let sections = text.matches("\n[").count() + usize::from(text.starts_with('['));
        assert_eq!(text.matches("\ngpgcheck=1\n").count(), sections, "{repo}");
        assert!(
            text.lines().filter(|l| l.starts_with("baseurl=")).all(|l| l[8..].starts_with('$'))
        );
    }
}
