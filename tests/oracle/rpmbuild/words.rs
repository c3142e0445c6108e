//! Names and versions: what rpmbuild refuses is refused, and what people write and it takes is taken.

use std::process::Command;

use el7rpm::spec::Spec;

use crate::support;

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum WordPlace {
    Name,
    Version,
    Release,
    Requires,
    Provides,
    Conflicts,
    Obsoletes,
}

use WordPlace::{Conflicts, Name, Obsoletes, Provides, Release, Requires, Version};

/// A place and the words that are tried there.
type Words = (WordPlace, &'static [&'static str]);

/// Of a dependency: the name, and behind a space the comparison.
const TAKEN: &[Words] = &[
    (Name, &["a", "A", "0", "_foo", "a+b", "a_b", "a.b-c", "a.", "libstdc++"]),
    (Version, &["1", "1.2.3", "1~rc1", "1+git2", "1_2", "a", "0.25.0", "20151021"]),
    (Release, &["1", "1.el7", "0.1.rc2.el7", "1.el7_9.1", "1~local"]),
    (
        Requires,
        &[
            "foo",
            "_foo",
            "0ad",
            "foo-bar_baz.x",
            "libstdc++",
            "foo@bar",
            "foo:bar",
            "perl(A::B)",
            "libc.so.6(GLIBC_2.4)(64bit)",
            "mesos(x86-64)",
            "font(:lang=en)",
            "pkgconfig(gtk+-3.0)",
            "pkgconfig(gtk+-3.0) >= 3.1",
            "config(foo) = 1:2-3",
            "/usr/bin/x",
            "/bin/sh",
            "foo/bar",
            "rpmlib(FileDigests)",
            "foo >= 1",
            "foo > 1-2",
            "foo = 1:2-3.el7",
            "foo < 1~rc1",
            "foo <= 0:1",
            "foo = 01:1",
            "foo = 4294967295:1",
            "foo = a",
            "foo = 1.0+git-1",
            "foo..bar",
            "foo[x]",
        ],
    ),
    (Provides, &["foo", "foo = 1", "foo(x) = 1:2-3", "/usr/bin/x", "foo >= 1"]),
    (Conflicts, &["foo", "foo < 2", "foo(x)", "/usr/bin/x"]),
    (Obsoletes, &["foo < 2", "foo <= 1:2-3", "foo_+-.bar"]),
];

const REFUSED: &[Words] = &[
    (
        Name,
        &[
            ".foo", "-foo", "+foo", "a..b", "a:b", "a b", "a~b", "a^b", "\u{e4}", "a=b", "a@b",
            "a(b)",
        ],
    ),
    (Version, &["1..2", "1-2", "1:2", "1 2", "1=2", "..", "1~..", "1/2", "1,2"]),
    (Release, &["1..el7", "1-2", "1:2", "1 2"]),
    (
        Requires,
        &[
            ".foo",
            "@base",
            "-foo",
            "+foo",
            "~foo",
            ":foo",
            "%foo",
            "[foo",
            "!foo",
            "(foo",
            "()",
            "'foo'",
            "foo >= 1-2-3",
            "foo = 1:2:3",
            "foo = a:1",
            "foo = 1.0..el7",
            "foo = 1-1:2",
            "foo = 0x1:1",
            "foo = -1:1",
            "foo = 1..2-3",
            "foo = ..",
            "foo = 1-2..3",
            "foo <> 1",
            "foo ! 1",
            "/usr/bin/x >= 1",
            "foo >=",
        ],
    ),
    (Provides, &[".foo", "@x", "foo = 1..2", "/usr/bin/x = 1", "rpmlib(X)", "rpmlib(X) = 1"]),
    (Conflicts, &[".foo", "foo = 1..2", "/usr/bin/x = 1"]),
    (
        Obsoletes,
        &[".foo", "foo(x)", "foo(x) = 1", "/usr/bin/x", "a:b", "foo..bar", "foo>=1", "foo = 1..2"],
    ),
];

