//! Replies: all their texts. Only `encode` writes them as bytes.
//!
//! [`Reply`]'s constructors are private: handlers choose a reply by its name. Only the lines inside
//! FEAT, HELP and STAT are written where their values are.
//!
//! Only the core makes a [`Reply`], and [`Reply::encode`] replaces control bytes, so no file name
//! can end a line and forge a second reply.

mod digests;
mod encode;
mod refusals;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::kept::Kept;
use crate::refused_request::RefusedRequest;
use encode::{coded_line, encode_text, is_plain_text};

/// A reply to the client (RFC 959, section 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    /// What is borrowed is a text of this program, without bytes that must not be sent.
    first: Cow<'static, [u8]>,
    /// Most replies have one line.
    others: Option<Box<OtherLines>>,
    /// For the driver's log; not sent.
    refused: Option<Box<RefusedRequest>>,
}

/// The further lines of a multi-line reply.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OtherLines {
    /// One space is sent before each.
    middle: Vec<Vec<u8>>,
    last: Cow<'static, [u8]>,
}

impl Reply {
    /// The three-digit code.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// Appends the reply's bytes to `out`, with line ends. Control bytes (below space, and DEL)
    /// other than TAB become `?`, and FF is doubled, as Telnet requires (RFC 959, section 4.1.3;
    /// RFC 854).
    pub fn encode(&self, out: &mut Vec<u8>) {
        let Some(others) = &self.others else {
            coded_line(self.code, b' ', &self.first, out);
            return;
        };
        coded_line(self.code, b'-', &self.first, out);
        for line in &others.middle {
            out.push(b' ');
            encode_text(line, out);
        }
        coded_line(self.code, b' ', &others.last, out);
    }

    /// The reply's bytes alone: [`encode`](Self::encode) into a new vector.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }

    const fn fixed(code: u16, text: &'static str) -> Self {
        debug_assert!(is_plain_text(text.as_bytes()));
        Self {
            code,
            first: Cow::Borrowed(text.as_bytes()),
            others: None,
            refused: None,
        }
    }

    fn line(code: u16, text: impl Into<Vec<u8>>) -> Self {
        Self {
            code,
            first: Cow::Owned(text.into()),
            others: None,
            refused: None,
        }
    }

    fn lines(
        code: u16,
        first: impl Into<Vec<u8>>,
        middle: Vec<Vec<u8>>,
        last: impl Into<Cow<'static, [u8]>>,
    ) -> Self {
        Self {
            code,
            first: Cow::Owned(first.into()),
            others: Some(Box::new(OtherLines {
                middle,
                last: last.into(),
            })),
            refused: None,
        }
    }
}

/// A path in double quotes; quotes inside the path are doubled (RFC 959, appendix II).
fn quoted(path: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(path.len() + 2);
    text.push(b'"');
    for &byte in path {
        if byte == b'"' {
            text.push(b'"');
        }
        text.push(byte);
    }
    text.push(b'"');
    text
}

