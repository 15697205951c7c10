//! Listings of any tree, and walks whose driver answers anything.

use ftp_tests::walk::{Case, Node, case, hostile};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn a_walk_shows_what_a_simple_listing_shows(any in any_case()) {
        case(&any);
    }

    #[test]
    fn a_walk_ends_whatever_its_driver_answers(data in vec(any::<u8>(), 0..200)) {
        hostile::answers(&data);
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    let node = (0..20u8, 0..10u8, any::<u8>(), any::<u8>(), any::<u8>());
    let node = node.prop_map(|(parent, name, kind, size, age)| Node {
        parent,
        name,
        kind,
        size,
        age,
    });
    let parts = (vec(node, 0..40), vec(any::<u8>(), 0..6));
    (parts, any::<u8>(), any::<u8>(), any::<u8>()).prop_map(
        |((nodes, argument), command, hidden, piece)| Case {
            nodes,
            argument,
            command,
            hidden,
            piece,
        },
    )
}
