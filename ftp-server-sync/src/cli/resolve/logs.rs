//! The log: its level, its form and its files.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{self, Path, PathBuf};

use log::LevelFilter;

use super::time_zone::time_zone;
use super::{Environment, FlagError, Flags, GivenFlags, error, reason};
use crate::settings::{LogFormat, LogSettings, TransferLogSettings};

pub(super) fn level(flags: &Flags, given: &GivenFlags) -> Result<LevelFilter, FlagError> {
    match flags.log_level {
        None if flags.debug => Ok(LevelFilter::Debug),
        Some(_) if flags.debug => {
            let problem = error::conflict("--debug");
            Err(given.refuse_beside("--log-level", "--debug", problem))
        }
        level => Ok(level.unwrap_or(LevelFilter::Info)),
    }
}

pub(super) fn settings(flags: &Flags, given: &GivenFlags) -> Result<LogSettings, FlagError> {
    let file = file("--log-file", flags.log_file.as_deref(), given)?;
    if file.is_some() && flags.log_format == Some(LogFormat::Journald) {
        let problem = "journald reads no file; give text or json, or no --log-file";
        return Err(given.refuse_beside("--log-format", "--log-file", problem));
    }
    Ok(LogSettings {
        format: flags.log_format,
        file,
    })
}

pub(super) fn transfer_log(
    flags: &Flags,
    given: &GivenFlags,
    environment: &Environment,
) -> Result<Option<TransferLogSettings>, FlagError> {
    let flag = "--xferlog";
    let Some(file) = file(flag, flags.xferlog.as_deref(), given)? else {
        return Ok(None);
    };
    let log = self::file("--log-file", flags.log_file.as_deref(), given)?;
    if log.is_some_and(|log| is_same_file(&log, &file)) {
        let problem = "is the file of --log-file too; give another one";
        return Err(given.refuse_beside(flag, "--log-file", problem));
    }
    let zone = time_zone(flag, given, environment)?;
    Ok(Some(TransferLogSettings { file, zone }))
}

/// Whether two paths, which are absolute, lead to one file: lines of both would be mixed in it.
fn is_same_file(one: &Path, other: &Path) -> bool {
    if one == other {
        return true;
    }
    let file = |path: &Path| fs::metadata(path).ok().filter(Metadata::is_file);
    match (file(one), file(other)) {
        (Some(one), Some(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        (None, None) => {
            // None has been made yet.
            let directory = |path: &Path| fs::canonicalize(path.parent()?).ok();
            let directories = directory(one).zip(directory(other));
            one.file_name() == other.file_name()
                && directories.is_some_and(|(one, other)| one == other)
                && fs::symlink_metadata(one).is_err()
        }
        _ => false,
    }
}

/// The absolute path of a file to append to. Whether it can be written shows when it is opened.
fn file(flag: &str, file: Option<&Path>, given: &GivenFlags) -> Result<Option<PathBuf>, FlagError> {
    let Some(file) = file else {
        return Ok(None);
    };
    let refuse = |problem: String| given.refuse(flag, problem);
    let absolute = path::absolute(file)
        .map_err(|error| refuse(format!("has no absolute path: {}", reason(&error))))?;
    if absolute.is_dir() {
        return Err(refuse("a directory; give a file in it".to_owned()));
    }
    let directory = absolute.parent().unwrap_or(&absolute);
    match fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => Ok(Some(absolute)),
        Ok(_) => Err(refuse(
            "not in a directory; give a file in a directory that exists".to_owned(),
        )),
        // After --run-as it may be out of reach, and the file is open.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(Some(absolute)),
        Err(error) => {
            let problem = reason(&error);
            Err(refuse(format!(
                "the directory of this file: {problem}; make it, or give a file in another one"
            )))
        }
    }
}
