//! Passive ports that strangers cannot guess: who knows the next port can connect to it before the
//! client does (RFC 2577, section 8).
//!
//! This crate has no source of random numbers: the driver passes them. Each must be one that
//! clients cannot predict, and may be any 64 bits.

use core::ops::RangeInclusive;

/// One port of the range. `None` if the range is empty.
///
/// ```
/// assert_eq!(ftp_proto::ports::choose(60_000..=60_009, 12), Some(60_002));
/// ```
#[must_use]
pub fn choose(range: RangeInclusive<u16>, random: u64) -> Option<u16> {
    let (first, last) = (*range.start(), *range.end());
    let count = u64::from(last.checked_sub(first)?) + 1;
    u16::try_from(random % count)
        .ok()
        .map(|offset| first + offset)
}

/// Puts ports into a random order, in which they can be granted one after the other. `random` is
/// called once for each port but the first.
pub fn shuffle(ports: &mut [u16], mut random: impl FnMut() -> u64) {
    // Fisher and Yates: each order is equally likely.
    for last in (1..ports.len()).rev() {
        let other = random() % (last as u64 + 1);
        ports.swap(last, usize::try_from(other).unwrap_or(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn every_port_of_a_range_is_chosen() {
        let chosen: Vec<u16> = (0..4)
            .filter_map(|random| choose(60_000..=60_002, random))
            .collect();
        assert_eq!(chosen, [60_000, 60_001, 60_002, 60_000]);
        assert_eq!(choose(0..=u16::MAX, u64::MAX), Some(u16::MAX));
        assert_eq!(choose(5..=5, u64::MAX), Some(5));
        #[expect(
            clippy::reversed_empty_ranges,
            reason = "the ends may come from a file"
        )]
        let empty = 6..=5;
        assert_eq!(choose(empty, 1), None);
    }

    /// Of three ports there are six orders, from 3 * 2 random numbers.
    #[test]
    fn each_order_is_equally_likely() {
        let mut orders: Vec<[u16; 3]> = Vec::new();
        for (first, second) in (0..3).flat_map(|first| (0..2).map(move |second| (first, second))) {
            let mut ports = [1, 2, 3];
            let mut numbers = [first, second].into_iter();
            shuffle(&mut ports, || numbers.next().expect("two numbers"));
            assert_eq!(numbers.next(), None);
            orders.push(ports);
        }
        orders.sort_unstable();
        orders.dedup();
        assert_eq!(orders.len(), 6, "{orders:?}");
        shuffle(&mut [], || unreachable!());
        shuffle(&mut [1], || unreachable!());
    }
}
