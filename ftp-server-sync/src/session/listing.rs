//! File requests that are performed in steps, and what listings notice.

use ftp_proto::listing::WalkNotice;
use ftp_proto::{FileAnswer, FileRequest, Outcome, Refusal};
use log::{Level, info, log};

use super::connection::Connection;
use super::log::file_request;
use crate::fs::long_request::{LongRequest, is_last};

impl Connection {
    /// Begins a request that takes longer. False: this one does not.
    pub(super) fn begin_long_request(&mut self, request: &FileRequest) -> Result<bool, Refusal> {
        let long = LongRequest::begin(&self.root, &self.server.hash_slots, request)?;
        self.long_request = long.map(|long| (long, file_request(request)));
        Ok(self.long_request.is_some())
    }

    /// Performs the next step of the request. Uses a part of the turn's budget.
    pub(super) fn advance_long_request(&mut self, budget: &mut usize) -> bool {
        let Some((mut request, subject)) = self.long_request.take_if(|_| *budget > 0) else {
            return false;
        };
        *budget = budget.saturating_sub(request.step_cost());
        let result = request.step();
        self.log_notices(request.take_notices());
        match result {
            Ok(None) => self.long_request = Some((request, subject)),
            Ok(Some(answer)) => {
                if let FileAnswer::Digest(digest) = &answer {
                    info!("#{} {subject}: {} bytes", self.number, digest.length);
                }
                if !is_last(&answer) {
                    self.long_request = Some((request, subject));
                }
                self.answer(Outcome::File(Ok(answer)));
            }
            Err(refusal) => {
                self.log.set_subject(subject);
                self.answer(Outcome::File(Err(refusal)));
            }
        }
        true
    }

    /// Whether a digest is being computed.
    pub(super) fn is_hashing(&self) -> bool {
        let request = self.long_request.as_ref();
        request.is_some_and(|(request, _)| request.is_hash())
    }

    /// Stops a digest, because the client says so.
    pub(super) fn abort_long_request(&mut self) -> Option<Outcome> {
        let (_, subject) = self.long_request.take()?;
        info!("#{} {subject}: the client aborted it", self.number);
        Some(Outcome::File(Err(Refusal::Failed)))
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
