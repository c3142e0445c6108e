//! The surroundings of a build: the same on every machine, and nothing that it must not see.

use std::{net::TcpListener, os::unix::fs::MetadataExt};

use super::yard::{MAKE, Yard, have, units};
use crate::support;

/// The output stays in the build tree, since a package must not contain the builder's paths.
const LOOK: &str = "mkdir -p $STAGE/usr/share/tiny; cd $STAGE/usr/share/tiny\n\
    env | sort > $BUILD/env; cd $BUILD; pwd > pwd; id > id; umask > umask; hostname > hostname\n\
    ls /sys/class/net > net; ulimit -Sn > limits; ulimit -Hn >> limits";

/// What redhat-rpm-config of CentOS 7.9 has.
const FLAGS: &str = "-O2 -g -pipe -Wall -Wp,-D_FORTIFY_SOURCE=2 -fexceptions -fstack-protector-strong \
    --param=ssp-buffer-size=4 -grecord-gcc-switches -m64 -mtune=generic";

#[test]
fn the_environment_is_exactly_what_is_promised() {
    if !have("builder's environment", &[]) {
        return;
    }
    let yard = Yard::new(&[]);
    let build = "switches = { java = false, optimize = true }\nenv = { CXXFLAGS = \"-O1\" }";
    yard.spec("tiny", build, &[("look", LOOK)]);
    let mut run = yard.xtask(&["rpm", "--compile-jobs", "3"]);
    // None of this may get in, nor matter.
    run.envs([("CXX", "clang++"), ("LANG", "tr_TR.UTF-8"), ("http_proxy", "http://127.0.0.1:1")]);
    support::ok(&mut run);
    let expected = [
        "BUILD=/build/tiny",
        "CCACHE_COMPILERCHECK=content",
        "CCACHE_DIR=/ccache",
        "CCACHE_MAXSIZE=10G",
        &format!("CFLAGS={FLAGS}"),
        &format!("CXXFLAGS={FLAGS} -O1"),
        "HOME=/tmp/home",
        "JOBS=3",
        "LC_ALL=C",
        "LDFLAGS=-Wl,-z,relro",
        "LOGNAME=builder",
        "NAME=tiny",
        "OLDPWD=/build/tiny", // the script's own `cd`
        "PATH=/usr/libexec/builder/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PWD=/stage/usr/share/tiny", // the shell's
        "SOURCE_DATE_EPOCH=1795348800",
        "SRC=/src/tiny",
        "STAGE=/stage",
        "SWITCHES=--disable-java --enable-optimize",
        "TZ=UTC",
        "USER=builder",
        "VERSION=1.0",
    ];
    let seen = |name: &str| yard.text(&format!("build/{name}"));
    assert_eq!(seen("env").lines().collect::<Vec<_>>(), expected);
    assert_eq!(seen("id"), "uid=1000(builder) gid=1000(builder) groups=1000(builder)\n");
    assert_eq!((&*seen("umask"), &*seen("hostname")), ("0022\n", "builder\n"));
    assert_eq!((&*seen("pwd"), &*seen("net")), ("/build/tiny\n", "lo\n"));
    // The results belong to the user who runs xtask, even if that is root.
    for path in ["build/env", "stage/usr", "build"] {
        let meta = fs_err::symlink_metadata(yard.result(path)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (0, 0), "{path}");
    }
}

#[test]
fn a_compile_has_the_flags_of_centos_7_unless_it_says_otherwise() {
    if !have("hardening flags", &[]) {
        return;
    }
    let yard = Yard::new(&[]);
    yard.checkout.write(
        "specs/tiny/src/main.c",
        "#include <stdio.h>\n#include <string.h>\n\
         int main(int n, char **v) { char a[8]; strcpy(a, v[n - 1]); return puts(a) < 0; }\n",
    );
    let look = "make -f /dev/null VPATH=$SRC main; install -D main $STAGE/usr/share/tiny/main\n\
                readelf -W --dyn-syms main | grep -o '__[a-z_]*chk[a-z_]*' | sort -u > found || :\n\
                readelf -W --segments main | grep -o GNU_RELRO | head -n 1 >> found || :";
    let found = |build: &str| {
        yard.spec("tiny", build, &[("make", look)]);
        yard.ok(&["rpm"]);
        yard.text("build/found")
    };
    assert_eq!(found(""), "__stack_chk_fail\n__strcpy_chk\nGNU_RELRO\n");
    // gcc of Debian has -z relro by itself.
    let off = found("hardening = false\nenv = { LDFLAGS = \"-Wl,-z,norelro\" }");
    assert_eq!(off, "");
    // A description's flags come last.
    let own = found("env = { CFLAGS = \"-fno-stack-protector\" }");
    assert_eq!(own, "__strcpy_chk\nGNU_RELRO\n");
}

