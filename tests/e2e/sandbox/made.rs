//! A checkout with an image `made`, whose only package is busybox, and a package `tiny` that is compiled in it.

use std::{process::Command, sync::OnceLock};

use serde_json::Value;

use super::room::{Who, users};
use crate::{
    checkout::{Checkout, walk},
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
  { source = "accounts", dest = "/etc/private", mode = "0600" },
]
[[changelog]]
date = 2026-11-22
author = "A <a@localhost> - 1-1"
text = ["First"]
"#;

pub const SETUP: &str = "cp -R /src/image/builder /usr/libexec/builder\n\
    chmod -R 755 /usr/libexec/builder; date > /etc/set-up; echo set up for the sandbox\n";

/// The script of the package `tiny`.
pub const TINY: &str = "mkdir -p $STAGE/usr/share/tiny; cat $SRC/text > $STAGE/usr/share/tiny/text";

pub const RPM: [&str; 4] = ["--json", "rpm", "--builder", "sandbox"];

pub struct Yard {
    pub checkout: Checkout,
    pub is_user: bool,
}

pub fn yards(test: &str) -> Vec<Yard> {
    users(test).into_iter().map(|who| Yard::new(who == Who::User)).collect()
}

impl Yard {
    /// A root of busybox, and the package `tiny` that is compiled in it.
    pub fn new(is_user: bool) -> Self {
        let checkout = Checkout::empty();
        for (name, content) in packages() {
            checkout.write(&format!("repository/{name}"), content);
        }
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

    pub fn spec(&self, script: &str) {
        let text = format!(
            "[source.tiny]\npath = \"src\"\n[build]\nimage = \"made\"\n\
             [[build.phase]]\nname = \"make\"\nrun = '''\n{script}\n'''\n\
             [package.tiny]\nversion = \"1.0\"\nsummary = \"Tiny\"\nlicense = \"MIT\"\n\
             assets = [{{ staged = \"/usr/share/tiny\" }}]\n\
             [[changelog]]\ndate = 2026-11-22\nauthor = \"A <a@localhost> - 1-1\"\ntext = [\"t\"]\n"
        );
        self.checkout.write("specs/tiny/package.toml", text);
    }

    pub fn xtask(&self, args: &[&str]) -> Command {
        if !self.is_user {
            return self.checkout.xtask(args);
        }
        self.checkout.for_everybody();
        self.checkout.as_user(args)
    }

    pub fn ok(&self, args: &[&str]) -> String {
        support::ok(&mut self.xtask(args))
    }

    pub fn fails(&self, args: &[&str]) -> (i32, String) {
        self.checkout.code_and_text(&support::run(&mut self.xtask(args)))
    }

    pub fn events(&self) -> Vec<Value> {
        let text = self.ok(&RPM);
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// A file of the last compile's build folder.
    pub fn text(&self, name: &str) -> String {
        let compiles = self.checkout.path("target/xtask/cache/compile");
        let paths =
            fs_err::read_dir(compiles).unwrap().map(|e| e.unwrap().path().join("build").join(name));
        let mut found: Vec<_> = paths.filter(|path| path.exists()).collect();
        found.sort_by_key(|p| fs_err::metadata(p).unwrap().modified().unwrap());
        fs_err::read_to_string(found.pop().unwrap()).unwrap()
    }
}

impl Yard {
    /// What the last run has packed.
    pub fn text_of_stage(&self) -> String {
        let compiles = self.checkout.path("target/xtask/cache/compile");
        let results = fs_err::read_dir(compiles).unwrap().map(|e| e.unwrap().path());
        let texts = results.map(|path| path.join("stage/usr/share/tiny/text"));
        texts.filter_map(|path| fs_err::read_to_string(path).ok()).collect()
    }
}

/// The files of the repository of the package `system`, which is made once for all yards.
fn packages() -> &'static [(String, Vec<u8>)] {
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let checkout = Checkout::empty();
        let busybox = support::ok(Command::new("sh").args(["-c", "command -v busybox"]));
        checkout.write("specs/system/busybox", fs_err::read(busybox.trim()).unwrap());
        let applets = [
            "sh", "grep", "mkdir", "cp", "cat", "chmod", "date", "id", "ls", "sort", "touch",
            "hostname", "sleep", "kill", "nc", "rm", "sed", "cut", "mkfifo", "env",
        ];
        let links: String = applets
            .map(|name| format!("  {{ dest = \"/bin/{name}\", link = \"busybox\" }},\n"))
            .concat();
        let text = SYSTEM.replace("  LINKS\n", &links);
        checkout.write("specs/system/package.toml", text);
        checkout.write("specs/system/accounts", "\n");
        checkout.ok(&["rpm"]);
        let made = checkout.path("dist/el7");
        let file = |name: String| (name.clone(), fs_err::read(made.join(name)).unwrap());
        walk(&made).into_iter().map(file).collect()
    })
}

fn fingerprint() -> String {
    use el7rpm::openpgp::Signer;
    support::key("a").certificate().fingerprint()
}
