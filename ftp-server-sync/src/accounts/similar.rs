//! "Did you mean": the name that a wrong one probably stands for, by one rule for flags, their
//! values and the users file.

use std::mem;

/// The only name that begins with `wrong`, or else the nearest one; names are written without
/// dashes in front.
pub(crate) fn suggest<'a>(wrong: &str, names: &[&'a str]) -> Option<&'a str> {
    let wrong = wrong.to_ascii_lowercase().replace('_', "-");
    let mut longer = names.iter().filter(|name| name.starts_with(&wrong));
    if let (Some(only), None) = (longer.next(), longer.next()) {
        return Some(only);
    }
    let nearest = names.iter().min_by_key(|name| edits(&wrong, name))?;
    // Two wrong letters leave too little of a short name.
    (edits(&wrong, nearest) <= EDITS_MAX.min(wrong.len() / 3)).then_some(nearest)
}

/// How many letters must be added, removed, replaced, or swapped with their neighbour to turn
/// `from` into `to`.
pub(crate) fn edits(from: &str, to: &str) -> usize {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let mut before = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.iter().enumerate() {
        let mut next = vec![index + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = row[column] + usize::from(letter != other);
            let mut least = replaced.min(row[column + 1] + 1).min(next[column] + 1);
            let is_swapped = || from[index - 1] == *other && *letter == to[column - 1];
            if index > 0 && column > 0 && is_swapped() {
                least = least.min(before[column - 1] + 1);
            }
            next.push(least);
        }
        before = mem::replace(&mut row, next);
    }
    row[to.len()]
}

const EDITS_MAX: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_suggested_if_it_is_the_only_longer_one_or_near() {
        let names = [
            "port",
            "password",
            "passive-ports",
            "passive-timeout",
            "tls",
            "tls-implicit",
        ];
        for (wrong, similar) in [
            ("prot", Some("port")),
            ("Port", Some("port")),
            ("passive_port", Some("passive-ports")),
            ("passw", Some("password")),
            ("passive-tiemout", Some("passive-timeout")),
            ("passi", None),
            ("tl", None),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(suggest(wrong, &names), similar, "{wrong}");
        }
    }

    #[test]
    fn edit_distances() {
        for (from, to, distance) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("port", "port", 0),
            ("prot", "port", 1),
            ("orpt", "port", 2),
            ("ab", "ba", 1),
            ("aba", "bab", 2),
            ("ports", "port", 1),
            ("pott", "port", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edits(from, to), distance, "{from} {to}");
        }
    }
}
