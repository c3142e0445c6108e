//! What steps are made from besides their descriptions.

use std::{collections::BTreeSet, path::PathBuf};

use el7rpm::{
    package::WriteOptions,
    spec::{Build, Package, Spec},
    stage::Roots,
};

use base::{
    failure::{Class, Classify, Failure, Result},
    key::{Key, KeyBuilder},
    workspace::Workspace,
};

/// Names of the descriptions of `specs` that are compiled: those that are `wanted`, and those that
/// they need.
pub(super) fn needed_specs(specs: &[Spec], wanted: impl Fn(&Spec) -> bool) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for spec in specs.iter().rev() {
        if wanted(spec) || names.contains(&spec.name) {
            names.insert(spec.name.clone());
            if let Some(Build::Container(build)) = &spec.build {
                names.extend(build.needs.iter().cloned());
            }
        }
    }
    names
}

/// SOURCE_DATE_EPOCH is honoured, as everywhere in the field.
pub(super) fn write_options() -> Result<WriteOptions> {
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
pub(super) fn own_code() -> Result<Key> {
    let program = std::env::current_exe().class(Class::Source)?;
    Ok(KeyBuilder::new("xtask", 1).file("program", &program)?.finish())
}

/// Where a package's assets come from, given what its compile step made.
pub fn roots(workspace: &Workspace, package: &Package, build: Option<PathBuf>) -> Roots {
    Roots {
        spec: package.spec_dir.clone(),
        workspace: Some(workspace.root.clone()),
        crate_dir: package.crate_dir.as_ref().map(|dir| workspace.root.join(dir)),
        build,
    }
}
