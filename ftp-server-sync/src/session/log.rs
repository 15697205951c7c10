//! The log lines of a session: one for each login, transfer and refused command, with the session's
//! number.
//!
//! Names come from the network: control characters are escaped. No line ever holds a password.

use std::fmt;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ftp_proto::text::{loggable, printable};
use ftp_proto::{
    Announcement, FileRequest, FtpPath, NeverConnected, PassiveOffer, Refusal, Reply,
    TransferError, TransferKind, TransferRequest, UploadStart, limits,
};
use log::{Level, debug, info, log, warn};

use super::end_reason::{EndReason, LostClient};
use crate::data::transfer::Transfer;
use crate::fs::upload::UploadEnd;

/// What the log has, or needs, of a session's commands and replies.
///
/// At level `info` a refused command is logged with its reply, but only of clients that have logged
/// in, and not without limit: no client can fill the disk with its refusals.
#[derive(Debug)]
pub(super) struct SessionLog {
    number: u64,
    started: Instant,
    last_command: Instant,
    /// Why the session, or its transfer, is about to end.
    end_reason: Option<EndReason>,
    /// The last announcement in the log.
    announced: Option<Announcement>,
    /// How many of the connections that the core has counted as never opened are in the log.
    never_connected: u32,
    /// The start of the last command line, without secrets.
    command: CommandStart,
    /// What the next refusal is about, where that is more precise than the command line.
    subject: Option<String>,
    /// The flag that causes the next refusal.
    flag: Option<&'static str>,
    /// The next reply is about a transfer whose failure is in the log already.
    is_failure_logged: bool,
    refusals: u32,
    /// The rest of an overlong line is being discarded.
    discarding: bool,
    is_not_resumed_logged: bool,
    is_bare_end_logged: bool,
    is_binary_text_logged: bool,
    is_one_to_one_nat_logged: bool,
    is_login_without_tls_logged: bool,
}

/// What the log says of a transfer that has ended.
#[derive(Debug)]
pub(super) struct TransferFacts {
    /// The command and the path.
    pub(super) name: String,
    pub(super) bytes: u64,
    /// How an upload failed, and what it has left.
    pub(super) upload_end: Option<UploadEnd>,
    /// How long its data connection was established; `None` if there was none.
    pub(super) moving: Option<Duration>,
}

/// The first bytes of a command line.
#[derive(Debug)]
struct CommandStart {
    bytes: [u8; COMMAND_BYTES_SHOWN],
    length: usize,
}

impl SessionLog {
    pub(super) fn new(number: u64, now: Instant) -> Self {
        Self {
            number,
            started: now,
            last_command: now,
            end_reason: None,
            announced: None,
            never_connected: 0,
            command: CommandStart::of(b""),
            subject: None,
            flag: None,
            is_failure_logged: false,
            refusals: 0,
            discarding: false,
            is_not_resumed_logged: false,
            is_bare_end_logged: false,
            is_binary_text_logged: false,
            is_one_to_one_nat_logged: false,
            is_login_without_tls_logged: false,
        }
    }

    /// Input that the core has used: a command line, or a piece of one that is too long.
    pub(super) fn command(&mut self, input: &[u8]) {
        let is_whole = input.ends_with(b"\n") && !self.discarding;
        let begins = !self.discarding;
        self.discarding = !input.ends_with(b"\n");
        let shown = if is_whole && input.len() <= limits::LINE_BYTES_MAX {
            loggable(input)
        } else {
            b"(overlong line)"
        };
        self.command = CommandStart::of(shown);
        if begins {
            self.last_command = Instant::now();
            debug!("#{} > {}", self.number, printable(shown));
        }
    }

    /// The next refusal is about this.
    pub(super) fn set_subject(&mut self, subject: String) {
        self.subject = Some(subject);
    }

