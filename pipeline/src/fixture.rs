//! Shared by the unit tests of this crate: reporters, and a checkout in a temporary folder.

use std::{collections::BTreeSet, path::Path, sync::Mutex};

use el7rpm::{openpgp::SecretKey, package::WriteOptions};

use crate::{
    cache::Cache,
    circumstances::Circumstances,
    last::LastInputs,
    plan::Plan,
    schedule::Done,
    steps::{BuilderChoice, Context, FetchedSources, Images, Step, Threads},
};
use base::{
    events::{Event, Reporter},
    failure::{Failure, Result, Trouble},
    key::{Key, KeyBuilder},
    workspace::Workspace,
};
use builders::{container::Options, root::Description, toolchain};
use sources::{Fetcher, Store};

/// A secret key without a passphrase, of the year 2020.
pub(crate) const KEY: &str = include_str!("fixture/key.asc");
/// One with a passphrase.
pub(crate) const LOCKED_KEY: &str = include_str!("fixture/locked.asc");
/// The passphrase.
pub(crate) const LOCKED_PASSPHRASE: &str = "fixture";

/// Shows nothing.
pub(crate) struct Silent;

pub(crate) static SILENT: Silent = Silent;

impl Reporter for Silent {
    fn event(&self, _: &Event<'_>) {}
}

/// Keeps the events, as their Debug shows them.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    /// The events since this was last called.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Reporter for Recorder {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

/// A checkout without any file.
pub(crate) struct TempCheckout {
    _dir: tempfile::TempDir,
    pub(crate) workspace: Workspace,
}

impl TempCheckout {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = fs_err::canonicalize(dir.path()).unwrap();
        Self { _dir: dir, workspace: Workspace { state: root.join("target/xtask"), root } }
    }

    /// Writes a file of the checkout, and the folders that it is in.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.workspace.root.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }
}

impl TempCheckout {
    /// The description of a package NAME with one file, specs/NAME/file.
    pub(crate) fn data(&self, name: &str, more: &str) {
        let toml = format!(
            "[package.{name}]\nversion = \"1\"\narch = \"x86_64\"\nsummary = \"S\"\nlicense = \"MIT\"\n\
             assets = [{{ source = \"file\", dest = \"/usr/share/{name}\" }}]\n{more}\n{CHANGELOG}"
        );
        self.write(&format!("specs/{name}/package.toml"), &toml);
        self.write(&format!("specs/{name}/file"), "text\n");
    }

    /// The description of a package NAME that is compiled from the folder specs/NAME/src in the image `test`. `build`
    /// is added to its table `[build]`.
    pub(crate) fn compiled(&self, name: &str, build: &str) {
        self.image("gcc");
        self.write("containers/test/setup.sh", "ldconfig\n");
        let toml = format!(
            "[source.{name}]\npath = \"src\"\n\n[build]\nimage = \"test\"\n{build}\n\n\
             [[build.phase]]\nname = \"make\"\nrun = \"make\"\n\n\
             [package.{name}]\nversion = \"1\"\narch = \"noarch\"\nsummary = \"S\"\nlicense = \"MIT\"\n\
             assets = [{{ staged = \"/usr/share/{name}\" }}]\n{CHANGELOG}"
        );
        self.write(&format!("specs/{name}/package.toml"), &toml);
        self.write(&format!("specs/{name}/src/main.c"), "int main() { return 0; }\n");
    }

    /// The description of the image `test`, and a lock with this package.
    pub(crate) fn image(&self, package: &str) {
        self.write("containers/test/image.toml", IMAGE);
        let digest = Description::load(&self.workspace, "test", &[]).unwrap().sha256;
        let zeros = "0".repeat(64);
        let lock = format!(
            "format = 1\ndescription = \"{digest}\"\n\
             [[key]]\nname = \"k\"\nsize = 1\nsha256 = \"{zeros}\"\n\
             [[package]]\nname = \"{package}\"\nevr = \"4.8.5-44.el7\"\narch = \"x86_64\"\n\
             repository = \"base\"\npath = \"p.rpm\"\nsize = 1\nsha256 = \"{zeros}\"\n"
        );
        self.write("containers/test/root.lock", &lock);
    }

