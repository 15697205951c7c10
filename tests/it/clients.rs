//! Real clients against the real binary: what they send arrives, what they fetch is equal, byte for byte.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::file_contents::{assert_same_files, first_difference, noise};
use crate::support::lab::Lab;
use crate::support::process::{self, Finished};
use crate::support::server::{self, Server};

#[test]
fn curl_epsv() {
    Site::loopback().curl_story(EPSV);
}

#[test]
fn curl_pasv() {
    Site::loopback().curl_story(PASV);
}

#[test]
fn curl_eprt() {
    Site::loopback().curl_story(EPRT);
}

#[test]
fn curl_port() {
    Site::loopback().curl_story(PORT);
}

#[test]
fn curl_epsv_on_ipv6() {
    Site::listening_on("::1").curl_story(EPSV);
}

#[test]
fn curl_eprt_on_ipv6() {
    Site::listening_on("::1").curl_story(EPRT);
}

#[test]
fn ftplib_passive() {
    Site::loopback().ftplib_story(&["full"]);
}

#[test]
fn ftplib_active() {
    Site::loopback().ftplib_story(&["--active", "full"]);
}

#[test]
fn ftplib_on_ipv6() {
    let site = Site::listening_on("::1");
    site.ftplib_run(&["full"]);
    site.ftplib_story(&["--active", "full"]);
}

/// One listener on `::` serves both families. In a namespace, so that no stranger can reach it meanwhile.
#[test]
fn dual_stack() {
    let mut lab = Lab::new();
    lab.host("alone");
    let mut site = Site::new(&["-i", "::"], |command| lab.command_on("alone", command));
    for (host, modes) in [
        ("127.0.0.1", &[EPSV, PASV, EPRT, PORT][..]),
        ("::1", &[EPSV, EPRT]),
    ] {
        site.address.set_ip(host.parse().expect("an address"));
        modes.iter().for_each(|mode| site.curl_steps(*mode));
        site.ftplib_run(&["full"]);
        site.ftplib_run(&["--active", "full"]);
    }
    site.finish();
}

#[test]
fn five_thousand_files_in_a_directory() {
    let site = Site::loopback();
    let crowd = site.root().join("crowd");
    fs::create_dir(&crowd).expect("a directory");
    let mut wanted: Vec<_> = (0..5000)
        .map(|number| format!("file number {number} 文.txt"))
        .collect();
    wanted.sort();
    wanted
        .iter()
        .for_each(|name| drop(File::create(crowd.join(name)).expect("a file")));
    for mode in [EPSV, PASV, EPRT, PORT] {
        let names = site
            .curl(mode, &["--list-only", &site.url("crowd/")])
            .expect_success();
        assert_eq!(
            sorted_lines(&names.stdout),
            wanted,
            "NLST with curl, {}",
            mode.verb
        );
        let list = site.curl(mode, &[&site.url("crowd/")]).expect_success();
        assert_eq!(
            listed_names(&list.stdout),
            wanted,
            "LIST with curl, {}",
            mode.verb
        );
    }
    site.ftplib_run(&["crowd"]);
    site.ftplib_story(&["--active", "crowd"]);
}

#[test]
fn one_gibibyte_with_curl() {
    let site = Site::loopback();
    let large = large_file(site.root());
    let mut download = site.curl_command(EPSV, &[&site.url("large.bin")]);
    let mut child = process::start(&mut download);
    let complaint = process::drain(child.stderr.take().expect("stderr is piped"));
    let received = child.stdout.take().expect("stdout is piped");
    let difference = first_difference(received, File::open(&large).expect("the large file"));
    let status = process::wait(&mut child, Duration::from_secs(60));
    let complaint = String::from_utf8(complaint.join().expect("curl's stderr")).expect("text");
    assert!(
        status.is_some_and(|status| status.success()),
        "{download:?}: {complaint}"
    );
    assert_eq!(
        difference, None,
        "first byte that differs after the download"
    );

    site.curl(EPSV, &["-T", path(&large), &site.url("again.bin")])
        .expect_success();
    assert_same_files(&large, &site.root().join("again.bin"));
    site.finish();
}

#[test]
fn one_gibibyte_with_ftplib() {
    let site = Site::loopback();
    large_file(site.root());
    site.ftplib_story(&["large"]);
}

