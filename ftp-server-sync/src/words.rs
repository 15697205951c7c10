//! The log's lines about sessions: one for each login, transfer and refusal, with its session's number.
//!
//! Names come from the network: control characters are escaped. A password is never in a line.

use std::time::Instant;

use ftp_proto::{
    Endpoints, FileRequest, Path, Reply, TransferError, TransferKind, TransferRequest,
};
use log::{debug, info, log_enabled, warn};

use crate::data::Listening;
use crate::transfer::Transfer;

/// Text that may be shown in a terminal: what is not printable is escaped.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character.is_control() {
                true => text.extend(character.escape_default()),
                false => text.push(character),
            }
        }
        text.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    text
}

/// A command line, for debugging: without the password.
pub(crate) fn log_command(number: u64, line: &[u8]) {
    if !log_enabled!(log::Level::Debug) {
        return;
    }
    let line = line.trim_ascii_end();
    // Telnet bytes may come before the verb, so it is looked for rather than expected.
    let secret = |verb: &[u8]| line.windows(4).any(|word| word.eq_ignore_ascii_case(verb));
    match secret(b"PASS") || secret(b"ACCT") {
        true => debug!("#{number} > PASS (hidden)"),
        false => debug!("#{number} > {}", printable(line)),
    }
}

/// A reply: what is refused stands in the log, the rest only when debugging.
pub(crate) fn log_reply(number: u64, reply: &Reply, encoded: &[u8], subject: Option<String>) {
    let first = encoded
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or(encoded);
    if reply.code() < 400 {
        debug!("#{number} < {}", printable(first));
        return;
    }
    match subject {
        Some(subject) => info!("#{number} {subject} refused: {}", printable(first)),
        None => info!("#{number} refused: {}", printable(first)),
    }
}

/// How a transfer ended.
pub(crate) fn log_transfer(
    number: u64,
    transfer: &Transfer,
    result: Result<(), TransferError>,
    now: Instant,
) {
    let what = match &transfer.unique_name {
        Some(name) => format!("STOU {}", printable(name)),
        None => transfer_request(&transfer.request),
    };
    let bytes = transfer.bytes();
    let seconds = transfer
        .connected
        .map_or(0.0, |since| (now - since).as_secs_f64());
    let rate = match seconds > 0.0 {
        true => format!(", {:.2} MB/s", bytes as f64 / 1e6 / seconds),
        false => String::new(),
    };
    match result {
        Ok(()) => info!("#{number} {what}: {bytes} bytes in {seconds:.3} s{rate}"),
        Err(error) => warn!("#{number} {what} failed after {bytes} bytes: {error}"),
    }
}

/// A client was told a port and did not come; `early`: it was given up because others wait.
pub(crate) fn log_never_connected(
    number: u64,
    listening: &Listening,
    endpoints: &Endpoints,
    early: bool,
) {
    let port = listening.port();
    let peer = endpoints.peer().ip();
    match early {
        true => info!("#{number} {peer} has not connected to port {port}, for which others wait"),
        false => warn!("#{number} {peer} never connected to port {port}: is the port forwarded?"),
    }
}

pub(crate) fn transfer_request(request: &TransferRequest) -> String {
    let (command, path) = (request.kind.command(), request.kind.path());
    match &request.kind {
        TransferKind::Retrieve { offset, .. } | TransferKind::Store { offset, .. }
            if *offset > 0 =>
        {
            format!("{command} {path} from {offset}")
        }
        _ => format!("{command} {path}"),
    }
}

pub(crate) fn file_request(request: &FileRequest) -> String {
    let with = |command: &str, path: &Path| format!("{command} {path}");
    match request {
        FileRequest::ChangeDirectory(path) => with("CWD", path),
        FileRequest::MakeDirectory(path) => with("MKD", path),
        FileRequest::RemoveDirectory(path) => with("RMD", path),
        FileRequest::DeleteFile(path) => with("DELE", path),
        FileRequest::RenameFrom(path) => with("RNFR", path),
        FileRequest::Rename { from, to } => format!("RNTO {from} to {to}"),
        FileRequest::Size(path) => with("SIZE", path),
        FileRequest::ModifiedTime(path) => with("MDTM", path),
        FileRequest::Facts(path) => with("MLST", path),
        FileRequest::Status(path) => with("STAT", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_the_network_reaches_the_terminal_raw() {
        assert_eq!(
            printable(b"a\x1b[2J\r\n\xff\xe4\xb8\xad"),
            "a\\u{1b}[2J\\r\\n\\xff中"
        );
    }
}