#[test]
fn the_machine_may_allow_less_than_the_engine_asks_for() {
    if !have("builder's limits", &["prlimit"]) {
        return;
    }
    let yard = Yard::new(&[("look", LOOK)]);
    let run = yard.xtask(&["rpm"]);
    let mut limited = std::process::Command::new("prlimit");
    limited.args(["--nofile=700:700", "--nproc=3000:3000"]).arg(run.get_program());
    limited.args(run.get_args()).envs(run.get_envs().filter_map(|(k, v)| Some((k, v?))));
    support::ok(&mut limited);
    assert_eq!(yard.text("build/limits"), "700\n700\n");
}

#[test]
fn neither_the_network_nor_the_sources_nor_the_system_can_be_touched() {
    if !have("builder's walls", &[]) {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(
        "mkdir -p $STAGE/usr/share/tiny; exec > $BUILD/log 2>&1\n\
         bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}' && echo connected\n\
         for path in $SRC/new $SRC/main.cpp /etc/new /usr/new /new /build/new; do\n\
           touch $path && echo wrote $path\n\
         done\n\
         mkdir /tmp/new && echo wrote /tmp\n\
         mount -t tmpfs none /tmp && echo mounted\n\
         su -c true && echo became root\n\
         grep Cap /proc/self/status; :"
    );
    let yard = Yard::new(&[("try", &format!("sh -c '{}'", script.replace('\'', "'\\''")))]);
    yard.ok(&["rpm"]);
    let log = yard.text("build/log");
    let done = ["wrote ", "connected", "mounted", "became "];
    let done: Vec<_> = log.lines().filter(|l| done.iter().any(|d| l.starts_with(d))).collect();
    assert_eq!(done, ["wrote /tmp"], "{log}");
    let capabilities = log.lines().filter(|l| l.starts_with("Cap"));
    assert!(capabilities.clone().all(|l| l.ends_with("0000000000000000")), "{log}");
    assert_eq!((capabilities.count(), log.matches("Read-only file system").count()), (5, 5));
    // The same with a farm, whose machines must be reached: the test can tell the difference.
    let hosts = format!("127.0.0.1:{port}/1");
    yard.checkout.write("specs/tiny/src/main.cpp", "int main() { return 0; }\n");
    yard.ok(&["rpm", "--distcc", &hosts]);
    assert!(yard.text("build/log").contains("connected"));
}

#[test]
fn a_build_sees_the_sources_and_both_trees_of_what_it_needs() {
    if !have("builds that need others", &[]) {
        return;
    }
    let keep = "umask 077; mkdir lib; cp $SRC/main.cpp lib/made; ln -s lib/made link; \
                mkdir -p $STAGE/usr/share/tiny; date > $STAGE/usr/share/tiny/date";
    let yard = Yard::new(&[("make", keep)]);
    let look = "mkdir -p $STAGE/usr/share/more; cd $STAGE/usr/share/more\n\
                cat /build/tiny/link /src/tiny/main.cpp $SRC/own > seen\n\
                cat /needs/tiny/usr/share/tiny/date > /dev/null; ls /needs >> seen\n\
                for dir in /build /src /needs; do touch $dir/tiny/new 2>> $BUILD/refused || :; done\n\
                readlink /build/tiny/link >> seen";
    yard.spec("more", "needs = [\"tiny\"]", &[("look", look)]);
    yard.checkout.write("specs/more/src/own", "own\n");
    yard.ok(&["rpm"]);
    let seen = yard.text("stage/usr/share/more/seen");
    assert_eq!(seen, "int main() {}\nint main() {}\nown\ntiny\nlib/made\n");
    let refused = yard.text("build/refused");
    assert_eq!(refused.matches("Read-only file system").count(), 3, "{refused}");
}

#[test]
fn other_circumstances_give_the_same_bytes() {
    if !have("builder's reproducibility", &[]) {
        return;
    }
    let source = "#include <cstdio>\n\
        int main() { std::puts(__DATE__ \" \" __TIME__ \" \" __FILE__ \" \" BUILT); }\n";
    let make = "mkdir -p $STAGE/usr/share/tiny\n\
        g++ -g \"-DBUILT=\\\"$(date) $(hostname) $(whoami) $(pwd)\\\"\" -c -o main.o $SRC/main.cpp\n\
        g++ -o $STAGE/usr/share/tiny/tiny main.o";
    let built = |umask: &str, zone: &str| {
        let yard = Yard::new(&[("make", make)]);
        yard.checkout.write("specs/tiny/src/main.cpp", source);
        let run = yard.xtask(&["rpm"]);
        let mut varied = std::process::Command::new("sh");
        varied.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]).arg(run.get_program());
        varied.args(run.get_args()).envs(run.get_envs().filter_map(|(k, v)| Some((k, v?))));
        support::ok(varied.env("TZ", zone).env("USER", zone));
        fs_err::read(yard.checkout.path("dist/el7/tiny-1.0-1.el7.x86_64.rpm")).unwrap()
    };
    assert!(built("022", "UTC") == built("077", "Pacific/Kiritimati"));
}

