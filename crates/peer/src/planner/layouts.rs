//! The pure core: from needs of signatures to the combinations of peers that meet them.

use std::collections::{BTreeMap, BTreeSet};

use super::matching::{Peers, choose};

/// How many combinations are followed. Beyond that, those with the first peers are kept.
const LIMIT: usize = 1000;

/// Up to how many layouts those that only add to another one are looked for and left out.
const COMPARED: usize = 200;

/// What a policy asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A signature of one of these peers.
    Signature(Peers),
    /// So many of these; none or less is met always.
    OutOf(i64, Vec<Need>),
}

/// So many peers of each group, by the group's number. No peer counts twice.
pub(crate) type Layout = BTreeMap<usize, u32>;

/// Every way that was found to meet all needs at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The groups that layouts refer to.
    pub(crate) groups: Vec<Peers>,
    /// Each alone is enough, and can be filled with distinct peers.
    pub(crate) layouts: Vec<Layout>,
}

/// Groups of peers, one of each of which has to sign; sorted, with repetitions.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Combination(Vec<Peers>);

impl Plan {
    /// The ways to meet all of `needs`. If they ask for nobody, a signature of one of `anyone` it is.
    pub(crate) fn meeting(needs: &[Need], anyone: &Peers) -> Self {
        let mut all = BTreeSet::from([Combination::default()]);
        for need in needs {
            all = merge(&all, &combinations(need));
        }
        if all.remove(&Combination::default()) && !anyone.is_empty() {
            all.insert(Combination(vec![anyone.clone()]));
        }
        Self::of(minimal(all))
    }

    fn of(combinations: Vec<Combination>) -> Self {
        let mut plan = Self::default();
        for Combination(places) in combinations {
            let mut layout = Layout::new();
            for peers in places {
                let group = plan.groups.iter().position(|group| *group == peers).unwrap_or_else(|| {
                    plan.groups.push(peers);
                    plan.groups.len() - 1
                });
                *layout.entry(group).or_default() += 1;
            }
            plan.layouts.push(layout);
        }
        plan
    }

    /// The groups of a layout, each as often as it counts.
    pub(crate) fn places(&self, layout: &Layout) -> Vec<&Peers> {
        layout.iter().flat_map(|(group, count)| std::iter::repeat_n(&self.groups[*group], *count as usize)).collect()
    }

    /// Leaves out layouts that fail when filled with the first of `anyone`. If all do, the plan becomes one of peers
    /// by number: those of a layout, and as few more as it takes.
    pub(crate) fn settle(&mut self, anyone: &Peers, holds: impl Fn(&Peers) -> bool) {
        let fill = |layout| Some(choose(&self.places(layout), anyone.iter().copied())?.into_iter().collect());
        let filled: Vec<Option<Peers>> = self.layouts.iter().map(fill).collect();
        let mut fits = filled.iter().map(|peers| peers.as_ref().is_some_and(&holds));
        self.layouts.retain(|_| fits.next().unwrap_or_default());
        if self.layouts.is_empty() {
            *self = Self::of(beyond(filled.into_iter().flatten().collect(), anyone, holds));
        }
    }
}

/// The smallest sets of peers that hold, made of these by adding others.
fn beyond(mut sets: BTreeSet<Peers>, anyone: &Peers, holds: impl Fn(&Peers) -> bool) -> Vec<Combination> {
    let mut tried = 0;
    while !sets.is_empty() && tried < LIMIT {
        let with_one_more = |set: &Peers| -> Vec<Peers> {
            anyone.difference(set).map(|one| set.iter().chain([one]).copied().collect()).collect()
        };
        sets = sets.iter().flat_map(with_one_more).collect();
        truncate(&mut sets);
        tried += sets.len();
        let holding: Vec<&Peers> = sets.iter().filter(|set| holds(set)).collect();
        if !holding.is_empty() {
            let alone = |peer: &usize| Peers::from([*peer]);
            return holding.into_iter().map(|set| Combination(set.iter().map(alone).collect())).collect();
        }
    }
    Vec::new()
}

impl Combination {
    /// Whether there are distinct peers for all places.
    fn can_be_filled(&self) -> bool {
        let places: Vec<&Peers> = self.0.iter().collect();
        let everyone: Peers = self.0.iter().flatten().copied().collect();
        choose(&places, everyone).is_some()
    }

    /// Both one after the other: no signature counts for both.
    fn beside(&self, other: &Self) -> Self {
        let mut places = [self.0.as_slice(), other.0.as_slice()].concat();
        places.sort();
        Self(places)
    }

    /// Both at once: one signature counts for a place of each where one group lies within the other.
    fn together_with(&self, other: &Self) -> Self {
        let mut places = self.0.clone();
        let mut shared = vec![false; places.len()];
        for wanted in &other.0 {
            let free = |fits: &dyn Fn(&Peers) -> bool| (0..shared.len()).find(|at| !shared[*at] && fits(&places[*at]));
            let found = free(&|place| place == wanted)
                .or_else(|| free(&|place| place.is_subset(wanted)))
                .or_else(|| free(&|place| wanted.is_subset(place)));
            match found {
                Some(at) => {
                    shared[at] = true;
                    if wanted.is_subset(&places[at]) {
                        places[at] = wanted.clone();
                    }
                }
                None => places.push(wanted.clone()),
            }
        }
        places.sort();
        Self(places)
    }

    /// Whether every place of `other` is one of ours as well.
    fn includes(&self, other: &Self) -> bool {
        let mut ours = self.0.iter();
        other.0.iter().all(|place| ours.any(|one| one == place))
    }
}