/// Without `-u` and `-w` anybody may read and nobody may change anything.
#[test]
fn anonymous_reads_only() {
    let directory = TempDir::new().expect("a temporary directory");
    fs::write(directory.path().join("readable"), "hello").expect("a file");
    let server = Server::start(&["-i", "127.0.0.1", "-p", "0", "-d", path(directory.path())]);
    let url = |name: &str| format!("ftp://{}/{name}", server.address);
    let read = process::run(curl_itself().arg(url("readable")), SECONDS_MAX).expect_success();
    assert_eq!(read.stdout, b"hello");
    let mut write = curl_itself();
    write.args(["-T", path(&directory.path().join("readable")), &url("new")]);
    process::run(&mut write, SECONDS_MAX).expect_failure();
    let mut delete = curl_itself();
    delete.args(["-Q", "DELE readable", &url("")]);
    process::run(&mut delete, SECONDS_MAX).expect_failure();
    let left: Vec<_> = fs::read_dir(directory.path())
        .expect("the root")
        .flatten()
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    server.finish(&[]);
}

/// How curl opens data connections: the flags, and the command that they must lead to.
#[derive(Clone, Copy)]
struct Mode {
    verb: &'static str,
    flags: &'static [&'static str],
}

/// A server with a user who may write, its directory, and a directory for the client's files.
struct Site<'a> {
    server: Server,
    directory: TempDir,
    address: SocketAddr,
    /// Changes a client's command so that it reaches the server.
    reach: Box<dyn Fn(&Command) -> Command + 'a>,
}

impl<'a> Site<'a> {
    fn loopback() -> Self {
        Self::listening_on("127.0.0.1")
    }

    fn listening_on(host: &str) -> Self {
        Self::new(&["-i", host], |command| {
            let mut same = Command::new(command.get_program());
            same.args(command.get_args());
            same
        })
    }

    fn new(arguments: &[&str], reach: impl Fn(&Command) -> Command + 'a) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let root = directory.path().join("root");
        fs::create_dir(&root).expect("the root");
        fs::create_dir(directory.path().join("work")).expect("the client's directory");
        let common = [
            "-p",
            "0",
            "-d",
            path(&root),
            "-w",
            "-u",
            USER,
            "-P",
            PASSWORD,
        ];
        let server = Server::spawn(&mut reach(&server::command(&[arguments, &common].concat())));
        let address = server.address;
        Self {
            server,
            directory,
            address,
            reach: Box::new(reach),
        }
    }