/// The replies with a fixed text.
#[rustfmt::skip]
impl Reply {
    // Login and the control connection.
    pub(crate) const NEED_PASSWORD: Self = Self::fixed(331, "User name okay, need password.");
    pub(crate) const NEED_GUEST_PASSWORD: Self = Self::fixed(331, "Guest login okay, send any password.");
    pub(crate) const LOGGED_IN: Self = Self::fixed(230, "Login successful.");
    pub(crate) const LOGIN_INCORRECT: Self = Self::fixed(530, "Login incorrect.");
    pub(crate) const LOGINS_EXHAUSTED: Self = Self::fixed(421, "Too many failed logins; closing control connection.");
    pub(crate) const NOT_LOGGED_IN: Self = Self::fixed(530, "Please log in with USER and PASS.");
    pub(crate) const USER_FIRST: Self = Self::fixed(503, "Send USER first.");
    pub(crate) const LAST_LOGIN: Self = Self::fixed(421, "Connect again to log in as another user.");
    pub(crate) const ALREADY_LOGGED_IN: Self = Self::fixed(503, "You are already logged in.");
    pub(crate) const ACCOUNT_SUPERFLUOUS: Self = Self::fixed(202, "No account is needed.");
    pub(crate) const HOST_ACCEPTED: Self = Self::fixed(220, "Host accepted.");
    pub(crate) const HOST_TOO_LATE: Self = Self::fixed(503, "HOST must come before USER.");
    pub(crate) const NEW_USER: Self = Self::fixed(220, "Service ready for new user.");
    pub(crate) const GOODBYE: Self = Self::fixed(221, "Goodbye.");
    pub(crate) const SHUTTING_DOWN: Self = Self::fixed(421, "The server is shutting down.");
    pub(crate) const ENDED_BY_OPERATOR: Self = Self::fixed(421, "The operator has ended this session.");
    pub(crate) const LOGIN_TIMEOUT: Self = Self::fixed(421, "Login timed out; closing control connection.");
    pub(crate) const IDLE_TIMEOUT: Self = Self::fixed(421, "No command for too long; closing control connection.");

    // Command lines.
    pub(crate) const UNKNOWN_COMMANDS_EXHAUSTED: Self = Self::fixed(421, "Too many unknown commands; closing control connection.");
    pub(crate) const LINE_TOO_LONG: Self = Self::fixed(500, "Command line too long.");
    pub(crate) const UNKNOWN_COMMAND: Self = Self::fixed(500, "Command not understood.");
    pub(crate) const NOT_IMPLEMENTED: Self = Self::fixed(502, "Command not implemented.");
    pub(crate) const NO_ARGUMENT_TAKEN: Self = Self::fixed(501, "This command takes no argument.");
    pub(crate) const ARGUMENT_NEEDED: Self = Self::fixed(501, "This command needs an argument.");
    pub(crate) const ARGUMENT_SYNTAX: Self = Self::fixed(501, "Syntax error in the argument.");
    pub(crate) const PARAMETER_NOT_IMPLEMENTED: Self = Self::fixed(504, "Not implemented for that parameter.");
    pub(crate) const OKAY: Self = Self::fixed(200, "Command okay.");
    pub(crate) const NO_SUCH_OPTIONS: Self = Self::fixed(501, "This command has no options.");
    pub(crate) const NO_SUCH_COMMAND: Self = Self::fixed(501, "There is no such command.");
    pub(crate) const UNKNOWN_SITE_COMMAND: Self = Self::fixed(500, "SITE command not understood; see SITE HELP.");

    // Security (RFC 4217).
    pub(crate) const AUTH_TLS: Self = Self::fixed(234, "Proceed with TLS negotiation.");
    pub(crate) const AUTH_AGAIN: Self = Self::fixed(503, "The control connection is already protected.");
    pub(crate) const AUTH_BUSY: Self = Self::fixed(503, "AUTH is not possible while another command runs.");
    pub(crate) const AUTH_INJECTION: Self = Self::fixed(421, "Unexpected bytes after AUTH; closing control connection.");
    pub(crate) const AUTH_UNKNOWN: Self = Self::fixed(504, "Only AUTH TLS is implemented.");
    pub(crate) const NOT_PROTECTED: Self = Self::fixed(503, "Send AUTH TLS first.");
    pub(crate) const BUFFER_SIZE_ZERO: Self = Self::fixed(200, "PBSZ=0");
    pub(crate) const BUFFER_SIZE_FIRST: Self = Self::fixed(503, "Send PBSZ 0 first.");
    pub(crate) const DATA_CLEAR: Self = Self::fixed(200, "Data connections will be in clear text.");
    pub(crate) const DATA_PRIVATE: Self = Self::fixed(200, "Data connections will be protected.");
    pub(crate) const PROTECTION_UNKNOWN: Self = Self::fixed(536, "Only PROT C and PROT P are implemented.");
    pub(crate) const CLEAR_REFUSED: Self = Self::fixed(534, "The control connection stays protected.");
    pub(crate) const LOGIN_NEEDS_TLS: Self = Self::fixed(530, "Send AUTH TLS first; no login in clear text.");
    pub(crate) const DATA_NEEDS_TLS: Self = Self::fixed(521, "Send PROT P first; no data in clear text.");
    pub(crate) const DATA_NOT_PROTECTED: Self = Self::fixed(522, "TLS negotiation failed on the data connection.");
    pub(crate) const DATA_NEVER_PROTECTED: Self = Self::fixed(425, "TLS was not established on the data connection in time.");
    pub(crate) const DATA_NOT_RESUMED: Self = Self::fixed(522, "The data connection must resume the TLS session of the control connection.");
    pub(crate) const REINITIALIZE_REFUSED: Self = Self::fixed(502, "REIN is not possible on a protected connection.");

