//! The log lines of a session: one for each login, transfer and refused command, each with the
//! session's name in front.
//!
//! Names come from the network: they are escaped. No line ever holds a password, and strangers
//! cannot cause lines without limit.

mod once;
mod transfers;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::Instant;

use ftp_proto::text::{Printable, loggable, printable};
use ftp_proto::{
    AnnounceReason, Announcement, FileRequest, NeverConnected, PassiveOffer, Refusal, Reply,
    TransferError, WireNames, limits,
};
use log::{Level, debug, info, log, log_enabled, warn};

use super::command_start::CommandStart;
use super::end_reason::{EndReason, LostClient};
use super::hints::{
    DENY_COMMANDS, FREE_SPACE_MIN, MAX_UPLOAD_SIZE, MAX_UPLOAD_SIZE_OF_USER, QUOTA,
    REQUIRE_CLOSE_NOTIFY, WRITE, hint,
};
use super::stored_paths::StoredPaths;
use super::subject::{file_request, refused_request};
use super::transfer_facts::TransferFacts;
use super::transfer_log::TransferLog;
use crate::logging::fields::Subject;
use crate::logging::repeated::Event;
use crate::logging::session_name::LogContext;
use crate::logging::system_text::SystemText;

/// What the log has, or needs, of a session's commands and replies.
///
/// At level `info` a refused command is logged with its reply, but only of clients that have logged
/// in, and not without limit: no client can fill the disk with its refusals.
#[derive(Debug)]
pub(super) struct SessionLog {
    context: LogContext,
    transfers: TransferLog,
    /// Lines from before the login, which strangers can cause; written at the login.
    withheld: Vec<String>,
    has_logged_in: bool,
    /// What a refusal names where the login may change nothing.
    read_only_hint: &'static str,
    /// What limits the size of files for this login.
    max_upload_size_hint: &'static str,
    last_command: Instant,
    /// Why the session, or its transfer, is about to end.
    end_reason: Option<EndReason>,
    /// The last reply that says that the session ends.
    farewell: Option<String>,
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
    stored: StoredPaths,
    /// The next reply is about a transfer whose failure is in the log already.
    is_failure_logged: bool,
    refusals: u32,
    /// The rest of an overlong line is being discarded.
    discarding: bool,
    is_not_resumed_logged: bool,
    is_bare_end_logged: bool,
    is_binary_text_logged: bool,
    is_one_to_one_nat_logged: bool,
    is_read_only_logged: bool,
    is_login_without_tls_logged: bool,
}

impl SessionLog {
    // Not inlined, and in a box, so that the stack of the caller has none of it.
    #[inline(never)]
    pub(super) fn boxed(context: LogContext, transfers: TransferLog, now: Instant) -> Box<Self> {
        Box::new(Self {
            context,
            transfers,
            withheld: Vec::new(),
            has_logged_in: false,
            read_only_hint: WRITE,
            max_upload_size_hint: MAX_UPLOAD_SIZE,
            last_command: now,
            end_reason: None,
            farewell: None,
            announced: None,
            never_connected: 0,
            command: CommandStart::default(),
            subject: None,
            flag: None,
            stored: StoredPaths::default(),
            is_failure_logged: false,
            refusals: 0,
            discarding: false,
            is_not_resumed_logged: false,
            is_bare_end_logged: false,
            is_binary_text_logged: false,
            is_one_to_one_nat_logged: false,
            is_read_only_logged: false,
            is_login_without_tls_logged: false,
        })
    }

    /// A line at level `info` that any stranger can cause: before the login it is written with
    /// `--debug` only, and else once the client has logged in.
    pub(super) fn progress(&mut self, line: fmt::Arguments<'_>) {
        let name = &self.context.name;
        if self.has_logged_in {
            info!("{name} {line}");
        } else if log_enabled!(Level::Debug) {
            debug!("{name} {line}");
        } else if log_enabled!(Level::Info) && self.withheld.len() < WITHHELD_MAX {
            // With the name that the session has now.
            self.withheld.push(format!("{name} {line}"));
        }
    }

