//! One page of the table: the part that a terminal has rows for.

use super::keys::Key;
use crate::logging::wrap::wrap;
use crate::status::client::table::{LineKind, Table, TableLine};
use crate::status::client::text::cut_end;

/// The lines of a terminal, from the first to the last row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page(pub(super) Vec<TableLine>);

/// Where in the table the page begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scroll {
    /// Sessions above the page.
    above: usize,
    /// Sessions on the last page.
    shown: usize,
}

impl Scroll {
    pub(super) fn on_key(&mut self, key: Key) {
        let page = self.shown.max(1);
        self.above = match key {
            Key::Up => self.above.saturating_sub(1),
            Key::Down => self.above + 1,
            Key::PageUp => self.above.saturating_sub(page),
            Key::PageDown => self.above + page,
            Key::Home => 0,
            // The page corrects it.
            Key::End => usize::MAX / 2,
            Key::Quit => return,
        };
    }
}

impl Page {
    /// The page for a terminal of this size.
    pub(super) fn new(
        table: Table,
        problem: Option<&str>,
        (columns, rows): (usize, usize),
        scroll: &mut Scroll,
    ) -> Self {
        let Table { head, sessions } = table;
        // The last row is for the foot.
        let above_foot = rows.saturating_sub(1);
        let wanted = sessions.iter().map(Vec::len).sum();
        let head_max = above_foot.saturating_sub(wanted).max(above_foot / 2);
        let mut lines: Vec<TableLine> = problem_lines(problem, columns).chain(head).collect();
        shorten(&mut lines, head_max);
        let room = above_foot - lines.len();
        let on_last_page = fitting(sessions.iter().rev(), room);
        scroll.above = scroll.above.min(sessions.len() - on_last_page);
        scroll.shown = fitting(sessions[scroll.above..].iter(), room);
        let below = sessions.len() - scroll.above - scroll.shown;
        let shown = sessions.into_iter().skip(scroll.above).take(scroll.shown);
        lines.extend(shown.flatten());
        // One session alone may have more lines than there are rows.
        lines.truncate(above_foot);
        for line in &mut lines {
            // A terminal may be too narrow for the table.
            line.text = cut_end(&line.text, columns);
        }
        let empty = above_foot - lines.len();
        lines.extend(std::iter::repeat_n(
            TableLine::new(LineKind::Plain, ""),
            empty,
        ));
        if rows > 0 {
            let foot = cut_end(&foot(scroll.above, below), columns);
            lines.push(TableLine::new(LineKind::Plain, foot));
        }
        Self(lines)
    }
}

/// Why the server does not answer, in as many lines as that takes: the end names the cure.
fn problem_lines(problem: Option<&str>, columns: usize) -> impl Iterator<Item = TableLine> {
    let text = problem.map(|problem| format!("no answer, trying again: {problem}"));
    let text = text
        .map(|text| wrap("", 0, columns, &text))
        .unwrap_or_default();
    let lines: Vec<TableLine> = text
        .lines()
        .map(|line| TableLine::new(LineKind::Warning, line))
        .collect();
    lines.into_iter()
}

/// Leaves the first lines, and the last one, which has the names of the columns.
fn shorten(head: &mut Vec<TableLine>, lines_max: usize) {
    if head.len() <= lines_max {
        return;
    }
    match head.pop() {
        Some(last) if lines_max > 1 => {
            head.truncate(lines_max - 1);
            head.push(last);
        }
        _ => head.truncate(lines_max),
    }
}

/// How many of these sessions have room, each with all its lines, but at least one.
fn fitting<'a>(sessions: impl Iterator<Item = &'a Vec<TableLine>>, room: usize) -> usize {
    let mut used = 0;
    let mut is_first = true;
    let fits = |lines: &&Vec<TableLine>| {
        used += lines.len();
        std::mem::take(&mut is_first) || used <= room
    };
    sessions.take_while(fits).count()
}

