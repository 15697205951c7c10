//! Which cycles are faults.

use std::collections::BTreeSet;

use super::findings::Finding;
use super::graph::Graph;

/// The cycles of a graph.
///
/// Each of `places` is a folder or several, with a space between: `a/b` stands for `a/b.rs` and for
/// all of `a/b/`. A cycle that lies entirely in one of the places has it as its key.
pub fn cycles(graph: &Graph, places: &[&str]) -> Vec<Finding> {
    let finding = |cycle: BTreeSet<String>| {
        let place = places
            .iter()
            .find(|place| cycle.iter().all(|file| holds(place, file)));
        Finding {
            key: place.unwrap_or(&"").to_string(),
            text: graph.show(&cycle),
        }
    };
    graph.cycles().into_iter().map(finding).collect()
}

fn holds(place: &str, file: &str) -> bool {
    place.split(' ').any(|folder| {
        let rest = file.strip_prefix(folder);
        rest.is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(edges: &[(&str, &str)], places: &[&str], expected: &[&str]) {
        let mut graph = Graph::default();
        for (from, to) in edges {
            graph.add(from, to, "Name");
        }
        let findings = cycles(&graph, places);
        let keys = findings.iter().map(|finding| finding.key.as_str());
        assert_eq!(keys.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_cycle_lies_in_a_folder_or_does_not() {
        let inside = [("a/b.rs", "a/b/c.rs"), ("a/b/c.rs", "a/b.rs")];
        check(&inside, &["a/b"], &["a/b"]);
        check(&inside, &["a/b/c", "a"], &["a"]);
        check(&inside, &["a/b/c", "a/d"], &[""]);
        let outside = [("a/b/c.rs", "a/bc.rs"), ("a/bc.rs", "a/b/c.rs")];
        check(&outside, &["a/b"], &[""]);
        check(&outside, &["a/b a/bc"], &["a/b a/bc"]);
        check(&[("a.rs", "b.rs"), ("b.rs", "c.rs")], &[], &[]);
    }
}