    /// The next refusal is about this, for this reason. `is_hidden`: its path is one that the
    /// operator hides.
    pub(super) fn set_refused(&mut self, subject: String, refusal: Refusal, is_hidden: bool) {
        self.subject = Some(subject);
        self.flag = match refusal {
            Refusal::NotFound if is_hidden => Some(HIDE),
            Refusal::FileTooLarge => Some(MAX_UPLOAD_SIZE),
            Refusal::SpaceReserved => Some(FREE_SPACE_MIN),
            _ => None,
        };
    }

    /// A reply, as the core made it and as it is sent.
    pub(super) fn reply(&mut self, reply: &Reply, encoded: &[u8], is_logged_in: bool) {
        let number = self.number;
        let first = encoded
            .split(|&byte| byte == b'\r')
            .next()
            .unwrap_or(encoded);
        let first = || printable(first);
        debug!("#{number} < {}", first());
        let subject = self.subject.take();
        let hint = hint(self.flag.take());
        let is_logged = std::mem::take(&mut self.is_failure_logged);
        // 421 ends the session, and lost or missing data connections have lines of their own.
        let is_refusal = is_logged_in && !matches!(reply.code(), ..400 | 421 | 425 | 426);
        if !is_refusal || is_logged || self.refusals > REFUSALS_LOGGED_MAX {
            return;
        }
        self.refusals += 1;
        if self.refusals > REFUSALS_LOGGED_MAX {
            return info!("#{number} further refusals of this session are not logged");
        }
        let subject = subject.unwrap_or_else(|| printable(self.command.bytes()).to_string());
        info!("#{number} {subject} refused: {}{hint}", first());
    }

    /// How long the session has lasted.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Why the session, or its transfer, is about to end: the core's actions do not carry it.
    pub(super) fn set_end_reason(&mut self, reason: EndReason) {
        // An upload without its client stalls because of that.
        let is_consequence = matches!(reason, EndReason::Stalled(_));
        if !(is_consequence && matches!(self.end_reason, Some(EndReason::ClientGone(_)))) {
            self.end_reason = Some(reason);
        }
    }

    /// The control connection has ended, by this error if there is one. If it had ended before, the
    /// first reason stays.
    pub(super) fn set_client_gone(&mut self, error: Option<ErrorKind>, was_transferring: bool) {
        if let Some(EndReason::ClientGone(_)) = self.end_reason {
            return;
        }
        self.end_reason = Some(EndReason::ClientGone(LostClient {
            error,
            quiet: self.last_command.elapsed(),
            was_transferring,
        }));
    }

    /// The session has ended.
    pub(super) fn closed(&self) {
        match self.end_reason {
            Some(reason) => info!("#{} closed: {reason}", self.number),
            None => info!("#{} closed", self.number),
        }
    }

    /// What the client is sent to, at level `info` once in a session and when it changes.
    pub(super) fn announcement(&mut self, offer: &PassiveOffer) {
        let announced = offer.announcement;
        let level = if self.announced.replace(announced) == Some(announced) {
            Level::Debug
        } else {
            Level::Info
        };
        log!(
            level,
            "#{} passive mode announces {}, port {}, by {}",
            self.number,
            announced.address,
            offer.port,
            announced.reason
        );
    }

    /// The last data connection that was never opened. True if it is news.
    pub(super) fn never_connected(&mut self, last: &NeverConnected) -> bool {
        if self.never_connected == last.number {
            return false;
        }
        self.never_connected = last.number;
        debug!(
            "#{} was sent to {} and did not connect",
            self.number, last.offer
        );
        true
    }

