//! STAT with a path, and what listings notice.

use ftp_proto::listing::{ListRequest, Walk, WalkNotice};
use ftp_proto::{FileAnswer, FileRequest, Outcome};
use log::{Level, log};

use super::connection::Connection;
use super::log::file_request;
use crate::fs::root::Root;
use crate::logging::clock::unix_seconds;

impl Connection {
    /// Begins to search for the entries of STAT with a path.
    pub(super) fn begin_status(
        &mut self,
        root: &Root,
        request: &FileRequest,
        listing: &ListRequest,
    ) {
        let walk = Walk::of_status(listing.clone(), unix_seconds());
        let entries = root.status(self.in_time_zone(walk));
        self.status = Some((entries, file_request(request)));
    }

    /// The walk, with dates in local time if the operator wants them so.
    pub(super) fn in_time_zone(&self, walk: Walk) -> Walk {
        match self.current.settings.local_time.clone() {
            Some(zone) => walk.in_time_zone(move |time| zone.utc_offset(time)),
            None => walk,
        }
    }

    /// Searches on. Uses a part of the turn's budget: a search takes time too.
    pub(super) fn advance_status(&mut self, budget: &mut usize) -> bool {
        let Some((mut entries, subject)) = self.status.take_if(|_| *budget > 0) else {
            return false;
        };
        *budget = budget.saturating_sub(STEP_COST);
        let result = entries.next_batch();
        self.log_notices(entries.take_notices());
        match result {
            Ok(None) => self.status = Some((entries, subject)),
            Ok(Some(batch)) => {
                if !batch.is_last {
                    self.status = Some((entries, subject));
                }
                self.answer(Outcome::File(Ok(FileAnswer::Entries(batch))));
            }
            Err(refusal) => {
                self.log.set_subject(subject);
                self.answer(Outcome::File(Err(refusal)));
            }
        }
        true
    }

    /// Logs what a listing has noticed.
    pub(super) fn log_notices(&self, notices: Vec<WalkNotice>) {
        for notice in notices {
            let level = if notice.is_warning() {
                Level::Warn
            } else {
                Level::Debug
            };
            log!(level, "#{} {notice}", self.number);
        }
    }
}

/// What one step of a search uses of a turn's bytes: it looks at some hundred names.
const STEP_COST: usize = 64 * 1024;
