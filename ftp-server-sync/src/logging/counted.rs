//! Numbers with their nouns: one file, two files.

/// The number, and the noun in its form for it: with an s, unless it is one.
#[inline(never)]
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_no_s() {
        let shown = [0, 1, 2].map(|number| counted(number, "file"));
        assert_eq!(shown, ["0 files", "1 file", "2 files"]);
    }
}