    /// The user has logged in, whose name is in the session's name by now. `read_only_hint`: what
    /// names the reason if the login may change nothing.
    pub(super) fn logged_in(&mut self, read_only_hint: &'static str) {
        let name = &self.context.name;
        for line in std::mem::take(&mut self.withheld) {
            info!("{line}");
        }
        info!("{name} logged in");
        self.has_logged_in = true;
        self.read_only_hint = read_only_hint;
    }

    /// A TLS handshake on the control connection has failed.
    pub(super) fn no_tls(&mut self, error: &io::Error, now: Instant) {
        self.set_end_reason(EndReason::NoTls);
        let LogContext { name, events } = &self.context;
        let reason = format!("no TLS: {}", SystemText(error));
        let line = format_args!("{name} {reason}");
        let event = Event::new(reason.clone(), Level::Info).by(name.client());
        events.on_event(event, now, line);
    }

    /// Input that the core has used: a command line, or a piece of one that is too long.
    pub(super) fn command(&mut self, input: &[u8], names: &WireNames, now: Instant) {
        let is_whole = input.ends_with(b"\n") && !self.discarding;
        let begins = !self.discarding;
        self.discarding = !input.ends_with(b"\n");
        let shown = if is_whole && input.len() <= limits::LINE_BYTES_MAX {
            loggable(input)
        } else {
            Cow::Borrowed(&b"(overlong line)"[..])
        };
        let shown = names.decode(&shown).unwrap_or(Cow::Borrowed(&shown));
        self.command.set(&shown);
        if begins {
            self.last_command = now;
            debug!("{} > {}", self.context.name, printable(&shown));
        }
    }

    /// The name of the last command.
    pub(super) fn command_name(&self) -> &[u8] {
        let line = self.command.bytes().trim_ascii();
        line.split(u8::is_ascii_whitespace).next().unwrap_or(line)
    }

    /// The last command is not offered, because the operator says so.
    pub(super) fn command_denied(&mut self) {
        self.flag = Some(DENY_COMMANDS);
    }

    /// Whether the last command was ABOR, perhaps behind the signals of Telnet.
    pub(super) fn has_aborted(&self) -> bool {
        let command = self.command.bytes();
        let verb = command.last_chunk::<4>();
        verb.is_some_and(|verb| verb.eq_ignore_ascii_case(b"ABOR"))
    }

    /// The next refusal is about this.
    pub(super) fn set_subject(&mut self, subject: String) {
        self.subject = Some(subject);
    }

    /// Whether an option of the user limits the size of files, instead of the flag.
    pub(super) fn set_own_upload_max(&mut self, is_own: bool) {
        self.max_upload_size_hint = if is_own {
            MAX_UPLOAD_SIZE_OF_USER
        } else {
            MAX_UPLOAD_SIZE
        };
    }

    /// The next refusal is about this, for this reason. `hidden_by`: what hides its path, if
    /// something does.
    pub(super) fn set_refused(
        &mut self,
        subject: String,
        refusal: Refusal,
        hidden_by: Option<&'static str>,
    ) {
        self.subject = Some(subject);
        self.flag = match refusal {
            Refusal::NotFound => hidden_by,
            Refusal::FileTooLarge => Some(self.max_upload_size_hint),
            Refusal::SpaceReserved => Some(FREE_SPACE_MIN),
            Refusal::QuotaExceeded(_) => Some(QUOTA),
            _ => None,
        };
    }

    /// Whether no line is about this reply: it is no refusal, and `--debug` is not given. What the
    /// next refusal would be about is forgotten then.
    pub(super) fn is_without_line(&mut self, reply: &Reply) -> bool {
        let is_without = reply.code() < REFUSALS && !log_enabled!(Level::Debug);
        if is_without {
            self.subject = None;
            self.flag = None;
            self.is_failure_logged = false;
        }
        is_without
    }