    /// Replaces a part of a file, which has it once.
    pub(crate) fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs_err::read_to_string(self.workspace.root.join(name)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from} in {name}");
        self.write(name, &text.replace(from, to));
    }

    /// The plan for these packages, all if none is named.
    pub(crate) fn plan(&self, wanted: &[&str]) -> Plan {
        self.plan_in(wanted, |_| {}).unwrap()
    }

    /// The plan in other circumstances than those of a run without options.
    pub(crate) fn plan_in(
        &self,
        wanted: &[&str],
        change: impl FnOnce(&mut Circumstances<'_>),
    ) -> Result<Plan> {
        let store = Store::at(self.workspace.root.join("store"))?;
        let fetcher = Fetcher::new(&store, &self.workspace, &SILENT);
        let wanted: Vec<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let mut circumstances = self.circumstances(&wanted, &fetcher);
        change(&mut circumstances);
        Plan::of(&self.workspace.specs(&BTreeSet::new())?, &circumstances)
    }

    /// The circumstances of a run without options, by a program and with a signing key that are always the same.
    pub(crate) fn circumstances<'a>(
        &'a self,
        wanted: &'a [String],
        fetcher: &'a Fetcher<'a>,
    ) -> Circumstances<'a> {
        Circumstances {
            workspace: &self.workspace,
            wanted,
            signing_key: "0123",
            release: false,
            toolchain: &toolchain::PRESENT,
            farm: false,
            mirrors: &[],
            xtask: key_of("xtask"),
            write_options: WriteOptions::default(),
            fetcher,
        }
    }

    /// Carries out a step of a plan, signing with [`KEY`].
    pub(crate) fn run(&self, step: &Step) -> Result<Done, Trouble> {
        let cache = Cache::open(&self.workspace)?;
        let store = Store::at(self.workspace.root.join("store"))?;
        let signer = signer();
        Context {
            workspace: &self.workspace,
            cache: &cache,
            signer: &signer,
            reporter: &SILENT,
            offline: true,
            toolchain: &toolchain::PRESENT,
            threads: Threads::new(1),
            fetcher: &Fetcher::new(&store, &self.workspace, &SILENT),
            fetched: &FetchedSources::default(),
            images: &Images::new(BuilderChoice::default()),
            compile_options: &Options::default(),
        }
        .run(step)
    }

    /// Puts a result into the cache, as if this step of the plan had been carried out.
    pub(crate) fn keep(&self, plan: &Plan, name: &str, fill: impl FnOnce(&Path)) {
        let step = step(plan, name);
        let cache = Cache::open(&self.workspace).unwrap();
        let fill = |dir: &Path| {
            fill(dir);
            Ok::<_, Failure>(())
        };
        cache.make(step.work.kind(), &step.key, fill).unwrap();
        LastInputs::of(&self.workspace).note(step.work.kind(), name, &step.made_of, &SILENT);
    }
}

const IMAGE: &str = r#"
[key.k]
fingerprint = "0123456789012345678901234567890123456789"
urls = ["file:///key"]

[repository.base]
urls = ["file:///repository"]
key = "k"
signed-metadata = true

[[want]]
packages = ["gcc"]
why = "the compiler"
"#;

const CHANGELOG: &str =
    "[[changelog]]\ndate = 2026-11-22\nauthor = \"A <a@localhost> - 1-1\"\ntext = [\"First\"]\n";

/// The step of this name.
pub(crate) fn step<'a>(plan: &'a Plan, name: &str) -> &'a Step {
    let names: Vec<_> = plan.steps.iter().map(|step| &step.name).collect();
    let step = plan.steps.iter().find(|step| step.name == name);
    step.unwrap_or_else(|| panic!("no step {name} among {names:?}"))
}

/// A key that stands for anything.
pub(crate) fn key_of(text: &str) -> Key {
    KeyBuilder::new("test", 1).text("text", text).finish()
}

/// The key of [`KEY`].
pub(crate) fn signer() -> SecretKey {
    SecretKey::from_armored(KEY, || unreachable!("it has no passphrase")).unwrap()
}
