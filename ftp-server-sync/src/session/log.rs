//! The log's lines about sessions: one for each login, transfer and refusal, with its session's
//! number.
//!
//! Names come from the network: control characters are escaped. A password is never in a line.

use std::time::{Duration, Instant};

use ftp_proto::text::printable;
use ftp_proto::{
    FileRequest, FtpPath, Reply, Session, TransferError, TransferKind, TransferRequest, limits,
};
use log::{debug, info, warn};

use super::end_reason::EndReason;
use crate::data::transfer::Transfer;

/// What a session's dialogue leaves in the log. At the ordinary level these are refusals, with the
/// command that they answer, and only of those who have logged in, and not too many: nobody shall be
/// able to fill the disk with them.
#[derive(Debug)]
pub(crate) struct SessionLog {
    number: u64,
    /// The beginning of the last command line, as far as it may be shown.
    command: Beginning,
    /// The next reply is about a transfer, of whose failure the log has told.
    told: bool,
    refusals: u32,
    /// The rest of an overlong line is being thrown away.
    discarding: bool,
}

/// The first bytes of a line.
#[derive(Debug)]
struct Beginning {
    bytes: [u8; COMMAND_BYTES_SHOWN],
    length: usize,
}

impl SessionLog {
    pub(crate) fn new(number: u64) -> Self {
        Self {
            number,
            command: Beginning::of(b""),
            told: false,
            refusals: 0,
            discarding: false,
        }
    }

    /// Input that the core has used: a command line, or a piece of one that is too long.
    pub(crate) fn command(&mut self, input: &[u8]) {
        let is_whole = input.ends_with(b"\n") && !self.discarding;
        let begins = !self.discarding;
        self.discarding = !input.ends_with(b"\n");
        let shown = match is_whole && input.len() <= limits::LINE_BYTES_MAX {
            true if holds_secret(input) => b"PASS (hidden)",
            true => input.trim_ascii_end(),
            false => b"(overlong line)",
        };
        self.command = Beginning::of(shown);
        if begins {
            debug!("#{} > {}", self.number, printable(shown));
        }
    }

    /// The log has told of a transfer that failed; its reply comes next.
    pub(crate) fn transfer_told(&mut self) {
        self.told = true;
    }

    /// A reply, and what it is about where that is known better than by the last command.
    pub(crate) fn reply(
        &mut self,
        reply: &Reply,
        encoded: &[u8],
        subject: Option<String>,
        logged_in: bool,
    ) {
        let number = self.number;
        let first = encoded
            .split(|&byte| byte == b'\r')
            .next()
            .unwrap_or(encoded);
        let first = || printable(first);
        debug!("#{number} < {}", first());
        // 421 is no refusal, and of missing data connections the log tells by itself.
        let told = std::mem::take(&mut self.told);
        let refused = logged_in && !told && !matches!(reply.code(), ..400 | 421 | 425 | 426);
        if !refused || self.refusals > REFUSALS_LOGGED_MAX {
            return;
        }
        self.refusals += 1;
        if self.refusals > REFUSALS_LOGGED_MAX {
            return info!("#{number} further refusals of this session are not logged");
        }
        let subject = subject.unwrap_or_else(|| printable(self.command.bytes()).to_string());
        info!("#{number} {subject} refused: {}", first());
    }
}

impl Beginning {
    fn of(line: &[u8]) -> Self {
        let length = line.len().min(COMMAND_BYTES_SHOWN);
        let mut bytes = [0; COMMAND_BYTES_SHOWN];
        bytes[..length].copy_from_slice(&line[..length]);
        Self { bytes, length }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Whether a line is, or might be, a PASS or an ACCT. Telnet bytes may come before the verb.
fn holds_secret(line: &[u8]) -> bool {
    let is_secret = |verb: &[u8]| {
        verb.get(..4).is_some_and(|verb| {
            verb.eq_ignore_ascii_case(b"PASS") || verb.eq_ignore_ascii_case(b"ACCT")
        })
    };
    match line.first() {
        Some(0x80..) => line.windows(4).any(is_secret),
        _ => is_secret(line.trim_ascii_start()),
    }
}

/// What a session is doing, for SIGUSR1.
pub(crate) fn log_session(number: u64, session: &Session, doing: &str, age: Duration) {
    let peer = session.endpoints().peer();
    let user = match session.user() {
        Some(user) => printable(user).to_string(),
        None => "not logged in".to_owned(),
    };
    info!("#{number} {peer}, {user}, for {} s: {doing}", age.as_secs());
}

/// How a transfer ended.
pub(crate) fn log_transfer(
    number: u64,
    transfer: &Transfer,
    result: Result<(), TransferError>,
    cause: Option<EndReason>,
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
        // Why, is told for all clients together.
        Err(_) if transfer.connected.is_none() => info!("#{number} {what}: no data connection"),
        Err(TransferError::Aborted) => {
            let cause = cause.map_or("the client aborted it".to_owned(), |cause| {
                cause.to_string()
            });
            info!("#{number} {what} ended after {bytes} bytes: {cause}");
        }
        Err(error) => warn!("#{number} {what} failed after {bytes} bytes: {error}"),
    }
}

/// A client has connected, and TLS was not established in time.
pub(crate) fn log_never_shook_hands(number: u64, session: &Session) {
    let peer = session.endpoints().peer().ip();
    warn!("#{number} {peer} did not finish the TLS handshake of its data connection in time");
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
    let with = |command: &str, path: &FtpPath| format!("{command} {path}");
    match request {
        FileRequest::ChangeDirectory(path) => with("CWD", path),
        FileRequest::MakeDirectory { path, .. } => with("MKD", path),
        FileRequest::RemoveDirectory(path) => with("RMD", path),
        FileRequest::DeleteFile(path) => with("DELE", path),
        FileRequest::RenameFrom(path) => with("RNFR", path),
        FileRequest::Rename { from, to } => format!("RNTO {from} to {to}"),
        FileRequest::Size(path) => with("SIZE", path),
        FileRequest::ModifiedTime(path) => with("MDTM", path),
        FileRequest::ChangeMode { path, mode } => format!("SITE CHMOD {mode:04o} {path}"),
        FileRequest::SetModified { path, .. } => with("MFMT", path),
        FileRequest::Facts(path) => with("MLST", path),
        FileRequest::Status(selection) => with("STAT", &selection.path),
    }
}

/// Of a command, in a line about its refusal.
const COMMAND_BYTES_SHOWN: usize = 128;

/// Of one session.
const REFUSALS_LOGGED_MAX: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_and_files_are_not() {
        for line in ["PASS x", "pass x", " PASS x", "PASS", "ACCT x"] {
            assert!(holds_secret(line.as_bytes()), "{line}");
        }
        assert!(holds_secret(b"\xff\xfdAPASS x"));
        for line in ["RETR passport.jpg", "CWD /compass", "PAS", "NOOP"] {
            assert!(!holds_secret(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn pieces_of_an_overlong_line_are_not_kept() {
        let mut log = SessionLog::new(1);
        log.command(&[b'A'; limits::LINE_BYTES_MAX]);
        assert_eq!(log.command.bytes(), b"(overlong line)");
        log.command(b"SECRET\r\n");
        assert_eq!(log.command.bytes(), b"(overlong line)");
        log.command(b"CWD /a\r\n");
        assert_eq!(log.command.bytes(), b"CWD /a");
    }
}
