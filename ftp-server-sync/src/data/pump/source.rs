//! What a pump sends from a buffer: a listing, or a file that is not sent by `sendfile`.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use ftp_proto::{TransferError, ascii};

use crate::data::step_budget::StepBudget;
use crate::fs::list::{ListLimit, ListingLines, NextLine};

#[derive(Debug)]
pub(super) enum Source {
    Listing(Box<ListingLines>),
    /// Without an encoder the bytes stay unchanged: for files that `sendfile` cannot send.
    File {
        file: File,
        offset: u64,
        size: u64,
        encoder: Option<ascii::Encoder>,
    },
}

impl Source {
    /// Fills `buffer` anew. False if nothing comes after it.
    pub(super) fn fill(
        &mut self,
        buffer: &mut Vec<u8>,
        budget: &mut StepBudget,
    ) -> Result<bool, TransferError> {
        match self {
            Self::Listing(lines) => {
                buffer.clear();
                let entries = ListLimit::entries_for(budget.work());
                let mut limit = ListLimit::new(entries, budget.ends());
                let result = loop {
                    match lines.next_line(buffer, &mut limit) {
                        Ok(NextLine::Line | NextLine::Pending) => {}
                        Ok(NextLine::End) => break Ok(false),
                        Err(_) => break Err(TransferError::LocalRead),
                    }
                    // What is there is sent: the client sees progress on a slow disk too.
                    if buffer.len() >= BUFFER_BYTES || limit.is_reached() {
                        break Ok(true);
                    }
                };
                budget.spend_work(limit.cost());
                result
            }
            Self::File {
                file,
                offset,
                size,
                encoder,
            } => {
                let left = usize::try_from(*size - *offset).unwrap_or(usize::MAX);
                if left == 0 {
                    buffer.clear();
                    return Ok(false);
                }
                // While the buffer was full each time, this does not overwrite it with zeros.
                buffer.resize(left.min(BUFFER_BYTES), 0);
                match file.read_at(buffer, *offset) {
                    Ok(0) => return Err(TransferError::LocalRead),
                    Ok(count) => {
                        buffer.truncate(count);
                        *offset += count as u64;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => buffer.clear(),
                    Err(_) => return Err(TransferError::LocalRead),
                }
                if let Some(encoder) = encoder {
                    let text = std::mem::take(buffer);
                    encoder.push(&text, buffer);
                }
                Ok(true)
            }
        }
    }
}

/// How much is read, or made, at once.
const BUFFER_BYTES: usize = 64 * 1024;
