//! A queue in which owners take turns, so that nobody waits for all of another's jobs.

use std::collections::{HashMap, VecDeque};

use crate::store::Namespace;

/// First in, first out for each owner; owners in turn.
#[derive(Debug)]
pub(super) struct Turns<T> {
    owners: VecDeque<Namespace>,
    waiting: HashMap<Namespace, VecDeque<T>>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            owners: VecDeque::new(),
            waiting: HashMap::new(),
        }
    }
}

impl<T> Turns<T> {
    pub(super) fn push(&mut self, owner: Namespace, item: T) {
        let items = self.waiting.entry(owner).or_default();
        if items.is_empty() {
            self.owners.push_back(owner);
        }
        items.push_back(item);
    }

    /// The next item. Its owner goes to the end of the line.
    pub(super) fn pop(&mut self) -> Option<T> {
        let owner = self.owners.pop_front()?;
        let items = self.waiting.get_mut(&owner)?;
        let item = items.pop_front();
        if items.is_empty() {
            self.waiting.remove(&owner);
        } else {
            self.owners.push_back(owner);
        }
        item
    }

    /// Takes the first item of an owner that matches out; gives whether there was one.
    pub(super) fn remove(&mut self, owner: &Namespace, matches: impl Fn(&T) -> bool) -> bool {
        let Some(items) = self.waiting.get_mut(owner) else {
            return false;
        };
        let Some(place) = items.iter().position(matches) else {
            return false;
        };
        items.remove(place);
        if items.is_empty() {
            self.waiting.remove(owner);
            self.owners.retain(|other| other != owner);
        }
        true
    }

    /// All items in the order in which [`Self::pop`] would give them.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &T> {
        let longest = self.waiting.values().map(VecDeque::len).max().unwrap_or(0);
        (0..longest).flat_map(move |round| {
            self.owners
                .iter()
                .filter_map(move |owner| self.waiting.get(owner)?.get(round))
        })
    }
}

#[cfg(test)]
mod tests {
    use confide_protocol::Digest;

    use super::Turns;

    #[test]
    fn owners_take_turns() {
        let (a, b, c) = (Digest([1; 32]), Digest([2; 32]), Digest([3; 32]));
        let mut turns = Turns::default();
        for (owner, item) in [
            (a, "a1"),
            (a, "a2"),
            (a, "a3"),
            (b, "b1"),
            (c, "c1"),
            (b, "b2"),
        ] {
            turns.push(owner, item);
        }
        assert!(turns.remove(&c, |item| *item == "c1"));
        assert!(!turns.remove(&c, |item| *item == "c1"));
        let order: Vec<_> = turns.in_order().copied().collect();
        assert_eq!(order, ["a1", "b1", "a2", "b2", "a3"]);
        let popped: Vec<_> = std::iter::from_fn(|| turns.pop()).collect();
        assert_eq!(popped, order);
    }
}