    /// How a transfer ended. Programs read these lines: `VERB PATH: …`.
    pub(super) fn transfer(&mut self, facts: &TransferFacts, result: Result<(), TransferError>) {
        self.is_failure_logged |= result.is_err();
        let number = self.number;
        let TransferFacts { name, bytes, .. } = facts;
        // A stall ends the transfer only, not the session.
        let reason = match self.end_reason {
            Some(EndReason::Stalled(_) | EndReason::GaveWay) => self.end_reason.take(),
            other => other,
        };
        let seconds = facts.moving.map_or(0.0, |moving| moving.as_secs_f64());
        let rate = if seconds > 0.0 {
            format!(", {:.2} MB/s", *bytes as f64 / 1e6 / seconds)
        } else {
            String::new()
        };
        match result {
            Ok(()) => info!("#{number} {name}: {bytes} bytes in {seconds:.3} s{rate}"),
            // The log of clients that did not connect says why, for all of them together.
            Err(_) if facts.moving.is_none() => {
                info!("#{number} {name}: no data connection");
            }
            Err(TransferError::Aborted) => {
                let reason = reason.map_or("the client aborted it".to_owned(), |reason| {
                    reason.to_string()
                });
                let left = facts.left();
                info!("#{number} {name} ended after {bytes} bytes: {reason}{left}");
            }
            Err(error) => {
                let hint = hint(match error {
                    TransferError::FileTooLarge => Some(MAX_UPLOAD_SIZE),
                    TransferError::SpaceReserved => Some(FREE_SPACE_MIN),
                    TransferError::NoCloseNotify => Some(REQUIRE_CLOSE_NOTIFY),
                    _ => None,
                });
                let (cause, left) = (facts.cause(), facts.left());
                warn!("#{number} {name} failed after {bytes} bytes: {error}{cause}{hint}{left}");
            }
        }
    }

    /// The client connected, and TLS was not established in time.
    pub(super) fn handshake_timeout(&self, peer: IpAddr) {
        let number = self.number;
        warn!("#{number} {peer} did not finish the TLS handshake of its data connection in time");
    }

    /// A data connection did not resume the TLS session of its control connection. Once in a
    /// session.
    pub(super) fn not_resumed(&mut self) {
        if !std::mem::replace(&mut self.is_not_resumed_logged, true) {
            info!(
                "#{} the client's data connections do not resume the TLS session of its control \
                 connection: nothing proves that they are its own",
                self.number
            );
        }
    }

    /// The client named this private address for active mode, and the address of its control
    /// connection is used. Once in a session.
    pub(super) fn active_address_replaced(&mut self, named: IpAddr, used: IpAddr) {
        if !std::mem::replace(&mut self.is_one_to_one_nat_logged, true) {
            info!(
                "#{} active mode: the client named {named}; connecting to {used} instead",
                self.number
            );
        }
    }

    /// A login in clear text was refused. `name` is quoted. Once in a session.
    pub(super) fn login_without_tls(&mut self, peer: IpAddr, name: &dyn fmt::Display) {
        if !std::mem::replace(&mut self.is_login_without_tls_logged, true) {
            info!(
                "#{} login refused from {peer} as {name}: TLS is required \
                 (--tls-control-required); choose explicit TLS in the client",
                self.number
            );
        }
    }

    /// An upload in type A looks like binary data, and is damaged if so. Once in a session.
    pub(super) fn binary_text(&mut self, name: &str) {
        if !std::mem::replace(&mut self.is_binary_text_logged, true) {
            warn!(
                "#{} {name} in type A holds NUL or bare CR bytes: binary data loses bytes in type \
                 A; let the client send TYPE I, or give --ascii never",
                self.number
            );
        }
    }

    /// An upload ended without close_notify. At level `info` once in a session.
    pub(super) fn bare_end(&mut self) {
        let level = if std::mem::replace(&mut self.is_bare_end_logged, true) {
            Level::Debug
        } else {
            Level::Info
        };
        log!(
            level,
            "#{} the client ended an upload without close_notify; it counts as complete",
            self.number
        );
    }
}

impl CommandStart {
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

impl TransferFacts {
    /// The system's error.
    fn cause(&self) -> String {
        let error = self.upload_end.as_ref().and_then(|end| end.error.as_ref());
        error.map_or(String::new(), |error| format!(" ({error})"))
    }

    /// What is left of an upload.
    fn left(&self) -> String {
        let end = self.upload_end.as_ref();
        end.map_or(String::new(), |end| format!("; {}", end.kept))
    }

