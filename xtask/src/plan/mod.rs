//! The plan: every step, what it needs, the key of its result, and whether that is there already.
//!
//! It is complete before anything is done. `cargo xtask plan` prints it; `cargo xtask rpm` carries
//! it out.

mod render;

use std::path::PathBuf;

use el7rpm::{
    package::WriteOptions,
    spec::{Build, Package, Spec},
    stage::{Roots, StagedRoot},
};
use serde::Serialize;

pub(crate) use render::{dot, text};

use crate::{
    cache::Cache,
    failure::{Class, Classify, Failure, Result},
    host_builder::{self, HostBuild},
    key::{Key, KeyBuilder, Stamps},
    tools::Zig,
    workspace::Workspace,
};

/// Everything that is to be done.
#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    /// The steps; those that a step needs come before it.
    pub(crate) steps: Vec<Step>,
    /// Where the compiler driver is, if something is to be compiled.
    #[serde(skip)]
    pub(crate) zig: Option<Zig>,
}

/// One step.
#[derive(Debug, Serialize)]
pub(crate) struct Step {
    /// Unique in the plan: kind and object.
    pub(crate) name: String,
    /// The RPM that it makes, if it makes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    /// Identity of its result.
    pub(crate) key: Key,
    /// Indices of the steps before it.
    pub(crate) needs: Vec<usize>,
    /// What it reads, relative to the checkout.
    pub(crate) inputs: Vec<String>,
    /// Whether its result is there.
    pub(crate) cached: bool,
    /// What its key was taken from.
    #[serde(skip)]
    pub(crate) stamps: Stamps,
    /// What to do.
    #[serde(skip)]
    pub(crate) work: Work,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Work {
    /// Install the compiler driver.
    Tools,
    /// Compile a crate.
    Compile(HostBuild),
    /// Stage the files and write the RPM.
    Package(Box<PackageWork>),
    /// Sign it.
    Sign { of: usize, file_name: String },
}

/// What a package step works on.
#[derive(Debug)]
pub(crate) struct PackageWork {
    pub(crate) package: Package,
    /// The compile step whose programs it packs.
    pub(crate) build: Option<usize>,
    pub(crate) options: WriteOptions,
}

impl Work {
    /// The kind of its result, as the cache calls it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Compile(_) => "compile",
            Self::Package(_) => "package",
            Self::Sign { .. } => "sign",
        }
    }
}

/// What the plan depends on beside the descriptions.
pub(crate) struct Circumstances<'a> {
    pub(crate) workspace: &'a Workspace,
    /// Names of the packages to make; all if empty.
    pub(crate) wanted: &'a [String],
    /// Fingerprint of the signing key.
    pub(crate) signing_key: &'a str,
    /// Whether only the pinned compiler driver will do.
    pub(crate) release: bool,
}

impl Plan {
    /// Resolves the descriptions into steps.
    pub(crate) fn of(specs: &[Spec], circumstances: &Circumstances<'_>) -> Result<Self> {
        check_names(specs, circumstances.wanted)?;
        let mut builder = Builder {
            circumstances,
            cache: Cache::peek(circumstances.workspace),
            own_code: own_code()?,
            options: write_options()?,
            plan: Self { steps: Vec::new(), zig: None },
        };
        for spec in specs {
            builder.spec(spec)?;
        }
        Ok(builder.plan)
    }
}

/// SOURCE_DATE_EPOCH is honoured, as everywhere in the field.
fn write_options() -> Result<WriteOptions> {
    let source_date = match std::env::var("SOURCE_DATE_EPOCH") {
        Err(_) => None,
        Ok(text) => Some(text.parse().map_err(|_| {
            Failure::new(
                Class::Usage,
                format!("SOURCE_DATE_EPOCH is `{text}`, not a number of seconds since 1970"),
            )
        })?),
    };
    Ok(WriteOptions { source_date, ..WriteOptions::default() })
}

/// The code that writes packages is itself an input of what it writes.
fn own_code() -> Result<Key> {
    let program = std::env::current_exe().class(Class::Source)?;
    Ok(KeyBuilder::new("xtask", 1).file("program", &program)?.finish())
}

fn check_names(specs: &[Spec], wanted: &[String]) -> Result<()> {
    let mut known: Vec<(&str, &Spec)> = Vec::new();
    for (name, spec) in
        specs.iter().flat_map(|s| s.packages.iter().map(move |p| (p.name.as_str(), s)))
    {
        if let Some((_, other)) = known.iter().find(|(n, _)| *n == name) {
            let (a, b) = (other.path.display(), spec.path.display());
            return Err(Failure::new(
                Class::Spec,
                format!("the package {name} is described twice: in {a} and in {b}"),
            ));
        }
        known.push((name, spec));
    }
    match wanted.iter().find(|w| !known.iter().any(|(n, _)| n == w)) {
        Some(unknown) => {
            let names: Vec<_> = known.iter().map(|(n, _)| *n).collect();
            Err(Failure::new(Class::Usage, format!("there is no package `{unknown}`"))
                .help(format!("packages are: {}", names.join(", "))))
        }
        None => Ok(()),
    }
}

