//! The queue of lines that arrived while the session was busy.

use alloc::collections::VecDeque;

use crate::command::{Command, CommandLine};
use crate::config::limits::{HELD_BYTES_MAX, HELD_LINES_MAX};
use crate::reply::Reply;
use crate::secret::Secret;

/// The queue has limits for lines and bytes; while it is full, the session wants no input.
#[derive(Debug, Default)]
pub(super) struct Held {
    items: VecDeque<HeldItem>,
    bytes: usize,
}

#[derive(Debug)]
pub(super) enum HeldItem {
    Line(HeldLine),
    /// The reply to a line that will not be executed, in its place among the others.
    Reply(Reply),
    /// An ABOR that has been executed; only its reply 226 is left to send.
    Abort,
}

/// A command line without Telnet, parsed already.
#[derive(Debug)]
pub(super) struct HeldLine {
    pub(super) command: Command,
    /// It may be a password.
    argument: Secret,
    with_doubled: Option<Secret>,
    /// How many bytes the line has, the command's name included.
    length: usize,
}

impl HeldLine {
    pub(super) fn parsed(&self) -> CommandLine<'_> {
        CommandLine {
            command: self.command,
            argument: self.argument.expose(),
            with_doubled: self.with_doubled.as_ref().map(Secret::expose),
            length: self.length,
        }
    }
}

impl Held {
    pub(super) fn push_reply(&mut self, reply: Reply) {
        self.items.push_back(HeldItem::Reply(reply));
    }

    pub(super) fn push_abort(&mut self) {
        self.items.push_back(HeldItem::Abort);
    }

    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= HELD_LINES_MAX || self.bytes >= HELD_BYTES_MAX
    }

    pub(super) fn push_line(&mut self, line: CommandLine<'_>) {
        self.bytes += line.length;
        self.items.push_back(HeldItem::Line(HeldLine {
            command: line.command,
            argument: Secret::new(line.argument),
            with_doubled: line.with_doubled.map(Secret::new),
            length: line.length,
        }));
    }

    pub(super) fn pop(&mut self) -> Option<HeldItem> {
        let item = self.items.pop_front();
        if let Some(HeldItem::Line(line)) = &item {
            self.bytes -= line.length;
        }
        item
    }

    /// Whether the queue contains an ABOR.
    pub(super) fn has_abort(&self) -> bool {
        self.items
            .iter()
            .any(|item| matches!(item, HeldItem::Abort))
    }
}
