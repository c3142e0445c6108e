//! Small repositories, and the choices that are right for them.

use std::collections::HashSet;

use super::{Universe, resolve};
use crate::metadata::{Dependency, Evr, Offer, Sense};

fn evr(text: &str) -> Evr {
    let (version, release) = text.split_once('-').unwrap_or((text, ""));
    Evr { epoch: 0, version: version.into(), release: release.into() }
}

/// `name`, or `name >= 1`.
fn dependency(text: &str) -> Dependency {
    let mut words = text.split(' ');
    let name = words.next().unwrap().into();
    let sense = match words.next() {
        None => Sense::Any,
        Some("=") => Sense::Equal,
        Some("<") => Sense::Less,
        Some(">=") => Sense::GreaterOrEqual,
        Some(other) => panic!("{other}"),
    };
    Dependency { name, sense, evr: evr(words.next().unwrap_or_default()) }
}

fn dependencies(list: &[&str]) -> Vec<Dependency> {
    list.iter().map(|text| dependency(text)).collect()
}

/// A package `name-version`.
fn offer(name: &str, version: &str) -> Offer {
    let evr = evr(&format!("{version}-1"));
    let itself = Dependency { name: name.into(), sense: Sense::Equal, evr: evr.clone() };
    Offer {
        name: name.into(),
        evr,
        arch: "noarch".into(),
        repository: 0,
        path: String::new(),
        size: 1,
        sha256: format!("{name}-{version}"),
        provides: vec![itself],
        requires: Vec::new(),
        conflicts: Vec::new(),
        obsoletes: Vec::new(),
        files: Vec::new(),
    }
}

impl Offer {
    fn requires(self, list: &[&str]) -> Self {
        Self { requires: dependencies(list), ..self }
    }

    fn conflicts(self, list: &[&str]) -> Self {
        Self { conflicts: dependencies(list), ..self }
    }

    fn obsoletes(self, list: &[&str]) -> Self {
        Self { obsoletes: dependencies(list), ..self }
    }

    fn provides(mut self, list: &[&str]) -> Self {
        self.provides.extend(dependencies(list));
        self
    }
}

fn choose(offers: Vec<Offer>, wishes: &[&str]) -> Result<Vec<String>, String> {
    let universe = Universe::new(offers);
    let chosen = resolve(&universe, &dependencies(wishes))?;
    let name =
        |at: usize| format!("{}-{}", universe.offers[at].name, universe.offers[at].evr.version);
    Ok(chosen.into_iter().map(name).collect())
}

#[test]
fn the_newest_version_that_fits_is_chosen() {
    let all = || {
        vec![
            offer("app", "1").requires(&["lib >= 2"]),
            offer("app", "2").requires(&["lib >= 3", "lib < 4"]),
            offer("lib", "2"),
            offer("lib", "3"),
            offer("lib", "4"),
            offer("unrelated", "1"),
        ]
    };
    assert_eq!(choose(all(), &["app"]).unwrap(), ["app-2", "lib-3"]);
    assert_eq!(choose(all(), &["app", "lib = 2"]).unwrap(), ["app-1", "lib-2"]);
    assert_eq!(choose(all(), &["lib"]).unwrap(), ["lib-4"]);
}

#[test]
fn of_several_providers_one_is_preferred() {
    let all = || {
        vec![
            offer("mail-long-name", "9").provides(&["mail", "smtp"]),
            offer("mail", "1"),
            offer("old", "1").provides(&["smtp"]),
            offer("newer", "1").provides(&["smtp"]).obsoletes(&["old < 2"]),
        ]
    };
    assert_eq!(choose(all(), &["mail"]).unwrap(), ["mail-1"]);
    assert_eq!(choose(all(), &["smtp"]).unwrap(), ["newer-1"]);
    assert_eq!(choose(all(), &["smtp", "old"]).unwrap(), ["old-1"]);
}

#[test]
fn conflicts_and_obsoletes_are_avoided() {
    let all = || {
        vec![
            offer("app", "1").requires(&["feature"]),
            offer("a", "1").provides(&["feature"]).conflicts(&["other"]),
            offer("bbb", "1").provides(&["feature"]),
            offer("other", "1"),
            offer("replaces", "1").obsoletes(&["other"]),
        ]
    };
    assert_eq!(choose(all(), &["app"]).unwrap(), ["a-1", "app-1"]);
    assert_eq!(choose(all(), &["app", "other"]).unwrap(), ["app-1", "bbb-1", "other-1"]);
    let error = choose(all(), &["a", "other"]).unwrap_err();
    assert!(error.contains("a-1-1.noarch") && error.contains("other"), "{error}");
    choose(all(), &["replaces", "other"]).unwrap_err();
    choose(vec![offer("x", "1"), offer("x", "2")], &["x = 1", "x = 2"]).unwrap_err();
}

