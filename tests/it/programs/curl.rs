//! curl in each of its ways to open data connections: what it sends arrives, what it fetches is
//! equal, byte for byte.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::LOOPBACK;
use crate::support::client_program::{NAMES, SECONDS_MAX, curl, ftplib, path, sorted_lines, url};
use crate::support::file_contents::{assert_same_files, first_difference, noise};
use crate::support::lab::Lab;
use crate::support::process::{self, Finished};
use crate::support::server::{PASSWORD, Program, Setup, TestServer, USER};

#[test]
fn curl_epsv() {
    check(LOOPBACK, EPSV);
}

#[test]
fn curl_pasv() {
    check(LOOPBACK, PASV);
}

#[test]
fn curl_eprt() {
    check(LOOPBACK, EPRT);
}

#[test]
fn curl_port() {
    check(LOOPBACK, PORT);
}

#[test]
fn curl_epsv_on_ipv6() {
    check("::1", EPSV);
}

#[test]
fn curl_eprt_on_ipv6() {
    check("::1", EPRT);
}

/// One listener on `::` serves both families. In a namespace, so that no stranger can reach it
/// meanwhile.
#[test]
fn one_listener_serves_both_families() {
    let mut lab = Lab::new();
    lab.host("alone");
    let setup = Setup::new().host("::").on_host(&lab, "alone");
    let server = setup.program();
    let reach = |command: &Command| lab.command_on("alone", command);
    for (host, modes) in [
        (LOOPBACK, &[EPSV, PASV, EPRT, PORT][..]),
        ("::1", &[EPSV, EPRT]),
    ] {
        let mut address = server.address;
        address.set_ip(host.parse().expect("an address"));
        let curl = Curl {
            server: &server,
            address,
            reach: &reach,
        };
        // What does not depend on the way of the data is tested with a listener of one family.
        for mode in modes {
            curl.lists(*mode);
            curl.whole_files(*mode);
        }
        for arguments in [&["full"][..], &["--active", "full"]] {
            let (root, work) = (server.root(), server.work(""));
            let mut command = ftplib(address, &root, &work);
            command.args(arguments);
            process::run(&mut reach(&command), SECONDS_MAX).expect_success();
        }
    }
    server.finish();
}

#[test]
fn curl_lists_five_thousand_files() {
    let server = TestServer::program(&[]);
    let curl = Curl::new(&server);
    let crowd = server.root().join("crowd");
    fs::create_dir(&crowd).expect("a directory");
    let mut wanted: Vec<_> = (0..5000)
        .map(|number| format!("file number {number} 文.txt"))
        .collect();
    wanted.sort();
    wanted
        .iter()
        .for_each(|name| drop(File::create(crowd.join(name)).expect("a file")));
    for mode in [EPSV, PASV, EPRT, PORT] {
        let names = curl
            .run(mode, &["--list-only", &server.url("/crowd/")])
            .expect_success();
        assert_eq!(
            sorted_lines(&names),
            wanted,
            "NLST with curl, {}",
            mode.verb
        );
        let list = curl.run(mode, &[&server.url("/crowd/")]).expect_success();
        assert_eq!(listed_names(&list), wanted, "LIST with curl, {}", mode.verb);
    }
    server.finish();
}

#[test]
fn long_curl_moves_one_gibibyte() {
    let server = TestServer::program(&[]);
    let curl = Curl::new(&server);
    let large = large_file(server.root());
    let mut download = curl.command(EPSV, &[&server.url("/large.bin")]);
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

    curl.run(EPSV, &["-T", path(&large), &server.url("/again.bin")])
        .expect_success();
    assert_same_files(&large, &server.root().join("again.bin"));
    server.finish();
}

/// Positions and sizes that 32 bits cannot count. The files are sparse, and only their last bytes
/// are sent.
#[test]
fn curl_resumes_beyond_four_gibibytes() {
    let server = TestServer::program(&[]);
    let curl = Curl::new(&server);
    let (ours, theirs) = (server.work("huge"), server.path("huge.bin"));
    let url = server.url("/huge.bin");
    let end = noise(1000);
    File::create(&ours)
        .and_then(|file| file.write_all_at(&end, HUGE))
        .expect("the client's file");
    File::create(&theirs)
        .and_then(|file| file.set_len(HUGE))
        .expect("the server's file without its end");

    let upload = ["-C", "-", "-T", path(&ours), "-w", UPLOADED, &url];
    let uploaded = curl.run(PASV, &upload).expect_success();
    assert_eq!(uploaded.stdout, b"1000");
    let mut received = vec![0; end.len()];
    File::open(&theirs)
        .and_then(|file| file.read_exact_at(&mut received, HUGE))
        .expect("the server's file with its end");
    assert_eq!(received, end);

    let download = ["-C", &HUGE.to_string(), &url];
    let downloaded = curl.run(PASV, &download).expect_success();
    assert_eq!(downloaded.stdout, end);
    let list = curl.run(PASV, &[&server.url("/")]).expect_success().text();
    assert!(list.contains(&format!(" {} ", HUGE + 1000)), "{list}");
    server.finish();
}

