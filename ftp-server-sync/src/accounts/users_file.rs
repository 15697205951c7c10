//! The file of `--users`: one line for each user, `name:hash:home:rights[:option;option…]`.
//!
//! This is pure: nothing here reads a file. All lines are read, and each that is wrong has its
//! error, so that an operator can correct all of them at once. No error shows a password hash.

mod field;
mod options;
mod password;
mod problem;
mod real_path;
mod rights;
mod syntax;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ftp_proto::{Account, FtpPath, Rights};

use super::anonymous::{ANONYMOUS, is_anonymous};
use crate::net::order;
pub use options::{UserMount, UserOptions};
pub use password::UserPassword;
pub use problem::LineProblem;
pub(crate) use rights::describe as describe_rights;

use field::{Fault, Field};
use real_path::absolute_path;
use syntax::{split, split_first, unescape};

/// One user of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileUser {
    /// The name, as clients send it.
    pub name: String,
    /// What clients must prove.
    pub password: UserPassword,
    /// The directory that is the root of the user's tree, as an absolute path.
    pub home: PathBuf,
    /// What the user may do there, except below the directories of the options.
    pub rights: Rights,
    /// Everything else.
    pub options: UserOptions,
    /// Rights that may be mistyped, for the operator.
    pub doubts: Vec<String>,
    /// The number of the line.
    pub line: usize,
}

impl FileUser {
    /// What the core needs to know about the user.
    pub(crate) fn account(&self) -> Account {
        let account = Account::new(self.rights);
        let directories = self.options.directories.iter();
        let account = directories.fold(account, |account, (directory, rights)| {
            account.with_rights_below(directory.clone(), *rights)
        });
        let mounts = self.options.mounts.iter();
        mounts.fold(account, |account, mount| match mount.rights {
            Some(rights) => account.with_rights_below(mount.seen.clone(), rights),
            None => account,
        })
    }

    /// The home, and the directories of elsewhere, on this machine.
    pub(crate) fn real_directories(&self) -> impl Iterator<Item = &Path> {
        let mounts = self.options.mounts.iter();
        [&*self.home]
            .into_iter()
            .chain(mounts.map(|mount| &*mount.directory))
    }

    /// Whether both see the same directories at the same paths. Their rights may differ.
    pub(crate) fn has_tree_of(&self, other: &Self) -> bool {
        fn tree(user: &FileUser) -> Vec<(&FtpPath, &PathBuf)> {
            let mounts = user.options.mounts.iter();
            let mut tree: Vec<_> = mounts
                .map(|mount| (&mount.seen, &mount.directory))
                .collect();
            order::sort(&mut tree);
            tree
        }
        self.home == other.home && tree(self) == tree(other)
    }

    /// What the user may do in the directory that is seen at `seen`, which is the root or a mount;
    /// with paths relative to it.
    pub(crate) fn account_in(&self, seen: &FtpPath) -> Account {
        let account = self.account();
        let in_share = Account::new(account.rights_at(seen));
        let mounts = &self.options.mounts;
        // What a deeper mount hides has no rights of its own.
        let is_hidden = |path: &FtpPath| {
            let deeper = mounts.iter().map(|mount| &mount.seen);
            let mut deeper = deeper.filter(|deeper| *deeper != seen && deeper.is_within(seen));
            deeper.any(|deeper| path.is_within(deeper))
        };
        let directories = account.directories().iter();
        directories
            .filter(|(path, _)| path != seen && path.is_within(seen) && !is_hidden(path))
            .filter_map(|(path, rights)| Some((relative_to(path, seen)?, *rights)))
            .fold(in_share, |account, (path, rights)| {
                account.with_rights_below(path, rights)
            })
    }

    /// All sets of rights that the user has there.
    pub(crate) fn rights_in(&self, seen: &FtpPath) -> Vec<Rights> {
        let account = self.account_in(seen);
        let directories = account.directories().iter().map(|(_, rights)| *rights);
        [account.rights()].into_iter().chain(directories).collect()
    }

    /// Whether the user may log in at this time, in seconds since 1970, UTC.
    pub(crate) fn is_valid_at(&self, now: i64) -> bool {
        let is_locked = self.password == UserPassword::Locked;
        !is_locked && self.options.expires.is_none_or(|end| now < end)
    }

    /// All sets of rights that the user has somewhere.
    pub(crate) fn all_rights(&self) -> impl Iterator<Item = Rights> {
        let directories = self.options.directories.iter();
        let mounts = self.options.mounts.iter();
        [self.rights]
            .into_iter()
            .chain(directories.map(|(_, rights)| *rights))
            .chain(mounts.filter_map(|mount| mount.rights))
    }

    /// The error for a name that a flag gives too.
    pub(super) fn same_name_as(&self, flag: &str) -> LineProblem {
        let problem = format!("{flag} gives this name too; remove the line, or leave {flag} out");
        LineProblem::new(
            self.line,
            Some(&self.name),
            Fault::new(Field::Name, problem),
        )
    }
}

/// The path as it is seen from a directory that contains it.
fn relative_to(path: &FtpPath, directory: &FtpPath) -> Option<FtpPath> {
    let rest = path.as_bytes().strip_prefix(directory.as_bytes())?;
    FtpPath::parse(&[b"/", rest].concat())
}

