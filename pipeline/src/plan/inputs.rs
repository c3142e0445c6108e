//! What steps are made from besides their descriptions.

use std::{collections::BTreeSet, path::PathBuf};

use el7rpm::{
    spec::{Build, Package, Spec},
    stage::Roots,
};

use base::workspace::Workspace;

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

/// Where a package's assets come from, given what its compile step made.
pub fn roots(workspace: &Workspace, package: &Package, build: Option<PathBuf>) -> Roots {
    Roots {
        spec: package.spec_dir.clone(),
        workspace: Some(workspace.root.clone()),
        crate_dir: package.crate_dir.as_ref().map(|dir| workspace.root.join(dir)),
        build,
    }
}
