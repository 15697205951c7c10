//! Finds out which commit is built, for `--version`.
//!
//! `FTP_BUILD_COMMIT` names it where packagers build without git. Its date is that of the variable
//! `SOURCE_DATE_EPOCH`, else the commit's own. A source without either has only its version.
//!
//! Without optimizations git is not asked: who changes the source would wait for a build after each
//! commit, and tests would refuse the program from before it.
//!
//! There is no mark for changes that are not committed: this program is not run again when a source
//! changes, so the mark would be wrong as often as right.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for variable in [COMMIT, DATE] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let date = env::var(DATE).ok().map(|seconds| match seconds.parse() {
        Ok(seconds) => date_of(seconds),
        Err(_) => panic!("{DATE}={seconds}: give the seconds since 1970"),
    });
    let build = match env::var(COMMIT) {
        Ok(commit) if !commit.is_empty() => Some((checked(commit), None)),
        _ if env::var("PROFILE").as_deref() == Ok("debug") => None,
        _ => commit_of_git().map(|(commit, own_date)| (commit, Some(own_date))),
    };
    let build = build.map(|(commit, own_date)| match date.or(own_date) {
        Some(date) => format!(" ({commit} {date})"),
        None => format!(" ({commit})"),
    });
    println!("cargo::rustc-env=FTP_BUILD={}", build.unwrap_or_default());
}

/// It becomes a word of a line.
fn checked(commit: String) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b".+~-_".contains(&byte);
    assert!(
        commit.len() <= COMMIT_BYTES_MAX && commit.bytes().all(is_word),
        "{COMMIT}={commit}: give the short name of a commit, such as abc1234"
    );
    commit
}

/// The commit and its date, if this source is a work tree of its own: the source of a package may
/// be in the work tree of something else.
fn commit_of_git() -> Option<(String, String)> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        let output = command.arg("-C").arg(&package).args(arguments).output();
        let output = output.ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let text = text.trim_end().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    };
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if fs::canonicalize(top).ok()? != fs::canonicalize(package.parent()?).ok()? {
        return None;
    }
    // Cargo takes a file that is missing for one that has changed.
    let reference = git(&["symbolic-ref", "-q", "HEAD"]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"].map(str::to_owned);
    for name in names.into_iter().chain(reference) {
        let path = git(&["rev-parse", "--git-path", &name]).map(|path| package.join(path));
        if let Some(path) = path.filter(|path| Path::exists(path)) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    let commit = git(&["rev-parse", "--short=7", "HEAD"])?;
    let date = git(&[
        "show",
        "-s",
        "--format=%cd",
        "--date=format:%Y-%m-%d",
        "HEAD",
    ])?;
    Some((commit, date))
}

/// The day of a time in UTC, as `2026-11-29`.
fn date_of(unix_seconds: u64) -> String {
    // Years begin in March, so that leap days end them; an era has 400 of them.
    let days = unix_seconds / (24 * 60 * 60) + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (year, month + 3),
        _ => (year + 1, month - 9),
    };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year)
}

const COMMIT: &str = "FTP_BUILD_COMMIT";
const DATE: &str = "SOURCE_DATE_EPOCH";
const COMMIT_BYTES_MAX: usize = 40;