/// Without `-u` and `-w` everyone may read and no one may change anything.
#[test]
fn anonymous_reads_only() {
    let server = Setup::without_account().host(LOOPBACK).program();
    server.write("readable", "hello");
    let url = |name: &str| server.url(&format!("/{name}"));
    let read = process::run(curl().arg(url("readable")), SECONDS_MAX).expect_success();
    assert_eq!(read.stdout, b"hello");
    let mut write = curl();
    write.args(["-T", path(&server.path("readable")), &url("new")]);
    process::run(&mut write, SECONDS_MAX).expect_failure();
    let mut delete = curl();
    delete.args(["-Q", "DELE readable", &url("")]);
    process::run(&mut delete, SECONDS_MAX).expect_failure();
    let left: Vec<_> = fs::read_dir(server.root())
        .expect("the root")
        .flatten()
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    server.finish();
}

/// How curl opens data connections: the flags, and the command that they must lead to.
#[derive(Clone, Copy)]
struct Mode {
    verb: &'static str,
    flags: &'static [&'static str],
}

/// curl as it reaches one server at one of its addresses.
struct Curl<'a> {
    server: &'a TestServer<Program>,
    address: SocketAddr,
    /// Changes a command so that it runs where the server can be reached.
    reach: &'a dyn Fn(&Command) -> Command,
}

fn check(host: &str, mode: Mode) {
    let server = Setup::new().host(host).program();
    Curl::new(&server).check(mode);
    server.finish();
}

impl<'a> Curl<'a> {
    fn new(server: &'a TestServer<Program>) -> Self {
        Self {
            server,
            address: server.address,
            reach: &|command| {
                let mut same = Command::new(command.get_program());
                same.args(command.get_args());
                same
            },
        }
    }

    fn url(&self, path: &str) -> String {
        url(self.address, path)
    }

    fn command(&self, mode: Mode, arguments: &[&str]) -> Command {
        let mut command = curl();
        command
            .args(["--user", &format!("{USER}:{PASSWORD}")])
            .args(mode.flags)
            .args(arguments);
        (self.reach)(&command)
    }

    fn run(&self, mode: Mode, arguments: &[&str]) -> Finished {
        process::run(&mut self.command(mode, arguments), SECONDS_MAX)
    }

    /// Sends FTP commands with curl; they run before a listing that is thrown away.
    fn quote(&self, mode: Mode, commands: &[&str]) -> Finished {
        let mut arguments: Vec<_> = commands
            .iter()
            .flat_map(|command| ["-Q", command])
            .collect();
        let url = self.url("/");
        arguments.extend(["--list-only", &url]);
        self.run(mode, &arguments)
    }

    fn check(&self, mode: Mode) {
        self.lists(mode);
        self.whole_files(mode);
        self.resumes(mode);
        self.renames_and_deletes(mode);
        self.odd_names(mode);
        assert_eq!(self.names(mode), NOTHING, "all that was made is deleted");
    }

    /// In this mode.
    fn lists(&self, mode: Mode) {
        let dialogue = self
            .run(mode, &["--verbose", &self.url("/")])
            .expect_success()
            .text();
        assert!(
            dialogue.contains(&format!("> {}", mode.verb)),
            "no {} in:\n{dialogue}",
            mode.verb
        );
    }

    fn whole_files(&self, mode: Mode) {
        let (sample, copy) = (self.server.work("sample"), self.server.work("copy"));
        for size in [0, 1, 3 * 1024 * 1024 + 17] {
            fs::write(&sample, noise(size)).expect("the sample");
            self.run(mode, &["-T", path(&sample), &self.url("/sample.bin")])
                .expect_success();
            assert_same_files(&sample, &self.server.path("sample.bin"));
            let list = self.run(mode, &[&self.url("/")]).expect_success();
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
            let download = self.run(
                mode,
                &[
                    "-o",
                    path(&copy),
                    "-w",
                    DOWNLOADED,
                    &self.url("/sample.bin"),
                ],
            );
            assert_eq!(
                download.expect_success().stdout,
                size.to_string().into_bytes()
            );
            // curl does not replace the old file when it receives no byte.
            if size > 0 {
                assert_same_files(&sample, &copy);
            }
        }
        self.quote(mode, &["DELE sample.bin"]).expect_success();
    }

