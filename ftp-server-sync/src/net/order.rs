//! Sorted lists, sets and maps for what is small or rare, in little code.
//!
//! `slice::sort` is compiled anew for each type and each order, at some five KiB each, and
//! `collect` sorts what becomes a set or a map. Here one sort puts indices in order for all.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;

/// Sorts; equal items keep their order.
pub(crate) fn sort<T: Ord>(items: &mut [T]) {
    let moves = swaps(items.len(), &mut |one, other| items[one].cmp(&items[other]));
    perform(items, moves);
}

/// Sorts by this key; items with equal keys keep their order.
pub(crate) fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    let moves = swaps(items.len(), &mut |one, other| {
        key(&items[one]).cmp(&key(&items[other]))
    });
    perform(items, moves);
}

pub(crate) fn set_of<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// The last value of a key counts.
pub(crate) fn map_of<K: Ord, V>(pairs: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(pairs);
    map
}

fn perform<T>(items: &mut [T], swaps: Vec<(usize, usize)>) {
    for (one, other) in swaps {
        items.swap(one, other);
    }
}

/// Which items to swap, one pair after the other, so that this number of items is in order.
fn swaps(count: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<(usize, usize)> {
    // At each place the index of the item that belongs there.
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&one, &other| compare(one, other));
    let mut swaps = Vec::new();
    for start in 0..count {
        let mut place = start;
        loop {
            let from = mem::replace(&mut order[place], place);
            if from == start {
                break;
            }
            swaps.push((place, from));
            place = from;
        }
    }
    swaps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(items: Vec<(u8, u8)>) {
            let (mut sorted, mut expected) = (items.clone(), items.clone());
            sort(&mut sorted);
            expected.sort();
            prop_assert_eq!(&sorted, &expected);

            let (mut by_key, mut expected) = (items.clone(), items.clone());
            sort_by_key(&mut by_key, |item| item.0);
            expected.sort_by_key(|item| item.0);
            prop_assert_eq!(by_key, expected);

            prop_assert_eq!(set_of(items.clone()), items.iter().copied().collect());
            prop_assert_eq!(map_of(items.clone()), items.iter().copied().collect());
        }
    }
}