/// What rpmbuild 4.18 takes and is refused all the same.
const STRICTER: &[Words] = &[
    // rpm 4.11 does not know it.
    (Version, &["1^2"]),
    (Requires, &["foo = 1^2", "\u{e4}"]),
    // A macro that is not there; a description in TOML expands none at all.
    (Name, &["a%b"]),
    (Version, &["1%b"]),
    (Requires, &["foo%bar", "foo = 1%1"]),
    // rpmbuild takes the comparison for part of the name, and nothing ever provides it.
    (Requires, &["foo>=1.0", "foo=1", "foo<"]),
    (Provides, &["foo=1"]),
    // rpmbuild makes two dependencies of it.
    (Requires, &["foo,bar"]),
    // Parts that are not there, and an epoch that no package can have.
    (
        Requires,
        &[
            "foo = :1",
            "foo = 1:",
            "foo = 1-",
            "foo = -1",
            "foo = 1:-1",
            "foo = -",
            "foo = 4294967296:1",
        ],
    ),
    // Other ways to write an operator.
    (Requires, &["foo == 1", "foo => 1", "foo =< 1"]),
];

/// Whether this crate takes it.
fn ours(place: WordPlace, word: &str) -> bool {
    let of =
        |at: WordPlace, usual: &str| if place == at { word.to_owned() } else { usual.to_owned() };
    let table = match place {
        Name | Version | Release => String::new(),
        _ => {
            let (name, versions) = word.split_once(' ').unwrap_or((word, "*"));
            format!("{} = {{ {name:?} = {versions:?} }}\n", format!("{place:?}").to_lowercase())
        }
    };
    let text = format!(
        "[package.{:?}]\nversion = {:?}\nrelease = {:?}\narch = \"noarch\"\nsummary = \"s\"\nlicense = \"l\"\n\
         {table}[[changelog]]\ndate = 2015-10-21\nauthor = \"a\"\ntext = [\"t\"]\n",
        of(Name, "x"),
        of(Version, "1"),
        of(Release, "1"),
    );
    Spec::parse(&text, "package.toml".as_ref(), "/".as_ref()).is_ok()
}

/// Whether rpmbuild takes it.
fn theirs(place: WordPlace, word: &str) -> bool {
    let of =
        |at: WordPlace, usual: &str| if place == at { word.to_owned() } else { usual.to_owned() };
    let table = match place {
        Name | Version | Release => String::new(),
        _ => format!("{place:?}: {word}\n"),
    };
    let dir = tempfile::tempdir().unwrap();
    let spec = dir.path().join("x.spec");
    let text = format!(
        "Name: {}\nVersion: {}\nRelease: {}\nSummary: s\nLicense: l\nBuildArch: noarch\n{table}\
         %description\nd\n%files\n",
        of(Name, "x"),
        of(Version, "1"),
        of(Release, "1"),
    );
    fs_err::write(&spec, text).unwrap();
    let mut rpmbuild = Command::new("rpmbuild");
    rpmbuild.env("LC_ALL", "C").args(["-bp", "--nodeps", "--define"]);
    rpmbuild.arg(format!("_topdir {}", dir.path().display())).arg(&spec);
    support::run(&mut rpmbuild).status.success()
}

#[test]
fn names_and_versions_are_refused_as_by_rpmbuild() {
    if !support::have("names and versions", &["rpmbuild"]) {
        return;
    }
    let mut problems = Vec::new();
    for (table, we, they) in [(TAKEN, true, true), (REFUSED, false, false), (STRICTER, false, true)]
    {
        for (place, word) in table.iter().flat_map(|(p, words)| words.iter().map(move |w| (*p, *w)))
        {
            if ours(place, word) != we {
                problems.push(format!("el7rpm: {place:?} `{word}` should be taken: {we}"));
            }
            if theirs(place, word) != they {
                problems.push(format!("rpmbuild: {place:?} `{word}` should be taken: {they}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
