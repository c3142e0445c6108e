//! A package described once. [`super::describe`] turns it into a package.toml and into an
//! equivalent spec file.

use std::path::{Path, PathBuf};

/// The time that everything in the corpus bears: noon UTC of its newest changelog entry.
pub const TIME: u32 = 1_445_428_800;

/// One package of the corpus.
#[derive(Clone, Default)]
pub struct Case {
    pub name: String,
    pub noarch: bool,
    pub epoch: Option<u32>,
    pub version: String,
    pub release: String,
    pub description: String,
    pub url: Option<&'static str>,
    pub files: Vec<CaseFile>,
    /// Section (`requires`, ...), name, comparison.
    pub dependencies: Vec<(&'static str, &'static str, &'static str)>,
    pub scripts: Vec<Scriptlet>,
    pub gzip: bool,
    /// Lines for the `[package.NAME]` table alone: what has no one-to-one word in a spec file.
    pub toml: String,
    /// Lines for the spec file's preamble alone: what the former means.
    pub spec: String,
}

/// A scriptlet.
#[derive(Clone)]
pub struct Scriptlet {
    /// As in a spec file: `pre`, `postun`, ...
    pub section: &'static str,
    pub program: Vec<&'static str>,
    pub body: String,
    /// Whether package.toml leaves it to what it says by meaning.
    pub implied: bool,
}

/// One path of a package.
#[derive(Clone)]
pub struct CaseFile {
    pub path: String,
    pub kind: CaseKind,
    pub mode: u16,
    pub user: &'static str,
    pub group: &'static str,
    /// `None`: no `%config`; else its refinements.
    pub config: Option<Vec<&'static str>>,
    pub doc: bool,
    pub license: bool,
    pub ghost: bool,
    pub caps: Option<&'static str>,
    /// What `%verify` leaves out.
    pub unverified: Vec<&'static str>,
}

/// What is at a path.
#[derive(Clone)]
pub enum CaseKind {
    Bytes(Vec<u8>),
    Copy(PathBuf),
    /// Another name of the file at this path.
    Hard(String),
    Link(String),
    Dir,
}

impl Case {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            version: "1.0".into(),
            release: "1.el7".into(),
            description: "One line.".into(),
            ..Self::default()
        }
    }

    pub fn noarch(mut self) -> Self {
        self.noarch = true;
        self
    }

    pub fn file(mut self, file: CaseFile) -> Self {
        self.files.push(file);
        self
    }

    pub fn text(self, path: &str, content: &str) -> Self {
        self.file(text(path, content))
    }

    pub fn dir(self, path: &str) -> Self {
        self.file(CaseFile::new(path, CaseKind::Dir, 0o755))
    }

    pub fn link(self, path: &str, target: &str) -> Self {
        self.file(CaseFile::new(path, CaseKind::Link(target.into()), 0o777))
    }

    pub fn hard(self, path: &str, other: &str) -> Self {
        let mode = self.files.iter().find(|f| f.path == other).unwrap().mode;
        self.file(CaseFile::new(path, CaseKind::Hard(other.into()), mode))
    }

    pub fn program(self, path: &str, source: &Path) -> Self {
        self.file(CaseFile::new(path, CaseKind::Copy(source.into()), 0o755))
    }

    pub fn depends(
        mut self,
        section: &'static str,
        name: &'static str,
        comparison: &'static str,
    ) -> Self {
        self.dependencies.push((section, name, comparison));
        self
    }

    pub fn script(self, section: &'static str, body: &str) -> Self {
        self.script_by(section, &["/bin/sh"], body)
    }

    pub fn script_by(mut self, section: &'static str, by: &[&'static str], body: &str) -> Self {
        self.scripts.push(Scriptlet {
            section,
            program: by.to_vec(),
            body: body.into(),
            implied: false,
        });
        self
    }

    /// A scriptlet that the spec file spells out and package.toml implies.
    pub fn implied(self, section: &'static str, body: &str) -> Self {
        self.implied_by(section, &["/bin/sh"], body)
    }

    pub fn implied_by(self, section: &'static str, by: &[&'static str], body: &str) -> Self {
        let mut own = self.script_by(section, by, body);
        own.scripts.last_mut().unwrap().implied = true;
        own
    }

    pub fn toml(mut self, lines: &str) -> Self {
        self.toml = lines.into();
        self
    }

    pub fn spec(mut self, lines: &str) -> Self {
        self.spec = lines.into();
        self
    }

    pub fn arch(&self) -> &'static str {
        if self.noarch { "noarch" } else { "x86_64" }
    }

    pub fn nvra(&self) -> String {
        format!("{}-{}-{}.{}", self.name, self.version, self.release, self.arch())
    }
}

impl CaseFile {
    pub fn new(path: &str, kind: CaseKind, mode: u16) -> Self {
        Self {
            path: path.into(),
            kind,
            mode,
            user: "root",
            group: "root",
            config: None,
            doc: false,
            license: false,
            ghost: false,
            caps: None,
            unverified: Vec::new(),
        }
    }

    pub fn mode(mut self, mode: u16) -> Self {
        self.mode = mode;
        self
    }

    pub fn owner(mut self, user: &'static str, group: &'static str) -> Self {
        (self.user, self.group) = (user, group);
        self
    }

    pub fn config(mut self, refinements: &[&'static str]) -> Self {
        self.config = Some(refinements.to_vec());
        self
    }

    pub fn doc(mut self) -> Self {
        self.doc = true;
        self
    }

    pub fn license(mut self) -> Self {
        self.license = true;
        self
    }

    pub fn ghost(mut self) -> Self {
        self.ghost = true;
        self
    }

    pub fn caps(mut self, caps: &'static str) -> Self {
        self.caps = Some(caps);
        self
    }

    pub fn unverified(mut self, what: &[&'static str]) -> Self {
        self.unverified = what.to_vec();
        self
    }
}

/// A file with this content and mode 0644.
pub fn text(path: &str, content: &str) -> CaseFile {
    CaseFile::new(path, CaseKind::Bytes(content.into()), 0o644)
}
