//! All packages of all repositories, and rpm's rules: which package satisfies, conflicts with or replaces which.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use crate::metadata::{Dependency, Evr, Offer, Sense};

/// The packages to choose from. Each is known by its index in `offers`.
pub struct Universe {
    /// The packages, sorted by name; of each name, the newest first.
    pub offers: Vec<Offer>,
    by_name: HashMap<Arc<str>, Vec<usize>>,
    /// For the name of each Provides: the package, and the index in its `provides`.
    provided: HashMap<Arc<str>, Vec<(usize, usize)>>,
    by_file: HashMap<Arc<str>, Vec<usize>>,
}

impl Universe {
    /// Sorts and indexes the packages. Of two with the same name, version and architecture, the one of the first repository is
    /// kept.
    pub fn new(mut offers: Vec<Offer>) -> Self {
        offers.sort_by(|a, b| {
            let by_name = a.name.cmp(&b.name).then_with(|| b.evr.cmp(&a.evr));
            by_name.then_with(|| a.arch.cmp(&b.arch)).then(a.repository.cmp(&b.repository))
        });
        offers.dedup_by(|b, a| a.name == b.name && a.evr == b.evr && a.arch == b.arch);
        let mut universe = Self {
            offers: Vec::new(),
            by_name: HashMap::new(),
            provided: HashMap::new(),
            by_file: HashMap::new(),
        };
        for (at, offer) in offers.iter().enumerate() {
            universe.by_name.entry(offer.name.clone()).or_default().push(at);
            for (place, provided) in offer.provides.iter().enumerate() {
                universe.provided.entry(provided.name.clone()).or_default().push((at, place));
            }
            for file in &offer.files {
                universe.by_file.entry(file.clone()).or_default().push(at);
            }
        }
        universe.offers = offers;
        universe
    }

    /// Adds paths of packages, which are known by their SHA-256: results of [`crate::metadata::find_in_filelists`].
    pub fn add_files(&mut self, found: &[(String, Arc<str>)]) {
        let by_sum: HashMap<&str, usize> =
            self.offers.iter().enumerate().map(|(at, o)| (o.sha256.as_str(), at)).collect();
        for (sum, path) in found {
            if let Some(at) = by_sum.get(sum.as_str()) {
                let has = self.by_file.entry(path.clone()).or_default();
                if !has.contains(at) {
                    has.push(*at);
                }
            }
        }
    }

    /// Packages of this name, the newest first.
    pub fn named(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// How many packages have to be looked at for a requirement.
    pub(super) fn candidates(&self, wanted: &Dependency) -> usize {
        let files = self.by_file.get(&wanted.name).map_or(0, Vec::len);
        files + self.provided.get(&wanted.name).map_or(0, Vec::len)
    }

    /// The packages that satisfy a requirement, as sorted indices.
    pub fn satisfying(&self, wanted: &Dependency) -> Vec<usize> {
        let mut found = Vec::new();
        if wanted.name.starts_with('/') {
            found.extend(self.by_file.get(&wanted.name).into_iter().flatten());
        }
        let provided = self.provided.get(&wanted.name).into_iter().flatten();
        found.extend(provided.filter_map(|(at, place)| {
            self.offers[*at].provides[*place].overlaps(wanted).then_some(at)
        }));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The packages that an Obsoletes replaces. Only their names count, not their Provides.
    pub fn obsoleted(&self, by: &Dependency) -> Vec<usize> {
        let exactly =
            |evr: &Evr| Dependency { name: by.name.clone(), sense: Sense::Equal, evr: evr.clone() };
        let named = self.named(&by.name).iter().copied();
        named.filter(|at| by.overlaps(&exactly(&self.offers[*at].evr))).collect()
    }

    /// The packages that this one conflicts with or replaces, but never itself.
    pub fn refused_by(&self, at: usize) -> BTreeSet<usize> {
        let offer = &self.offers[at];
        let conflicts = offer.conflicts.iter().flat_map(|c| self.satisfying(c));
        let obsoletes = offer.obsoletes.iter().flat_map(|o| self.obsoleted(o));
        conflicts.chain(obsoletes).filter(|other| *other != at).collect()
    }

    /// The paths that wishes, or packages that might be chosen for them, require and no package is known to have.
    ///
    /// # Errors
    /// If far too many packages provide what is required.
    pub fn unknown_paths(&self, wishes: &[Dependency]) -> Result<HashSet<Arc<str>>, String> {
        let mut effort = Effort::default();
        let mut unknown = HashSet::new();
        let mut seen = HashSet::new();
        let mut open: Vec<&Dependency> = wishes.iter().collect();
        let mut asked: HashSet<&Dependency> = HashSet::new();
        while let Some(wanted) = open.pop() {
            effort.spend(self, wanted)?;
            if !asked.insert(wanted) {
                continue;
            }
            let found = self.satisfying(wanted);
            if found.is_empty() && wanted.name.starts_with('/') {
                unknown.insert(wanted.name.clone());
            }
            for at in found {
                if seen.insert(at) {
                    open.extend(&self.offers[at].requires);
                }
            }
        }
        Ok(unknown)
    }

    /// All reasons for which rpm would not install these packages together, or would not fulfil the wishes.
    pub fn faults(&self, chosen: &[usize], wishes: &[Dependency]) -> Vec<String> {
        let set: HashSet<usize> = chosen.iter().copied().collect();
        let is_met =
            |wanted: &Dependency| self.satisfying(wanted).iter().any(|at| set.contains(at));
        let mut faults: Vec<String> = wishes
            .iter()
            .filter(|wish| !is_met(wish))
            .map(|wish| format!("no package provides {wish}, which is wanted"))
            .collect();
        let mut names = HashMap::new();
        for at in chosen {
            let offer = &self.offers[*at];
            if let Some(other) = names.insert(&offer.name, offer) {
                faults.push(format!("{other} and {offer} have the same name"));
            }
            let unmet = offer.requires.iter().filter(|r| !is_met(r));
            faults
                .extend(unmet.map(|r| format!("no package provides {r}, which {offer} requires")));
            let refused = self.refused_by(*at);
            let refused = refused.iter().filter(|other| set.contains(other));
            faults.extend(refused.map(|o| format!("{offer} conflicts with {}", self.offers[*o])));
        }
        faults
    }
}

/// Most packages that are looked at, over all requirements of all packages that might be chosen. CentOS 7 with
/// EPEL takes a small part of it; of hostile metadata, a few megabytes could take hours and all memory.
const MOST_LOOKED_AT: usize = 20_000_000;

/// What a walk over the requirements has cost.
#[derive(Default)]
pub(super) struct Effort(usize);

impl Effort {
    /// Notes that the packages for a requirement are looked at.
    pub(super) fn spend(&mut self, universe: &Universe, wanted: &Dependency) -> Result<(), String> {
        self.0 += 1 + universe.candidates(wanted);
        match self.0 <= MOST_LOOKED_AT {
            true => Ok(()),
            false => Err(format!(
                "far too many packages provide what others require: {} provide {wanted}",
                universe.candidates(wanted)
            )),
        }
    }
}
