//! The progress of a transaction towards enough endorsements: whom to ask next, and when it is done. Pure.

use windlass_proto::Bytes;

use crate::planner::{Plan, choose};

/// What came of asking a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Not,
    Waiting,
    Endorsed,
    Failed,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// These peers' endorsements together are enough.
    Done(Vec<usize>),
    /// Ask these; then wait for them and for whom was asked before.
    Ask(Vec<usize>),
    /// Whoever is left is not enough.
    GiveUp,
}

/// The endorsements of one transaction in the making.
#[derive(Debug)]
pub(super) struct Collecting {
    plan: Plan,
    /// The peers by their numbers; the lower, the better.
    asked: Vec<Asked>,
    /// What everyone has to agree to.
    payload: Option<Bytes>,
}

impl Collecting {
    /// Follows the layouts of a plan in their order, with peers numbered from 0 to `peers`.
    pub(super) fn new(plan: Plan, peers: usize) -> Self {
        Self { plan, asked: vec![Asked::Not; peers], payload: None }
    }

    /// Takes a peer's endorsement. False if it endorsed something else than the first one.
    pub(super) fn endorsed(&mut self, peer: usize, payload: &Bytes) -> bool {
        let matches = self.payload.get_or_insert_with(|| payload.clone()) == payload;
        self.asked[peer] = if matches { Asked::Endorsed } else { Asked::Failed };
        matches
    }

    /// A peer will not endorse.
    pub(super) fn failed(&mut self, peer: usize) {
        self.asked[peer] = Asked::Failed;
    }

    /// The endorsements were not enough after all: the layout is left out.
    pub(super) fn reject(&mut self, peers: &[usize]) {
        let plan = &self.plan;
        let full = |layout| choose(&plan.places(layout), peers.iter().copied()).is_some();
        if let Some(at) = plan.layouts.iter().position(full) {
            self.plan.layouts.remove(at);
        }
    }

    /// What to do next. Peers to ask are taken to be asked.
    pub(super) fn next(&mut self) -> Next {
        // Those who have endorsed cost nothing more, those asked already hardly more.
        let preference = [Asked::Endorsed, Asked::Waiting, Asked::Not];
        let preference = preference.into_iter().flat_map(|state| self.peers_that(state)).collect::<Vec<_>>();
        let chosen =
            self.plan.layouts.iter().find_map(|layout| choose(&self.plan.places(layout), preference.iter().copied()));
        let Some(mut chosen) = chosen else { return Next::GiveUp };
        chosen.sort_unstable();
        if chosen.iter().all(|peer| self.asked[*peer] == Asked::Endorsed) {
            return Next::Done(chosen);
        }
        chosen.retain(|peer| self.asked[*peer] == Asked::Not);
        for peer in &chosen {
            self.asked[*peer] = Asked::Waiting;
        }
        Next::Ask(chosen)
    }

    fn peers_that(&self, state: Asked) -> impl Iterator<Item = usize> {
        self.asked.iter().enumerate().filter(move |(_, asked)| **asked == state).map(|(peer, _)| peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Peers 0 and 1 are of one organization, 2 and 3 of another, 4 of a third.
    fn plan(layouts: &[&[(usize, u32)]]) -> Plan {
        let groups = vec![[0, 1].into(), [2, 3].into(), [4].into()];
        Plan { groups, layouts: layouts.iter().map(|layout| layout.iter().copied().collect()).collect() }
    }

    fn payload(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn asks_for_what_is_missing_and_is_done() {
        let mut collecting = Collecting::new(plan(&[&[(0, 1), (1, 1)]]), 5);
        assert!(collecting.endorsed(0, &payload("a")));
        assert_eq!(collecting.next(), Next::Ask(vec![2]));
        assert_eq!(collecting.next(), Next::Ask(vec![]));
        assert!(collecting.endorsed(2, &payload("a")));
        assert_eq!(collecting.next(), Next::Done(vec![0, 2]));
    }

    #[test]
    fn asks_the_next_peer_of_a_group_then_the_next_layout() {
        let mut collecting = Collecting::new(plan(&[&[(0, 1), (1, 1)], &[(0, 1), (2, 1)]]), 5);
        assert!(collecting.endorsed(1, &payload("a")));
        assert_eq!(collecting.next(), Next::Ask(vec![2]));
        collecting.failed(2);
        assert_eq!(collecting.next(), Next::Ask(vec![3]));
        assert!(!collecting.endorsed(3, &payload("b")));
        assert_eq!(collecting.next(), Next::Ask(vec![4]));
        collecting.failed(4);
        assert_eq!(collecting.next(), Next::GiveUp);
    }

    #[test]
    fn goes_on_with_another_layout_when_one_was_not_enough() {
        let mut collecting = Collecting::new(plan(&[&[(0, 1)], &[(0, 1), (2, 1)]]), 5);
        assert!(collecting.endorsed(0, &payload("a")));
        assert_eq!(collecting.next(), Next::Done(vec![0]));
        collecting.reject(&[0]);
        assert_eq!(collecting.next(), Next::Ask(vec![4]));
    }

    #[test]
    fn needs_as_many_of_a_group_as_the_layout_says() {
        let mut collecting = Collecting::new(plan(&[&[(1, 2)]]), 5);
        assert_eq!(collecting.next(), Next::Ask(vec![2, 3]));
        collecting.failed(2);
        assert_eq!(collecting.next(), Next::GiveUp);
    }
}
