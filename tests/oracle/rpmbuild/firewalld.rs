//! firewalld is reloaded once in a transaction, and on upgrade only if a definition has changed.

use std::path::{Path, PathBuf};

use super::{
    build,
    case::Case,
    scratch::{Scratch, TOOLS},
};
use crate::support;

const RELOAD: &str = "firewall-cmd --reload --quiet";
const FOLDER: &str = "/usr/lib/firewalld/services";
const STATE: &str = "/var/lib/rpm-state";

/// A package `fw` of this version with these definitions and their contents.
fn package(version: &str, definitions: &[(&str, &str)]) -> Case {
    let mut case = Case::new("fw").noarch().text("/usr/share/fw/version", version);
    case.version = version.into();
    definitions.iter().fold(case.toml("firewalld = true"), |case, (name, content)| {
        case.text(&format!("{FOLDER}/{name}.xml"), content)
    })
}

/// The package of 2026: it reloads in %post and in %postun, whatever happens.
fn of_before(version: &str, definitions: &[(&str, &str)]) -> Case {
    let reload = "test -f /usr/bin/firewall-cmd && firewall-cmd --reload --quiet || :";
    package(version, definitions).toml("").script("post", reload).script("postun", reload)
}

/// A root, and folders for the packages that are built for it.
struct FirewalldRoot {
    root: Scratch,
    dirs: Vec<tempfile::TempDir>,
}

impl FirewalldRoot {
    fn new() -> Self {
        Self { root: Scratch::new(), dirs: Vec::new() }
    }

    fn build(&mut self, case: &Case) -> PathBuf {
        let dir = tempfile::tempdir().unwrap();
        let path = build::by_us(case, dir.path());
        self.dirs.push(dir);
        path
    }

    /// What is called when this is installed in place of what is there.
    fn installed(&mut self, case: &Case) -> Vec<String> {
        let path = self.build(case);
        self.changed(&["-U", "--nodeps", "--oldpackage", "--replacepkgs"], Some(&path))
    }

    fn changed(&mut self, arguments: &[&str], file: Option<&Path>) -> Vec<String> {
        let said = self.root.change(arguments, file);
        // Debian's rpm begins with a note that alien should be used.
        let complaint = said.lines().find(|line| !line.starts_with("rpm: "));
        assert_eq!(complaint, None, "{arguments:?}");
        if let Ok(left) = fs_err::read_dir(self.root.path(STATE)) {
            let left: Vec<_> = left.map(|e| e.unwrap().file_name()).collect();
            assert!(left.is_empty(), "{left:?}");
        }
        self.root.calls()
    }

    fn erased(&mut self) -> Vec<String> {
        self.changed(&["-e", "--nodeps", "fw"], None)
    }
}

#[test]
fn firewalld_is_reloaded_once_and_on_upgrade_only_if_a_definition_changed() {
    if !support::have_as_root("reload of firewalld", TOOLS) {
        return;
    }
    let first = package("1", &[("a", "one"), ("b", "two")]);
    type Definitions = &'static [(&'static str, &'static str)];
    let upgrades: [(&str, Definitions, usize); 7] = [
        ("the same", &[("a", "one"), ("b", "two")], 0),
        ("another content", &[("a", "one"), ("b", "other")], 1),
        ("one more", &[("a", "one"), ("b", "two"), ("c", "three")], 1),
        ("one less", &[("a", "one")], 1),
        ("all changed", &[("a", "x"), ("c", "three")], 1),
        ("another name", &[("a", "one"), ("c", "two")], 1),
        ("contents exchanged", &[("a", "two"), ("b", "one")], 1),
    ];
    for (what, definitions, reloads) in upgrades {
        let mut host = FirewalldRoot::new();
        assert_eq!(host.installed(&first), [RELOAD], "{what}: install");
        let second = package("2", definitions);
        assert_eq!(host.installed(&second), vec![RELOAD; reloads], "{what}: upgrade");
        assert!(host.root.ask(&["-V", "--nodeps", "fw"], None).starts_with("exit status: 0"));
        assert_eq!(host.installed(&second), [""; 0], "{what}: again");
        assert_eq!(host.installed(&first), vec![RELOAD; reloads], "{what}: downgrade");
        assert_eq!(host.erased(), [RELOAD], "{what}: erase");
    }
}

