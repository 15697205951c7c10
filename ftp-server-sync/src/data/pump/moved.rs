//! The outcome of moving bytes once.

use std::io::{self, ErrorKind};

use ftp_proto::TransferError;

/// The outcome of moving bytes.
pub(super) enum Moved {
    Bytes(usize),
    /// Bytes have come, and are not stored.
    NotStored(usize, TransferError),
    /// No byte yet: call again. What a listing has cost is counted already.
    Nothing,
    /// Nor here: a long part of a file was searched.
    Searched,
    Blocked,
    End,
}

/// The outcome of one read or write.
pub(super) fn moved(result: io::Result<usize>) -> Result<Moved, TransferError> {
    match result {
        Ok(0) => Ok(Moved::End),
        Ok(count) => Ok(Moved::Bytes(count)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock => Ok(Moved::Blocked),
            ErrorKind::Interrupted => Ok(Moved::Nothing),
            _ => Err(TransferError::ConnectionLost),
        },
    }
}
