//! Chooses packages with the crate resolvo.
//!
//! For resolvo, a package is one of several versions of a name. A requirement is a union of sets of versions, one for each
//! name of a provider, the preferred one first. A conflict is a constraint: only the other versions of this name.

use std::{
    any::Any,
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::{self, Write},
    time::{Duration, Instant},
};

use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider,
    HintDependenciesAvailable, Interner, KnownDependencies, NameId, Problem, SolvableId, Solver,
    SolverCache, StringId, UnsolvableOrCancelled, VersionSetId, VersionSetUnionId,
    utils::{Pool, VersionSet},
};

use super::{Universe, missing, prune::prune};
use crate::{metadata::Dependency, spec::printable};

/// How long the search may take. It takes less than a second for CentOS 7; the problem is NP-complete, so hostile metadata
/// can make it last for years.
const PATIENCE: Duration = Duration::from_secs(120);
/// Most bytes of resolvo's explanation, which has no end if requirements form a cycle.
const EXPLANATION: usize = 8 << 10;
/// Most packages of a choice. A build system has some hundreds.
const PACKAGES: usize = 5000;

/// Chooses packages for the wishes: sorted indices of [`Universe::offers`].
///
/// # Errors
/// Lines that lead from a wish to what is missing or in conflict.
pub fn resolve(universe: &Universe, wishes: &[Dependency]) -> Result<Vec<usize>, String> {
    if let Some(chain) = missing::chain(universe, wishes)? {
        return Err(chain.join("\n"));
    }
    let provider = Provider::new(universe);
    let requirements = wishes.iter().map(|wish| provider.requirement(wish)).collect();
    let mut solver = Solver::new(provider);
    let chosen = match solver.solve(Problem::new().requirements(requirements)) {
        Ok(chosen) => solver.provider().indices(&chosen),
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => {
            let mut text = Beginning(String::new());
            let whole = write!(text, "{}", conflict.display_user_friendly(&solver)).is_ok();
            let rest = if whole { "" } else { "\n…" };
            return Err(format!("{}{rest}", text.0.trim_end()));
        }
        Err(UnsolvableOrCancelled::Cancelled(_)) => {
            return Err(format!("no choice was found in {} s", PATIENCE.as_secs()));
        }
    };
    if chosen.len() > PACKAGES {
        return Err(format!("{} packages would be chosen; {PACKAGES} is the limit", chosen.len()));
    }
    let chosen = prune(universe, &chosen, wishes);
    // The choice is checked without resolvo.
    match universe.faults(&chosen, wishes).as_slice() {
        [] => Ok(chosen),
        faults => Err(format!("the choice of packages is wrong: {}", faults.join("; "))),
    }
}

/// Takes the beginning of a text.
struct Beginning(String);

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > EXPLANATION {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// Some packages of one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Set {
    /// The versions, in words.
    text: String,
    /// Their indices, sorted.
    members: Vec<usize>,
}

/// A package's index and its version.
#[derive(Clone, Debug)]
struct Version {
    index: usize,
    text: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl VersionSet for Set {
    type V = Version;
}

struct Provider<'a> {
    universe: &'a Universe,
    pool: Pool<Set, String>,
    /// The packages of each name.
    named: HashMap<NameId, Vec<SolvableId>>,
    /// Requirements that were made before.
    known: RefCell<HashMap<Dependency, ConditionalRequirement>>,
    start: Instant,
}

impl<'a> Provider<'a> {
    fn new(universe: &'a Universe) -> Self {
        let pool = Pool::new();
        let mut named = HashMap::<NameId, Vec<SolvableId>>::new();
        for (index, offer) in universe.offers.iter().enumerate() {
            let name = pool.intern_package_name(&*offer.name);
            let text = format!("{}.{}", offer.evr, offer.arch);
            let solvable = pool.intern_solvable(name, Version { index, text });
            named.entry(name).or_default().push(solvable);
        }
        Self { universe, pool, named, known: RefCell::default(), start: Instant::now() }
    }

    fn index(&self, solvable: SolvableId) -> usize {
        self.pool.resolve_solvable(solvable).record.index
    }

    fn indices(&self, solvables: &[SolvableId]) -> Vec<usize> {
        solvables.iter().map(|solvable| self.index(*solvable)).collect()
    }

    fn requirement(&self, wanted: &Dependency) -> ConditionalRequirement {
        if let Some(known) = self.known.borrow().get(wanted) {
            return *known;
        }
        let found = self.universe.satisfying(wanted);
        let sets = self.sets(wanted, &found);
        let mut names = sets.into_iter().map(|(name, set)| self.pool.intern_version_set(name, set));
        let requirement = match (names.next(), names.next()) {
            // A name that no package has.
            (None, _) => {
                let name = self.pool.intern_package_name(&*wanted.name);
                let set = Set { text: versions(wanted), members: Vec::new() };
                self.pool.intern_version_set(name, set).into()
            }
            (Some(only), None) => only.into(),
            (Some(first), Some(second)) => {
                let others = std::iter::once(second).chain(names);
                self.pool.intern_version_set_union(first, others).into()
            }
        };
        self.known.borrow_mut().insert(wanted.clone(), requirement);
        requirement
    }