#[test]
fn the_reload_of_an_upgrade_sees_the_new_definitions_alone() {
    if !support::have_as_root("time of the reload of firewalld", TOOLS) {
        return;
    }
    let mut host = FirewalldRoot::new();
    host.installed(&package("1", &[("gone", "1"), ("stays", "1")]));
    let look = format!(
        "#!/bin/sh\nfor f in {FOLDER}/*; do\n  read -r line < $f\n  echo \"$f $line\" >> /calls\ndone\n"
    );
    fs_err::write(host.root.path("/usr/bin/firewall-cmd"), look).unwrap();
    let seen = host.installed(&package("2", &[("new", "2\n"), ("stays", "2\n")]));
    assert_eq!(seen, [format!("{FOLDER}/new.xml 2"), format!("{FOLDER}/stays.xml 2")]);
}

#[test]
fn adding_or_removing_the_firewalld_key_reloads() {
    if !support::have_as_root("firewalld comes and goes", TOOLS) {
        return;
    }
    let with = package("1", &[("a", "one")]);
    let without = Case { toml: String::new(), ..package("2", &[]) };
    let mut host = FirewalldRoot::new();
    host.installed(&with);
    assert_eq!(host.installed(&without), [RELOAD]);
    assert_eq!(host.installed(&with), [RELOAD]);
}

#[test]
fn an_upgrade_from_the_package_that_always_reloads_ends_with_a_reload() {
    if !support::have_as_root("upgrade from the former package", TOOLS) {
        return;
    }
    let mut host = FirewalldRoot::new();
    host.installed(&of_before("1", &[("a", "one")]));
    // The first is the old package's, which cannot be helped.
    assert_eq!(host.installed(&package("2", &[("a", "other")])), [RELOAD; 2]);
    assert_eq!(host.installed(&package("3", &[("a", "other")])), [""; 0]);
}

#[test]
fn a_digest_that_cannot_be_kept_in_its_place_is_kept_in_another() {
    if !support::have_as_root("firewalld without a place for state", TOOLS) {
        return;
    }
    for (content, reloads) in [("other", 1), ("one", 0)] {
        let mut host = FirewalldRoot::new();
        host.installed(&package("1", &[("a", "one")]));
        fs_err::create_dir_all(host.root.path("/var/lib")).unwrap();
        fs_err::write(host.root.path(STATE), "in the way").unwrap();
        assert_eq!(host.installed(&package("2", &[("a", content)])), vec![RELOAD; reloads]);
        assert!(!host.root.path("/run/fw.firewalld").exists());
        // Neither can be written to: both packages reload.
        let _ = fs_err::remove_dir_all(host.root.path("/run"));
        fs_err::write(host.root.path("/run"), "in the way").unwrap();
        assert_eq!(host.installed(&package("3", &[("a", content)])), [RELOAD; 2]);
    }
}

#[test]
fn state_left_by_a_killed_transaction_is_harmless() {
    if !support::have_as_root("state that was left behind", TOOLS) {
        return;
    }
    for left in ["", "nonsense\n"] {
        let mut host = FirewalldRoot::new();
        let first = package("1", &[("a", "one")]);
        host.installed(&first);
        fs_err::create_dir_all(host.root.path(STATE)).unwrap();
        fs_err::write(host.root.path(&format!("{STATE}/fw.firewalld")), left).unwrap();
        assert_eq!(host.installed(&package("2", &[("a", "one")])), [""; 0]);
        fs_err::write(host.root.path(&format!("{STATE}/fw.firewalld")), left).unwrap();
        assert_eq!(host.erased(), [RELOAD]);
    }
}
