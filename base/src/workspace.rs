//! The checkout, its descriptions, and the folders that runs use.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use el7rpm::{input, spec::Spec};

use crate::failure::{Class, Classify, Failure, Result};

/// A checkout.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Its root.
    pub root: PathBuf,
    /// The folder for results, logs and keys, in cargo's target folder.
    pub state: PathBuf,
}

impl Workspace {
    /// Finds the checkout: the one with this root, or with this Cargo.toml, or the one that contains the working directory.
    /// The path where this program was built is not used, because checkouts are copied and moved together with it.
    pub fn find(root: Option<&Path>, manifest: Option<&Path>) -> Result<Self> {
        let root = match (root, manifest) {
            (Some(root), _) => fs_err::canonicalize(root).class(Class::Usage)?,
            (None, Some(file)) => {
                let file = fs_err::canonicalize(file).class(Class::Usage)?;
                enclosing(file.parent().unwrap_or(Path::new("/")))?
            }
            (None, None) => enclosing(&std::env::current_dir().class(Class::Usage)?)?,
        };
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let target = target.map_or_else(|| root.join("target"), |t| root.join(t));
        Ok(Self { state: target.join("xtask"), root })
    }

    /// Reads all `specs/*/package.toml`. Each description comes after those that its build needs. `local`
    /// has the names of the sources that are replaced by local folders.
    pub fn specs(&self, local: &BTreeSet<String>) -> Result<Vec<Spec>> {
        let dir = self.root.join("specs");
        let mut paths = Vec::new();
        let entries = fs_err::read_dir(&dir).class(Class::Spec);
        let entries = entries
            .map_err(|f| f.help("run this in a checkout: descriptions are specs/*/package.toml"))?;
        for entry in entries {
            let folder = entry.class(Class::Spec)?.path();
            let path = folder.join("package.toml");
            let unreadable =
                |f: Failure| f.help("make it readable, or move the folder out of specs/");
            if input::is_there(&path).class(Class::Spec).map_err(unreadable)? {
                paths.push(path);
            } else if is_dangling(&folder) {
                let message = format!("{} is a link that leads nowhere", folder.display());
                return Err(unreadable(Failure::new(Class::Spec, message)));
            }
        }
        paths.sort();
        if paths.is_empty() {
            return Err(Failure::new(
                Class::Spec,
                format!("there is no package.toml in {}", dir.display()),
            ));
        }
        Spec::load_all(&paths, &self.root, local).class(Class::Spec)
    }

    /// Results of steps, by key.
    pub fn cache(&self) -> PathBuf {
        self.state.join("cache")
    }

    /// The folder that all checkouts of a user share: sources, and ccache's objects. The path is absolute, because programs run in
    /// different folders.
    pub fn shared(&self) -> PathBuf {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let own = "mesos-calico-rpm";
        let dir = set("MESOS_CALICO_CACHE")
            .or_else(|| Some(set("XDG_CACHE_HOME")?.join(own)))
            .or_else(|| Some(set("HOME")?.join(".cache").join(own)))
            .unwrap_or_else(|| self.state.join("shared"));
        std::path::absolute(&dir).unwrap_or(dir)
    }

    /// Unfinished results. The folder is emptied at the start of each run.
    pub fn tmp(&self) -> PathBuf {
        self.state.join("tmp")
    }

    /// Logs of the programs that steps run.
    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// The default folder of the repository.
    pub fn default_out(&self) -> PathBuf {
        self.root.join("dist/el7")
    }

    /// A path relative to the checkout, or unchanged if it is outside.
    pub fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

/// The checkout that contains `dir`: the nearest folder upward with descriptions and with a
/// cargo workspace.
fn enclosing(dir: &Path) -> Result<PathBuf> {
    for folder in dir.ancestors() {
        let manifest = folder.join("Cargo.toml");
        let is_there = |path: &Path| input::is_there(path).class(Class::Usage);
        if !is_there(&folder.join("specs"))? || !is_there(&manifest)? {
            continue;
        }
        let text = input::read_text(&manifest, input::MAX_TEXT).class(Class::Usage)?;
        let table: toml_edit::DocumentMut = text.parse().map_err(|e| {
            Failure::new(Class::Usage, format!("{} is no TOML: {e}", manifest.display()))
        })?;
        if table.contains_key("workspace") {
            return Ok(folder.to_owned());
        }
    }
    let message = format!("{} is not in a checkout of this project", dir.display());
    Err(Failure::new(Class::Usage, message).help("change into one, or name it with --root DIR"))
}

/// Whether the path is a link to a missing file. Editors lock files with such links.
fn is_dangling(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !is_hidden && fs_err::metadata(path).is_err_and(|e| e.kind() == ErrorKind::NotFound)
}
