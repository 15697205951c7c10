//! Breaks texts for people into lines.

/// Puts `head` in front of `text`, which is broken into lines of at most `width` characters that
/// begin at `column`. White space separates words, and no word is broken. If there is no room for
/// two blanks between `head` and `column`, `head` has a line of its own. Each line ends with a line
/// end, and never with a blank.
pub(crate) fn wrap(head: &str, column: usize, width: usize, text: &str) -> String {
    let mut lines = String::new();
    let mut line = head.to_owned();
    let mut length = head.chars().count();
    if length > 0 && length + 2 > column {
        lines.push_str(&line);
        lines.push('\n');
        line.clear();
        length = 0;
    }
    // This line has no word of the text yet.
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let word_length = word.chars().count();
        if !is_empty && length + 1 + word_length > width {
            lines.push_str(&line);
            lines.push('\n');
            line.clear();
            length = 0;
            is_empty = true;
        }
        let blanks = if is_empty { column - length } else { 1 };
        line.push_str(&" ".repeat(blanks));
        line.push_str(word);
        length += blanks + word_length;
        is_empty = false;
    }
    lines.push_str(&line);
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_without_head_fills_the_width() {
        assert_eq!(
            wrap("", 0, 9, "one two three four"),
            "one two\nthree\nfour\n"
        );
        assert_eq!(wrap("", 0, 9, "one two  six"), "one two\nsix\n");
        assert_eq!(wrap("", 0, 11, "one two six"), "one two six\n");
    }

    #[test]
    fn the_column_begins_behind_the_head() {
        let expected = "note  one\n      two\n";
        assert_eq!(wrap("note", 6, 11, "one two"), expected);
    }

    #[test]
    fn a_long_head_has_a_line_of_its_own() {
        assert_eq!(wrap("--flag", 8, 20, "one two"), "--flag  one two\n");
        assert_eq!(
            wrap("--flags", 8, 20, "one two"),
            "--flags\n        one two\n"
        );
    }

    #[test]
    fn a_head_without_text_has_no_blanks_behind_it() {
        assert_eq!(wrap("--flag", 8, 20, ""), "--flag\n");
    }

    #[test]
    fn a_long_word_is_not_broken() {
        assert_eq!(wrap("", 2, 6, "a longer b"), "  a\n  longer\n  b\n");
    }

    #[test]
    fn characters_count_and_not_bytes() {
        assert_eq!(wrap("é", 3, 7, "é é é"), "é  é é\n   é\n");
    }

    proptest! {
        #[test]
        fn all_words_are_there_in_lines_that_fit(
            head in "[a-z]{0,6}",
            column in 0_usize..8,
            words in prop::collection::vec("[a-zé]{1,5}", 0..20),
        ) {
            let text = wrap(&head, column, 20, &words.join(" "));
            let found: Vec<&str> = text.split_whitespace().collect();
            let head = (!head.is_empty()).then_some(&head[..]);
            let expected: Vec<&str> = head.into_iter().chain(words.iter().map(String::as_str)).collect();
            prop_assert_eq!(found, expected);
            for line in text.lines() {
                prop_assert!(line.chars().count() <= 20 && line.trim_end() == line, "{}", text);
            }
        }
    }
}
