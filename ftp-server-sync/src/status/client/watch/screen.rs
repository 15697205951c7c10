//! The terminal while it is ours: another screen, no cursor, keys without a line end.

use std::io::{self, IsTerminal, Write};
use std::{env, mem};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    Clear, ClearType, DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use rustix::termios::tcgetwinsize;

use super::page::Page;
use crate::status::client::table::{LineKind, TableLine};

/// Gives the terminal back when it is dropped.
pub(super) struct Screen {
    has_colors: bool,
    is_raw: bool,
    /// Of the last page. What stays the same is not sent again: a serial line is slow.
    shown: Vec<TableLine>,
    shown_size: (usize, usize),
}

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        let no_color = env::var_os("NO_COLOR");
        let mut screen = Self {
            has_colors: no_color.is_none_or(|value| value.is_empty()),
            is_raw: false,
            shown: Vec::new(),
            shown_size: (0, 0),
        };
        // Without keys, only a signal ends it: Ctrl-C must stay one.
        if io::stdin().is_terminal() {
            enable_raw_mode()?;
            screen.is_raw = true;
        }
        execute!(io::stdout(), EnterAlternateScreen, Hide, DisableLineWrap)?;
        Ok(screen)
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (usize, usize) {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (size.ws_col.into(), size.ws_row.into())
            }
            // Serial consoles do not know their size.
            _ => (80, 24),
        }
    }

    pub(super) fn draw(&mut self, page: &Page) -> io::Result<()> {
        let size = self.size();
        let mut bytes = Vec::new();
        if mem::replace(&mut self.shown_size, size) != size {
            self.shown.clear();
            queue!(bytes, Clear(ClearType::All))?;
        }
        for (row, line) in page.0.iter().enumerate() {
            let Ok(number) = u16::try_from(row) else {
                break;
            };
            if self.shown.get(row) != Some(line) {
                // Behind a line that fills its row, the cursor is still in the last column: a clear
                // after the text would remove its last character.
                queue!(bytes, MoveTo(0, number), Clear(ClearType::CurrentLine))?;
                self.queue_line(&mut bytes, line)?;
            }
        }
        self.shown.clone_from(&page.0);
        let mut stdout = io::stdout();
        stdout.write_all(&bytes)?;
        stdout.flush()
    }

    fn queue_line(&self, bytes: &mut Vec<u8>, line: &TableLine) -> io::Result<()> {
        match line.kind {
            LineKind::Plain => {}
            LineKind::Heading => queue!(bytes, SetAttribute(Attribute::Reverse))?,
            LineKind::Warning if self.has_colors => {
                queue!(bytes, SetForegroundColor(Color::Yellow))?;
            }
            LineKind::Warning => queue!(bytes, SetAttribute(Attribute::Bold))?,
        }
        queue!(bytes, Print(&line.text))?;
        if line.kind != LineKind::Plain {
            queue!(bytes, SetAttribute(Attribute::Reset))?;
            if self.has_colors {
                queue!(bytes, ResetColor)?;
            }
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs none of it.
        let _ = execute!(io::stdout(), EnableLineWrap, Show, LeaveAlternateScreen);
        if self.is_raw {
            let _ = disable_raw_mode();
        }
    }
}