/// The combinations that meet one need and can be filled.
fn combinations(need: &Need) -> BTreeSet<Combination> {
    match need {
        Need::Signature(peers) if peers.is_empty() => BTreeSet::new(),
        Need::Signature(peers) => BTreeSet::from([Combination(vec![peers.clone()])]),
        Need::OutOf(count, _) if *count <= 0 => BTreeSet::from([Combination::default()]),
        Need::OutOf(count, needs) => {
            let Ok(count) = usize::try_from(*count) else { return BTreeSet::new() };
            if count > needs.len() {
                return BTreeSet::new();
            }
            // By how many of the needs seen so far are met.
            let mut met = vec![BTreeSet::new(); count + 1];
            met[0].insert(Combination::default());
            for need in needs {
                let more = combinations(need);
                for already in (0..count).rev() {
                    let grown = product(&met[already], &more, Combination::beside);
                    met[already + 1].extend(grown);
                    truncate(&mut met[already + 1]);
                }
            }
            met.pop().unwrap_or_default()
        }
    }
}

fn merge(some: &BTreeSet<Combination>, others: &BTreeSet<Combination>) -> BTreeSet<Combination> {
    product(some, others, Combination::together_with)
}

fn product(
    some: &BTreeSet<Combination>,
    others: &BTreeSet<Combination>,
    join: impl Fn(&Combination, &Combination) -> Combination,
) -> BTreeSet<Combination> {
    let mut joined = BTreeSet::new();
    for one in some {
        for other in others {
            let both = join(one, other);
            if !joined.contains(&both) && both.can_be_filled() {
                joined.insert(both);
            }
            if joined.len() > 2 * LIMIT {
                truncate(&mut joined);
            }
        }
    }
    truncate(&mut joined);
    joined
}

/// Keeps the first, which are those with the first peers.
fn truncate<T: Ord>(combinations: &mut BTreeSet<T>) {
    while combinations.len() > LIMIT {
        combinations.pop_last();
    }
}

/// Leaves out what only adds to another combination; the smallest come first.
fn minimal(combinations: BTreeSet<Combination>) -> Vec<Combination> {
    let mut sorted: Vec<_> = combinations.into_iter().collect();
    sorted.sort_by_key(|combination| combination.0.len());
    if sorted.len() > COMPARED {
        return sorted;
    }
    let mut kept: Vec<Combination> = Vec::new();
    for combination in sorted {
        if !kept.iter().any(|smaller| combination.includes(smaller)) {
            kept.push(combination);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(members: &[usize]) -> Peers {
        members.iter().copied().collect()
    }

    fn one(members: &[usize]) -> Need {
        Need::Signature(peers(members))
    }

    /// The layouts as the peer numbers of their places.
    fn layouts(needs: &[Need]) -> Vec<Vec<Vec<usize>>> {
        let plan = Plan::meeting(needs, &peers(&[0, 1, 2]));
        let places = plan.layouts.iter().map(|layout| plan.places(layout));
        places.map(|places| places.into_iter().map(|group| group.iter().copied().collect()).collect()).collect()
    }

    #[test]
    fn finds_every_combination_of_a_threshold() {
        let majority = Need::OutOf(2, vec![one(&[0]), one(&[1]), one(&[2])]);
        assert_eq!(layouts(&[majority]), [[[0], [1]], [[0], [2]], [[1], [2]]]);
    }

    #[test]
    fn leaves_out_what_no_peer_can_give() {
        let either = Need::OutOf(1, vec![one(&[]), Need::OutOf(2, vec![one(&[0]), one(&[1])])]);
        assert_eq!(layouts(&[either]), [[[0], [1]]]);
        assert!(layouts(&[Need::OutOf(3, vec![one(&[0]), one(&[1])])]).is_empty());
        assert!(layouts(&[one(&[])]).is_empty());
    }

    #[test]
    fn counts_no_peer_twice_within_a_policy() {
        let twice = Need::OutOf(2, vec![one(&[0]), one(&[0])]);
        assert!(layouts(std::slice::from_ref(&twice)).is_empty());
        assert_eq!(layouts(&[Need::OutOf(2, vec![one(&[0, 1]), one(&[0, 1])])]), [[[0, 1], [0, 1]]]);
    }

    #[test]
    fn lets_one_signature_count_for_several_policies() {
        let both = [Need::OutOf(2, vec![one(&[0]), one(&[1])]), one(&[1])];
        assert_eq!(layouts(&both), [[[0], [1]]]);
        // The narrower group satisfies the wider one.
        assert_eq!(layouts(&[one(&[0, 1, 2]), one(&[1])]), [[[1]]]);
        assert_eq!(layouts(&[one(&[1]), one(&[0, 1, 2])]), [[[1]]]);
    }

    #[test]
    fn leaves_out_layouts_that_only_add_to_another() {
        let needs = Need::OutOf(1, vec![Need::OutOf(2, vec![one(&[0]), one(&[1])]), one(&[1])]);
        assert_eq!(layouts(&[needs]), [[[1]]]);
    }

    #[test]
    fn asks_anyone_when_nobody_is_asked_for() {
        assert_eq!(layouts(&[]), [[[0, 1, 2]]]);
        assert_eq!(layouts(&[Need::OutOf(0, vec![one(&[])])]), [[[0, 1, 2]]]);
        assert!(Plan::meeting(&[], &Peers::new()).layouts.is_empty());
    }

    #[test]
    fn keeps_within_bounds_and_to_the_first_peers() {
        let many = Need::OutOf(13, (0..25).map(|peer| one(&[peer])).collect());
        let plan = Plan::meeting(&[many], &Peers::new());
        assert_eq!(plan.layouts.len(), LIMIT);
        assert!(plan.layouts.iter().all(|layout| plan.places(layout).contains(&&peers(&[0]))));
    }
}
