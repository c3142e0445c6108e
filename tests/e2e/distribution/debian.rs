//! Debian 12's packages: which ones, how apt fetches them, and their dependencies in rpm's words.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use toml::{Table, Value};

use crate::support;

/// Fetches the packages of the list `$2` with all that they depend on into `$1/cache/archives`. The choice depends on the
/// mirror alone, and not on what this machine has installed or prefers.
const FETCH: &str = r#"
dir=$1
mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial" "$dir/state/log"
: >"$dir/state/status"
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' |
    awk '$1 == "bookworm" { print $2; exit }')}
[ -n "$mirror" ] || { echo "this machine's apt has no bookworm: set DEBIAN_MIRROR" >&2; exit 1; }
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [arch=amd64 signed-by=$keys] $mirror bookworm main" >"$dir/sources.list"
apt() {
    apt-get -qq -o Dir::State="$dir/state" -o Dir::State::status="$dir/state/status" -o Dir::Cache="$dir/cache" \
        -o Dir::Log="$dir/state/log" -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null -o APT::Architecture=amd64 \
        -o APT::Architectures=amd64 -o Acquire::Languages=none -o APT::Sandbox::User= -o Debug::NoLocking=1 \
        -o APT::Keep-Downloaded-Packages=1 "$@"
}
apt update --error-on=any
# shellcheck disable=SC2086
apt install --yes --no-install-recommends --download-only $2
"#;

/// A package of Debian.
pub(super) struct Deb {
    pub(super) path: PathBuf,
    fields: BTreeMap<String, String>,
}

/// One alternative of a dependency.
struct Relation<'a> {
    name: &'a str,
    version: Option<(&'a str, &'a str)>,
}

/// The packages of these names, of those that Debian calls essential or required, and all that they depend on.
pub(super) fn fetch(scratch: &Path, names: &[String]) -> Result<Vec<Deb>, String> {
    let wanted = format!("?essential ?priority(required) {}", names.join(" "));
    let mut command = Command::new("sh");
    let output = support::run(command.args(["-euc", FETCH, "sh"]).arg(scratch).arg(wanted));
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!(
            "Debian's packages cannot be fetched: {}",
            why.trim().replace('\n', "; ")
        ));
    }
    let archives = fs_err::read_dir(scratch.join("cache/archives")).unwrap();
    let paths = archives.map(|entry| entry.unwrap().path());
    let mut debs: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "deb")).map(Deb::open).collect();
    debs.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(debs)
}

/// All names of packages, and all that they provide.
pub(super) fn names(debs: &[Deb]) -> BTreeSet<&str> {
    let of = |deb| {
        std::iter::once(Deb::name(deb)).chain(deb.relations("Provides").flatten().map(|r| r.name))
    };
    debs.iter().flat_map(of).collect()
}

impl Deb {
    fn open(path: PathBuf) -> Self {
        let text = support::ok(Command::new("dpkg-deb").arg("--field").arg(&path));
        let is_first = |line: &&str| !line.starts_with(' ');
        let fields = text.lines().filter(is_first).filter_map(|line| line.split_once(": "));
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { path, fields }
    }

    pub(super) fn name(&self) -> &str {
        &self.fields["Package"]
    }

    fn relations(&self, field: &str) -> impl Iterator<Item = Vec<Relation<'_>>> {
        let all = self.fields.get(field).map_or("", String::as_str).split(',');
        all.filter(|one| !one.trim().is_empty()).map(|one| one.split('|').map(relation).collect())
    }

    /// The package as a package.toml has it.
    pub(super) fn description(&self, known: &BTreeSet<&str>) -> Table {
        let (epoch, version, release) = parts(&self.fields["Version"]);
        let arch = if self.fields["Architecture"] == "all" { "noarch" } else { "x86_64" };
        let mut package = Table::new();
        let texts = [
            ("version", version.as_str()),
            ("release", release.unwrap_or("0")),
            ("arch", arch),
            ("summary", &self.fields["Description"]),
            ("license", "as in Debian"),
            // Debian's own dependencies are complete.
            ("auto-req", "no"),
        ];
        for (key, text) in texts {
            package.insert(key.into(), text.into());
        }
        if epoch != 0 {
            package.insert("epoch".into(), epoch.into());
        }
        package.insert("requires".into(), self.requires(known).into());
        package.insert("provides".into(), self.provides().into());
        package
    }

    /// Of alternatives, the first one that is among the packages.
    fn requires(&self, known: &BTreeSet<&str>) -> Table {
        let mut requires = Table::new();
        for alternatives in self.relations("Pre-Depends").chain(self.relations("Depends")) {
            let chosen = alternatives.iter().find(|one| known.contains(one.name));
            let chosen =
                chosen.unwrap_or_else(|| panic!("{} needs {}", self.name(), alternatives[0].name));
            let (operator, version) = chosen.version.unwrap_or_default();
            let text = match (operator, parts(version).2) {
                ("", _) => "*".to_owned(),
                ("<<", _) => format!("< {}", evr(version)),
                // rpm takes 1-2 for no newer than 1.
                (">>", None) => format!(">= {}", evr(version)),
                (">>", Some(_)) => format!("> {}", evr(version)),
                (other, _) => format!("{other} {}", evr(version)),
            };
            let known = requires.get(chosen.name).and_then(Value::as_str).unwrap_or("*");
            let both = match (known, text.as_str()) {
                ("*", _) => text,
                (known, "*") => known.to_owned(),
                (known, _) => format!("{known}, {text}"),
            };
            requires.insert(chosen.name.to_owned(), both.into());
        }
        requires
    }

    fn provides(&self) -> Table {
        let all = self.relations("Provides").flatten();
        let version =
            |relation: &Relation<'_>| relation.version.map(|(_, v)| format!("= {}", evr(v)));
        let mut provides: Table = all
            .map(|r| (r.name.to_owned(), version(&r).unwrap_or_else(|| "*".into()).into()))
            .collect();
        if self.name() == "dash" {
            // The path leads through a link of `filesystem`.
            provides.insert("/bin/sh".into(), "*".into());
        }
        provides
    }
}

/// Reads `name:any (>= 1.0)`.
fn relation(text: &str) -> Relation<'_> {
    let (name, version) = text.trim().split_once(" (").unwrap_or((text.trim(), ""));
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    Relation { name, version: version.trim_end_matches(')').split_once(' ') }
}

/// Epoch, version and release of Debian's `[epoch:]version[-revision]`. A version of Debian may hold hyphens.
fn parts(version: &str) -> (i64, String, Option<&str>) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = match rest.rsplit_once('-') {
        Some((upstream, revision)) => (upstream, Some(revision)),
        None => (rest, None),
    };
    (epoch.parse().unwrap(), upstream.replace('-', "."), revision)
}

fn evr(version: &str) -> String {
    let (epoch, version, release) = parts(version);
    let epoch = if epoch == 0 { String::new() } else { format!("{epoch}:") };
    epoch + &version + &release.map(|r| format!("-{r}")).unwrap_or_default()
}
