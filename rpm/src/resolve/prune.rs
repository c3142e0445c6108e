//! Removes packages from a choice that it is complete without. The solver takes a provider for one requirement, and then perhaps a
//! package for another requirement that would have satisfied both.

use std::collections::HashMap;

use super::Universe;
use crate::metadata::Dependency;

/// The choice, sorted, without packages that neither a wish nor another package needs. Fewer packages have no new conflicts.
pub(super) fn prune(universe: &Universe, chosen: &[usize], wishes: &[Dependency]) -> Vec<usize> {
    let mut choice = Choice::new(universe, chosen, wishes);
    for at in 0..chosen.len() {
        choice.try_without(at);
    }
    let kept = chosen.iter().zip(&choice.kept).filter(|(_, kept)| **kept);
    let mut kept: Vec<usize> = kept.map(|(at, _)| *at).collect();
    kept.sort_unstable();
    kept
}

/// The chosen packages, by their places in the choice.
struct Choice {
    kept: Vec<bool>,
    /// For each requirement of a package or a wish: whose it is (no one's, if it is a wish), and which chosen packages satisfy it.
    requirements: Vec<(Option<usize>, Vec<usize>)>,
    /// For each package, the requirements that it satisfies.
    satisfies: Vec<Vec<usize>>,
}

impl Choice {
    fn new(universe: &Universe, chosen: &[usize], wishes: &[Dependency]) -> Self {
        let places: HashMap<usize, usize> =
            chosen.iter().enumerate().map(|(place, at)| (*at, place)).collect();
        let providers = |wanted: &Dependency| -> Vec<usize> {
            let all = universe.satisfying(wanted);
            all.iter().filter_map(|at| places.get(at).copied()).collect()
        };
        let mut requirements: Vec<_> = wishes.iter().map(|w| (None, providers(w))).collect();
        for (place, at) in chosen.iter().enumerate() {
            let requires = universe.offers[*at].requires.iter();
            requirements.extend(requires.map(|r| (Some(place), providers(r))));
        }
        let mut satisfies = vec![Vec::new(); chosen.len()];
        for (number, (_, providers)) in requirements.iter().enumerate() {
            providers.iter().for_each(|place| satisfies[*place].push(number));
        }
        Self { kept: vec![true; chosen.len()], requirements, satisfies }
    }

    /// Removes a package and those that need it, unless a wish needs one of them.
    fn try_without(&mut self, place: usize) {
        if !self.kept[place] {
            return;
        }
        self.kept[place] = false;
        let mut removed = vec![place];
        let mut next = 0;
        while let Some(place) = removed.get(next).copied() {
            next += 1;
            for number in &self.satisfies[place] {
                let (of, providers) = &self.requirements[*number];
                if providers.iter().any(|place| self.kept[*place]) {
                    continue;
                }
                match of {
                    None => {
                        removed.iter().for_each(|place| self.kept[*place] = true);
                        return;
                    }
                    Some(of) if self.kept[*of] => {
                        self.kept[*of] = false;
                        removed.push(*of);
                    }
                    Some(_) => {}
                }
            }
        }
    }
}
