//! Builds each package of the corpus twice: by this crate and by rpmbuild.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use el7rpm::{
    package::{Prepared, WriteOptions},
    payload::Format,
    spec::Spec,
    stage::{Roots, StagedRoot},
};

use super::{
    case::{Case, TIME},
    describe,
};
use crate::support;

/// A package from both hands.
pub struct BuiltTwice {
    /// Holds both files.
    pub _dir: tempfile::TempDir,
    pub ours: PathBuf,
    pub theirs: PathBuf,
}

/// Builds `case` in a folder of its own.
pub fn both(case: &Case) -> BuiltTwice {
    // The shortest path there is: rpmbuild's build root must leave room for very long names.
    let dir = tempfile::Builder::new().prefix("o").tempdir_in("/tmp").unwrap();
    let root = dir.path().join("root");
    describe::lay_out(case, &root);
    let ours = ours(case, dir.path());
    let theirs = theirs(case, dir.path(), &root);
    if let Some(keep) = std::env::var_os("ORACLE_KEEP") {
        // For a look at the two with other tools.
        let keep = Path::new(&keep);
        fs_err::create_dir_all(keep).unwrap();
        fs_err::copy(&ours, keep.join("ours.rpm")).unwrap();
        fs_err::copy(&theirs, keep.join("theirs.rpm")).unwrap();
    }
    BuiltTwice { _dir: dir, ours, theirs }
}

/// Builds `case` by this crate alone, below `dir`.
pub fn by_us(case: &Case, dir: &Path) -> PathBuf {
    describe::lay_out(case, &dir.join("root"));
    ours(case, dir)
}

fn ours(case: &Case, dir: &Path) -> PathBuf {
    let description = dir.join("package.toml");
    fs_err::write(&description, describe::package_toml(case)).unwrap();
    let spec = Spec::load(&description, dir).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let package = &spec.packages[0];
    let roots = Roots::of_folder(dir);
    let root = StagedRoot::collect(package, &roots).unwrap();
    let mut options = WriteOptions::default();
    if case.gzip {
        options.compression.format = Format::Gzip;
        options.compression.level = 6;
    }
    let prepared = Prepared::new(package, &root, &options).unwrap();
    let path = dir.join(format!("ours-{}.rpm", case.nvra()));
    prepared.write(&path).unwrap();
    path
}

fn theirs(case: &Case, dir: &Path, root: &Path) -> PathBuf {
    let spec = dir.join("s.spec");
    fs_err::write(&spec, describe::spec_file(case, root)).unwrap();
    let mut rpmbuild = Command::new("rpmbuild");
    rpmbuild.args(["-bb", "--quiet", "--nodeps", "--target", "x86_64"]);
    for (name, value) in macros(case, dir) {
        rpmbuild.arg("--define").arg(format!("{name} {value}"));
    }
    rpmbuild.arg("--buildroot").arg(dir.join("b")).arg(&spec);
    rpmbuild.env("SOURCE_DATE_EPOCH", TIME.to_string()).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    support::ok(&mut rpmbuild);
    dir.join(format!("{}.rpm", case.nvra()))
}

/// What makes rpmbuild 4.18 of any distribution build as that of CentOS 7 does.
fn macros(case: &Case, dir: &Path) -> Vec<(&'static str, String)> {
    let path = |name: &str| dir.join(name).display().to_string();
    vec![
        ("_topdir", path("top")),
        ("_dbpath", path("db")),
        ("_tmppath", path("tmp")),
        ("_rpmdir", path("")),
        ("_build_name_fmt", "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm".into()),
        ("_binary_payload", if case.gzip { "w6.gzdio" } else { "w2.xzdio" }.into()),
        ("_buildhost", "localhost".into()),
        ("use_source_date_epoch_as_buildtime", "1".into()),
        ("_build_id_links", "none".into()),
        ("_fileattrsdir", generators().display().to_string()),
        ("_vendor", "redhat".into()),
        ("_target_platform", format!("{}-redhat-linux-gnu", case.arch())),
        ("optflags", "-O2 -g".into()),
        ("_lib", "lib64".into()),
        ("_libdir", "/usr/lib64".into()),
        ("_docdir", "/usr/share/doc".into()),
    ]
}

/// The dependency generators that packages for CentOS 7 go through and that this crate follows:
/// ELF, scripts, pkg-config. Those of the build host's own languages stay out.
fn generators() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = support::scratch_root().join("fileattrs");
        fs_err::create_dir_all(&dir).unwrap();
        for name in ["elf", "script", "pkgconfig"] {
            let name = format!("{name}.attr");
            fs_err::copy(Path::new("/usr/lib/rpm/fileattrs").join(&name), dir.join(name)).unwrap();
        }
        dir
    })
}