fn foot(above: usize, below: usize) -> String {
    match (above, below) {
        (0, 0) => "q quits".to_owned(),
        (0, below) => format!("… {below} more; arrows scroll, q quits"),
        (above, 0) => format!("… {above} above; arrows scroll, q quits"),
        (above, below) => format!("… {below} more, {above} above; arrows scroll, q quits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with sessions that have these numbers of lines.
    fn table(sessions: &[usize]) -> Table {
        let line = |text: &str| TableLine::new(LineKind::Plain, text);
        let sessions = sessions.iter().enumerate();
        Table {
            head: vec![line("head")],
            sessions: sessions
                .map(|(number, lines)| vec![line(&format!("#{number}")); *lines])
                .collect(),
        }
    }

    #[track_caller]
    fn check(sessions: &[usize], rows: usize, keys: &[Key], expected: &str) {
        let mut scroll = Scroll::default();
        let mut page = Page::new(table(sessions), None, (60, rows), &mut scroll);
        for key in keys {
            scroll.on_key(*key);
            page = Page::new(table(sessions), None, (60, rows), &mut scroll);
        }
        let lines: Vec<&str> = page.0.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(lines.len(), rows, "{lines:?}");
        assert_eq!(lines.join("|"), expected);
    }

    #[test]
    fn the_page_has_whole_sessions() {
        let foot = "arrows scroll, q quits";
        check(&[1, 1], 5, &[], "head|#0|#1||q quits");
        let four = [1, 2, 1, 1];
        check(&four, 4, &[], &format!("head|#0||… 3 more; {foot}"));
        let (down, up) = (Key::Down, Key::Up);
        let middle = format!("head|#1|#1|… 2 more, 1 above; {foot}");
        check(&four, 4, &[down], &middle);
        let last = format!("head|#2|#3|… 2 above; {foot}");
        check(&four, 4, &[Key::End], &last);
        check(&four, 4, &[down, down, down, down], &last);
        check(&four, 4, &[Key::End, up], &middle);
        check(
            &four,
            4,
            &[Key::PageDown, Key::PageDown, Key::PageDown],
            &last,
        );
        check(
            &four,
            4,
            &[Key::End, Key::Home],
            &format!("head|#0||… 3 more; {foot}"),
        );
        // A terminal that is too small shows what it can.
        check(&[3, 1], 3, &[], &format!("head|#0|… 1 more; {foot}"));
        check(&[1], 1, &[], "q quits");
        check(&[], 0, &[], "");
    }

    #[test]
    fn a_server_that_is_gone_is_named_above_what_is_known() {
        let mut scroll = Scroll::default();
        let page = Page::new(table(&[1]), Some("it has ended"), (30, 6), &mut scroll);
        let lines: Vec<&str> = page.0.iter().map(|line| line.text.as_str()).collect();
        let expected = [
            "no answer, trying again: it",
            "has ended",
            "head",
            "#0",
            "",
            "q quits",
        ];
        assert_eq!(lines, expected);
        let is_warning = |line: &TableLine| line.kind == LineKind::Warning;
        assert!(page.0[..2].iter().all(is_warning));
    }

    /// A terminal beside others, of which half is for sessions.
    #[test]
    fn a_small_terminal_has_room_for_sessions() {
        let line = |text: &str| TableLine::new(LineKind::Plain, text);
        let page = |sessions: &[usize], rows| {
            let mut table = table(sessions);
            table.head = ["server", "now", "totals", "more", "NO"].map(line).to_vec();
            let page = Page::new(table, None, (60, rows), &mut Scroll::default());
            let lines: Vec<String> = page.0.into_iter().map(|line| line.text).collect();
            lines.join("|")
        };
        let foot = |more| format!("… {more} more; arrows scroll, q quits");
        let few = format!("server|now|NO|#0|#1|#2|#3|{}", foot(2));
        assert_eq!(page(&[1; 6], 8), few);
        assert_eq!(page(&[1, 1, 1], 8), "server|now|totals|NO|#0|#1|#2|q quits");
        let all = "server|now|totals|more|NO|#0|#1|q quits";
        assert_eq!(page(&[1, 1], 8), all);
        assert_eq!(page(&[1, 1], 5), format!("server|NO|#0|#1|q quits"));
        assert_eq!(page(&[1, 1], 4), format!("server|#0|#1|q quits"));
        assert_eq!(page(&[1, 1], 2), format!("#0|{}", foot(1)));
    }
}