    /// A reply, as the core made it, and its first line as it is sent but for the names in it.
    /// Returns what a refusal with a line is about.
    pub(super) fn reply(
        &mut self,
        reply: &Reply,
        first: &[u8],
        is_logged_in: bool,
    ) -> Option<String> {
        let first = printable(first);
        debug!("{} < {first}", self.context.name);
        if reply.code() == SESSION_ENDS {
            self.farewell = Some(first.to_string());
        }
        let subject = self.subject.take();
        let flag = self.flag.take();
        let is_logged = std::mem::take(&mut self.is_failure_logged);
        // 421 ends the session, and lost or missing data connections have lines of their own.
        let is_refusal = is_logged_in && !matches!(reply.code(), ..REFUSALS | 421 | 425 | 426);
        let is_unknown = matches!(reply.code(), UNKNOWN_COMMAND | NOT_IMPLEMENTED)
            && flag != Some(DENY_COMMANDS);
        let is_enough = self.refusals > REFUSALS_LOGGED_MAX && !is_unknown;
        if !is_refusal || is_logged || is_enough {
            return None;
        }
        let subject = subject
            .or_else(|| reply.refused().map(refused_request))
            .unwrap_or_else(|| Subject(self.command.bytes()).to_string());
        if is_unknown {
            self.unknown_command(&subject, first);
            return None;
        }
        self.refusals += 1;
        let hint = match self.read_only_hint(reply) {
            Some(read_only) => read_only.to_owned(),
            None => hint(flag),
        };
        let name = &self.context.name;
        if self.refusals > REFUSALS_LOGGED_MAX {
            info!("{name} further refusals of this session are not logged");
            return None;
        }
        info!("{name} {subject} refused: {first}{hint}");
        Some(subject)
    }

    fn unknown_command(&self, subject: &str, reply: Printable<'_>) {
        let LogContext { name, events } = &self.context;
        let event = Event::new(UNKNOWN_COMMANDS, Level::Info).by(name.client());
        let line = format_args!("{name} {subject} refused: {reply}");
        events.on_event(event, Instant::now(), line);
    }

