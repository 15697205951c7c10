//! Numbers, times and texts in columns of a terminal.

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// The columns of a character. Terminals differ in rare ones; a table is only less straight then.
fn char_width(character: char) -> usize {
    if is_mark(character) {
        0
    } else if is_in(WIDE, character) {
        2
    } else {
        1
    }
}

/// Whether this takes no column of its own.
pub(super) fn is_mark(character: char) -> bool {
    is_in(ZERO_WIDTH, character)
}

fn is_in(ranges: &[(u32, u32)], character: char) -> bool {
    let code = u32::from(character);
    ranges
        .iter()
        .any(|(from, to)| (*from..=*to).contains(&code))
}

/// The text in exactly this number of columns, with blanks behind it, or cut at its end.
pub(super) fn left(text: &str, columns: usize) -> String {
    let mut text = cut_end(text, columns);
    let blanks = columns.saturating_sub(width(&text));
    text.extend(std::iter::repeat_n(' ', blanks));
    text
}

/// The same with the blanks in front.
pub(super) fn right(text: &str, columns: usize) -> String {
    let text = cut_end(text, columns);
    let blanks = columns.saturating_sub(width(&text));
    " ".repeat(blanks) + &text
}

/// The text, or its beginning.
pub(super) fn cut_end(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    beginning(text, columns.saturating_sub(1)) + cut_mark(columns)
}

/// The text, or its end: of a path, that is the name of the file.
pub(super) fn cut_start(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    cut_mark(columns).to_owned() + end(text, columns.saturating_sub(1))
}

/// The text, or its beginning and its end: of an IPv6 address, both are needed.
pub(super) fn cut_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let rest = columns.saturating_sub(1);
    beginning(text, rest / 2) + cut_mark(columns) + end(text, rest - rest / 2)
}

fn cut_mark(columns: usize) -> &'static str {
    if columns == 0 { "" } else { "…" }
}

fn beginning(text: &str, columns: usize) -> String {
    let mut used = 0;
    let fits = |character: &char| {
        used += char_width(*character);
        used <= columns
    };
    text.chars().take_while(fits).collect()
}

fn end(text: &str, columns: usize) -> &str {
    let mut used = 0;
    let mut start = text.len();
    for (index, character) in text.char_indices().rev() {
        used += char_width(character);
        if used > columns {
            break;
        }
        start = index;
    }
    &text[start..]
}

/// Parts of a text in lines of limited width, each line indented. Two blanks separate the
/// parts, and no part is broken.
pub(super) fn flow(indent: usize, parts: &[String], columns: usize) -> Vec<String> {
    let start = " ".repeat(indent);
    let mut lines: Vec<String> = Vec::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        match lines.last_mut() {
            Some(line) if width(line) + 2 + width(part) <= columns => {
                line.push_str("  ");
                line.push_str(part);
            }
            _ => lines.push(cut_end(&(start.clone() + part), columns)),
        }
    }
    lines
}

/// A number of bytes in three digits, such as `1.23 GiB`.
pub(super) fn bytes(count: u64) -> String {
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64;
    let mut unit = "";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        // What would be shown as 1000 has the next unit.
        if value < 999.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    let decimals = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

/// A number of bytes per second.
pub(super) fn rate(rate: f64) -> String {
    format!("{}/s", bytes(whole(rate)))
}

/// A time such as `0:07`, `12:34`, `1:02:03` or `3d 04h`.
pub(super) fn time(seconds: f64) -> String {
    let seconds = whole(seconds);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if days > 0 {
        format!("{days}d {:02}h", hours % 24)
    } else if hours > 0 {
        format!("{hours}:{:02}:{:02}", minutes % 60, seconds % 60)
    } else {
        format!("{minutes}:{:02}", seconds % 60)
    }
}

/// What is no number, or below 0, is 0.
pub(super) fn whole(value: f64) -> u64 {
    value as u64
}

/// Combining marks. Other invisible characters do not get here.
const ZERO_WIDTH: &[(u32, u32)] = &[
    (0x0300, 0x036f),
    (0x0483, 0x0489),
    (0x0591, 0x05bd),
    (0x0610, 0x061a),
    (0x064b, 0x065f),
    (0x0e34, 0x0e3a),
    (0x0e47, 0x0e4e),
    (0x1ab0, 0x1aff),
    (0x1dc0, 0x1dff),
    (0x20d0, 0x20ff),
    (0x302a, 0x302d),
    (0x3099, 0x309a),
    (0xfe20, 0xfe2f),
];

/// Those that East Asian terminals show in two columns, and emoji.
const WIDE: &[(u32, u32)] = &[
    (0x1100, 0x115f),
    (0x2e80, 0x303e),
    (0x3041, 0xa4cf),
    (0xa960, 0xa97f),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfe30, 0xfe6f),
    (0xff00, 0xff60),
    (0xffe0, 0xffe6),
    (0x1f300, 0x1f64f),
    (0x1f680, 0x1f6ff),
    (0x1f900, 0x1faff),
    (0x20000, 0x3fffd),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(width("写真.jpg"), 8);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(left("写真", 5), "写真 ");
        assert_eq!(left("写真", 3), "写…");
        assert_eq!(left("写真", 2), "… ");
        assert_eq!(right("12", 4), "  12");
    }

    #[test]
    fn texts_are_cut_where_it_harms_least() {
        assert_eq!(cut_end("bartholomew", 6), "barth…");
        assert_eq!(cut_start("/films/a/b.mkv", 8), "…a/b.mkv");
        assert_eq!(cut_start("/写真/夏.jpg", 8), "…/夏.jpg");
        assert_eq!(cut_middle("2001:db8:1:2:3:4:5:6", 11), "2001:…4:5:6");
        for cut in [cut_end, cut_start, cut_middle] {
            assert_eq!(cut("abc", 0), "");
            assert_eq!(cut("abc", 1), "…");
            assert_eq!(cut("abc", 3), "abc");
        }
    }

    #[test]
    fn numbers_are_short() {
        let check = |count: u64, text: &str| assert_eq!(bytes(count), text);
        check(0, "0 B");
        check(1023, "1023 B");
        check(1024, "1.00 KiB");
        check(10_235, "10.0 KiB");
        check(1_023_000, "999 KiB");
        check(1_023_500, "0.98 MiB");
        check(u64::MAX, "16.0 EiB");
        for (seconds, text) in [
            (0.0, "0:00"),
            (59.9, "0:59"),
            (3599.0, "59:59"),
            (3723.0, "1:02:03"),
            (273_600.0, "3d 04h"),
            (f64::NAN, "0:00"),
            (-1.0, "0:00"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }

    #[test]
    fn parts_stay_whole() {
        let parts = ["one", "", "two", "three"].map(str::to_owned);
        assert_eq!(flow(2, &parts, 12), ["  one  two", "  three"]);
        assert_eq!(flow(2, &parts, 6), ["  one", "  two", "  thr…"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_column(text in any::<String>(), columns in 0usize..40) {
            for cut in [cut_end, cut_start, cut_middle] {
                prop_assert!(width(&cut(&text, columns)) <= columns);
            }
            prop_assert_eq!(width(&left(&text, columns)), columns);
        }

        #[test]
        fn numbers_fit_in_their_columns(count in any::<u64>()) {
            prop_assert!(bytes(count).len() <= 8, "{}", bytes(count));
        }
    }
}
