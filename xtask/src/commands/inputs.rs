//! Reads the descriptions, with the options about sources applied.

use std::collections::BTreeSet;

use el7rpm::spec::{Origin, Spec};

use crate::cli::SourceArgs;
use base::{
    events::{Event, Reporter},
    failure::{Class, Classify, Failure, Result},
    workspace::Workspace,
};

/// The descriptions. Sources that `--local` names are replaced by the local folders.
pub(super) fn specs(workspace: &Workspace, args: &SourceArgs) -> Result<Vec<Spec>> {
    let local: BTreeSet<String> = args.local.iter().map(|(name, _)| name.clone()).collect();
    let mut specs = workspace.specs(&local)?;
    let known: BTreeSet<_> =
        specs.iter().flat_map(|s| &s.sources).map(|s| s.name.clone()).collect();
    let named = args.local.iter().chain(&args.supplied).map(|(name, _)| name);
    if let Some(unknown) = named.into_iter().find(|n| !known.contains(*n)) {
        let known: Vec<_> = known.into_iter().collect();
        return Err(Failure::new(Class::Usage, format!("there is no source `{unknown}`"))
            .help(format!("sources are: {}", known.join(", "))));
    }
    for (name, path) in &args.local {
        let path = fs_err::canonicalize(path).class(Class::Source)?;
        for spec in &mut specs {
            for source in spec.sources.iter_mut().filter(|s| s.name == *name) {
                source.origin = Origin::Folder(path.clone());
                if !std::mem::take(&mut source.patches).is_empty() {
                    let path = path.display();
                    let note = format!("{path} is built as it is, without the patches of `{name}`");
                    spec.notes.push(note);
                }
            }
        }
    }
    Ok(specs)
}

/// Reports notes for the authors of the descriptions.
pub(super) fn report_notes(specs: &[Spec], reporter: &dyn Reporter) {
    for message in specs.iter().flat_map(|s| &s.notes) {
        reporter.event(&Event::Note { message });
    }
}