struct Builder<'a> {
    circumstances: &'a Circumstances<'a>,
    cache: Cache,
    own_code: Key,
    options: WriteOptions,
    plan: Plan,
}

impl Builder<'_> {
    fn spec(&mut self, spec: &Spec) -> Result<()> {
        let wanted = self.circumstances.wanted;
        let is_wanted = |p: &&Package| wanted.is_empty() || wanted.contains(&p.name);
        let packages: Vec<_> = spec.packages.iter().filter(is_wanted).collect();
        if packages.is_empty() {
            return Ok(());
        }
        let build = match &spec.build {
            Some(Build::Crate(dir)) => Some(self.compile(spec, dir.clone())?),
            _ => None,
        };
        for package in packages {
            let step = self.package(package, build)?;
            self.sign(package, step);
        }
        Ok(())
    }

    fn add(&mut self, mut step: Step) -> usize {
        step.cached = match &step.work {
            Work::Tools => self.plan.zig.as_ref().is_some_and(Zig::is_there),
            work => self.cache.get(work.kind(), &step.key).is_some(),
        };
        self.plan.steps.push(step);
        self.plan.steps.len() - 1
    }

    fn tools(&mut self) -> (usize, Zig) {
        let zig = self
            .plan
            .zig
            .get_or_insert_with(|| {
                Zig::locate(self.circumstances.workspace, self.circumstances.release)
            })
            .clone();
        let there = self.plan.steps.iter().position(|s| matches!(s.work, Work::Tools));
        let index = there.unwrap_or_else(|| {
            self.add(Step {
                name: "tools".into(),
                package: None,
                key: KeyBuilder::new("tools", 1).text("identity", &zig.identity).finish(),
                needs: Vec::new(),
                inputs: vec!["xtask/tools/requirements.txt".into()],
                cached: false,
                stamps: Stamps::default(),
                work: Work::Tools,
            })
        });
        (index, zig)
    }

    fn compile(&mut self, spec: &Spec, crate_dir: PathBuf) -> Result<usize> {
        let (tools, zig) = self.tools();
        let programs =
            spec.packages.iter().flat_map(Package::programs).map(str::to_owned).collect();
        let build = HostBuild { crate_dir, programs };
        let workspace = self.circumstances.workspace;
        let rustc = host_builder::rustc_identity(&workspace.root)?;
        let (key, stamps) = build.key(workspace, &rustc, &zig)?;
        Ok(self.add(Step {
            name: format!("compile {}", build.crate_dir.display()),
            package: None,
            key,
            needs: vec![tools],
            inputs: vec![build.crate_dir.display().to_string(), "Cargo.lock".into()],
            cached: false,
            stamps,
            work: Work::Compile(build),
        }))
    }

    fn package(&mut self, package: &Package, build: Option<usize>) -> Result<usize> {
        let workspace = self.circumstances.workspace;
        let roots = roots(workspace, package, None);
        let name = format!("package {}", package.name);
        let inputs = StagedRoot::inputs(package, &roots)
            .class(Class::Source)
            .map_err(|f| f.in_step(&name, Some(&package.name)))?;
        let options = &self.options;
        let mut key = KeyBuilder::new("package", 1)
            .key("code", &self.own_code)
            .text("package", &format!("{package:?}"))
            .text("format", options.compression.format.as_str())
            .text("level", &options.compression.level.to_string())
            .text("source date", &format!("{:?}", options.source_date));
        if let Some(build) = build {
            key = key.key("build", &self.plan.steps[build].key);
        }
        for input in &inputs {
            key = key.file(&input.to_string_lossy(), input)?;
        }
        let (key, stamps) = key.finish_with_stamps();
        let relative = |p: &PathBuf| workspace.relative(p).display().to_string();
        let work = PackageWork { package: package.clone(), build, options: options.clone() };
        Ok(self.add(Step {
            name,
            package: Some(package.name.clone()),
            key,
            needs: build.into_iter().collect(),
            inputs: inputs.iter().map(relative).collect(),
            cached: false,
            stamps,
            work: Work::Package(Box::new(work)),
        }))
    }

    fn sign(&mut self, package: &Package, of: usize) {
        let key = KeyBuilder::new("sign", 1)
            .key("package", &self.plan.steps[of].key)
            .text("signing key", self.circumstances.signing_key)
            .finish();
        self.add(Step {
            name: format!("sign {}", package.name),
            package: Some(package.name.clone()),
            key,
            needs: vec![of],
            inputs: Vec::new(),
            cached: false,
            stamps: Stamps::default(),
            work: Work::Sign { of, file_name: format!("{}.rpm", package.nvra()) },
        });
    }
}

/// Where a package's assets come from, given what its compile step made.
pub(crate) fn roots(workspace: &Workspace, package: &Package, build: Option<PathBuf>) -> Roots {
    Roots {
        spec: package.spec_dir.clone(),
        crate_dir: package.crate_dir.as_ref().map(|dir| workspace.root.join(dir)),
        build,
    }
}
