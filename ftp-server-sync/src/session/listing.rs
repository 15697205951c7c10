//! File requests and listings that are performed in steps, and what listings notice.

use std::mem;

use ftp_proto::listing::{Walk, WalkNotice};
use ftp_proto::{FileAnswer, FileRequest, Opened, Outcome, Refusal, Representation};
use log::{Level, info, log};

use super::connection::Connection;
use super::opening_listing::OpeningListing;
use super::subject::file_request;
use crate::data::transfer::Transfer;
use crate::fs::list::ListLimit;
use crate::fs::long_request::{LongRequest, is_last};
use crate::fs::tree::Tree;
use crate::logging::clock::unix_seconds;

impl Connection {
    /// Begins a request that takes longer. False: this one does not.
    ///
    /// # Errors
    ///
    /// The file system's refusal; [`Refusal::TextNotCounted`] for a file that is too large;
    /// [`Refusal::Busy`] if too many digests are being computed.
    pub(super) fn begin_long_request(
        &mut self,
        tree: &Tree,
        request: &FileRequest,
    ) -> Result<bool, Refusal> {
        let long = match request {
            FileRequest::Status(listing) => {
                let walk = Walk::of_status(listing.clone(), unix_seconds());
                LongRequest::Status(tree.status(self.set_up_walk(walk)).into())
            }
            FileRequest::Size {
                path,
                representation: Representation::Ascii,
            } => LongRequest::TextSize(tree.text_size(path)?),
            FileRequest::Hash(request) => {
                LongRequest::Hash(tree.hash(&self.server.hash_slots, request)?.into())
            }
            _ => return Ok(false),
        };
        let subject = file_request(request, self.session.file_command());
        self.long_request = Some((long, subject).into());
        Ok(true)
    }

    /// The walk as this server does it: with dates in local time if the operator wants them so, and
    /// with one limit for the memory of all.
    pub(super) fn set_up_walk(&self, walk: Walk) -> Walk {
        let walk = walk.sorting_in(self.server.sort_memory.clone());
        match self.current.settings.local_time.clone() {
            Some(zone) => walk.in_time_zone(move |time| zone.utc_offset(time)),
            None => walk,
        }
    }

    /// Goes on with the listing, if there is one and the turn has budget left.
    pub(super) fn advance_opening_listing(&mut self) -> bool {
        if self.opening_listing.is_none() || self.budget.bytes() == 0 {
            return false;
        }
        if let Some(outcome) = self.step_opening_listing() {
            self.answer(outcome);
        }
        true
    }

    /// `None`: the transfer cannot begin yet.
    #[inline(never)]
    pub(super) fn step_opening_listing(&mut self) -> Option<Outcome> {
        let mut opening = self.opening_listing.take()?;
        let mut limit = self.list_limit();
        let result = opening.pump.begin_listing(&mut limit);
        self.budget.spend(limit.cost());
        self.log_notices(opening.pump.take_notices());
        match result {
            Ok(false) => {
                self.opening_listing = Some(opening);
                None
            }
            Ok(true) => {
                let OpeningListing { request, pump } = *opening;
                self.note_transfer(&request, &Opened::default());
                self.transfer = Some(Transfer::new(request, pump, None).into());
                Some(Outcome::TransferOpened(Ok(Opened::default())))
            }
            Err(refusal) => Some(self.refuse_transfer(&opening.request, refusal)),
        }
    }

    /// Performs the next step of the request. Uses a part of the turn's budget.
    #[inline(never)]
    pub(super) fn advance_long_request(&mut self) -> bool {
        let budget = &mut self.budget;
        let Some(mut long_request) = self.long_request.take_if(|_| budget.bytes() > 0) else {
            return false;
        };
        let (request, subject) = &mut *long_request;
        let mut limit = self.list_limit();
        let result = request.step(&mut limit);
        self.budget.spend(request.step_cost() + limit.cost());
        self.log_notices(request.take_notices());
        match result {
            Ok(None) => self.long_request = Some(long_request),
            Ok(Some(answer)) => {
                if let FileAnswer::Digest(digest) = &answer {
                    info!("{} {subject}: {} bytes", self.name, digest.length);
                }
                if !is_last(&answer) {
                    self.long_request = Some(long_request);
                }
                self.answer(Outcome::File(Ok(answer)));
            }
            Err(refusal) => {
                self.log.set_subject(mem::take(subject));
                self.answer(Outcome::File(Err(refusal)));
            }
        }
        true
    }

    /// What is left of the turn for a listing.
    fn list_limit(&mut self) -> ListLimit {
        let entries = ListLimit::entries_for(self.budget.bytes());
        ListLimit::new(entries, self.budget.ends())
    }

    /// Whether a digest is being computed.
    pub(super) fn is_hashing(&self) -> bool {
        let request = self.long_request.as_ref();
        request.is_some_and(|long| long.0.is_hash())
    }

    /// Stops a digest, because the client says so.
    #[inline(never)]
    pub(super) fn abort_long_request(&mut self) -> Option<Outcome> {
        let (_, subject) = &*self.long_request.take()?;
        info!("{} {subject}: the client aborted it", self.name);
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
            log!(level, "{} {notice}", self.name);
        }
    }
}
