//! Installing, verifying, upgrading, downgrading and erasing: rpm does and says the same with
//! either package.

use std::path::Path;

use super::{
    build::{self, BuiltTwice},
    case::{Case, CaseFile, CaseKind},
    corpus, on_all,
    scratch::{Scratch, TOOLS},
};
use crate::support;

/// The cases with something to be installed, but for the largest.
fn cases() -> Vec<Case> {
    let mut all = corpus::all();
    all.retain(|c| {
        let is_real = c.name.starts_with("real-") && c.name != "real-zoneinfo";
        // Their interpreters are not in the scratch root.
        let is_foreign = ["script-lua", "script-arguments"].contains(&c.name.as_str());
        !is_real && !is_foreign && c.name != "many"
    });
    all
}

/// The same package a version later: other content, and its last file gone, unless something needs it.
fn later(case: &Case) -> Case {
    let mut next = case.clone();
    next.version = "2.0".into();
    let is_linked = |f: &CaseFile| {
        case.files.iter().any(|o| matches!(&o.kind, CaseKind::Hard(t) if *t == f.path))
    };
    let is_unit = |f: &CaseFile| f.path.starts_with("/usr/lib/systemd/system/");
    if next.files.len() > 1 && !next.files.last().is_some_and(|f| is_linked(f) || is_unit(f)) {
        next.files.pop();
    }
    for file in &mut next.files {
        if let (CaseKind::Bytes(bytes), false) = (&mut file.kind, file.ghost) {
            bytes.extend(b"# and more\n");
        }
    }
    next
}

/// A life in a root of its own: everything that can be seen on the way.
fn life(case: &Case, first: &Path, second: &Path) -> Vec<String> {
    let root = Scratch::new();
    let mut seen = Vec::new();
    for query in ["--scripts", "--requires", "--provides", "--conflicts", "--obsoletes"] {
        seen.push(root.ask(&["-qp", query], Some(first)));
    }
    seen.push(root.ask(&["-qplv"], Some(first)));
    seen.push(root.ask(&["-qp", "--configfiles", "--docfiles", "--changelog"], Some(first)));
    let mut step = |what: &str, said: String| {
        seen.push(format!("{what}: {said}"));
        seen.push(root.calls().join("\n"));
        seen.push(root.snapshot().join("\n"));
        seen.push(root.ask(&["-V", "--nodeps", &case.name], None));
    };
    step("install", root.change(&["-i", "--nodeps"], Some(first)));
    tamper(&root, case);
    step("tamper", String::new());
    step("upgrade", root.change(&["-U", "--nodeps"], Some(second)));
    step("downgrade", root.change(&["-U", "--nodeps", "--oldpackage"], Some(first)));
    step("erase", root.change(&["-e", "--nodeps", &case.name], None));
    seen
}

/// An administrator at work: configuration edited, and one of the other files gone.
fn tamper(root: &Scratch, case: &Case) {
    let mut removed = false;
    for file in &case.files {
        let path = root.path(&file.path);
        match &file.kind {
            CaseKind::Bytes(_) if file.config.is_some() && !file.ghost => {
                fs_err::write(path, "edited\n").unwrap();
            }
            CaseKind::Bytes(_) if !removed && !file.ghost => {
                fs_err::remove_file(path).unwrap();
                removed = true;
            }
            _ => {}
        }
    }
}

#[test]
fn rpm_installs_both_packages_alike() {
    if !support::have_as_root("life of packages in a root", TOOLS) {
        return;
    }
    let only = std::env::var("ORACLE_CASE").ok();
    let mut cases = cases();
    cases.retain(|c| only.as_ref().is_none_or(|o| c.name == *o));
    let differing = on_all(&cases, |case| {
        let BuiltTwice { ours, theirs, _dir } = &build::both(case);
        let BuiltTwice { ours: our_next, theirs: their_next, _dir } = &build::both(&later(case));
        let (own, other) = (life(case, ours, our_next), life(case, theirs, their_next));
        let at = own.iter().zip(&other).position(|(a, b)| a != b)?;
        Some(format!("ours\n{}\ntheirs\n{}", own[at], other[at]))
    });
    let differing: Vec<_> = differing
        .into_iter()
        .filter_map(|(case, outcome)| {
            let what = outcome.unwrap_or_else(|| Some("the test panicked".into()))?;
            Some(format!("{}: {what}", case.name))
        })
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// What is called when a package comes, changes and goes.
fn calls(case: &Case) -> [Vec<String>; 4] {
    let BuiltTwice { ours, _dir, .. } = &build::both(case);
    let BuiltTwice { ours: next, _dir, .. } = &build::both(&later(case));
    let root = Scratch::new();
    let change = |arguments: &[&str], file| {
        root.change(arguments, file);
        root.calls()
    };
    [
        change(&["-i", "--nodeps"], Some(ours.as_path())),
        change(&["-U", "--nodeps"], Some(next)),
        change(&["-U", "--nodeps", "--oldpackage"], Some(ours)),
        change(&["-e", "--nodeps", &case.name], None),
    ]
}

#[test]
fn units_are_preset_once_restarted_on_change_and_stopped_on_removal() {
    if !support::have_as_root("scriptlets of units", TOOLS) {
        return;
    }
    let [install, upgrade, downgrade, erase] = calls(&corpus::named("units-two"));
    assert_eq!(install, ["systemctl preset a.service b.timer"]);
    let restart = ["systemctl daemon-reload", "systemctl try-restart a.service b.timer"];
    assert_eq!(upgrade, restart);
    assert_eq!(downgrade, restart);
    let stop = [
        "systemctl --no-reload disable a.service b.timer",
        "systemctl stop a.service b.timer",
        "systemctl daemon-reload",
    ];
    assert_eq!(erase, stop);
}

#[test]
fn accounts_are_made_before_the_files_and_never_removed() {
    if !support::have_as_root("scriptlets of accounts", TOOLS) {
        return;
    }
    let [install, upgrade, _, erase] = calls(&corpus::named("users"));
    let made = [
        "getent group svc",
        "groupadd -r svc",
        "getent passwd svc",
        "useradd -r -g svc -d /var/lib/svc -s /sbin/nologin -c A service svc",
    ];
    assert_eq!(install, made);
    assert_eq!(upgrade, made);
    assert!(erase.is_empty(), "{erase:?}");
}

#[test]
fn ldconfig_runs_after_every_change() {
    if !support::have_as_root("scriptlets of ldconfig", TOOLS) {
        return;
    }
    let [install, upgrade, _, erase] = calls(&corpus::named("ldconfig"));
    assert_eq!((install.len(), upgrade.len(), erase.len()), (1, 2, 1));
}
