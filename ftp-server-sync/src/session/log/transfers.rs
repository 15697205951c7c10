//! Lines in the file of `--xferlog`: one for each file that was sent, received or removed.

use std::time::Duration;

use ftp_proto::{FileRequest, FtpPath, Representation, TransferKind, TransferRequest};

use super::SessionLog;
use crate::accounts::users::is_anonymous;
use crate::logging::clock;
use crate::logging::xferlog::{Direction, TransferLine};
use crate::session::transfer_facts::TransferFacts;

/// What a line says of a file.
struct FileEnd<'a> {
    direction: Direction,
    path: &'a FtpPath,
    is_ascii: bool,
    bytes: u64,
    time: Duration,
    is_complete: bool,
}

impl SessionLog {
    /// A transfer has ended, whose data connection was there. Listings have no line.
    pub(in crate::session) fn transferred(
        &self,
        request: &TransferRequest,
        facts: &TransferFacts,
        is_complete: bool,
    ) {
        let Some(time) = facts.moving.filter(|_| self.transfers.file.is_on()) else {
            return;
        };
        let (direction, path) = match (&request.kind, &facts.target) {
            (TransferKind::List(_), _) => return,
            (TransferKind::Retrieve { path, .. }, _) => (Direction::Outgoing, path),
            // STOU has chosen the name.
            (TransferKind::Store { .. }, Some(target)) => (Direction::Incoming, target),
            (TransferKind::Store { path, .. }, None) => (Direction::Incoming, path),
        };
        self.write_transfer(&FileEnd {
            direction,
            path,
            is_ascii: request.representation == Representation::Ascii,
            bytes: facts.bytes,
            // Readers divide by it.
            time: time.max(Duration::from_secs(1)),
            is_complete,
        });
    }

    /// A file was removed, if this is what was requested.
    pub(super) fn removed(&self, request: &FileRequest) {
        if let FileRequest::DeleteFile(path) = request
            && self.transfers.file.is_on()
        {
            self.write_transfer(&FileEnd {
                direction: Direction::Deleted,
                path,
                is_ascii: false,
                bytes: 0,
                time: Duration::ZERO,
                is_complete: true,
            });
        }
    }

    fn write_transfer(&self, end: &FileEnd<'_>) {
        let now = clock::unix_seconds();
        let zone = self.transfers.zone.as_ref();
        let name = &self.context.name;
        let user = name.user().unwrap_or_default();
        let line = TransferLine {
            local_time: now + i64::from(zone.map_or(0, |zone| zone.utc_offset(now))),
            // Rounded.
            seconds: (end.time + Duration::from_millis(500)).as_secs(),
            client: name.client(),
            bytes: end.bytes,
            path: end.path.as_bytes(),
            is_ascii: end.is_ascii,
            direction: end.direction,
            user: &user,
            is_anonymous: is_anonymous(&user),
            is_complete: end.is_complete,
        };
        self.transfers.file.push(&line.to_string());
    }
}