    fn finish(self) {
        self.server.finish(&[PASSWORD]);
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn work(&self, name: &str) -> PathBuf {
        self.directory.path().join("work").join(name)
    }

    fn url(&self, name: &str) -> String {
        let encoded: String = name.bytes().map(url_byte).collect();
        format!("ftp://{}/{encoded}", self.address)
    }

    fn curl_command(&self, mode: Mode, arguments: &[&str]) -> Command {
        let mut command = curl_itself();
        command
            .args(["--user", &format!("{USER}:{PASSWORD}")])
            .args(mode.flags)
            .args(arguments);
        (self.reach)(&command)
    }

    fn curl(&self, mode: Mode, arguments: &[&str]) -> Finished {
        process::run(&mut self.curl_command(mode, arguments), SECONDS_MAX)
    }

    /// Sends FTP commands with curl; they run before a listing that is thrown away.
    fn quote(&self, mode: Mode, commands: &[&str]) -> Finished {
        let mut arguments: Vec<_> = commands
            .iter()
            .flat_map(|command| ["-Q", command])
            .collect();
        let url = self.url("");
        arguments.extend(["--list-only", &url]);
        self.curl(mode, &arguments)
    }

    fn curl_story(self, mode: Mode) {
        self.curl_steps(mode);
        self.finish();
    }

    fn curl_steps(&self, mode: Mode) {
        let dialogue = self
            .curl(mode, &["--verbose", &self.url("")])
            .expect_success()
            .text();
        assert!(
            dialogue.contains(&format!("> {}", mode.verb)),
            "no {} in:\n{dialogue}",
            mode.verb
        );
        self.curl_whole_files(mode);
        self.curl_resumes(mode);
        self.curl_renames_and_deletes(mode);
        self.curl_odd_names(mode);
        assert_eq!(self.names(mode), NOTHING, "the story leaves nothing behind");
    }

    fn curl_whole_files(&self, mode: Mode) {
        let (sample, copy) = (self.work("sample"), self.work("copy"));
        for size in [0, 1, 3 * 1024 * 1024 + 17] {
            fs::write(&sample, noise(size)).expect("the sample");
            self.curl(mode, &["-T", path(&sample), &self.url("sample.bin")])
                .expect_success();
            assert_same_files(&sample, &self.root().join("sample.bin"));
            let list = self.curl(mode, &[&self.url("")]).expect_success();
            let list = String::from_utf8(list.stdout).expect("LIST in UTF-8");
            let line = list
                .lines()
                .find(|line| line.ends_with(" sample.bin"))
                .expect("a line for sample.bin");
            assert!(
                line.split_whitespace().any(|word| word == size.to_string()),
                "{size}: {list}"
            );
            assert_eq!(self.names(mode), ["sample.bin"]);
            fs::write(&copy, "to be overwritten").expect("the copy");
            let download = self.curl(
                mode,
                &["-o", path(&copy), "-w", DOWNLOADED, &self.url("sample.bin")],
            );
            assert_eq!(
                download.expect_success().stdout,
                size.to_string().into_bytes()
            );
            // curl leaves the old file alone when not one byte came.
            if size > 0 {
                assert_same_files(&sample, &copy);
            }
        }
        self.quote(mode, &["DELE sample.bin"]).expect_success();
    }

    fn curl_resumes(&self, mode: Mode) {
        let (sample, part) = (self.work("sample"), self.work("part"));
        let whole = noise(SIZE);
        let remote = self.root().join("sample.bin");
        fs::write(&sample, &whole).expect("the sample");
        fs::write(&remote, &whole).expect("the file on the server");

        fs::write(&part, &whole[..HALF]).expect("a partial file");
        let url = self.url("sample.bin");
        let download = self.curl(
            mode,
            &["-C", "-", "-o", path(&part), "-w", DOWNLOADED, &url],
        );
        assert_eq!(
            download.expect_success().stdout,
            (SIZE - HALF).to_string().into_bytes()
        );
        assert_same_files(&sample, &part);

        fs::write(&remote, &whole[..HALF]).expect("a partial file on the server");
        let upload = self.curl(
            mode,
            &["-C", "-", "-T", path(&sample), "-w", UPLOADED, &url],
        );
        assert_eq!(
            upload.expect_success().stdout,
            (SIZE - HALF).to_string().into_bytes()
        );
        assert_same_files(&sample, &remote);

        fs::write(&remote, &whole[..HALF]).expect("a partial file on the server");
        fs::write(&part, &whole[HALF..]).expect("the rest");
        self.curl(mode, &["--append", "-T", path(&part), &url])
            .expect_success();
        assert_same_files(&sample, &remote);

        let range = format!("{HALF}-{}", HALF + 999);
        let download = self.curl(mode, &["-r", &range, &url]).expect_success();
        assert_eq!(
            download.stdout,
            &whole[HALF..HALF + 1000],
            "a range of bytes"
        );
        self.quote(mode, &["DELE sample.bin"]).expect_success();
    }

    fn curl_renames_and_deletes(&self, mode: Mode) {
        let sample = self.work("sample");
        fs::write(&sample, noise(1000)).expect("the sample");
        let deep = self.url("one/two 二/three/sample");
        self.curl(mode, &["--ftp-create-dirs", "-T", path(&sample), &deep])
            .expect_success();
        assert_same_files(&sample, &self.root().join("one/two 二/three/sample"));
        for way in ["multicwd", "singlecwd", "nocwd"] {
            let download = self
                .curl(mode, &["--ftp-method", way, &deep])
                .expect_success();
            assert_eq!(download.stdout, noise(1000), "{way}");
        }
        self.quote(mode, &["RMD one"]).expect_failure();
        self.quote(mode, &["RNFR one/two 二/three/sample", "RNTO moved"])
            .expect_success();
        self.quote(mode, &["RMD one/two 二/three", "RMD one/two 二", "RMD one"])
            .expect_success();
        self.quote(mode, &["MKD new", "RNFR moved", "RNTO new/moved"])
            .expect_success();
        self.quote(mode, &["RNFR new", "RNTO renamed"])
            .expect_success();
        assert_same_files(&sample, &self.root().join("renamed/moved"));
        self.quote(mode, &["DELE renamed/moved", "RMD renamed"])
            .expect_success();
        for wrong in ["DELE renamed", "RMD renamed", "RNFR renamed", "CWD renamed"] {
            self.quote(mode, &[wrong]).expect_failure();
        }
    }

    fn curl_odd_names(&self, mode: Mode) {
        let sample = self.work("sample");
        for (number, name) in NAMES.iter().enumerate() {
            fs::write(&sample, noise(1000 + number)).expect("the sample");
            self.curl(mode, &["-T", path(&sample), &self.url(name)])
                .expect_success();
            assert_same_files(&sample, &self.root().join(name));
            let download = self.curl(mode, &[&self.url(name)]).expect_success();
            assert_eq!(download.stdout, noise(1000 + number), "{name}");
        }
        let mut wanted = NAMES;
        wanted.sort_unstable();
        assert_eq!(self.names(mode), wanted);
        let list = self.curl(mode, &[&self.url("")]).expect_success();
        assert_eq!(listed_names(&list.stdout), wanted);
        for name in NAMES {
            self.quote(mode, &[&format!("DELE {name}")])
                .expect_success();
        }
    }

    /// The names in the root directory, by NLST.
    fn names(&self, mode: Mode) -> Vec<String> {
        sorted_lines(
            &self
                .curl(mode, &["--list-only", &self.url("")])
                .expect_success()
                .stdout,
        )
    }

    fn ftplib_story(self, arguments: &[&str]) {
        self.ftplib_run(arguments);
        self.finish();
    }

    fn ftplib_run(&self, arguments: &[&str]) {
        let (root, work) = (self.root(), self.work(""));
        let mut command = ftplib(self.address, &root, &work);
        command.args(arguments);
        process::run(&mut (self.reach)(&command), SECONDS_MAX).expect_success();
    }
}

/// The ftplib stories, told to this server; the story's name is the last argument to add.
pub(crate) fn ftplib(address: SocketAddr, root: &Path, work: &Path) -> Command {
    let mut command = Command::new("python3");
    command.arg(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/clients/ftplib_story.py"
    ));
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
pub(crate) fn curl_itself() -> Command {
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

/// A sparse file of 1 GiB with something to compare at its start, its end, and around its middle.
fn large_file(root: PathBuf) -> PathBuf {
    let path = root.join("large.bin");
    let file = File::create(&path).expect("a large file");
    file.set_len(LARGE).expect("its length");
    for offset in [0, LARGE / 2 - 5000, LARGE * 3 / 4 + 1, LARGE - 10_000] {
        file.write_all_at(&noise(10_000), offset)
            .expect("some bytes in the large file");
    }
    path
}

fn sorted_lines(bytes: &[u8]) -> Vec<String> {
    let mut lines: Vec<_> = std::str::from_utf8(bytes)
        .expect("names in UTF-8")
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

/// The names of a LIST: what follows the eighth column and one space.
fn listed_names(bytes: &[u8]) -> Vec<String> {
    let name = |line: &String| {
        let mut rest = line.as_str();
        for _ in 0..8 {
            rest = rest
                .trim_start_matches(' ')
                .trim_start_matches(|c| c != ' ');
        }
        rest.strip_prefix(' ').expect("nine columns").to_owned()
    };
    let mut names: Vec<_> = sorted_lines(bytes).iter().map(name).collect();
    names.sort();
    names
}

/// One byte of a path in a URL.
pub(crate) fn url_byte(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'/' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    }
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

pub(crate) const USER: &str = "marta";
pub(crate) const PASSWORD: &str = "never-in-a-log";
pub(crate) const SECONDS_MAX: u64 = 90;
const EPSV: Mode = Mode {
    verb: "EPSV",
    flags: &[],
};
const PASV: Mode = Mode {
    verb: "PASV",
    flags: &["--disable-epsv"],
};
const EPRT: Mode = Mode {
    verb: "EPRT",
    flags: &["--ftp-port", "-"],
};
const PORT: Mode = Mode {
    verb: "PORT",
    flags: &["--ftp-port", "-", "--disable-eprt"],
};
const DOWNLOADED: &str = "%{size_download}";
const UPLOADED: &str = "%{size_upload}";
const NOTHING: [&str; 0] = [];
const SIZE: usize = 3 * 1024 * 1024 + 17;
const HALF: usize = 1_234_567;
const LARGE: u64 = 1 << 30;
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
