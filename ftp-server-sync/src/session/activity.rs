//! What the session is doing, for the threads that show it.

use ftp_proto::{Opened, TransferKind, TransferRequest, UploadStart};

use super::connection::Connection;
use crate::data::connection::DataActivity;
use crate::data::transfer::Transfer;
use crate::status::record::{Doing, TransferRecord};
use crate::status::snapshot::Direction;

impl Connection {
    /// Nothing is being performed by now.
    pub(super) fn note_doing(&self) {
        let doing = match self.data.activity() {
            _ if self.is_performing() => return,
            DataActivity::Idle => Doing::Nothing,
            DataActivity::Queued { since } => Doing::Queued { since },
            DataActivity::Listening { port } => Doing::Listening { port },
            DataActivity::Connected => Doing::Connected,
        };
        self.record.set_doing(doing);
    }

    /// Whether a command that was noted goes on in the next turns.
    fn is_performing(&self) -> bool {
        self.long_request.is_some() || self.opening_listing.is_some() || self.busy_upload.is_some()
    }

    /// The file of a transfer is open.
    pub(super) fn note_transfer(&mut self, request: &TransferRequest, opened: &Opened) {
        let direction = direction(request);
        let allocated = self.allocated.take();
        let offset = offset(request);
        let path = request.kind.path();
        let unique = opened.name.as_ref();
        let unique = unique.and_then(|name| path.parent().child(name));
        self.record.begin_transfer(TransferRecord {
            command: request.kind.command(),
            path: unique.as_ref().unwrap_or(path).as_bytes().to_vec(),
            direction,
            is_protected: false,
            passive_port: None,
            offset,
            size: match direction {
                Direction::Download => opened.bytes.map(|bytes| offset.saturating_add(bytes)),
                Direction::Upload => allocated,
                Direction::Listing => None,
            },
            connected: None,
        });
    }

    /// Bytes of the transfer have moved.
    pub(super) fn count_bytes(&self, bytes: u64) {
        if let Some(transfer) = &self.transfer {
            let counts = &self.server.counts;
            counts
                .transfers(direction(&transfer.request))
                .bytes
                .add(bytes);
        }
    }

    /// The transfer has ended.
    pub(super) fn count_transfer(&self, transfer: &Transfer, is_complete: bool) {
        let counts = self.server.counts.transfers(direction(&transfer.request));
        let ended = if is_complete {
            &counts.completed
        } else {
            &counts.failed
        };
        ended.add(1);
    }
}

fn direction(request: &TransferRequest) -> Direction {
    match &request.kind {
        TransferKind::Retrieve { .. } => Direction::Download,
        TransferKind::Store { .. } => Direction::Upload,
        TransferKind::List(_) => Direction::Listing,
    }
}

fn offset(request: &TransferRequest) -> u64 {
    match &request.kind {
        TransferKind::Retrieve { offset, .. } => *offset,
        TransferKind::Store {
            start: UploadStart::At { offset, .. },
            ..
        } => offset.get(),
        TransferKind::Store { .. } | TransferKind::List(_) => 0,
    }
}