#[test]
fn cycles_are_chosen_whole_or_explained() {
    let all = |requirement: &str| {
        vec![
            offer("a", "1").requires(&["b"]),
            offer("b", "1").requires(&["c", "a"]),
            offer("c", "1").requires(&["a", requirement]),
        ]
    };
    assert_eq!(choose(all("b"), &["a"]).unwrap(), ["a-1", "b-1", "c-1"]);
    assert_eq!(
        choose(all("missing >= 3"), &["a"]).unwrap_err(),
        "a is wanted\na-1-1.noarch requires b\nb-1-1.noarch requires c\n\
         c-1-1.noarch requires missing >= 3\nno package provides missing >= 3"
    );
    assert_eq!(choose(all("b"), &["d"]).unwrap_err(), "d is wanted\nno package provides d");
}

/// resolvo's explanation goes round and round here.
#[test]
fn explanations_of_conflicts_in_cycles_end() {
    let mut all = Vec::new();
    for number in 0..30 {
        let next = [format!("p{}", (number + 1) % 30), format!("p{}", (number + 7) % 30)];
        let next = next.each_ref().map(String::as_str);
        all.push(offer(&format!("p{number}"), "1").requires(&next));
        all.push(offer(&format!("p{number}"), "2").requires(&next));
    }
    all.push(offer("enemy", "1").conflicts(&["p13"]));
    let error = choose(all, &["p0", "enemy"]).unwrap_err();
    assert!(error.len() < 10_000 && error.contains("p0"), "{error}");
}

#[test]
fn long_chains_are_shown_with_both_ends() {
    let link =
        |number: usize| offer(&format!("p{number}"), "1").requires(&[&format!("p{}", number + 1)]);
    let error = choose((0..20_000).map(link).collect(), &["p0"]).unwrap_err();
    assert!(error.starts_with("p0 is wanted\np0-1-1.noarch requires p1\n"), "{error}");
    assert!(error.ends_with("\nno package provides p20000") && error.len() < 5000, "{error}");
}

#[test]
fn choices_of_too_many_packages_are_refused() {
    let names: Vec<_> = (0..6000).map(|number| format!("p{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut all: Vec<_> = names.iter().map(|name| offer(name, "1")).collect();
    all.push(offer("app", "1").requires(&names));
    assert!(choose(all, &["app"]).unwrap_err().contains("5000 is the limit"));
}

#[test]
fn long_chains_are_chosen() {
    let names: Vec<_> = (0..3000).map(|i| format!("p{i}")).collect();
    let mut all: Vec<_> =
        names.windows(2).map(|pair| offer(&pair[0], "1").requires(&[&pair[1]])).collect();
    all.push(offer("p2999", "1"));
    assert_eq!(choose(all, &["p0"]).unwrap().len(), 3000);
}

/// Each of them requires what all of them provide.
#[test]
fn metadata_with_far_too_many_providers_is_refused_at_once() {
    let all: Vec<_> = (0..5_000)
        .map(|i| {
            let mut offer = offer(&format!("p{i}"), "1").requires(&["x"]);
            offer.provides.push(dependency(&format!("x = {i}")));
            offer
        })
        .collect();
    let universe = Universe::new(all);
    let wishes = dependencies(&["p0"]);
    let error = resolve(&universe, &wishes).unwrap_err();
    assert!(error.contains("far too many packages provide"), "{error}");
    assert!(universe.unknown_paths(&wishes).unwrap_err().contains("5000 provide x"));
}

#[test]
fn paths_that_nobody_is_known_to_have_are_found() {
    let all = vec![
        offer("app", "1").requires(&["/usr/bin/x", "lib"]),
        offer("lib", "1").requires(&["/usr/bin/y"]),
        Offer { files: vec!["/usr/bin/x".into()], ..offer("x", "1") },
        offer("y", "1"),
        offer("unrelated", "1").requires(&["/usr/bin/z"]),
    ];
    let mut universe = Universe::new(all);
    let wishes = dependencies(&["app"]);
    assert_eq!(universe.unknown_paths(&wishes), Ok(HashSet::from(["/usr/bin/y".into()])));
    let error = resolve(&universe, &wishes).unwrap_err();
    assert!(error.contains("no package provides /usr/bin/y"), "{error}");
    universe.add_files(&[("y-1".to_owned(), "/usr/bin/y".into())]);
    assert_eq!(resolve(&universe, &wishes).unwrap().len(), 4);
}

/// `a` comes first in the alphabet for `feature`, and `app` needs `big`, which provides it as well.
#[test]
fn no_package_is_chosen_that_nothing_needs() {
    let all = vec![
        offer("app", "1").requires(&["feature", "wide"]),
        offer("a", "1").provides(&["feature"]).requires(&["helper"]),
        offer("helper", "1").requires(&["a"]),
        offer("big", "1").provides(&["feature", "wide"]),
        offer("wide-too", "1").provides(&["wide"]).requires(&["missing"]),
    ];
    assert_eq!(choose(all, &["app"]).unwrap(), ["app-1", "big-1"]);
}