    /// What the log line of a transfer needs, by now.
    pub(super) fn of(transfer: &Transfer, now: Instant) -> Self {
        Self {
            name: match &transfer.unique_name {
                Some(name) => unique_file(transfer.request.kind.path(), name),
                None => transfer_request(&transfer.request),
            },
            bytes: transfer.bytes(),
            upload_end: transfer.upload_end().cloned(),
            moving: transfer.connected.map(|since| now - since),
        }
    }
}

/// Where to read on, at the end of a line.
fn hint(flag: Option<&'static str>) -> String {
    flag.map_or(String::new(), |flag| format!(" (see {flag})"))
}

/// A transfer as log lines name it.
pub(super) fn transfer_request(request: &TransferRequest) -> String {
    let (command, path) = (request.kind.command(), request.kind.path());
    let offset = match &request.kind {
        TransferKind::Retrieve { offset, .. } => *offset,
        TransferKind::Store {
            start: UploadStart::At { offset, .. },
            ..
        } => offset.get(),
        TransferKind::Store { .. } | TransferKind::List(_) => 0,
    };
    let start = match offset {
        0 => format!("{command} {path}"),
        _ => format!("{command} {path} from {offset}"),
    };
    match &request.kind {
        TransferKind::Retrieve { end: Some(end), .. } => format!("{start} to before {end}"),
        _ => start,
    }
}

/// An upload with STOU as log lines name it: the name that was chosen, in the directory of the one
/// that was suggested.
fn unique_file(suggested: &FtpPath, name: &[u8]) -> String {
    let path = suggested.parent().child(name);
    path.map_or_else(
        || format!("STOU {}", printable(name)),
        |path| format!("STOU {path}"),
    )
}

/// A file command as log lines name it.
pub(super) fn file_request(request: &FileRequest) -> String {
    let with = |command: &str, path: &FtpPath| format!("{command} {path}");
    match request {
        FileRequest::ChangeDirectory(path) => with("CWD", path),
        FileRequest::MakeDirectory { path, .. } => with("MKD", path),
        FileRequest::RemoveDirectory(path) => with("RMD", path),
        FileRequest::DeleteFile(path) => with("DELE", path),
        FileRequest::RenameFrom(path) => with("RNFR", path),
        FileRequest::Rename { from, to, .. } => format!("RNTO {from} to {to}"),
        FileRequest::Size { path, .. } => with("SIZE", path),
        FileRequest::ModifiedTime(path) => with("MDTM", path),
        FileRequest::ChangeMode { path, mode } => format!("SITE CHMOD {mode:04o} {path}"),
        FileRequest::SetModified { path, .. } => with("MFMT", path),
        FileRequest::Facts(path) => with("MLST", path),
        FileRequest::Hash(request) => {
            format!("{} of {}", request.algorithm.name(), request.path)
        }
        FileRequest::Status(listing) => with("STAT", &listing.selection.path),
    }
}

const HIDE: &str = "--hide";
const MAX_UPLOAD_SIZE: &str = "--max-upload-size";
const FREE_SPACE_MIN: &str = "--free-space-min";
const REQUIRE_CLOSE_NOTIFY: &str = "--tls-require-close-notify";

/// Bytes of a command line in a log line about its refusal.
const COMMAND_BYTES_SHOWN: usize = 128;

/// Refusals of one session in the log.
const REFUSALS_LOGGED_MAX: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_stou_has_its_directory() {
        let path = |text: &[u8]| FtpPath::parse(text).unwrap();
        let name = unique_file(&path(b"/in/report"), b"report.1");
        assert_eq!(name, "STOU /in/report.1");
        assert_eq!(unique_file(&path(b"/upload"), b"upload"), "STOU /upload");
    }

    #[test]
    fn pieces_of_an_overlong_line_are_not_kept() {
        let mut log = SessionLog::new(1, Instant::now());
        log.command(&[b'A'; limits::LINE_BYTES_MAX]);
        assert_eq!(log.command.bytes(), b"(overlong line)");
        log.command(b"SECRET\r\n");
        assert_eq!(log.command.bytes(), b"(overlong line)");
        log.command(b"CWD /a\r\n");
        assert_eq!(log.command.bytes(), b"CWD /a");
    }
}