#[test]
fn a_second_build_is_compared_with_the_first() {
    if !have("--check-reproducible in containers", &["unshare", "faketime"]) {
        return;
    }
    let again = |phase: &str| {
        let yard = Yard::new(&[MAKE[0], MAKE[1], ("more", phase)]);
        units(&yard, 2);
        yard.xtask(&["rpm", "--check-reproducible"]).output().unwrap()
    };
    let same = again("date > $STAGE/usr/share/tiny/date");
    let said = String::from_utf8_lossy(&same.stdout).into_owned();
    assert!(said.contains("a second build gave the same bytes"), "{same:?}");
    let other = again("cat /proc/sys/kernel/random/uuid > $STAGE/usr/share/tiny/uuid");
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(said.contains("tiny-1.0-1.el7.x86_64: the file uuid differs"), "{said}");
}

#[test]
fn a_library_counts_as_shipped_only_if_a_package_has_it() {
    if !have("libraries of a release", &[]) {
        return;
    }
    let make = "mkdir -p $STAGE/usr/share/tiny $STAGE/usr/lib64; cd $STAGE/usr/lib64\n\
        echo 'int f() { return 0; }' > f.cpp; g++ -shared -fPIC -Wl,-soname,libf.so.1 -o libf.so.1 f.cpp\n\
        echo 'int f(); int main() { return f(); }' | g++ -x c++ -o ../share/tiny/tiny - -L. -l:libf.so.1\n\
        rm f.cpp";
    let yard = Yard::new(&[]);
    yard.spec("tiny", "discard = [\"/usr/lib64/*\"]", &[("make", make)]);
    let (code, message) = yard.fails(&["rpm"]);
    assert_eq!(code, 7, "{message}");
    assert!(message.contains("/usr/share/tiny/tiny needs"), "{message}");
    assert!(message.contains("libf.so.1"), "{message}");
    // With the library in a package there is nothing to complain of.
    let path = "specs/tiny/package.toml";
    let text = fs_err::read_to_string(yard.checkout.path(path)).unwrap();
    let both = "assets = [{ staged = \"/usr/share/tiny\" }, { staged = \"/usr/lib64/*\" }]";
    let text = text.replace("assets = [{ staged = \"/usr/share/tiny\" }]", both);
    yard.checkout.write(path, text);
    yard.ok(&["rpm"]);
}