    // Transfer parameters and information.
    pub(crate) const SYSTEM: Self = Self::fixed(215, "UNIX Type: L8");
    pub(crate) const TYPE_ASCII: Self = Self::fixed(200, "Type set to A.");
    pub(crate) const TYPE_ASCII_UNCONVERTED: Self = Self::fixed(200, "Type set to A; files are sent and stored as they are.");
    pub(crate) const TYPE_IMAGE: Self = Self::fixed(200, "Type set to I.");
    pub(crate) const MODE_STREAM: Self = Self::fixed(200, "Mode set to S.");
    pub(crate) const STRUCTURE_FILE: Self = Self::fixed(200, "Structure set to F.");
    pub(crate) const ALLOCATION_SUPERFLUOUS: Self = Self::fixed(200, "No storage allocation is needed.");
    pub(crate) const SPACE_UNKNOWN: Self = Self::fixed(550, "The file system does not say how much is free.");
    pub(crate) const NO_QUOTA: Self = Self::fixed(200, "Quota: none.");
    pub(crate) const LANGUAGE_ENGLISH: Self = Self::fixed(200, "Replies are in English.");
    pub(crate) const LANGUAGE_UNKNOWN: Self = Self::fixed(504, "Only English is implemented.");
    pub(crate) const FACTS_SYNTAX: Self = Self::fixed(501, "Each fact must end with a semicolon, for example \"type;size;\".");
    pub(crate) const UTF8_ALWAYS: Self = Self::fixed(200, "UTF-8 names are always accepted.");
    pub(crate) const UTF8_ON: Self = Self::fixed(200, "Names are in UTF-8 from now on.");
    pub(crate) const UTF8_OFF: Self = Self::fixed(200, "Names are in the character set of your account from now on.");
    pub(crate) const RESTART_IN_ASCII: Self = Self::fixed(501, "An upload cannot be restarted in type A; send TYPE I first.");
    pub(crate) const RESTART_MEANINGLESS: Self = Self::fixed(501, "REST has no meaning before this command.");

    // Files.
    pub(crate) const PATH_SYNTAX: Self = Self::fixed(501, "The path contains a byte that is not allowed.");
    pub(crate) const NAME_UNDECODABLE: Self = Self::fixed(501, "The path is not in the character set of your account; send OPTS UTF8 ON for UTF-8.");
    pub(crate) const PATH_TOO_LONG: Self = Self::fixed(501, "The path is too long.");
    pub(crate) const RENAME_READY: Self = Self::fixed(350, "Ready for RNTO.");
    pub(crate) const RENAME_FROM_FIRST: Self = Self::fixed(503, "Send RNFR first.");
    pub(crate) const DIRECTORY_CHANGED: Self = Self::fixed(250, "Directory changed.");
    pub(crate) const DIRECTORY_REMOVED: Self = Self::fixed(250, "Directory removed.");
    pub(crate) const FILE_DELETED: Self = Self::fixed(250, "File deleted.");
    pub(crate) const TIME_SET: Self = Self::fixed(200, "Modification time set.");
    pub(crate) const RENAMED: Self = Self::fixed(250, "Renamed.");

