//! The pure helpers beside the session, over any input: restarts in ASCII, and the order of ports.

use ftp_proto::{ascii, ports};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    /// Whatever the pieces, what is skipped and what is sent after it are the whole text.
    #[test]
    fn a_restart_in_ascii_sends_the_rest_of_the_text(
        pieces in vec(vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a')], 0..70), 0..8),
        share in 0.0..=1.0f64,
    ) {
        let file = pieces.concat();
        let mut whole = Vec::new();
        ascii::Encoder::new().push(&file, &mut whole);
        let octets = (whole.len() as f64 * share) as usize;

        let mut skip = ascii::Skip::new(octets as u64);
        let mut from = 0;
        for piece in &pieces {
            from += skip.push(piece);
        }
        let mut sent = Vec::new();
        let mut encoder = skip.into_encoder().expect("an offset within the text");
        encoder.push(&file[from..], &mut sent);
        prop_assert_eq!(sent, &whole[octets..]);

        let mut beyond = ascii::Skip::new(whole.len() as u64 + 1);
        let skipped: usize = pieces.iter().map(|piece| beyond.push(piece)).sum();
        prop_assert_eq!(skipped, file.len());
        prop_assert!(beyond.into_encoder().is_none());
    }

    #[test]
    fn a_chosen_port_is_one_of_the_range(first: u16, last: u16, random: u64) {
        let range = first..=last;
        let port = ports::choose(range.clone(), random);
        prop_assert_eq!(port.is_none(), range.is_empty());
        prop_assert!(port.is_none_or(|port| range.contains(&port)));
    }

    #[test]
    fn a_shuffle_loses_no_port(range in (1..100u16, 1..200u16), numbers in vec(any::<u64>(), 200)) {
        let ordered: Vec<u16> = (range.0..=range.1).collect();
        let mut shuffled = ordered.clone();
        let mut numbers = numbers.into_iter();
        ports::shuffle(&mut shuffled, || numbers.next().expect("one number for each port"));
        shuffled.sort_unstable();
        prop_assert_eq!(shuffled, ordered);
    }
}
