//! The choice of packages, compared with the choice of libsolv, which dnf uses: the same repository, the same wishes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use el7rpm::{
    metadata::{self, Dependency, Evr, Sense},
    resolve::{Universe, resolve},
};

use crate::{fixtures::PackageFolder, support};

/// Pseudo-random numbers, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// How many names packages have.
const NAMES: u64 = 40;
/// How many names several packages provide.
const FEATURES: u64 = 6;
const WISHES: usize = 50;

fn name(number: u64) -> String {
    format!("p{number:02}")
}

/// The description of a package with random dependencies.
fn package(number: u64, version: u64, random: &mut Numbers) -> String {
    let mut requires = BTreeMap::new();
    for _ in 0..random.below(4) {
        let other = random.below(NAMES);
        let versions = match random.below(6) {
            0 => format!(">= {}", 1 + random.below(3)),
            1 => format!("< {}", 2 + random.below(3)),
            2 => format!("= {}-1", 1 + random.below(2)),
            _ => "*".to_owned(),
        };
        requires.insert(name(other), versions);
    }
    if random.once_in(3) {
        let feature = random.below(FEATURES);
        let versions = if random.once_in(2) { "*" } else { ">= 1" };
        requires.insert(format!("feature{feature}"), versions.to_owned());
    }
    requires.remove(&name(number));
    let table = |entries: &BTreeMap<String, String>| {
        let all = entries.iter().map(|(name, versions)| format!("{name} = '{versions}'"));
        all.collect::<Vec<_>>().join(", ")
    };
    let one = |kind: &str, name: String, versions: &str| {
        format!("{kind} = {{ {name} = '{versions}' }}\n")
    };
    let mut rest = String::new();
    if random.once_in(4) {
        let feature = random.below(FEATURES);
        rest += &one("provides", format!("feature{feature}"), &format!("= {version}"));
    }
    if random.once_in(8) {
        rest += &one("conflicts", name((number + 1 + random.below(NAMES - 1)) % NAMES), "< 2");
    }
    let name = name(number);
    format!(
        "[package.{name}]\nversion = '{version}'\nrelease = '1'\narch = 'noarch'\nlicense = 'x'\n\
         summary = 'x'\nrequires = {{ {} }}\n{rest}",
        table(&requires)
    )
}

/// Writes a repository of packages that require each other, indexed by createrepo_c.
fn repository(dir: &Path) {
    let mut random = Numbers(7);
    for number in 0..NAMES {
        for version in 1..=1 + random.below(3) {
            let bench = PackageFolder::new(&package(number, version, &mut random));
            let package = &bench.packages()[0];
            let unsigned = bench.unsigned(package, dir);
            let named = dir.join(format!("{}.rpm", package.nvra()));
            fs_err::rename(unsigned.path(), named).unwrap();
        }
    }
    support::ok(Command::new("createrepo_c").args(["--quiet", "--simple-md-filenames"]).arg(dir));
}

fn wishes() -> Vec<Vec<String>> {
    let mut random = Numbers(11);
    let wish = |random: &mut Numbers| {
        let count = 1 + random.below(3);
        (0..count).map(|_| name(random.below(NAMES))).collect::<BTreeSet<_>>().into_iter().collect()
    };
    (0..WISHES).map(|_| wish(&mut random)).collect()
}

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

fn by_libsolv(repository: &Path, wishes: &[Vec<String>]) -> Vec<Option<BTreeMap<String, String>>> {
    let root = tempfile::tempdir_in(support::scratch_root()).unwrap();
    let input = root.path().join("wishes");
    fs_err::write(&input, format!("{wishes:?}")).unwrap();
    // dnf's module is there for the Python that runs dnf.
    let program = fs_err::read_to_string(support::on_path("dnf").unwrap()).unwrap();
    let mut python = Command::new(program.lines().next().unwrap().trim_start_matches("#!"));
    python.args(["-c", DNF]).arg(repository).arg(root.path());
    let output = support::ok(python.stdin(fs_err::File::open(&input).unwrap().into_parts().0));
    let parse = |line: &str| -> Option<BTreeMap<String, String>> {
        // [["name", "version"], ...]: names and versions have no quotes in them.
        let words: Vec<_> = line.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        let pairs = words.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        (line != "null").then(|| pairs.collect())
    };
    output.lines().map(parse).collect()
}

fn universe(dir: &Path) -> Universe {
    let list = fs_err::read(dir.join("repodata/repomd.xml")).unwrap();
    let files = metadata::read_repomd(&list[..]).unwrap();
    let primary = files.iter().find(|file| file.kind == "primary").unwrap();
    let packed = fs_err::read(dir.join(&primary.path)).unwrap();
    let document = std::io::BufReader::new(primary.decompressed(&packed[..]).unwrap());
    Universe::new(metadata::read_primary(document, 0, &["noarch"]).unwrap())
}

#[test]
fn the_choice_is_that_of_libsolv() {
    let test = "the choice of packages";
    if !support::have(test, &["createrepo_c", "dnf"]) {
        return;
    }
    let dir = tempfile::tempdir_in(support::scratch_root()).unwrap();
    repository(dir.path());
    let universe = universe(dir.path());
    let wishes = wishes();
    let theirs = by_libsolv(dir.path(), &wishes);
    assert_eq!(theirs.len(), WISHES);
    let (mut solved, mut wrong) = (0, Vec::new());
    for (wish, theirs) in wishes.iter().zip(theirs) {
        let wanted: Vec<_> = wish.iter().map(|name| any(name)).collect();
        let ours = resolve(&universe, &wanted).ok().map(|chosen| {
            let offers = chosen.into_iter().map(|at| &universe.offers[at]);
            offers.map(|o| (o.name.to_string(), o.evr.to_string())).collect::<BTreeMap<_, _>>()
        });
        solved += usize::from(ours.is_some());
        if ours != theirs && !OTHERWISE.iter().any(|(known, _)| *known == wish.join(" ")) {
            wrong.push(format!("{wish:?}: ours {ours:?}, theirs {theirs:?}"));
        }
        if ours.is_some() != theirs.is_some() {
            wrong.push(format!("{wish:?}: only one of them finds a choice"));
        }
        // A choice of ours that differs is minimal, too. `resolve` itself checks that it is complete.
        if let (Some(ours), Some(theirs)) = (&ours, &theirs)
            && ours.len() > theirs.len()
        {
            wrong.push(format!("{wish:?}: ours has more packages"));
        }
    }
    // The test shows little if all wishes or no wishes can be satisfied.
    assert!((WISHES / 5..WISHES).contains(&solved), "{solved} of {WISHES} can be satisfied");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Wishes for which ours chooses another provider than libsolv, and why.
const OTHERWISE: &[(&str, &str)] = &[(
    "p03 p10 p30",
    "p10 requires p04 < 3, and p04-2 requires feature0. libsolv takes p12, with p07; ours takes p02, the first \
     of the providers in the alphabet, with p19, which p30 requires already",
)];

fn any(name: &str) -> Dependency {
    let evr = Evr { epoch: 0, version: "".into(), release: "".into() };
    Dependency { name: name.into(), sense: Sense::Any, evr }
}