    /// The packages that satisfy a requirement, by name. The preferred name is first: not one that another of these packages
    /// replaces; then the name that is required; then the shortest; then by alphabet.
    fn sets(&self, wanted: &Dependency, found: &[usize]) -> Vec<(NameId, Set)> {
        let mut by_name = BTreeMap::<&str, Vec<usize>>::new();
        for at in found {
            by_name.entry(&self.universe.offers[*at].name).or_default().push(*at);
        }
        let name_of = |at: usize| &*self.universe.offers[at].name;
        let mut replaced = BTreeSet::new();
        for other in found {
            for obsoletes in &self.universe.offers[*other].obsoletes {
                if &*obsoletes.name != name_of(*other)
                    && self
                        .universe
                        .obsoleted(obsoletes)
                        .iter()
                        .any(|at| found.binary_search(at).is_ok())
                {
                    replaced.insert(&*obsoletes.name);
                }
            }
        }
        let mut sets: Vec<_> = by_name
            .into_iter()
            .map(|(name, members)| {
                let rank = (replaced.contains(name), name != &*wanted.name, name.len());
                (rank, name, members)
            })
            .collect();
        sets.sort();
        let text = match &*wanted.name {
            name if sets.len() == 1 && sets[0].1 == name => versions(wanted),
            _ => format!("for {wanted}"),
        };
        let set = |members| Set { text: text.clone(), members };
        let sets = sets.into_iter();
        sets.map(|(_, name, m)| (self.pool.intern_package_name(name), set(m))).collect()
    }

    /// For each name of a package that `at` conflicts with: the other packages of this name.
    fn constraints(&self, at: usize) -> Vec<VersionSetId> {
        let refused = self.universe.refused_by(at);
        let names: std::collections::BTreeSet<_> =
            refused.iter().map(|other| &self.universe.offers[*other].name).collect();
        let constraint = |name: &std::sync::Arc<str>| {
            let all = self.universe.named(name).iter().copied();
            let members = all.filter(|other| !refused.contains(other)).collect();
            let text = format!("without conflict with {}", self.universe.offers[at]);
            self.pool
                .intern_version_set(self.pool.intern_package_name(&**name), Set { text, members })
        };
        names.into_iter().map(constraint).collect()
    }
}

/// The versions of a requirement, in words.
fn versions(wanted: &Dependency) -> String {
    let text = wanted.to_string();
    text.strip_prefix(&printable(&wanted.name)).unwrap_or_default().trim().to_owned()
}

impl Interner for Provider<'_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl fmt::Display + '_ {
        let solvable = self.pool.resolve_solvable(solvable);
        format!("{}-{}", self.pool.resolve_package_name(solvable.name), solvable.record)
    }

    fn display_merged_solvables(&self, solvables: &[SolvableId]) -> impl fmt::Display + '_ {
        let all = solvables.iter().map(|s| self.display_solvable(*s).to_string());
        all.collect::<Vec<_>>().join(" | ")
    }

    fn display_name(&self, name: NameId) -> impl fmt::Display + '_ {
        printable(self.pool.resolve_package_name(name))
    }

    fn display_version_set(&self, set: VersionSetId) -> impl fmt::Display + '_ {
        self.pool.resolve_version_set(set).text.clone()
    }

    fn display_string(&self, string: StringId) -> impl fmt::Display + '_ {
        self.pool.resolve_string(string).to_owned()
    }

    fn version_set_name(&self, set: VersionSetId) -> NameId {
        self.pool.resolve_version_set_package_name(set)
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        self.pool.resolve_solvable(solvable).name
    }

    fn version_sets_in_union(
        &self,
        union: VersionSetUnionId,
    ) -> impl Iterator<Item = VersionSetId> {
        self.pool.resolve_version_set_union(union)
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        self.pool.resolve_condition(condition).clone()
    }
}

impl DependencyProvider for Provider<'_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let members = &self.pool.resolve_version_set(set).members;
        let is_in = |s: &SolvableId| members.binary_search(&self.index(*s)).is_ok() != inverse;
        candidates.iter().copied().filter(is_in).collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let candidates = self.named.get(&name)?.clone();
        let hint_dependencies_available = HintDependenciesAvailable::None;
        Some(Candidates { candidates, hint_dependencies_available, ..Candidates::default() })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        // The newest of a name has the lowest index.
        solvables.sort_by_key(|solvable| self.index(*solvable));
    }

    fn should_cancel_with_value(&self) -> Option<Box<dyn Any>> {
        (self.start.elapsed() > PATIENCE).then(|| Box::new(()) as Box<dyn Any>)
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let at = self.index(solvable);
        let requires = self.universe.offers[at].requires.iter();
        // A requirement that a package itself satisfies is left out.
        let others = requires.filter(|r| !self.universe.satisfying(r).contains(&at));
        let requirements = others.map(|r| self.requirement(r)).collect();
        Dependencies::Known(KnownDependencies { requirements, constrains: self.constraints(at) })
    }
}