    fn resumes(&self, mode: Mode) {
        let (sample, part) = (self.server.work("sample"), self.server.work("part"));
        let whole = noise(SIZE);
        let remote = self.server.path("sample.bin");
        fs::write(&sample, &whole).expect("the sample");
        fs::write(&remote, &whole).expect("the file on the server");

        fs::write(&part, &whole[..HALF]).expect("a partial file");
        let url = self.url("/sample.bin");
        let download = self.run(
            mode,
            &["-C", "-", "-o", path(&part), "-w", DOWNLOADED, &url],
        );
        assert_eq!(
            download.expect_success().stdout,
            (SIZE - HALF).to_string().into_bytes()
        );
        assert_same_files(&sample, &part);

        fs::write(&remote, &whole[..HALF]).expect("a partial file on the server");
        let upload = self.run(
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
        self.run(mode, &["--append", "-T", path(&part), &url])
            .expect_success();
        assert_same_files(&sample, &remote);

        let range = format!("{HALF}-{}", HALF + 999);
        let download = self.run(mode, &["-r", &range, &url]).expect_success();
        assert_eq!(
            download.stdout,
            &whole[HALF..HALF + 1000],
            "a range of bytes"
        );
        self.quote(mode, &["DELE sample.bin"]).expect_success();
    }

    fn renames_and_deletes(&self, mode: Mode) {
        let sample = self.server.work("sample");
        fs::write(&sample, noise(1000)).expect("the sample");
        let deep = self.url("/one/two 二/three/sample");
        self.run(mode, &["--ftp-create-dirs", "-T", path(&sample), &deep])
            .expect_success();
        assert_same_files(&sample, &self.server.path("one/two 二/three/sample"));
        for way in ["multicwd", "singlecwd", "nocwd"] {
            let download = self
                .run(mode, &["--ftp-method", way, &deep])
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
        assert_same_files(&sample, &self.server.path("renamed/moved"));
        self.quote(mode, &["DELE renamed/moved", "RMD renamed"])
            .expect_success();
        for wrong in ["DELE renamed", "RMD renamed", "RNFR renamed", "CWD renamed"] {
            self.quote(mode, &[wrong]).expect_failure();
        }
    }

    fn odd_names(&self, mode: Mode) {
        let sample = self.server.work("sample");
        for (number, name) in NAMES.iter().enumerate() {
            fs::write(&sample, noise(1000 + number)).expect("the sample");
            self.run(mode, &["-T", path(&sample), &self.url(&format!("/{name}"))])
                .expect_success();
            assert_same_files(&sample, &self.server.path(name));
            let download = self
                .run(mode, &[&self.url(&format!("/{name}"))])
                .expect_success();
            assert_eq!(download.stdout, noise(1000 + number), "{name}");
        }
        let mut wanted = NAMES;
        wanted.sort_unstable();
        assert_eq!(self.names(mode), wanted);
        let list = self.run(mode, &[&self.url("/")]).expect_success();
        assert_eq!(listed_names(&list), wanted);
        for name in NAMES {
            self.quote(mode, &[&format!("DELE {name}")])
                .expect_success();
        }
    }

    /// The names in the root directory, by NLST.
    fn names(&self, mode: Mode) -> Vec<String> {
        sorted_lines(
            &self
                .run(mode, &["--list-only", &self.url("/")])
                .expect_success(),
        )
    }
}

/// A sparse file of 1 GiB with something to compare at its start, its end, and around its middle.
pub(super) fn large_file(root: PathBuf) -> PathBuf {
    let path = root.join("large.bin");
    let file = File::create(&path).expect("a large file");
    file.set_len(LARGE).expect("its length");
    for offset in [0, LARGE / 2 - 5000, LARGE * 3 / 4 + 1, LARGE - 10_000] {
        file.write_all_at(&noise(10_000), offset)
            .expect("some bytes in the large file");
    }
    path
}

/// The names of a LIST: what follows the eighth column and one space.
fn listed_names(finished: &Finished) -> Vec<String> {
    let name = |line: &String| {
        let mut rest = line.as_str();
        for _ in 0..8 {
            rest = rest
                .trim_start_matches(' ')
                .trim_start_matches(|c| c != ' ');
        }
        rest.strip_prefix(' ').expect("nine columns").to_owned()
    };
    let mut names: Vec<_> = sorted_lines(finished).iter().map(name).collect();
    names.sort();
    names
}

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
const HUGE: u64 = 5 << 30;