    /// Why the login may change nothing, once in a session.
    fn read_only_hint(&mut self, reply: &Reply) -> Option<&'static str> {
        let is_cause = reply.refused()?.is_read_only_login;
        let is_news = is_cause && !std::mem::replace(&mut self.is_read_only_logged, true);
        is_news.then_some(self.read_only_hint)
    }

    /// The client has changed something. The time and the mode of a file that it has stored are a
    /// part of the upload.
    pub(super) fn changed(&self, request: &FileRequest, command: Option<&str>) {
        self.removed(request);
        let is_part = match request {
            FileRequest::ChangeMode { path, .. } | FileRequest::SetModified { path, .. } => {
                self.stored.contain(path)
            }
            _ => false,
        };
        let level = if is_part { Level::Debug } else { Level::Info };
        if log_enabled!(level) {
            let subject = file_request(request, command);
            log!(level, "{} {subject}", self.context.name);
        }
    }

    /// When the last command came.
    pub(super) fn last_command(&self) -> Instant {
        self.last_command
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

    /// The session has ended. The line always says how.
    pub(super) fn closed(&self, has_quit: bool) {
        let LogContext { name, events } = &self.context;
        let log = |line: fmt::Arguments<'_>| {
            if self.has_logged_in {
                info!("{line}");
            } else {
                let event = Event::new(WITHOUT_LOGIN, Level::Info).by(name.client());
                events.only_count(event, Instant::now(), line);
            }
        };
        match (self.end_reason, &self.farewell) {
            (Some(reason), _) => log(format_args!("{name} closed: {reason}")),
            (None, _) if has_quit => log(format_args!("{name} closed: the client sent QUIT")),
            (None, Some(reply)) => log(format_args!("{name} closed: {reply}")),
            (None, None) => log(format_args!("{name} closed: its control connection ended")),
        }
    }

    /// What the client is sent to, at level `info` once in a session and when it changes, unless
    /// the client is in the same network.
    pub(super) fn announcement(&mut self, offer: &PassiveOffer) {
        let announced = offer.announcement;
        let is_known = self.announced.replace(announced) == Some(announced);
        // The address that a client in the same network connected to is no news.
        let is_local = matches!(announced.reason, AnnounceReason::LocalClient(_));
        let level = if is_known || is_local {
            Level::Debug
        } else {
            Level::Info
        };
        log!(
            level,
            "{} passive mode announces {}, port {}, by {}",
            self.context.name,
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
            "{} was sent to {} and did not connect",
            self.context.name, last.offer
        );
        true
    }

    /// How a transfer ended. Programs read these lines: `VERB PATH: …`.
    pub(super) fn transfer(&mut self, facts: &TransferFacts, result: Result<(), TransferError>) {
        self.is_failure_logged |= result.is_err();
        if let (Ok(()), Some(target)) = (result, &facts.target) {
            self.stored.add(target);
        }
        let session = &self.context.name;
        let TransferFacts { name, bytes, .. } = facts;
        // A stall ends the transfer only, not the session.
        let reason = match self.end_reason {
            Some(EndReason::Stalled(_) | EndReason::GaveWay) => self.end_reason.take(),
            other => other,
        };
        let seconds = facts.moving.unwrap_or_default().as_secs_f64();
        let rate = facts.rate();
        match result {
            Ok(()) => info!("{session} {name}: {bytes} bytes in {seconds:.3} s{rate}"),
            // The log of clients that did not connect says why, for all of them together.
            Err(_) if facts.moving.is_none() => {
                info!("{session} {name}: no data connection");
            }
            Err(TransferError::Aborted) => {
                let reason = reason.map_or("the client aborted it".to_owned(), |reason| {
                    reason.to_string()
                });
                let left = facts.left();
                info!("{session} {name} ended after {bytes} bytes: {reason}{left}");
            }
            // The disk is not to blame.
            Err(_) if facts.found_nothing => info!("{session} {name}: nothing matches"),
            Err(error) => {
                let hint = hint(match error {
                    TransferError::FileTooLarge => Some(self.max_upload_size_hint),
                    TransferError::SpaceReserved => Some(FREE_SPACE_MIN),
                    TransferError::QuotaExceeded(_) => Some(QUOTA),
                    TransferError::NoCloseNotify => Some(REQUIRE_CLOSE_NOTIFY),
                    _ => None,
                });
                let (cause, left) = (facts.cause(), facts.left());
                warn!("{session} {name} failed after {bytes} bytes: {error}{cause}{hint}{left}");
            }
        }
    }

    /// The client connected, and TLS was not established in time.
    pub(super) fn handshake_timeout(&self, peer: IpAddr) {
        let name = &self.context.name;
        warn!("{name} {peer} did not finish the TLS handshake of its data connection in time");
    }
}

/// The kind of sessions that end without a login.
const WITHOUT_LOGIN: &str = "sessions without a login";

/// The kind of commands that are refused because the server does not know them.
const UNKNOWN_COMMANDS: &str = "unknown commands";

/// The codes of refusals begin here.
const REFUSALS: u16 = 400;

/// The codes of these refusals.
const UNKNOWN_COMMAND: u16 = 500;
const NOT_IMPLEMENTED: u16 = 502;

/// The code of replies before the session ends.
const SESSION_ENDS: u16 = 421;

/// The lines before a login: the connection, and TLS.
const WITHHELD_MAX: usize = 4;

/// Refusals of one session in the log.
const REFUSALS_LOGGED_MAX: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::file_log::FileLog;
    use crate::logging::repeated::RepeatedEvents;
    use crate::logging::session_name::SessionName;

    #[test]
    fn pieces_of_an_overlong_line_are_not_kept() {
        let context = LogContext {
            name: SessionName::new(1, IpAddr::from([198, 51, 100, 7])),
            events: RepeatedEvents::new(None).into(),
        };
        let transfers = TransferLog {
            file: FileLog::new(),
            zone: None,
        };
        let now = Instant::now();
        let mut log = SessionLog::boxed(context, transfers, now);
        let names = WireNames::default();
        log.command(&[b'A'; limits::LINE_BYTES_MAX], &names, now);
        assert_eq!(log.command.bytes(), b"(overlong line)");
        log.command(b"SECRET\r\n", &names, now);
        assert_eq!(log.command.bytes(), b"(overlong line)");
        log.command(b"CWD /a\r\n", &names, now);
        assert_eq!(log.command.bytes(), b"CWD /a");
    }
}