/// Reads the text of a users file.
///
/// # Errors
///
/// What is wrong with each line that cannot be used, in the order of the lines.
pub fn parse(text: &[u8]) -> Result<Vec<FileUser>, Vec<LineProblem>> {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        let problem = "UTF-16 text; save the file as UTF-8";
        return Err(vec![LineProblem::of_line(1, problem)]);
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut users = Vec::new();
    let mut problems = Vec::new();
    let mut lines_of_names: BTreeMap<String, usize> = BTreeMap::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let user = match read_line(line, number) {
            Ok(None) => continue,
            Ok(Some(user)) => user,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let first = *lines_of_names.entry(user.name.clone()).or_insert(number);
        if first != number {
            let problem = format!("line {first} has this name too; give one of them another name");
            let fault = Fault::new(Field::Name, problem);
            problems.push(LineProblem::new(number, Some(&user.name), fault));
        }
        users.push(user);
    }
    if problems.is_empty() {
        Ok(users)
    } else {
        Err(problems)
    }
}

/// The user of one line; `None` for blank lines and comments.
fn read_line(line: &[u8], number: usize) -> Result<Option<FileUser>, LineProblem> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let trimmed = line.trim_ascii_start();
    if trimmed.is_empty() || trimmed.starts_with(b"#") {
        return Ok(None);
    }
    check_text(line).map_err(|problem| LineProblem::of_line(number, problem))?;
    let fields = split_first(line.trim_ascii(), b':', FIELDS);
    let (name, rest) = match &fields[..] {
        [name, rest @ ..] if rest.len() >= 3 => (name, rest),
        few => {
            let problem = format!(
                "{} instead of 4 fields or 5; give name:hash:home:rights or \
                 name:hash:home:rights:options",
                few.len()
            );
            return Err(LineProblem::of_line(number, problem));
        }
    };
    let name = read_name(name).map_err(|fault| LineProblem::new(number, None, fault))?;
    let user = read_fields(name.clone(), rest, number);
    let user = user.map_err(|fault| LineProblem::new(number, Some(&name), fault))?;
    Ok(Some(user))
}

fn read_fields(name: String, fields: &[&[u8]], line: usize) -> Result<FileUser, Fault> {
    let &[hash, home, rights, ref options @ ..] = fields else {
        // The caller has counted them.
        return Err(Fault::new(Field::Rights, "missing"));
    };
    let mut user = FileUser {
        password: UserPassword::read(&name, hash)?,
        home: read_home(home)?,
        rights: rights::read(rights).map_err(|problem| match extra_colon(rights) {
            Some(hint) => Fault::with_value(Field::Rights, rights, format!("{problem}; {hint}")),
            None => Fault::with_value(Field::Rights, rights, problem),
        })?,
        options: match options {
            [options] if !options.is_empty() => UserOptions::read(split(options, b';'))?,
            _ => UserOptions::default(),
        },
        doubts: Vec::from_iter(rights::doubt(rights)),
        name,
        line,
    };
    user.doubts.append(&mut user.options.doubts);
    Ok(user)
}

/// A path with a colon that is not escaped ends the field before its end.
fn extra_colon(rights: &[u8]) -> Option<&'static str> {
    let is_path = rights.contains(&b'/');
    is_path.then_some("write a colon in the path as \\:")
}

/// What no line may contain.
fn check_text(line: &[u8]) -> Result<(), String> {
    if line.len() > LINE_BYTES_MAX {
        return Err(format!(
            "longer than {LINE_BYTES_MAX} bytes; make it shorter"
        ));
    }
    if let Some(column) = line.iter().position(u8::is_ascii_control) {
        let shown = char::from(line[column]).escape_default();
        let column = column + 1;
        return Err(format!(
            "the control character {shown} in column {column}; leave it out, or write it as \\x and \
             two digits"
        ));
    }
    match str::from_utf8(line) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "no UTF-8 text in column {}; save the file as UTF-8, and write other bytes of a path as \
             \\x and two digits",
            error.valid_up_to() + 1
        )),
    }
}

fn read_name(text: &[u8]) -> Result<String, Fault> {
    let refuse = |problem: &str| Err(Fault::with_value(Field::Name, text, problem));
    let name = unescape(text).map_err(|problem| Fault::with_value(Field::Name, text, problem))?;
    let Ok(name) = String::from_utf8(name) else {
        return refuse("not UTF-8 text; give another name");
    };
    if name.is_empty() {
        return Err(Fault::new(
            Field::Name,
            "empty; begin the line with the user's name",
        ));
    }
    if is_anonymous(name.as_bytes()) {
        return match &*name {
            ANONYMOUS => Ok(name),
            _ => refuse("this is a name of anonymous; write it as anonymous"),
        };
    }
    if name.chars().any(char::is_control) || name.trim() != name {
        return refuse(
            "a name has no control characters and no blanks at its ends; leave them out",
        );
    }
    if name.len() > NAME_BYTES_MAX {
        return refuse("longer than 128 bytes; give a shorter name");
    }
    Ok(name)
}

fn read_home(text: &[u8]) -> Result<PathBuf, Fault> {
    let example = "that the user gets as /, such as /srv/ftp/anna";
    absolute_path(text, example).map_err(|problem| Fault::with_value(Field::Home, text, problem))
}

/// Name, hash, home, rights, options. The last field may contain colons, as IPv6 networks do.
const FIELDS: usize = 5;

/// Enough for a path and a number of options.
const LINE_BYTES_MAX: usize = 8192;
const NAME_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests;
