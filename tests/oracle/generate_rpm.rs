//! cargo-generate-rpm on the same crate: files, dependencies and scriptlets agree, but for what
//! stands in [`TABLE`].

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use el7rpm::{
    package::{Prepared, WriteOptions},
    spec::{Spec, cargo_manifest::Manifest},
    stage::{Roots, StagedRoot},
};
use rpm::{Header, IndexTag as T, PackageMetadata};

use crate::support;

const VERSION: &str = "0.21.1";

/// Something that only one of the two says.
struct Difference {
    ours: bool,
    /// What the fact begins with.
    fact: &'static str,
    reason: &'static str,
}

const TABLE: &[Difference] = &[
    Difference {
        ours: true,
        fact: "origin of requirement 0x4000",
        reason: "rpmbuild marks discovered requirements as such (RPMSENSE_FIND_REQUIRES)",
    },
    Difference {
        ours: true,
        fact: "requires rpmlib(PayloadIsXz)",
        reason: "a payload that an rpm without xz could not read must say so",
    },
    Difference {
        ours: true,
        fact: "requires rpmlib(ScriptletInterpreterArgs)",
        reason: "nor may an rpm run a scriptlet whose program has arguments without knowing them",
    },
    Difference {
        ours: true,
        fact: "origin of requirement 0x1000000 rpmlib(",
        reason: "goes with these two",
    },
    Difference {
        ours: true,
        fact: "program of RPMTAG_",
        reason: "rpmbuild names the shell, which is what rpm takes where none is named",
    },
    Difference {
        ours: false,
        fact: "program of RPMTAG_",
        reason: "see the entry above: an empty list",
    },
];

/// The program, installed once per checkout; `None` without a network.
fn tool() -> Option<&'static Path> {
    static TOOL: OnceLock<Option<PathBuf>> = OnceLock::new();
    TOOL.get_or_init(|| {
        let root = workspace().join("target/tools-generate-rpm");
        let program = root.join("bin/cargo-generate-rpm");
        if !program.exists() {
            let mut cargo = cargo();
            cargo.args(["install", "cargo-generate-rpm", "--version", VERSION, "--locked"]);
            // Compiling it is most of this ring's time; it packs only a small crate, and nobody debugs it.
            cargo.arg("--debug");
            for check in ["DEBUG", "DEBUG_ASSERTIONS", "OVERFLOW_CHECKS"] {
                cargo.env(format!("CARGO_PROFILE_DEV_{check}"), "false");
            }
            support::run(cargo.arg("--root").arg(&root));
        }
        program.exists().then_some(program)
    })
    .as_deref()
}

