//! Packages to be judged, written through the crate's public interface alone.

use std::path::{Path, PathBuf};

use el7rpm::{
    package::{Prepared, UnsignedRpm, WriteOptions},
    signature::{self, SignedRpm},
    spec::{Package, Spec},
    stage::{Roots, StagedRoot},
};

use crate::support;

/// A folder with a package.toml and its files, and room for what is made of them.
pub struct PackageFolder {
    pub dir: tempfile::TempDir,
}

impl PackageFolder {
    /// With this `[package.NAME]` table; the rest of the description is filled in.
    pub fn new(toml: &str) -> Self {
        let own = Self { dir: tempfile::tempdir().unwrap() };
        own.write("package.toml", format!("{toml}\n{CHANGELOG}"));
        own
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    pub fn packages(&self) -> Vec<Package> {
        Spec::load(&self.path("package.toml"), self.dir.path()).unwrap().packages
    }

    pub fn unsigned(&self, package: &Package, out: &Path) -> UnsignedRpm {
        let roots = Roots::of_folder(self.dir.path());
        let root = StagedRoot::collect(package, &roots).unwrap();
        let options = WriteOptions::default();
        let prepared = Prepared::new(package, &root, &options).unwrap();
        prepared.write(&out.join(format!("{}.unsigned", package.nvra()))).unwrap()
    }

    /// All packages of the description, signed by the test key, in `out`.
    pub fn signed(&self, out: &Path) -> Vec<SignedRpm> {
        let key = support::key("a");
        let sign = |p: &Package| {
            let unsigned = self.unsigned(p, out);
            let signed = signature::sign(&unsigned, &key, &out.join(p.file_name())).unwrap();
            fs_err::remove_file(unsigned.path()).unwrap();
            signed
        };
        self.packages().iter().map(sign).collect()
    }
}

const CHANGELOG: &str = r#"
[[changelog]]
date = 2026-11-22
author = "A Packager <a@localhost> - 1.0-1"
text = ["Second", "with two lines"]

[[changelog]]
date = 2026-01-02
author = "A Packager <a@localhost> - 0.9-1"
text = ["First & <last>"]
"#;

/// One package with nearly everything in it, and one with nothing.
pub fn varied() -> PackageFolder {
    let bench = PackageFolder::new(
        r#"
[common]
version = "1.0"
release = "1.el7"
license = "ASL 2.0"

[package.varied]
arch = "x86_64"
epoch = 2
summary = "Summary with <angle> & ampersand"
description = "Two\nlines"
url = "http://localhost/?a=1&b=2"
vendor = "Vendor"
packager = "Packager"
requires = { bash = "*", glibc = ">= 2.17, < 3" }
provides = { something = "= 1:2-3", "other thing" = "*" }
conflicts = { enemy = "< 4" }
obsoletes = { old = "<= 0.9" }
units = ["varied.service"]
users = [{ name = "varied", home = "/var/lib/varied", comment = "Varied" }]
ldconfig = true
assets = [
  { source = "bin/*", dest = "/usr/bin/", mode = "755" },
  { source = "etc/a.conf", dest = "/etc/varied/a.conf", config = "noreplace" },
  { source = "doc/README", dest = "/usr/share/doc/varied/README", doc = true },
  { source = "varied.service", dest = "/usr/lib/systemd/system/" },
  { dest = "/etc/varied", dir = true },
  { dest = "/var/lib/varied", dir = true, user = "varied", group = "varied", mode = "0750" },
  { dest = "/usr/bin/link", link = "script" },
  { dest = "/var/log/varied.log", ghost = true },
]

[package.nothing]
arch = "noarch"
summary = "No files"
requires = { varied = "= 2:1.0-1.el7" }
"#
        .replace("\"other thing\"", "other")
        .as_str(),
    );
    bench.write("bin/script", "#!/usr/bin/python2\n");
    fs_err::copy("/bin/true", bench.path("bin/program")).unwrap();
    bench.write("etc/a.conf", "a = 1\n");
    bench.write("varied.service", "[Service]\nExecStart=/bin/true\n");
    bench.write("doc/README", "gr\u{fc}n\n");
    bench
}
