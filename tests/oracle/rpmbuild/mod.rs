//! The same packages by this crate and by rpmbuild: every tag of both headers and every member of
//! the payload must agree, but for what stands in [`differences::TABLE`].

mod authors;
mod behaviour;
mod build;
mod case;
mod compare;
mod corpus;
mod describe;
mod differences;
pub mod elf;
mod firewalld;
pub mod scratch;
mod words;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::support;

/// Runs `job` on every case, and gathers what it finds; `None` where it panicked.
fn on_all<T: Send>(
    cases: &[case::Case],
    job: impl Fn(&case::Case) -> T + Sync,
) -> Vec<(&case::Case, Option<T>)> {
    let found =
        support::threads::on_all(cases, |case| catch_unwind(AssertUnwindSafe(|| job(case))).ok());
    cases.iter().zip(found).collect()
}

#[test]
fn every_tag_and_member_is_as_rpmbuild_writes_it() {
    if !support::have("comparison with rpmbuild", &["rpmbuild", "gcc", "pkg-config"]) {
        return;
    }
    // For work on one of them.
    let only = std::env::var("ORACLE_CASE").ok();
    let mut cases = corpus::all();
    cases.retain(|c| only.as_ref().is_none_or(|o| c.name == *o));
    let mut problems = Vec::new();
    let mut needed = BTreeSet::new();
    for (case, result) in on_all(&cases, |case| {
        let mut used = BTreeSet::new();
        let built = build::both(case);
        (compare::unexplained(&built.ours, &built.theirs, &mut used), used)
    }) {
        let (found, used) =
            result.unwrap_or_else(|| (vec!["the test panicked".into()], BTreeSet::new()));
        problems.extend(found.iter().map(|f| format!("{}: {f}", case.name)));
        needed.extend(used);
    }
    problems.sort();
    if only.is_none() {
        let stale = (0..differences::TABLE.len()).filter(|i| !needed.contains(i));
        problems.extend(stale.map(|i| {
            let entry = &differences::TABLE[i];
            format!("no package differs in tag {} any more: {}", entry.tag, entry.reason)
        }));
        assert!(cases.len() >= 40, "the corpus has shrunk to {}", cases.len());
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
