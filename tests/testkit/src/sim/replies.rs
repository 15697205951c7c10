//! Matches replies to commands, and checks that the table allows their codes.

use std::collections::VecDeque;

use ftp_proto::DeniedCommands;
use ftp_proto::limits::LINE_BYTES_MAX;

use crate::reply_codes;

/// The commands without a final reply so far, in the order in which they arrived.
#[derive(Default)]
pub(super) struct Unanswered {
    names: VecDeque<String>,
}

impl Unanswered {
    /// The session has used a whole line, or the beginning of one that is too long. Returns whether
    /// it has a reply.
    pub(super) fn took(&mut self, line: &[u8]) -> bool {
        let name = if line.len() > LINE_BYTES_MAX || !line.ends_with(b"\n") {
            String::new()
        } else {
            match name_of(line) {
                Some(name) => name,
                None => return false,
            }
        };
        self.names.push_back(name);
        true
    }

    /// Handles a reply. Only the reply to STAT may come out of order, and 421 answers no command.
    pub(super) fn replied(&mut self, code: u16, is_status: bool, denied: &DeniedCommands) {
        if code < 200 || code == 421 {
            return;
        }
        let is_stat = |name: &String| name == "STAT";
        let overtakes = is_status && !self.names.front().is_some_and(is_stat);
        let name = if overtakes {
            let latest = self.names.iter().rposition(is_stat);
            latest.and_then(|index| self.names.remove(index))
        } else {
            self.names.pop_front()
        };
        match name {
            Some(name) => assert!(
                reply_codes::allows(name.as_bytes(), code) || (code == 502 && denied.denies(&name)),
                "{code} is not a valid reply to {name:?}"
            ),
            None => assert_eq!(code, 220, "a reply without a command"),
        }
    }
}

/// The command of a line; `None` for an empty line, which has no reply. Telnet is removed by
/// other code than that of the core.
fn name_of(line: &[u8]) -> Option<String> {
    let mut bytes = line.iter().copied().peekable();
    while let Some(first) = bytes.next_if(|&byte| byte >= 0xf0) {
        if first == 0xff
            && let Some(command) = bytes.next_if(|&byte| byte >= 0xf0)
            && (0xfb..0xff).contains(&command)
        {
            let _option = bytes.next_if(|&byte| byte != b'\n');
        }
    }
    let rest: Vec<u8> = bytes.collect();
    let end = rest.strip_suffix(b"\n").unwrap_or(&rest);
    let end = end.strip_suffix(b"\r").unwrap_or(end);
    if end.is_empty() {
        return None;
    }
    let verb = end.split(|&byte| byte == b' ').next().unwrap_or(end);
    Some(String::from_utf8_lossy(verb).to_ascii_uppercase())
}
