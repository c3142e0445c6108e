//! Finds out why wishes cannot be satisfied if the reason is a requirement that no package provides.
//!
//! A package is impossible if one of its requirements is; a requirement is, if all packages that provide it are, or if
//! there is none. Conflicts are not looked at: of those only the solver can say why.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Universe, universe::Effort};
use crate::metadata::Dependency;

/// Most steps of a chain that are shown.
const STEPS: usize = 50;

/// A requirement that some packages have in common.
struct Requirement {
    providers: Vec<usize>,
    required_by: Vec<usize>,
}

/// The chain from an impossible wish to what no package provides, one sentence for each step, or `None` if all wishes
/// are possible when conflicts do not count.
///
/// # Errors
/// If far too many packages provide what is required.
pub(super) fn chain(
    universe: &Universe,
    wishes: &[Dependency],
) -> Result<Option<Vec<String>>, String> {
    let requirements = reachable(universe, wishes)?;
    let impossible = impossible(&requirements);
    let wish = wishes.iter().find(|wish| !is_possible(&requirements[*wish], &impossible));
    Ok(wish.map(|wish| from(wish, universe, &requirements, &impossible)))
}

/// The chain from this wish.
fn from<'a>(
    wish: &'a Dependency,
    universe: &Universe,
    requirements: &HashMap<&'a Dependency, Requirement>,
    impossible: &Impossible<'a>,
) -> Vec<String> {
    let mut chain = Vec::new();
    let mut wanted = wish;
    loop {
        let providers = &requirements[wanted].providers;
        // The one that was found first has the shortest chain below it, and the chain cannot be a cycle.
        let first = providers.iter().min_by_key(|at| impossible.get(at).map(|(order, _)| *order));
        let Some((provider, (_, next))) = first.and_then(|at| Some((at, impossible.get(at)?)))
        else {
            chain.push(format!("no package provides {wanted}"));
            break;
        };
        let others = match providers.len() - 1 {
            0 => String::new(),
            n => format!(" ({n} others that provide {wanted} are impossible, too)"),
        };
        chain.push(format!("{} requires {next}{others}", universe.offers[*provider]));
        wanted = next;
    }
    if chain.len() > STEPS {
        let last = chain.split_off(chain.len() - 1);
        chain.truncate(STEPS - 1);
        chain.push("…".to_owned());
        chain.extend(last);
    }
    chain.insert(0, format!("{wish} is wanted"));
    chain
}

/// All requirements of the wishes, and of all packages that might be chosen for them.
fn reachable<'a>(
    universe: &'a Universe,
    wishes: &'a [Dependency],
) -> Result<HashMap<&'a Dependency, Requirement>, String> {
    let mut effort = Effort::default();
    let mut requirements = HashMap::<&Dependency, Requirement>::new();
    let mut seen = HashSet::new();
    let mut open: Vec<(&Dependency, Option<usize>)> = wishes.iter().map(|w| (w, None)).collect();
    while let Some((wanted, by)) = open.pop() {
        effort.spend(universe, wanted)?;
        if let Some(known) = requirements.get_mut(wanted) {
            known.required_by.extend(by);
            continue;
        }
        let providers = universe.satisfying(wanted);
        for at in &providers {
            if seen.insert(*at) {
                open.extend(universe.offers[*at].requires.iter().map(|r| (r, Some(*at))));
            }
        }
        let required_by = by.into_iter().collect();
        requirements.insert(wanted, Requirement { providers, required_by });
    }
    Ok(requirements)
}

/// Impossible packages: in which order they were found, and which of their requirements is impossible.
type Impossible<'a> = HashMap<usize, (usize, &'a Dependency)>;

fn impossible<'a>(requirements: &HashMap<&'a Dependency, Requirement>) -> Impossible<'a> {
    let mut provides = HashMap::<usize, Vec<&'a Dependency>>::new();
    for (wanted, requirement) in requirements {
        for at in &requirement.providers {
            provides.entry(*at).or_default().push(wanted);
        }
    }
    // How many providers of each requirement are not known to be impossible.
    let mut possible: HashMap<&'a Dependency, usize> =
        requirements.iter().map(|(wanted, r)| (*wanted, r.providers.len())).collect();
    let mut missing: Vec<&'a Dependency> =
        possible.iter().filter(|(_, count)| **count == 0).map(|(wanted, _)| *wanted).collect();
    // A map has no order; the message is to be the same each time.
    missing.sort_by_cached_key(ToString::to_string);
    let mut open = VecDeque::from(missing);
    let mut impossible = Impossible::new();
    while let Some(wanted) = open.pop_front() {
        let mut packages = requirements[wanted].required_by.clone();
        packages.sort_unstable();
        for at in packages {
            if impossible.contains_key(&at) {
                continue;
            }
            impossible.insert(at, (impossible.len(), wanted));
            let mut lost: Vec<_> = provides.get(&at).cloned().unwrap_or_default();
            lost.sort_by_cached_key(ToString::to_string);
            for other in lost {
                if let Some(count) = possible.get_mut(other) {
                    *count -= 1;
                    if *count == 0 {
                        open.push_back(other);
                    }
                }
            }
        }
    }
    impossible
}

fn is_possible(requirement: &Requirement, impossible: &Impossible<'_>) -> bool {
    requirement.providers.iter().any(|at| !impossible.contains_key(at))
}
