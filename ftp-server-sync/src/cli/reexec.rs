//! Executes this program once more, in the same process, with other arguments and variables, and
//! hands the new image a text that no one else sees.
//!
//! The process keeps its number, its parent, its descriptors, its directory, its limits and the
//! signals that it ignores. Nothing may run before: no thread, no handler of a signal.

use std::env;
use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process;

use rustix::fs::MemfdFlags;
use zeroize::Zeroizing;

/// What the new image is started with.
#[derive(Debug)]
pub(super) struct NewImage<'a> {
    pub(super) arguments: &'a [OsString],
    /// Variables that it does not get.
    pub(super) removed: &'a [&'a str],
    /// Variables that it gets besides.
    pub(super) added: &'a [(&'a str, &'a str)],
    /// For [`handed_over`]. No one who lists processes sees it.
    pub(super) text: &'a [u8],
}

/// Executes the program once more. Returns only if that fails.
pub(super) fn execute_again(image: &NewImage<'_>) -> io::Error {
    match try_execute(image) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// The text that this process has handed to itself. `None`: it has not executed itself.
///
/// # Errors
///
/// If it cannot be read.
pub(super) fn handed_over() -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Another process may have inherited the variable: the descriptor is not there then.
    let Some(descriptor) = own_descriptor() else {
        return Ok(None);
    };
    let mut text = Zeroizing::new(Vec::new());
    File::open(format!("/proc/self/fd/{descriptor}"))?.read_to_end(&mut text)?;
    nix::unistd::close(descriptor)?;
    let Some(name_end) = text.iter().position(|&byte| byte == 0) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    // The kernel has named the process after the path that was executed.
    let name: Vec<u8> = text.drain(..=name_end).collect();
    if let Ok(name) = CString::from_vec_with_nul(name) {
        rustix::thread::set_name(&name)?;
    }
    Ok(Some(text))
}

/// The descriptor of the text, if this process has executed itself.
fn own_descriptor() -> Option<RawFd> {
    let variable = env::var(VARIABLE).ok()?;
    let (process, descriptor) = variable.split_once(':')?;
    let is_own = process.parse() == Ok(process::id());
    is_own.then(|| descriptor.parse().ok())?
}

fn try_execute(image: &NewImage<'_>) -> io::Result<std::convert::Infallible> {
    let program = env::current_exe()?;
    if is_loader(&program) {
        return Err(io::Error::other("it was started by a loader"));
    }
    let name = fs::read("/proc/self/comm")?;
    // In memory, and inherited: closed by the new image once it is read.
    let mut text = File::from(rustix::fs::memfd_create(PURPOSE, MemfdFlags::empty())?);
    text.write_all(name.trim_ascii_end())?;
    text.write_all(b"\0")?;
    text.write_all(image.text)?;
    let name = env::args_os().next().unwrap_or_else(|| PURPOSE.into());
    let arguments = [name].into_iter().chain(image.arguments.iter().cloned());
    let arguments: Vec<CString> = arguments.map(c_string).collect::<io::Result<_>>()?;
    let variables = environment(image, &format!("{}:{}", process::id(), text.as_raw_fd()))?;
    // By its path: an emulator knows no other way to itself. Not by `execvp`, which takes what the
    // kernel cannot execute, such as a program for an emulator, for a script.
    let program = c_string(program.into_os_string())?;
    Ok(nix::unistd::execve(&program, &arguments, &variables)?)
}

/// The variables of the new image. `handed_over` leads it to its text.
fn environment(image: &NewImage<'_>, handed_over: &str) -> io::Result<Vec<CString>> {
    let added = image.added.iter().copied();
    let added = added.chain([(VARIABLE, handed_over)]);
    let replaced = added.clone().map(|(name, _)| name);
    let left_out: Vec<&str> = replaced.chain(image.removed.iter().copied()).collect();
    let kept = env::vars_os().filter(|(name, _)| !left_out.iter().any(|other| name == other));
    let added = added.map(|(name, value)| (name.into(), value.into()));
    let variables = kept.chain(added);
    let joined = variables.map(|(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        c_string(name)
    });
    joined.collect()
}

fn c_string(text: OsString) -> io::Result<CString> {
    Ok(CString::new(text.into_vec())?)
}

/// Whether this is not the program, but what has loaded it, as in `/lib64/ld-linux-x86-64.so.2
/// ftp-server-sync`.
fn is_loader(executable: &Path) -> bool {
    let name = executable.file_name().unwrap_or_default().as_bytes();
    name.starts_with(b"ld-") || name.starts_with(b"ld.so")
}

/// Its value is the number of the process and the descriptor of the text.
const VARIABLE: &str = "FTP_HIDDEN_COMMAND_LINE";
const PURPOSE: &str = "ftp-server-sync";
