//! A map that forgets: bounded, cheap, and good enough at keeping what is used.

use std::{borrow::Borrow, collections::HashMap, fmt, hash::Hash};

use parking_lot::Mutex;

/// A bounded map in two generations. What is read moves to the young generation; when that is full, the old one
/// is dropped. So at most `2 * capacity` entries live, and one that is in use stays.
pub(crate) struct BoundedMap<K, V> {
    generations: Mutex<Generations<K, V>>,
    capacity: usize,
}

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash + Clone, V: Clone> BoundedMap<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new() };
        Self { generations: Mutex::new(generations), capacity }
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut generations = self.generations.lock();
        if let Some(value) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = generations.old.remove_entry(key)?;
        generations.insert(key, value.clone(), self.capacity);
        Some(value)
    }

    pub(crate) fn insert(&self, key: K, value: V) {
        self.generations.lock().insert(key, value, self.capacity);
    }
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn insert(&mut self, key: K, value: V, capacity: usize) {
        if self.young.len() >= capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

impl<K, V> fmt::Debug for BoundedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedMap").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_bounds_and_keeps_what_is_used() {
        let map = BoundedMap::new(10);
        for number in 0..1000 {
            map.insert(number, number);
            assert_eq!(map.get(&0), Some(0));
        }
        let generations = map.generations.lock();
        assert!(generations.young.len() + generations.old.len() <= 20);
        assert!(!generations.young.contains_key(&500) && !generations.old.contains_key(&500));
    }
}
