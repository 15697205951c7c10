//! Commands that came during a transfer, or while a passive port is awaited, and wait their turn.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::config::limits::{HELD_BYTES_MAX, HELD_LINES_MAX};
use crate::reply::Reply;

/// The queue, bounded by lines and bytes; once it is full the session wants no more input.
#[derive(Debug, Default)]
pub(super) struct Held {
    items: VecDeque<HeldItem>,
    bytes: usize,
}

#[derive(Debug)]
pub(super) enum HeldItem {
    /// A command line, Telnet already taken out.
    Line(Vec<u8>),
    /// The answer to something that will not be carried out, in its place among the others.
    Reply(Reply),
    /// An ABOR: it has acted already, only its 226 is owed.
    Abort,
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

    pub(super) fn push_line(&mut self, line: &[u8]) {
        self.bytes += line.len();
        self.items.push_back(HeldItem::Line(line.to_vec()));
    }

    pub(super) fn pop(&mut self) -> Option<HeldItem> {
        let item = self.items.pop_front();
        if let Some(HeldItem::Line(line)) = &item {
            self.bytes -= line.len();
        }
        item
    }

    /// Whether an ABOR stands behind what was popped last.
    pub(super) fn has_abort(&self) -> bool {
        self.items
            .iter()
            .any(|item| matches!(item, HeldItem::Abort))
    }
}
