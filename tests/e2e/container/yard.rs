//! A checkout with something to compile in the stand-in distribution, and an engine whose images and containers are the
//! tests' own.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;

use crate::{
    checkout::Checkout,
    distribution::{self, Distribution},
    support,
};

/// Programs that podman needs.
const TOOLS: [&str; 2] = ["podman", "runc"];

pub struct Yard {
    pub checkout: Checkout,
}

/// Whether a test of this ring can run here.
pub fn have(test: &str, more: &[&str]) -> bool {
    support::have_as_root(test, &[&TOOLS[..], &distribution::TOOLS, more].concat())
}

/// podman's own folder of the tests, with settings that suit a machine inside a machine: nothing
/// is shared with the user's podman, and nothing is left but files under target/.
fn engine() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = support::scratch_root().join("podman");
        fs_err::create_dir_all(&dir).unwrap();
        let shown = dir.display();
        let storage = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{shown}/store\"\nrunroot = \"{shown}/run\"\n"
        );
        let containers = format!(
            "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
             lock_type = \"file\"\ntmp_dir = \"{shown}/tmp\"\n\
             [containers]\ndefault_ulimits = [\"nofile=20000:20000\", \"nproc=4096:4096\"]\n"
        );
        fs_err::write(dir.join("storage.conf"), storage).unwrap();
        fs_err::write(dir.join("containers.conf"), containers).unwrap();
        // Remains of stopped image builds. A container in use is not removed by this.
        let mut left = Command::new("podman");
        let left = with_settings(left.args(["ps", "--all", "--external", "--quiet"]), &dir).output();
        let left = String::from_utf8(left.unwrap().stdout).unwrap();
        for id in left.split_whitespace() {
            let mut remove = Command::new("podman");
            support::run(with_settings(remove.args(["rm", id]), &dir));
        }
        dir
    })
}

/// Makes a command use the tests' podman.
pub fn with_engine(command: &mut Command) -> &mut Command {
    with_settings(command, engine())
}

fn with_settings<'a>(command: &'a mut Command, dir: &Path) -> &'a mut Command {
    command
        .env("CONTAINERS_CONF", dir.join("containers.conf"))
        .env("CONTAINERS_STORAGE_CONF", dir.join("storage.conf"))
}

/// A call of the tests' podman.
pub fn podman(args: &[&str]) -> Command {
    let mut command = Command::new("podman");
    with_engine(command.args(args));
    command
}

impl Yard {
    /// With the package `tiny`, built by these phases from what `source` puts into specs/tiny/src.
    pub fn new(phases: &[(&str, &str)]) -> Self {
        let own = Self { checkout: Checkout::empty() };
        own.add_image("test");
        own.spec("tiny", "", phases);
        own.checkout.write("specs/tiny/src/main.cpp", "int main() {}\n");
        own
    }

    /// With these folders as its specs/; what they compile in CentOS 7 is compiled in Debian 12.
    pub fn of(specs: &[&Path]) -> Self {
        let own = Self { checkout: Checkout::empty() };
        own.add_image("el7");
        for dir in specs {
            let name = dir.file_name().unwrap().to_str().unwrap();
            own.checkout.copy(dir, &format!("specs/{name}"));
        }
        own
    }

    /// The stand-in distribution as the image of this name, with its lock. The packages and roots of all yards are in one
    /// place; what ccache keeps is not.
    fn add_image(&self, name: &str) {
        let distribution = Distribution::get("the image of a yard").unwrap();
        distribution.add_locked(&self.checkout, name);
        let shared = self.checkout.path("shared");
        fs_err::create_dir_all(&shared).unwrap();
        for folder in ["roots", "sources"] {
            let place = distribution::cache().join(folder);
            fs_err::create_dir_all(&place).unwrap();
            symlink(place, shared.join(folder)).unwrap();
        }
    }

    /// Makes the image one of this test alone, which no other test has imported or compiled in.
    pub fn own_image(&self) {
        let path = self.checkout.path("containers/test/setup.sh");
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(path, format!("{text}# {}\n", std::process::id())).unwrap();
    }

