//! The switches of specs/mesos, which are compared with the help of all configure scripts of the source.

use std::process::Command;

use crate::{checkout::repository, support};

/// A configure script as autoconf makes it where AC_CONFIG_SUBDIRS names another one: it takes any switch.
const CONFIGURE: &str = r#"#!/bin/sh
[ "$1" = --help=recursive ] || { printf '%s\n' "$@" > configured; exit 0; }
cat <<'END'
`configure' configures mesos 0.25.0 to adapt to many kinds of systems.

Usage: ../source/configure [OPTION]... [VAR=VALUE]...

Installation directories:
  --prefix=PREFIX         install architecture-independent files in PREFIX
                          [/usr/local]
  --exec-prefix=EPREFIX   install architecture-dependent files in EPREFIX

Optional Features:
  --disable-option-checking  ignore unrecognized --enable/--with options
  --disable-FEATURE       do not include FEATURE (same as --enable-FEATURE=no)
  --enable-FEATURE[=ARG]  include FEATURE [ARG=yes]
  --enable-static[=PKGS]  build static libraries [default=no]
  --disable-java          don't build Java bindings
  --disable-python-dependency-install
                          when the python packages are installed during make
  --enable-optimize       enable optimizations

Optional Packages:
  --with-PACKAGE[=ARG]    use PACKAGE [ARG=yes]
  --without-PACKAGE       do not use PACKAGE (same as --with-PACKAGE=no)
  --with-zlib[=DIR]       specify where to locate the zlib library

Some influential environment variables:
  CC          C compiler command

Report bugs to the package provider.

libprocess 0.0.1 configure options:

Optional Packages:
  --with-boost[=DIR]      excludes building and using the bundled Boost package
  --without-bundled-picojson
END
"#;

/// How the phase `configure` of specs/mesos ends with these switches, what it says, and what the script got.
fn configured(switches: &str) -> (bool, String, Option<String>) {
    let dir = tempfile::tempdir().unwrap();
    fs_err::create_dir(dir.path().join("source")).unwrap();
    let configure = dir.path().join("source/configure");
    fs_err::write(&configure, CONFIGURE).unwrap();
    support::ok(Command::new("chmod").arg("755").arg(&configure));
    let script = fs_err::read_to_string(repository().join("specs/mesos/configure.sh")).unwrap();
    let mut phase = Command::new("/bin/sh");
    phase.args(["-eu", "-c", &script, "configure"]).current_dir(dir.path());
    phase.env("BUILD", dir.path()).env("SWITCHES", switches).env("LC_ALL", "C");
    let output = support::run(&mut phase);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let got = fs_err::read_to_string(dir.path().join("out/configured")).ok();
    (output.status.success(), said, got)
}

#[test]
fn switches_that_a_configure_script_of_the_source_knows_pass() {
    for switches in [
        "",
        "--disable-java --enable-optimize",
        "--disable-python-dependency-install --enable-java=no --enable-static=yes",
        // configure takes these for one name.
        "--disable-python_dependency.install",
        // Of 3rdparty/libprocess.
        "--with-boost=/usr --without-boost --with-bundled-picojson",
        "--with-zlib --prefix=/opt/mesos --exec-prefix=/opt CC=gcc MAVEN_HOME=/opt/maven --quiet",
    ] {
        let (ok, said, got) = configured(switches);
        assert!(ok, "{switches}: {said}");
        let got = got.unwrap();
        assert!(got.starts_with("--prefix=/usr\n"), "{got}");
        assert!(switches.split(' ').all(|s| s.is_empty() || got.lines().any(|l| l == s)), "{got}");
    }
}

#[test]
fn a_switch_that_no_configure_script_knows_fails_by_its_name() {
    for (switches, unknown) in [
        ("--disable-jaba", "--disable-jaba"),
        ("--enable-option", "--enable-option"),
        (
            "--disable-java --with-webui=yes --without-java --enable-zlib",
            "--with-webui=yes --without-java --enable-zlib",
        ),
        ("--enable-java.*", "--enable-java.*"),
    ] {
        let (ok, said, got) = configured(switches);
        assert!(!ok && got.is_none(), "{switches}");
        let says = format!("no configure script of the source knows {unknown} (`switches`");
        assert!(said.contains(&says), "{said}");
        assert!(said.contains("  --with-boost[=DIR] "), "{said}");
    }
}