    // Data connections.
    pub(crate) const EPSV_ALL: Self = Self::fixed(200, "Only EPSV is accepted from now on.");
    pub(crate) const EPSV_ALL_ONLY: Self = Self::fixed(501, "Only EPSV is accepted after EPSV ALL.");
    pub(crate) const ONLY_ACTIVE: Self = Self::fixed(425, "PASV is for IPv4 only; use active mode.");
    pub(crate) const CONNECT_OVER_IPV4: Self = Self::fixed(425, "PASV is for IPv4 only; connect over IPv4.");
    pub(crate) const USE_EPSV: Self = Self::fixed(425, "PASV is for IPv4 only; use EPSV.");
    pub(crate) const ONLY_IPV4: Self = Self::fixed(522, "Network protocol not supported, use (1)");
    pub(crate) const ONLY_IPV6: Self = Self::fixed(522, "Network protocol not supported, use (2)");
    pub(crate) const FOREIGN_ADDRESS: Self = Self::fixed(501, "The address must be the one that you connect from; use PASV or EPSV behind a NAT router.");
    pub(crate) const GATEWAY_ADDRESS: Self = Self::fixed(501, "Active mode does not work through a gateway that clients share; use passive mode (PASV or EPSV).");
    pub(crate) const PRIVILEGED_PORT: Self = Self::fixed(504, "Ports below 1024 are refused.");
    pub(crate) const PORT_OKAY: Self = Self::fixed(200, "Active mode address accepted.");
    pub(crate) const PASSIVE_BUSY: Self = Self::fixed(425, "No passive port is free now; try again.");
    pub(crate) const PASSIVE_FAILED: Self = Self::fixed(425, "Cannot open a passive port.");
    pub(crate) const DATA_NOT_OPENED: Self = Self::fixed(425, "Cannot open the data connection.");

    // Transfers.
    pub(crate) const OPENING: Self = Self::fixed(150, "Opening data connection.");
    pub(crate) const TRANSFER_COMPLETE: Self = Self::fixed(226, "Transfer complete.");
    pub(crate) const TRANSFER_ABORTED: Self = Self::fixed(426, "Transfer aborted.");
    pub(crate) const TRANSFER_CUT: Self = Self::fixed(426, "The data connection was lost; transfer aborted.");
    pub(crate) const TRANSFER_WITHOUT_CLOSE_NOTIFY: Self = Self::fixed(426, "The data ended without TLS close_notify, so it may be incomplete; transfer aborted.");
    pub(crate) const TRANSFER_STALLED: Self = Self::fixed(426, "The data connection was idle for too long; transfer aborted.");
    pub(crate) const LOCAL_ERROR: Self = Self::fixed(451, "Local error; transfer aborted.");
    pub(crate) const STORAGE_FULL: Self = Self::fixed(452, "No space left; transfer aborted.");
    pub(crate) const FILE_TOO_LARGE: Self = Self::fixed(552, "The file is larger than this server accepts; transfer aborted.");
    pub(crate) const SPACE_RESERVED: Self = Self::fixed(452, "Too little space is free on the server; transfer aborted.");
    pub(crate) const ABORTED_BEFORE_START: Self = Self::fixed(426, "The command was aborted before it started.");
    pub(crate) const ABORT_DONE: Self = Self::fixed(226, "Abort successful.");
}

/// The replies that contain a value.
impl Reply {
    /// The 220 reply. Each line of the banner becomes a line of the reply.
    pub(crate) fn greeting(banner: &str) -> Self {
        let mut lines: Vec<Vec<u8>> = banner
            .lines()
            .map(|line| line.as_bytes().to_vec())
            .collect();
        let last = lines.pop().unwrap_or_default();
        if lines.is_empty() {
            return Self::line(220, last);
        }
        let first = lines.remove(0);
        Self::lines(220, first, lines, last)
    }

