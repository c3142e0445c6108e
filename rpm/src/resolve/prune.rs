//! Removes packages from a choice that it is complete without. The solver takes a provider for one requirement, and then perhaps a
//! package for another requirement that would have satisfied both.

use std::collections::BTreeSet;

use super::Universe;
use crate::metadata::Dependency;

/// The choice without packages that neither a wish nor another package needs. Fewer packages have no new conflicts.
pub(super) fn prune(universe: &Universe, chosen: &[usize], wishes: &[Dependency]) -> Vec<usize> {
    let needs = |at: &usize| {
        let requires = universe.offers[*at].requires.iter();
        (*at, requires.map(|r| universe.satisfying(r)).collect::<Vec<_>>())
    };
    let needs: Vec<(usize, Vec<Vec<usize>>)> = chosen.iter().map(needs).collect();
    let wishes: Vec<_> = wishes.iter().map(|wish| universe.satisfying(wish)).collect();
    let mut kept: BTreeSet<usize> = chosen.iter().copied().collect();
    for at in chosen {
        if kept.contains(at) {
            let without = without(*at, &kept, &needs);
            if wishes.iter().all(|wish| is_met(wish, &without)) {
                kept = without;
            }
        }
    }
    kept.into_iter().collect()
}

/// The packages without this one, and without those that need it.
fn without(
    removed: usize,
    kept: &BTreeSet<usize>,
    needs: &[(usize, Vec<Vec<usize>>)],
) -> BTreeSet<usize> {
    let mut rest = kept.clone();
    rest.remove(&removed);
    loop {
        let before = rest.len();
        for (at, needs) in needs {
            if rest.contains(at) && !needs.iter().all(|providers| is_met(providers, &rest)) {
                rest.remove(at);
            }
        }
        if rest.len() == before {
            return rest;
        }
    }
}

fn is_met(providers: &[usize], packages: &BTreeSet<usize>) -> bool {
    providers.iter().any(|at| packages.contains(at))
}
