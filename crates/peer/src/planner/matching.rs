//! Distinct peers for the places of a layout.

use std::collections::BTreeSet;

/// Peers, by number.
pub(crate) type Peers = BTreeSet<usize>;

/// For each of `places` a peer that may take it, no peer twice. Peers that come earlier in `preference` are taken
/// wherever that is possible at all; those missing from it are not taken.
///
/// The peers that can be placed together form a matroid, so taking one after another by preference is best.
pub(crate) fn choose(places: &[&Peers], preference: impl IntoIterator<Item = usize>) -> Option<Vec<usize>> {
    let mut taken: Vec<Option<usize>> = vec![None; places.len()];
    let mut left = places.len();
    for peer in preference {
        if left == 0 {
            break;
        }
        let mut tried = vec![false; places.len()];
        if place(peer, places, &mut taken, &mut tried) {
            left -= 1;
        }
    }
    taken.into_iter().collect()
}

/// Finds a place for `peer`, where necessary by moving others.
fn place(peer: usize, places: &[&Peers], taken: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    for at in 0..places.len() {
        if tried[at] || !places[at].contains(&peer) {
            continue;
        }
        tried[at] = true;
        let free = match taken[at] {
            None => true,
            Some(other) => place(other, places, taken, tried),
        };
        if free {
            taken[at] = Some(peer);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(members: &[usize]) -> Peers {
        members.iter().copied().collect()
    }

    #[test]
    fn moves_a_peer_that_another_place_can_do_with() {
        let (wide, narrow) = (peers(&[0, 1]), peers(&[0]));
        assert_eq!(choose(&[&wide, &narrow], [0, 1]), Some(vec![1, 0]));
        assert_eq!(choose(&[&narrow, &narrow], [0, 1]), None);
    }

    #[test]
    fn takes_the_preferred_peers() {
        let all = peers(&[0, 1, 2, 3]);
        let mut chosen = choose(&[&all, &all], [3, 1, 0, 2]).expect("enough peers");
        chosen.sort_unstable();
        assert_eq!(chosen, [1, 3]);
        assert_eq!(choose(&[&all, &all], [3]), None);
        assert_eq!(choose(&[], [3]), Some(vec![]));
    }
}