    /// The reply to FEAT.
    pub(crate) fn features(lines: Vec<Vec<u8>>) -> Self {
        Self::lines(211, "Features:", lines, &b"End."[..])
    }

    /// The reply to OPTS MLST (RFC 3659, section 7.9). `facts`: the selected ones.
    pub(crate) fn facts_selected(facts: &str) -> Self {
        Self::line(200, format!("MLST OPTS {facts}").trim_end())
    }

    /// The reply to HELP with a command.
    pub(crate) fn syntax(name: &str, syntax: &str, purpose: &str) -> Self {
        let usage = format!("{name} {syntax}");
        Self::line(214, format!("Syntax: {}; {purpose}.", usage.trim_end()))
    }

    pub(crate) fn commands(lines: Vec<Vec<u8>>) -> Self {
        Self::lines(
            214,
            "These commands are implemented:",
            lines,
            &b"End of help."[..],
        )
    }

    pub(crate) fn site_commands(lines: Vec<Vec<u8>>) -> Self {
        Self::lines(
            214,
            "These SITE commands are implemented:",
            lines,
            &b"End of help."[..],
        )
    }

    /// The reply to STAT without an argument.
    pub(crate) fn session_status(lines: Vec<Vec<u8>>) -> Self {
        Self::lines(211, "Status:", lines, &b"End of status."[..])
    }

    /// The reply to STAT with a path.
    pub(crate) fn file_status(lines: Vec<Vec<u8>>) -> Self {
        Self::lines(213, "Status:", lines, &b"End of status."[..])
    }

    /// The reply to MLST.
    pub(crate) fn entry(line: Vec<u8>) -> Self {
        Self::lines(250, "Listing:", [line].into(), &b"End."[..])
    }

    pub(crate) fn size(bytes: u64) -> Self {
        Self::line(213, format!("{bytes}"))
    }

    /// The reply to MDTM. `time`: a time-val (RFC 3659, section 2.3).
    pub(crate) fn modified(time: &[u8]) -> Self {
        Self::line(213, time)
    }

    /// The reply to MFMT. `name`: as the client sent it.
    pub(crate) fn modified_set(time: &[u8], name: &[u8]) -> Self {
        Self::line(213, [b"Modify=", time, b"; ", name].concat())
    }

    pub(crate) fn current_directory(path: &[u8]) -> Self {
        Self::line(
            257,
            [&quoted(path)[..], b" is the current directory."].concat(),
        )
    }

    pub(crate) fn directory_created(path: &[u8]) -> Self {
        Self::line(257, [&quoted(path)[..], b" created."].concat())
    }

    /// The reply to SITE CHMOD. `reduced`: the client asked for bits that it may not set.
    pub(crate) fn mode_changed(mode: u32, reduced: bool) -> Self {
        let remark = if reduced {
            "; setuid, setgid and sticky cannot be set here"
        } else {
            ""
        };
        Self::line(200, format!("Mode set to {mode:04o}{remark}."))
    }

    pub(crate) fn umask(umask: u32) -> Self {
        Self::line(200, format!("The umask is {umask:03o}."))
    }

    pub(crate) fn umask_set(umask: u32, before: u32) -> Self {
        Self::line(
            200,
            format!("Umask set to {umask:03o}; it was {before:03o}."),
        )
    }

    pub(crate) fn restarting(offset: u64) -> Self {
        Self::line(350, format!("Restarting at {offset}; send RETR or STOR."))
    }

    /// The reply to PASV. Routers parse and rewrite this text: do not change it, and use 227 for
    /// nothing else.
    pub(crate) fn passive(address: Ipv4Addr, port: u16) -> Self {
        let [a, b, c, d] = address.octets();
        let [high, low] = port.to_be_bytes();
        Self::line(
            227,
            format!("Entering Passive Mode ({a},{b},{c},{d},{high},{low})."),
        )
    }

    /// The reply to EPSV. Without a full stop: some clients do not accept one.
    pub(crate) fn extended_passive(port: u16) -> Self {
        Self::line(229, format!("Entering Extended Passive Mode (|||{port}|)"))
    }

