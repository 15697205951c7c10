//! The options of a user: `key=value`, or a key alone.

use std::path::PathBuf;

use ftp_proto::listing::Pattern;
use ftp_proto::text::printable;
use ftp_proto::{FtpPath, Rights, date};
use ipnet::IpNet;

use super::field::{Fault, Field};
use super::real_path::absolute_path;
use super::rights;
use super::syntax::{split, unescape};
use crate::accounts::access::AccessRules;
use crate::accounts::charset::NameCharset;
use crate::accounts::limit_values::{self, digits};
use crate::accounts::quota::Quota;
use crate::accounts::rates::Rates;
use crate::accounts::similar::suggest;

/// Everything about a user that has a usual value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserOptions {
    /// Rights that hold for a directory and everything below it, instead of those of the directory
    /// above it.
    pub directories: Vec<(FtpPath, Rights)>,
    /// Directories of elsewhere in the user's tree.
    pub mounts: Vec<UserMount>,
    /// The sessions of the user at the same time; `None`: no such limit.
    pub sessions_max: Option<u32>,
    /// Limits on the speed of all sessions of the user together.
    pub rates: Rates,
    /// The addresses that the user may log in from.
    pub access: AccessRules,
    /// The size of the largest file that an upload may make, in bytes, instead of that of
    /// `--max-upload-size`; `Some(None)`: no limit.
    pub upload_bytes_max: Option<Option<u64>>,
    /// How much the home may have in it.
    pub quota: Quota,
    /// Names that do not exist for the user, besides those of `--hide`.
    pub hidden: Vec<Pattern>,
    /// The permission bits that new files and directories do not get, instead of those of
    /// `--umask`.
    pub umask: Option<u32>,
    /// The first second at which the user cannot log in any more, counted from 1970, UTC.
    pub expires: Option<i64>,
    /// The user must use TLS, for the control connection and for data.
    pub tls_required: bool,
    /// How the user's clients write names, instead of `--encoding`.
    pub charset: Option<NameCharset>,
    /// Rights of these options that may be mistyped, until the user has them.
    pub(super) doubts: Vec<String>,
}

/// A directory of elsewhere in the tree of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserMount {
    /// Where the user sees it.
    pub seen: FtpPath,
    /// Which directory it is, as an absolute path.
    pub directory: PathBuf,
    /// What the user may do there; `None`: what the directory permits that it is seen in.
    pub rights: Option<Rights>,
}

impl UserOptions {
    /// Reads the options, each as it is written.
    pub(super) fn read(options: Vec<&[u8]>) -> Result<Self, Fault> {
        let mut read = Self::default();
        let mut keys = Vec::new();
        for option in options {
            let option = option.trim_ascii();
            if option.is_empty() {
                let problem = "an option is empty; leave the semicolon out";
                return Err(Fault::new(Field::Option(String::new()), problem));
            }
            let (key, value) = match option.iter().position(|&byte| byte == b'=') {
                Some(equals) => (&option[..equals], Some(&option[equals + 1..])),
                None => (option, None),
            };
            let key = String::from_utf8_lossy(key).into_owned();
            let is_repeatable = matches!(&*key, "dir" | "mount" | "allow" | "deny" | "hide");
            if keys.contains(&key) && !is_repeatable {
                let problem = "given twice; give it once";
                return Err(Fault::new(Field::Option(key), problem));
            }
            read.set(&key, value).map_err(|problem| {
                let field = Field::Option(shown_key(&key));
                Fault::with_value(field, value.unwrap_or_default(), problem)
            })?;
            keys.push(key);
        }
        read.check_mounts().map_err(|problem| {
            let field = Field::Option("mount".to_owned());
            Fault::new(field, problem)
        })?;
        Ok(read)
    }