    /// Writes specs/NAME/package.toml: a package with all of the staged folder /usr/share/NAME.
    pub fn spec(&self, name: &str, build: &str, phases: &[(&str, &str)]) {
        let phase = |(name, run): &(&str, &str)| {
            format!("[[build.phase]]\nname = \"{name}\"\nrun = '''\n{run}\n'''\n")
        };
        let phases: String = phases.iter().map(phase).collect();
        let text = format!(
            "[source.{name}]\npath = \"src\"\n[build]\nimage = \"test\"\n{build}\n{phases}\
             [package.{name}]\nversion = \"1.0\"\nsummary = \"Tiny\"\nlicense = \"MIT\"\n\
             assets = [{{ staged = \"/usr/share/{name}\" }}]\n\
             [[changelog]]\ndate = 2026-11-22\nauthor = \"A <a@localhost> - 1-1\"\ntext = [\"t\"]\n"
        );
        self.checkout.write(&format!("specs/{name}/package.toml"), text);
        fs_err::create_dir_all(self.checkout.path(&format!("specs/{name}/src"))).unwrap();
    }

    pub fn xtask(&self, args: &[&str]) -> Command {
        let mut command = self.checkout.xtask(args);
        if args.contains(&"rpm") && !args.contains(&"--builder") {
            command.args(["--builder", "podman"]);
        }
        with_engine(&mut command)
            .env("MESOS_CALICO_CACHE", self.checkout.path("shared"))
            .env_remove("CONTAINER_HOST")
            .env_remove("DOCKER_HOST");
        command
    }

    pub fn ok(&self, args: &[&str]) -> String {
        support::ok(&mut self.xtask(args))
    }

    pub fn fails(&self, args: &[&str]) -> (i32, String) {
        self.checkout.code_and_text(&support::run(&mut self.xtask(args)))
    }

    pub fn events(&self, args: &[&str]) -> Vec<Value> {
        let text = support::ok(self.xtask(&["rpm", "--json"]).args(args));
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// A file that the last build left, by its path from the result: `stage/...`, `build/...`.
    pub fn result(&self, path: &str) -> PathBuf {
        let mut found = Vec::new();
        for kind in fs_err::read_dir(self.checkout.path("target/xtask/cache")).unwrap() {
            for result in fs_err::read_dir(kind.unwrap().path()).unwrap() {
                found.push(result.unwrap().path().join(path));
            }
        }
        found.retain(|p| p.exists());
        found.sort_by_key(|p| fs_err::metadata(p).unwrap().modified().unwrap());
        found.pop().unwrap_or_else(|| panic!("no result has {path}"))
    }

    pub fn text(&self, path: &str) -> String {
        fs_err::read_to_string(self.result(path)).unwrap()
    }

    /// Names of the containers of this checkout, running or not.
    pub fn containers(&self) -> Vec<String> {
        let all = support::ok(&mut podman(&["ps", "--all", "--format", "{{.Names}} {{.Mounts}}"]));
        let names = self.names();
        all.split_whitespace().filter(|n| names.iter().any(|m| m == n)).map(str::to_owned).collect()
    }

    /// The names of containers that the running run, or a killed one, has written down.
    pub fn names(&self) -> Vec<String> {
        names_in(&self.checkout.path("target/xtask"))
    }
}

/// Names of the containers that are noted in this state folder of a checkout.
pub fn names_in(state: &Path) -> Vec<String> {
    let notes = fs_err::read_dir(state.join("containers"));
    let text = |e: std::io::Result<fs_err::DirEntry>| {
        fs_err::read_to_string(e.unwrap().path()).unwrap_or_default()
    };
    let notes: Vec<_> = notes.into_iter().flatten().map(text).collect();
    let name = |note: &String| {
        let note: Value = serde_json::from_str(note).ok()?;
        Some(note["container"].as_str()?.to_owned())
    };
    notes.iter().filter_map(name).collect()
}

/// The messages of all notes.
pub fn notes(events: &[Value]) -> Vec<&str> {
    let notes = events.iter().filter(|e| e["event"] == "note");
    notes.map(|e| e["message"].as_str().unwrap()).collect()
}

/// Compiles `n` units and `main.cpp` with make.
pub fn units(yard: &Yard, n: usize) {
    let names: Vec<_> = (0..n).map(|i| format!("u{i}.o")).collect();
    for i in 0..n {
        // No header: those of C++ take most of a compile, and show nothing more here.
        let text = format!("const char *f{i}() {{ return \"{i}\"; }}\n");
        yard.checkout.write(&format!("specs/tiny/src/u{i}.cpp"), text);
    }
    let makefile = format!(
        "tiny: {} main.o\n\tg++ -o $@ $^\n%.o: $(SRC)/%.cpp\n\tg++ -Wall -c -o $@ $<\n",
        names.join(" ")
    );
    yard.checkout.write("specs/tiny/src/Makefile", makefile);
}

/// Phases for [`units`].
pub const MAKE: [(&str, &str); 2] = [
    ("make", "make -f $SRC/Makefile -j$JOBS"),
    ("install", "install -D tiny $STAGE/usr/share/tiny/tiny"),
];