fn have_tool(test: &str) -> bool {
    tool().is_some() || support::skip(test, "cargo-generate-rpm cannot be installed")
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The package that cargo-generate-rpm makes of the crate in `workspace/crate_dir`.
fn theirs(workspace: &Path, crate_dir: &str, target: &Path, out: &Path) -> PathBuf {
    let path = out.join("theirs.rpm");
    let mut generate = Command::new(tool().unwrap());
    generate.current_dir(workspace).args(["generate-rpm", "--payload-compress", "xz"]);
    generate.args(["--auto-req", "builtin", "-p", crate_dir, "--target-dir"]).arg(target);
    support::ok(generate.arg("-o").arg(&path));
    path
}

/// The package that this crate makes of the same manifest and nothing else.
fn ours(workspace: &Path, crate_dir: &str, target: &Path, out: &Path) -> PathBuf {
    let name = Manifest::load(workspace, Path::new(crate_dir)).unwrap().name().unwrap();
    let description = out.join("package.toml");
    fs_err::write(
        &description,
        format!(
            "[build]\ncrate = \"{crate_dir}\"\n[package.{name}]\ncargo = true\nrelease = \"1\"\n\
             [[changelog]]\ndate = 2015-10-21\nauthor = \"a\"\ntext = [\"t\"]\n"
        ),
    )
    .unwrap();
    let spec = Spec::load(&description, workspace).unwrap();
    let roots = Roots {
        spec: out.into(),
        workspace: Some(workspace.into()),
        crate_dir: Some(workspace.join(crate_dir)),
        build: Some(target.join("release")),
    };
    let root = StagedRoot::collect(&spec.packages[0], &roots).unwrap();
    let options = WriteOptions::default();
    let path = out.join("ours.rpm");
    Prepared::new(&spec.packages[0], &root, &options).unwrap().write(&path).unwrap();
    path
}

/// The main header of a package.
struct Main(Header<T>);

impl Main {
    fn string(&self, tag: T) -> Option<&str> {
        self.0.get_entry_data_as_string(tag).ok()
    }

    fn int(&self, tag: T) -> Option<u32> {
        self.0.get_entry_data_as_u32(tag).ok()
    }

    fn strings(&self, tag: T) -> Vec<&str> {
        self.0.get_entry_data_as_string_array(tag).unwrap_or_default()
    }

    fn ints(&self, tag: T) -> Vec<u32> {
        self.0.get_entry_data_as_u32_array(tag).unwrap_or_default()
    }
}

/// What a package says of its files, dependencies and scriptlets, one line each.
fn facts(path: &Path) -> BTreeSet<String> {
    let rpm = Main(PackageMetadata::open(path).unwrap().header);
    let mut out = files(&rpm);
    for (what, names, flags, versions) in [
        ("requires", T::RPMTAG_REQUIRENAME, T::RPMTAG_REQUIREFLAGS, T::RPMTAG_REQUIREVERSION),
        ("provides", T::RPMTAG_PROVIDENAME, T::RPMTAG_PROVIDEFLAGS, T::RPMTAG_PROVIDEVERSION),
        ("conflicts", T::RPMTAG_CONFLICTNAME, T::RPMTAG_CONFLICTFLAGS, T::RPMTAG_CONFLICTVERSION),
        ("obsoletes", T::RPMTAG_OBSOLETENAME, T::RPMTAG_OBSOLETEFLAGS, T::RPMTAG_OBSOLETEVERSION),
    ] {
        let list = rpm.strings(names).into_iter().zip(rpm.ints(flags)).zip(rpm.strings(versions));
        for ((name, flags), version) in list {
            // RPMSENSE_LESS, GREATER and EQUAL; the other bits say where it comes from.
            let (comparison, origin) = (flags & 0xe, flags & !0xe);
            out.insert(format!("{what} {name} {comparison:#x} {version}"));
            if what == "requires" && origin != 0 {
                out.insert(format!("origin of requirement {origin:#x} {name}"));
            }
        }
    }
    for (body, program) in [
        (T::RPMTAG_PREIN, T::RPMTAG_PREINPROG),
        (T::RPMTAG_POSTIN, T::RPMTAG_POSTINPROG),
        (T::RPMTAG_PREUN, T::RPMTAG_PREUNPROG),
        (T::RPMTAG_POSTUN, T::RPMTAG_POSTUNPROG),
        (T::RPMTAG_PRETRANS, T::RPMTAG_PRETRANSPROG),
        (T::RPMTAG_POSTTRANS, T::RPMTAG_POSTTRANSPROG),
    ] {
        out.insert(format!("{body} {:?}", rpm.string(body)));
        if rpm.string(body).is_some() {
            out.insert(format!("program of {body} {:?}", rpm.strings(program)));
        }
    }
    for tag in [T::RPMTAG_NAME, T::RPMTAG_VERSION, T::RPMTAG_RELEASE, T::RPMTAG_ARCH] {
        out.insert(format!("{tag} {:?}", rpm.string(tag)));
    }
    for tag in [T::RPMTAG_LICENSE, T::RPMTAG_URL, T::RPMTAG_VENDOR, T::RPMTAG_OS] {
        out.insert(format!("{tag} {:?}", rpm.string(tag)));
    }
    out.insert(format!("epoch {:?}", rpm.int(T::RPMTAG_EPOCH)));
    out
}

fn files(rpm: &Main) -> BTreeSet<String> {
    let names = rpm.strings(T::RPMTAG_BASENAMES);
    let (folders, folder_of) = (rpm.strings(T::RPMTAG_DIRNAMES), rpm.ints(T::RPMTAG_DIRINDEXES));
    let modes = rpm.0.get_entry_data_as_u16_array(T::RPMTAG_FILEMODES).unwrap();
    let texts = [
        T::RPMTAG_FILEUSERNAME,
        T::RPMTAG_FILEGROUPNAME,
        T::RPMTAG_FILEDIGESTS,
        T::RPMTAG_FILELINKTOS,
    ];
    let numbers = [T::RPMTAG_FILEFLAGS, T::RPMTAG_FILESIZES, T::RPMTAG_FILEVERIFYFLAGS];
    let one = |i: usize| {
        let texts: Vec<_> = texts.iter().map(|t| rpm.strings(*t)[i]).collect();
        let numbers: Vec<_> = numbers.iter().map(|t| rpm.ints(*t)[i]).collect();
        let folder = folders[folder_of[i] as usize];
        format!("file {folder}{} {:o} {texts:?} {numbers:?}", names[i], modes[i])
    };
    (0..names.len()).map(one).collect()
}

/// What the table does not explain; the entries that were needed are added to `used`.
fn unexplained(ours: &Path, theirs: &Path, used: &mut BTreeSet<usize>) -> Vec<String> {
    let (ours, theirs) = (facts(ours), facts(theirs));
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>, is_ours: bool| -> Vec<_> {
        a.difference(b).map(|fact| (is_ours, fact.clone())).collect()
    };
    let mut out = Vec::new();
    for (is_ours, fact) in only(&ours, &theirs, true).into_iter().chain(only(&theirs, &ours, false))
    {
        match TABLE.iter().position(|d| d.ours == is_ours && fact.starts_with(d.fact)) {
            Some(entry) => drop(used.insert(entry)),
            None => out.push(format!("only {}: {fact}", if is_ours { "ours" } else { "theirs" })),
        }
    }
    out
}

/// The crates under host/ that describe a package.
fn crates() -> Vec<String> {
    let mut out = Vec::new();
    for entry in fs_err::read_dir(workspace().join("host")).unwrap() {
        let dir = entry.unwrap().path();
        let manifest = fs_err::read_to_string(dir.join("Cargo.toml")).unwrap_or_default();
        if manifest.contains("[package.metadata.generate-rpm]") {
            out.push(format!("host/{}", dir.file_name().unwrap().to_str().unwrap()));
        }
    }
    out.sort();
    out
}

/// A crate with something of everything that cargo-generate-rpm can say for CentOS 7. Nothing of
/// it is compiled.
fn varied(dir: &Path) {
    let write = |path: &str, text: &str| {
        let path = dir.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    write("Cargo.toml", "[workspace]\nmembers = [\"varied\"]\nresolver = \"2\"\n");
    write("varied/Cargo.toml", VARIED);
    write("varied/src/main.rs", "fn main() {}\n");
    write("varied/etc/a.conf", "a\n");
    write("varied/doc/one.txt", "1\n");
    write("varied/doc/deep/two.txt", "2\n");
    write("varied/post.sh", "echo from a file");
    fs_err::create_dir_all(dir.join("target/release")).unwrap();
    fs_err::copy("/bin/true", dir.join("target/release/varied")).unwrap();
}

const VARIED: &str = r#"
[package]
name = "varied"
version = "1.2.3"
license = "MIT"
description = "A summary"
homepage = "http://localhost/"

[package.metadata.generate-rpm]
epoch = 2
vendor = "Vendor"
require-sh = false
pre_install_script = "echo pre"
post_install_script = "post.sh"
pre_uninstall_script = "echo preun"
pre_uninstall_script_prog = ["/bin/sh", "-e"]
post_uninstall_script = "echo postun"
assets = [
  { source = "target/release/varied", dest = "/usr/bin/varied", mode = "4755" },
  { source = "etc/a.conf", dest = "/etc/varied/a.conf", mode = "640", config = "noreplace", group = "daemon" },
  { source = "etc/a.conf", dest = "/etc/varied/b.conf", mode = "600", config = true, user = "daemon" },
  { source = "doc/**/*.txt", dest = "/opt/varied/", mode = "644", doc = true },
]

[package.metadata.generate-rpm.requires]
bash = ">= 4"
coreutils = "*"
[package.metadata.generate-rpm.provides]
something = "= 1:2-3"
[package.metadata.generate-rpm.conflicts]
enemy = "< 4"
[package.metadata.generate-rpm.obsoletes]
old = "<= 0.9"
"#;

#[test]
fn cargo_generate_rpm_agrees() {
    if !have_tool("comparison with cargo-generate-rpm") {
        return;
    }
    let mut used = BTreeSet::new();
    let mut problems = Vec::new();
    let target = support::scratch_root().join("host-crates");
    for dir in crates() {
        let name = dir.strip_prefix("host/").unwrap();
        let mut build = cargo();
        build.current_dir(workspace()).args(["build", "--release", "--quiet", "-p", name]);
        // What is compared is the package, not the code of the program: the profile for hosts takes minutes.
        for (key, value) in [("LTO", "off"), ("OPT_LEVEL", "0"), ("CODEGEN_UNITS", "16")] {
            build.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
        }
        support::ok(build.arg("--target-dir").arg(&target));
        let out = tempfile::tempdir().unwrap();
        let ours = ours(workspace(), &dir, &target, out.path());
        let theirs = theirs(workspace(), &dir, &target, out.path());
        let found = unexplained(&ours, &theirs, &mut used);
        problems.extend(found.into_iter().map(|f| format!("{dir}: {f}")));
    }
    let dir = tempfile::tempdir().unwrap();
    varied(dir.path());
    let target = dir.path().join("target");
    let ours = ours(dir.path(), "varied", &target, dir.path());
    let theirs = theirs(dir.path(), "varied", &target, dir.path());
    problems.extend(unexplained(&ours, &theirs, &mut used));
    let stale = TABLE.iter().enumerate().filter(|(i, _)| !used.contains(i));
    problems.extend(stale.map(|(_, d)| format!("{} differs no more: {}", d.fact, d.reason)));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
