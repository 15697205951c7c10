//! Command lines without their passwords, for all who list the processes of this machine.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::error;
use super::expand::is_flag;
use super::flags::Flag;

/// The arguments with another text for each password; `None` if there is no password. What is no
/// flag stays as it is.
pub(super) fn hide(table: &[Flag], arguments: &[OsString]) -> Option<Vec<OsString>> {
    let mut is_found = false;
    let mut before = None;
    let shown = arguments.iter().map(|argument| {
        // Behind a flag that stands without its value, a password may follow.
        let has_value = |flag: &&Flag| !(flag.may_lack_value() && is_flag(argument));
        let (kept, value_follows) = match before.take().filter(has_value) {
            Some(flag) if is_secret(flag) => (0, None),
            Some(_) => (argument.len(), None),
            None => split(table, argument.as_bytes()),
        };
        before = value_follows;
        is_found |= kept < argument.len();
        if kept < argument.len() {
            OsString::from_vec([&argument.as_bytes()[..kept], HIDDEN].concat())
        } else {
            argument.clone()
        }
    });
    let shown = shown.collect();
    is_found.then_some(shown)
}

/// How many bytes of an argument are no password, and the flag whose value is the next argument.
fn split<'a>(table: &'a [Flag], argument: &[u8]) -> (usize, Option<&'a Flag>) {
    let all = argument.len();
    if argument.starts_with(b"--") {
        let end = argument.iter().position(|&byte| byte == b'=');
        let name = OsStr::from_bytes(&argument[..end.unwrap_or(all)]);
        let flag = table
            .iter()
            .find(|flag| name == flag.long && takes_value(flag));
        return match (flag, end) {
            (Some(flag), Some(end)) if is_secret(flag) => (end + 1, None),
            (flag, None) => (all, flag),
            (_, Some(_)) => (all, None),
        };
    }
    if !argument.starts_with(b"-") {
        return (all, None);
    }
    let letters = argument.iter().enumerate().skip(1);
    for (index, &letter) in letters {
        let is_it = |flag: &&Flag| flag.short == Some(letter.into());
        match table.iter().find(is_it) {
            None => break,
            Some(flag) if !takes_value(flag) => {}
            Some(flag) if index + 1 == all => return (all, Some(flag)),
            Some(flag) if is_secret(flag) => return (index + 1, None),
            Some(_) => break,
        }
    }
    (all, None)
}

fn takes_value(flag: &Flag) -> bool {
    flag.placeholder.is_some()
}

fn is_secret(flag: &Flag) -> bool {
    error::is_secret(flag.long)
}

const HIDDEN: &[u8] = b"***";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flags;

    #[test]
    fn passwords_are_hidden_however_they_are_given() {
        for (line, shown) in [
            ("-u bob -P secret -w", Some("-u bob -P *** -w")),
            ("-Psecret -ubob", Some("-P*** -ubob")),
            ("-wPsecret", Some("-wP***")),
            ("-wP secret -w", Some("-wP *** -w")),
            ("--password secret", Some("--password ***")),
            (
                "--password=secret --password=",
                Some("--password=*** --password="),
            ),
            ("-P one --password two", Some("-P *** --password ***")),
            ("-P", None),
            ("-d -P -w", None),
            ("--directory --password x", None),
            ("-u secret --password-file secret --banner=secret", None),
            ("-uPsecret -xPsecret secret --nonsense=secret -", None),
        ] {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let found = hide(&flags::table(), &arguments);
            let found = found.map(|found| found.join(OsStr::new(" ")));
            assert_eq!(found.as_deref(), shown.map(OsStr::new), "{line}");
        }
    }
}