    fn set(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), String> {
        if key == "tls" {
            if value.is_some() {
                return Err("takes no value; write tls alone".to_owned());
            }
            self.tls_required = true;
            return Ok(());
        }
        let Some((_, usage)) = KEYS.iter().find(|(known, _)| *known == key) else {
            return Err(unknown(key));
        };
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return Err(format!("the value is missing; write {usage}"));
        };
        match key {
            "dir" => self.add_directory(value)?,
            "mount" => self.add_mount(value)?,
            "max-sessions" => {
                let count = digits(text(value)?).filter(|count| (1..=1_000_000).contains(count));
                let count = count.ok_or("give a whole number from 1 to 1000000")?;
                self.sessions_max = Some(count);
            }
            "rate-in" => self.rates.inward = limit_values::rate(text(value)?)?,
            "rate-out" => self.rates.outward = limit_values::rate(text(value)?)?,
            "allow" => add_networks(&mut self.access.allowed, &self.access.denied, value)?,
            "deny" => add_networks(&mut self.access.denied, &self.access.allowed, value)?,
            "max-upload-size" => {
                self.upload_bytes_max = Some(limit_values::size(text(value)?)?);
            }
            "quota" => self.quota = quota(value)?,
            "hide" => {
                for pattern in split(value, b',') {
                    let pattern = unescape(pattern)?;
                    self.hidden.push(hidden(&pattern)?);
                }
            }
            "umask" => self.umask = Some(limit_values::umask(text(value)?)?),
            "expires" => self.expires = Some(end_of_day(value)?),
            "encoding" => {
                let charset = NameCharset::for_label(text(value)?);
                self.charset = Some(charset.map_err(|error| error.to_string())?);
            }
            _ => return Err(unknown(key)),
        }
        Ok(())
    }

    fn add_directory(&mut self, value: &[u8]) -> Result<(), String> {
        let parts = split(value, b',');
        let &[path, rights] = &parts[..] else {
            return Err("give dir=/path,rights; write a comma in the path as \\,".to_owned());
        };
        let path = tree_path(path)?;
        if path.is_root() {
            return Err(
                "the rights of / are the fourth field of the line; leave dir out".to_owned(),
            );
        }
        self.doubts.extend(doubt("dir", &path, rights));
        let rights = rights::read(rights)?;
        if self.directories.iter().any(|(known, _)| *known == path) {
            return Err("this directory is given twice; give it once".to_owned());
        }
        self.directories.push((path, rights));
        Ok(())
    }

    fn add_mount(&mut self, value: &[u8]) -> Result<(), String> {
        let parts = split(value, b',');
        let (seen, directory, written) = match parts[..] {
            [seen, directory] => (seen, directory, None),
            [seen, directory, rights] => (seen, directory, Some(rights)),
            _ => {
                let usage = "give mount=/seen/as,/real/path or mount=/seen/as,/real/path,rights; \
                             write a comma in a path as \\,";
                return Err(usage.to_owned());
            }
        };
        let rights = written.map(rights::read).transpose()?;
        let seen = tree_path(seen)?;
        self.doubts
            .extend(written.and_then(|rights| doubt("mount", &seen, rights)));
        if seen.is_root() {
            return Err("/ is the home, the third field of the line; give a path in it".to_owned());
        }
        if self.mounts.iter().any(|mount| mount.seen == seen) {
            return Err("two directories have this path; give one of them another".to_owned());
        }
        self.mounts.push(UserMount {
            seen,
            directory: absolute_path(directory, "that is seen there, such as /srv/music")?,
            rights,
        });
        Ok(())
    }

    /// Whether each mount has its rights from one option.
    fn check_mounts(&self) -> Result<(), String> {
        let twice = self.mounts.iter().find(|mount| {
            let mut directories = self.directories.iter();
            mount.rights.is_some() && directories.any(|(path, _)| *path == mount.seen)
        });
        match twice {
            Some(mount) => Err(format!(
                "dir gives rights for {} too; give them once",
                printable(mount.seen.as_bytes())
            )),
            None => Ok(()),
        }
    }
}

/// What is doubtful about the rights of an option for this path.
fn doubt(key: &str, path: &FtpPath, rights: &[u8]) -> Option<String> {
    let path = printable(path.as_bytes());
    Some(format!("{key}={path}: {}", rights::doubt(rights)?))
}

/// A path in the user's tree.
fn tree_path(text: &[u8]) -> Result<FtpPath, String> {
    let path = unescape(text)?;
    if !path.starts_with(b"/") {
        return Err("give a path in the user's tree, which begins with /".to_owned());
    }
    if path.split(|&byte| byte == b'/').any(|name| name == b"..") {
        return Err("give a path without \"..\"".to_owned());
    }
    FtpPath::parse(&path).ok_or_else(|| {
        "no path: it has a NUL byte or a line feed, or is too long or too deep".to_owned()
    })
}