    /// The reply that starts the transfer of a file. `bytes`: the size of a download, if that is
    /// known.
    pub(crate) fn opening_file(name: &[u8], bytes: Option<u64>) -> Self {
        let size = bytes.map_or_else(String::new, |bytes| format!(" ({bytes} bytes)"));
        // Clients look for the size in this text, and would find one in the name.
        let has_bytes = |part: &[u8]| part.eq_ignore_ascii_case(b"byte");
        let (before, name): (&[u8], _) = if name.windows(4).any(has_bytes) {
            (b"", &b""[..])
        } else {
            (b" for ", name)
        };
        let text = [
            b"Opening data connection",
            before,
            name,
            size.as_bytes(),
            b".",
        ];
        Self::line(150, text.concat())
    }

    /// The reply that starts STOU, in the form that RFC 1123, section 4.1.2.9, requires.
    pub(crate) fn opening_unique(name: &[u8]) -> Self {
        Self::line(150, [b"FILE: ", name].concat())
    }

    pub(crate) fn unique_complete(name: &[u8]) -> Self {
        Self::line(226, [b"Transfer complete; FILE: ", name].concat())
    }

    pub(crate) fn listing_complete(entries: u64) -> Self {
        let noun = if entries == 1 { "entry" } else { "entries" };
        Self::line(226, format!("Transfer complete; {entries} {noun}."))
    }

    /// This reply to an upload that failed, with how many bytes came and what the file is now.
    pub(crate) fn with_kept(&self, received: u64, kept: Kept) -> Self {
        let added = format!(" {received} bytes received; {kept}.");
        Self::line(self.code, [&*self.first, added.as_bytes()].concat())
    }

    /// The client did not connect to the passive port. `target`, `withdrawn`, `remedy`: parts of
    /// the sentence.
    pub(crate) fn never_connected(target: &str, withdrawn: &str, remedy: impl Display) -> Self {
        let text =
            format!("No data connection {target} arrived in passive mode{withdrawn}; {remedy}.");
        Self::line(425, text)
    }

    /// `offered`: the commands that can set up a data connection.
    pub(crate) fn data_setup_first(offered: &[&str]) -> Self {
        match offered.split_last() {
            None => Self::DATA_NOT_OPENED,
            Some((only, [])) => Self::line(425, format!("Use {only} first.")),
            Some((last, others)) => {
                Self::line(425, format!("Use {} or {last} first.", others.join(", ")))
            }
        }
    }

    /// The server could not connect to the address of PORT or EPRT.
    pub(crate) fn cannot_connect(target: SocketAddr) -> Self {
        Self::line(425, format!("Cannot connect to {target}."))
    }

    /// The same where the client named a private address, and its control connection's was used.
    pub(crate) fn cannot_connect_instead(target: SocketAddr, named: IpAddr) -> Self {
        let text = format!(
            "Cannot connect to {target}, the address that you connect from ({named} is private); \
             use passive mode."
        );
        Self::line(425, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[track_caller]
    fn check(reply: &Reply, expected: &[u8]) {
        let mut out = Vec::new();
        reply.encode(&mut out);
        assert_eq!(out, expected, "{}", out.escape_ascii());
    }

    #[test]
    fn one_line() {
        check(&Reply::OKAY, b"200 Command okay.\r\n");
    }

    #[test]
    fn several_lines() {
        let middle = vec![b"one".to_vec(), b"211 End".to_vec()];
        let reply = Reply::lines(211, "Features:", middle, &b"End."[..]);
        check(&reply, b"211-Features:\r\n one\r\n 211 End\r\n211 End.\r\n");
    }

    #[test]
    fn no_byte_can_forge_a_line() {
        let reply = Reply::line(257, quoted(b"a\r\n230 \"b\"\0\x7f\xff\x1b"));
        check(&reply, b"257 \"a??230 \"\"b\"\"??\xff\xff?\"\r\n");
    }
}
