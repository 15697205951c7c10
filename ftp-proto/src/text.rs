//! Bytes from a client as text that a log may contain: on one line, printable, and without
//! passwords.

use alloc::borrow::Cow;

use crate::command::{ControlVerb, LocalVerb, Verb, find, split_word};
use crate::line::strip_commands;
pub use crate::printable::{Printable, printable, printable_word};

/// A command line as a log may contain it: without its line end, and without what may be a
/// password, whose length is hidden too. To print it, use [`printable`].
///
/// Hidden are the arguments of PASS and ACCT, and those of every command that does not exist:
/// someone may have mistyped PASS. So is the name of such a command, unless it looks like one that
/// a program sends: up to eight capital letters and digits.
#[must_use]
pub fn loggable(line: &[u8]) -> Cow<'_, [u8]> {
    let line = line.trim_ascii_end();
    // Most lines.
    if has_no_secret(line) {
        return Cow::Borrowed(line);
    }
    if may_have_password(line) {
        return Cow::Borrowed(b"PASS (hidden)");
    }
    let command = strip_commands(line).trim_ascii_start();
    let known = known_part(command);
    if known.len() == command.len() {
        return Cow::Borrowed(line);
    }
    let mut shown = known.trim_ascii_end().to_vec();
    if !shown.is_empty() {
        shown.push(b' ');
    }
    shown.extend_from_slice(b"(hidden)");
    Cow::Owned(shown)
}

/// Whether a line begins with a command whose argument is shown, whatever it is.
fn has_no_secret(line: &[u8]) -> bool {
    let (name, _) = split_word(line);
    let Some(info) = find(name) else {
        return false;
    };
    !matches!(
        info.verb,
        Verb::Control(ControlVerb::Pass) | Verb::Local(LocalVerb::Acct) | Verb::Site
    )
}

/// The line, or its beginning without the argument of a command that does not exist.
fn known_part(line: &[u8]) -> &[u8] {
    let (name, argument) = split_word(line);
    match find(name) {
        // Other servers have commands here that change a password.
        Some(info) if info.verb == Verb::Site => {
            let (name, _) = split_word(argument.trim_ascii_start());
            let start = line.len() - argument.trim_ascii_start().len();
            let mut known = info.syntax.split('|');
            if known.any(|known| known.as_bytes().eq_ignore_ascii_case(name)) {
                line
            } else {
                &line[..start + unknown_name(name).len()]
            }
        }
        Some(_) => line,
        None => unknown_name(name),
    }
}

/// The name of a command that does not exist, or nothing if it may be something else.
fn unknown_name(name: &[u8]) -> &[u8] {
    let is_capital = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let is_name = name.len() <= NAME_BYTES_MAX && name.iter().all(is_capital);
    if is_name { name } else { b"" }
}

/// Whether a line is, or might be, a PASS or an ACCT. Bytes of Telnet, or others that are no text,
/// may come before the verb.
fn may_have_password(line: &[u8]) -> bool {
    let is_secret = |verb: &[u8]| {
        verb.get(..4).is_some_and(|verb| {
            verb.eq_ignore_ascii_case(b"PASS") || verb.eq_ignore_ascii_case(b"ACCT")
        })
    };
    match line.trim_ascii_start() {
        line @ [b'!'..=b'~', ..] => is_secret(line),
        line => line.windows(4).any(is_secret),
    }
}

/// Of the commands of all servers that are known.
const NAME_BYTES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_and_files_are_not() {
        for line in ["PASS x", "pass x", " PASS x", "PASS", "ACCT x"] {
            assert_eq!(*loggable(line.as_bytes()), *b"PASS (hidden)", "{line}");
        }
        for line in [
            &b"\xff\xfdAPASS x\r\n"[..],
            b"\0PASS x\r\n",
            b" \0 \x1bACCT x",
        ] {
            assert_eq!(*loggable(line), *b"PASS (hidden)");
        }
        for line in ["RETR passport.jpg", "CWD /compass", "PAS", "NOOP", ""] {
            let with_end = [line.as_bytes(), b"\r\n"].concat();
            assert_eq!(*loggable(&with_end), *line.as_bytes());
        }
    }

    #[test]
    fn what_may_be_a_mistyped_password_is_hidden() {
        for (line, shown) in [
            ("PAS secret", "PAS (hidden)"),
            ("PSS secret\r\n", "PSS (hidden)"),
            ("APSS a b c", "APSS (hidden)"),
            ("XSHA512 /file", "XSHA512 (hidden)"),
            ("XSHA512", "XSHA512"),
            ("NONSENSE", "NONSENSE"),
            // A password alone, or behind a mistyped verb without the space.
            ("pas secret", "(hidden)"),
            ("PAsecret", "(hidden)"),
            ("secret", "(hidden)"),
            ("CORRECTHORSE", "(hidden)"),
            ("hunter2", "(hidden)"),
            ("\u{e9}t\u{e9} x", "(hidden)"),
            // Other servers change passwords so.
            ("SITE PSWD old new", "SITE PSWD (hidden)"),
            ("site  pswd old new", "site (hidden)"),
            ("SITE PSWD", "SITE PSWD"),
            ("SITE", "SITE"),
            ("site chmod 600 a", "site chmod 600 a"),
            (
                "SITE UTIME 20260101000000 a b",
                "SITE UTIME 20260101000000 a b",
            ),
            // What is known is shown, also in small letters and behind blanks.
            ("user bob", "user bob"),
            ("  RETR a", "  RETR a"),
        ] {
            let found = loggable(line.as_bytes());
            assert_eq!(str::from_utf8(&found), Ok(shown), "{line}");
        }
        let telnet = b"\xff\xf4\xff\xf2ABOR\r\n";
        assert_eq!(*loggable(telnet), telnet[..8]);
        assert_eq!(*loggable(b"\xff\xf4\xf2PAS x\r\n"), *b"PAS (hidden)");
    }
}
