//! Client programs as people have them, run without this machine's settings in a directory of their
//! own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{self, Finished};
use super::server::{PASSWORD, TestServer, USER};

impl<B> TestServer<B> {
    /// A path within the client's directory.
    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.directory().join(WORK).join(name)
    }

    pub(crate) fn host(&self) -> String {
        self.address.ip().to_string()
    }

    pub(crate) fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// The URL of a path that begins with a slash, without user and password.
    pub(crate) fn url(&self, path: &str) -> String {
        url(self.address, path)
    }

    /// A program in the client's directory, which is its home too.
    pub(crate) fn client_program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command
            .current_dir(self.work(""))
            .env("HOME", self.work(""))
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "dumb");
        for setting in SETTINGS {
            command.env_remove(setting);
        }
        command
    }

    #[track_caller]
    pub(crate) fn run_client(&self, program: &str, arguments: &[&str]) -> Finished {
        process::run(self.client_program(program).args(arguments), SECONDS_MAX)
    }
}

/// The URL of a path that begins with a slash, without user and password.
pub(crate) fn url(address: SocketAddr, path: &str) -> String {
    let encoded: String = path.bytes().map(url_byte).collect();
    format!("ftp://{address}{encoded}")
}

/// One byte of a path in a URL.
fn url_byte(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'/' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    }
}

/// `tests/clients/ftplib.py` for this server; the last argument, which is missing here, names the
/// session.
pub(crate) fn ftplib(address: SocketAddr, root: &Path, work: &Path) -> Command {
    let mut command = Command::new("python3");
    command.arg(script("ftplib_session.py"));
    command.args([
        "--host",
        &address.ip().to_string(),
        "--port",
        &address.port().to_string(),
    ]);
    command.args(["--user", USER, "--password", PASSWORD]);
    command.args(["--root", path(root), "--work", path(work)]);
    command
}

/// curl without this machine's settings, and with a deadline of its own.
pub(crate) fn curl() -> Command {
    let mut command = Command::new("curl");
    command.args([
        "-q",
        "--silent",
        "--show-error",
        "--globoff",
        "--noproxy",
        "*",
        "--max-time",
        "60",
    ]);
    command
}

/// A script in `tests/clients`.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(name)
}

/// The lines of what a program printed, sorted.
pub(crate) fn sorted_lines(finished: &Finished) -> Vec<String> {
    let text = String::from_utf8_lossy(&finished.stdout);
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// How long a program may run.
pub(crate) const SECONDS_MAX: u64 = 90;

/// The client's directory, beside the one that the server shares.
pub(super) const WORK: &str = "work";

/// Names that clients and servers often get wrong.
pub(crate) const NAMES: [&str; 10] = [
    "with space.txt",
    "two  spaces  inside.txt",
    "double\"quote.txt",
    "single'quote.txt",
    "中文文件名.txt",
    "-leading-dash.txt",
    "-la",
    "[1] star* and? mark.txt",
    "percent %41 #hash &and;semicolon.txt",
    "back\\slash.txt",
];

/// Environment variables that change what these clients do.
const SETTINGS: [&str; 10] = [
    "ftp_proxy",
    "FTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "FTPMODE",
    "FTPANONPASS",
    "FTPSERVER",
    "FTPUSER",
    "WGETRC",
    "LFTP_HOME",
];
