//! Choices of packages: that of libsolv, which dnf uses, and ours, for the same repository and wishes.

use std::{collections::BTreeMap, path::Path, process::Command};

use el7rpm::{
    metadata::{self, Dependency, Evr, Sense},
    resolve::{Universe, resolve},
};

use super::{ok, on_path, scratch_root};

/// Prints the choice of libsolv for each wish: packages with their versions, or null.
const DNF: &str = r#"
import sys, json, dnf, hawkey
base = dnf.Base()
base.conf.installroot = sys.argv[2]
base.conf.cachedir = sys.argv[2] + "/cache"
base.conf.best = False
base.conf.substitutions["releasever"] = "7"
base.repos.add_new_repo("r", base.conf, baseurl=["file://" + sys.argv[1]])
base.fill_sack(load_system_repo=False)
for wish in json.load(sys.stdin):
    goal = hawkey.Goal(base.sack)
    for name in wish:
        goal.install(select=hawkey.Selector(base.sack).set(name=name))
    found = goal.run(ignore_weak_deps=True)
    print(json.dumps([[p.name, p.evr] for p in goal.list_installs()] if found else None))
"#;

/// Packages with their versions.
pub type Choice = BTreeMap<String, String>;

/// The choice of libsolv for each wish; `None` if there is none.
pub fn choices(repository: &Path, wishes: &[Vec<String>]) -> Vec<Option<Choice>> {
    let root = tempfile::tempdir_in(scratch_root()).unwrap();
    let input = root.path().join("wishes");
    fs_err::write(&input, format!("{wishes:?}")).unwrap();
    // dnf's module is there for the Python that runs dnf.
    let program = fs_err::read_to_string(on_path("dnf").unwrap()).unwrap();
    let mut python = Command::new(program.lines().next().unwrap().trim_start_matches("#!"));
    python.args(["-c", DNF]).arg(repository).arg(root.path());
    let output = ok(python.stdin(fs_err::File::open(&input).unwrap().into_parts().0));
    let parse = |line: &str| -> Option<Choice> {
        // [["name", "version"], ...]: names and versions have no quotes in them.
        let words: Vec<_> = line.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        let pairs = words.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        (line != "null").then(|| pairs.collect())
    };
    output.lines().map(parse).collect()
}

/// A repository as ours reads it.
pub fn universe(dir: &Path) -> Universe {
    let list = fs_err::read(dir.join("repodata/repomd.xml")).unwrap();
    let files = metadata::read_repomd(&list[..]).unwrap();
    let primary = files.iter().find(|file| file.kind == "primary").unwrap();
    let packed = fs_err::read(dir.join(&primary.path)).unwrap();
    let document = std::io::BufReader::new(primary.decompressed(&packed[..]).unwrap());
    Universe::new(metadata::read_primary(document, 0, &["x86_64", "noarch"]).unwrap())
}

/// Our choice for a wish.
pub fn our_choice(universe: &Universe, wish: &[String]) -> Option<Choice> {
    let wanted: Vec<_> = wish.iter().map(|name| any(name)).collect();
    let chosen = resolve(universe, &wanted).ok()?;
    let offers = chosen.into_iter().map(|at| &universe.offers[at]);
    Some(offers.map(|o| (o.name.to_string(), o.evr.to_string())).collect())
}

fn any(name: &str) -> Dependency {
    let evr = Evr { epoch: 0, version: "".into(), release: "".into() };
    Dependency { name: name.into(), sense: Sense::Any, evr }
}
