//! One line of the log, and text in lines of a limited width.

use std::fmt;

use log::Level;

use super::clock;

/// `2026-11-22 13:07:31Z INFO  text`; times are UTC.
pub(super) fn line(unix_seconds: i64, level: Level, text: &fmt::Arguments<'_>) -> String {
    let time = clock::date_and_time(unix_seconds);
    format!("{time} {level:<5} {text}")
}

/// `head`, then the text beside it in lines that begin at `column`, at most `width` bytes wide.
pub(crate) fn wrapped(head: &str, column: usize, width: usize, text: &str) -> String {
    let mut lines = String::new();
    let mut line = format!("{head:<column$}");
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.len() + 1 + word.len() > width {
            lines.push_str(&line);
            lines.push('\n');
            line = " ".repeat(column);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push_str(&line);
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stands_beside_its_head() {
        let lines = wrapped("head", 6, 12, "a bc def ghijklm n");
        assert_eq!(lines, "head  a bc\n      def\n      ghijklm\n      n\n");
    }

    #[test]
    fn texts_of_all_levels_stand_in_one_column() {
        let info = line(1_795_352_851, Level::Info, &format_args!("text"));
        assert_eq!(info, "2026-11-22 13:07:31Z INFO  text");
        let error = line(1_795_352_851, Level::Error, &format_args!("text"));
        assert_eq!(error, "2026-11-22 13:07:31Z ERROR text");
    }
}