fn add_networks(to: &mut Vec<IpNet>, others: &[IpNet], value: &[u8]) -> Result<(), String> {
    for network in split(value, b',') {
        let network = limit_values::network(text(network)?)?;
        if to.contains(&network) || others.contains(&network) {
            return Err(format!("{network} is given twice; give it once"));
        }
        to.push(network);
    }
    Ok(())
}

fn quota(value: &[u8]) -> Result<Quota, String> {
    let parts = split(value, b',');
    let (bytes, files) = match parts[..] {
        [bytes] => (bytes, &b"0"[..]),
        [bytes, files] => (bytes, files),
        _ => return Err("give quota=BYTES[,FILES], such as 20G or 20G,10000".to_owned()),
    };
    let files = digits::<u64>(text(files)?).filter(|&files| files <= FILES_MAX);
    let files = files.ok_or("give a whole number of files, up to 1000000000000; 0 for no limit")?;
    let quota = Quota {
        bytes_max: limit_values::size(text(bytes)?)?,
        files_max: (files > 0).then_some(files),
    };
    if quota.is_limited() {
        Ok(quota)
    } else {
        let problem = "no limit; leave quota out, or limit the files too, as quota=0,10000";
        Err(problem.to_owned())
    }
}

fn hidden(pattern: &[u8]) -> Result<Pattern, String> {
    match str::from_utf8(pattern) {
        Ok("") => Err("an entry of the list is empty; leave the comma out".to_owned()),
        Ok(pattern) => limit_values::hide(pattern),
        Err(_) => Err("not UTF-8 text; give other names".to_owned()),
    }
}

/// The first second after a day: `2026-12-31` is the last day.
fn end_of_day(value: &[u8]) -> Result<i64, String> {
    let wanted = "give the last day as YEAR-MONTH-DAY, such as 2026-12-31";
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = value else {
        return Err(if is_short_date(value) {
            format!("month and day have two digits each; {wanted}")
        } else {
            wanted.to_owned()
        });
    };
    let digits = [y1, y2, y3, y4, m1, m2, d1, d2];
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(wanted.to_owned());
    }
    let day = [&digits[..], b"000000"].concat();
    let begin = date::parse_time_val(&day);
    let begin = begin.ok_or_else(|| format!("there is no such day; {wanted}"))?;
    Ok(begin + SECONDS_OF_DAY)
}

/// A date with a month or a day of one digit.
fn is_short_date(value: &[u8]) -> bool {
    let parts: Vec<&[u8]> = value.split(|&byte| byte == b'-').collect();
    let is_number = |part: &&[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    parts.iter().all(is_number) && matches!(parts[..], [[_, _, _, _], [_] | [_, _], [_] | [_, _]])
}

fn text(value: &[u8]) -> Result<&str, String> {
    str::from_utf8(value).map_err(|_| "not UTF-8 text".to_owned())
}

fn unknown(key: &str) -> String {
    let keys: Vec<&str> = KEYS.iter().map(|(key, _)| *key).chain(["tls"]).collect();
    if let Some(known) = suggest(key, &keys) {
        return format!("unknown; did you mean {known}?");
    }
    let usages: Vec<&str> = KEYS.iter().map(|(_, usage)| *usage).collect();
    format!("unknown; there are {} and tls", usages.join(", "))
}

fn shown_key(key: &str) -> String {
    let shown: String = key.chars().take(KEY_CHARACTERS_SHOWN).collect();
    shown.escape_debug().to_string()
}

/// The keys that have a value, and how they are written.
const KEYS: [(&str, &str); 13] = [
    ("dir", "dir=/path,rights"),
    ("mount", "mount=/seen/as,/real/path[,rights]"),
    ("max-sessions", "max-sessions=N"),
    ("rate-in", "rate-in=BYTES"),
    ("rate-out", "rate-out=BYTES"),
    ("allow", "allow=NET[,...]"),
    ("deny", "deny=NET[,...]"),
    ("max-upload-size", "max-upload-size=BYTES"),
    ("quota", "quota=BYTES[,FILES]"),
    ("hide", "hide=PATTERN[,...]"),
    ("umask", "umask=MODE"),
    ("expires", "expires=YEAR-MONTH-DAY"),
    ("encoding", "encoding=NAME"),
];

const FILES_MAX: u64 = 1_000_000_000_000;
const SECONDS_OF_DAY: i64 = 24 * 60 * 60;
const KEY_CHARACTERS_SHOWN: usize = 40;
