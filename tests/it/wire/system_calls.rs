//! Which system calls the server makes, as strace sees them: one write for many replies, sendfile
//! for downloads, splice for large uploads.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use socket2::SockRef;
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::data::{connect, drain};
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{PASSWORD, Program, Setup, TestServer, USER};
use crate::support::wait::wait_until;

#[test]
fn replies_to_one_read_go_out_in_one_write() {
    let (traced, mut client) = Traced::new();
    // On a busy machine a turn may end by its time, in the middle of the commands: rarely each
    // time.
    for _ in 0..10 {
        client.send_bytes("NOOP\r\nSYST\r\nTYPE I\r\nSIZE file\r\nTYPE A\r\nCWD /\r\nNOOP\r\n");
        client.expect_all(&[200, 215, 200, 213, 200, 250, 200]);
    }
    client.command("QUIT", 221);
    let calls = traced.end();
    let replies: Vec<_> = calls.iter().filter(|call| call.writes()).collect();
    let begin = "\"200 Command okay.\\r\\n215 ";
    let end = "250 Directory changed.\\r\\n200 Command okay.\\r\\n\"";
    let is_whole = |call: &Call| call.text.contains(begin) && call.text.contains(end);
    assert!(replies.iter().any(|call| is_whole(call)), "{replies:#?}");
}

#[test]
fn downloads_are_sent_by_the_kernel() {
    let (traced, mut client) = Traced::new();
    client.command("TYPE I", 200);
    let data = connect(client.extended_passive());
    client.command("RETR file", 150);
    assert_eq!(drain(data), FILE_BYTES);
    client.expect(226);
    client.command("QUIT", 221);
    let calls = traced.end();
    let sent: usize = calls
        .iter()
        .filter(|call| call.name == "sendfile")
        .map(|call| call.result)
        .sum();
    assert_eq!(sent, FILE_BYTES, "{calls:#?}");
    let most = calls
        .iter()
        .filter(|call| call.writes())
        .map(|call| call.result)
        .max();
    assert!(most.is_some_and(|most| most < 1000), "{calls:#?}");
    let read = calls
        .iter()
        .filter(|call| call.name.contains("read"))
        .map(|call| call.result)
        .max();
    assert!(read.is_none_or(|most| most < 5000), "{calls:#?}");
}

/// Through a pipe, once so much comes at a time that the pipe pays.
#[test]
fn large_uploads_are_moved_by_the_kernel() {
    let (traced, mut client) = Traced::new();
    client.command("TYPE I", 200);
    let large = noise(LARGE_BYTES);
    client.store("STOR large", &large);
    // A file to which is only appended takes nothing from a pipe.
    client.store("APPE large", &large);
    client.store("STOR small", noise(SMALL_BYTES));
    let stored = fs::read(traced.server.root().join("large")).expect("the file");
    assert!(stored == [&large[..], &large[..]].concat());
    client.command("QUIT", 221);
    let calls = traced.end();
    let moved = calls.iter().filter(|call| call.name == "splice");
    let moved: usize = moved.map(|call| call.result).sum();
    // Into the pipe, and out of it; for the second file, only into it.
    assert!(moved > 2 * LARGE_BYTES, "{moved} bytes: {calls:#?}");
    let pipes = calls.iter().filter(|call| call.name == "pipe2");
    assert_eq!(pipes.count(), 2, "{calls:#?}");
}

/// A pipe takes nothing from a byte on that is marked as urgent. That byte is none of the file.
#[test]
fn an_urgent_byte_does_not_hold_an_upload_up() {
    let (traced, mut client) = Traced::new();
    client.command("TYPE I", 200);
    let part = noise(LARGE_BYTES / 2);
    let mut data = connect(client.extended_passive());
    client.command("STOR large", 150);
    data.write_all(&part).expect("sent");
    SockRef::from(&data).send_out_of_band(b"!").expect("sent");
    data.write_all(&part).expect("sent");
    drop(data);
    client.expect(226);
    let stored = fs::read(traced.server.root().join("large")).expect("the file");
    assert!(stored == part.repeat(2), "{} bytes", stored.len());
    client.command("QUIT", 221);
    let calls = traced.end();
    assert!(calls.iter().any(|call| call.name == "splice"));
}

/// When a client has connected before its command, neither the listener nor the data connection is
/// registered.
#[test]
fn a_small_download_is_not_registered_with_the_poll() {
    let (traced, mut client) = Traced::new();
    client.command("TYPE I", 200);
    let count = 20;
    download_small(&mut client, count);
    client.command("QUIT", 221);
    let calls = traced.end();
    let sent = calls.iter().filter(|call| call.name == "sendfile");
    assert_eq!(
        sent.map(|call| call.result).sum::<usize>(),
        count * SMALL_BYTES
    );
    let registered = calls.iter().filter(|call| call.name == "epoll_ctl").count();
    // The acceptor's own, the session's control connection and its waker.
    assert!(registered < count, "{registered} for {count} downloads");
}

/// Downloads a small file several times. Each time the client connects before its command.
fn download_small(client: &mut Client, count: usize) {
    for _ in 0..count {
        let data = connect(client.extended_passive());
        client.command("RETR small", 150);
        assert_eq!(drain(data), SMALL_BYTES);
        client.expect(226);
    }
}

/// What a session notes of itself, for others to see, costs no call.
#[test]
fn commands_and_small_downloads_make_few_calls() {
    let (traced, mut client) = Traced::of("trace=%net,%desc,%file");
    client.command("TYPE I", 200);
    let count = 20;
    for _ in 0..count {
        client.command("NOOP", 200);
    }
    client.command("SIZE small", 213);
    download_small(&mut client, count);
    client.command("QUIT", 221);
    let mut calls = traced.end();
    let login = calls.iter().position(|call| call.text.contains("\"230 "));
    calls.drain(..login.expect("a login"));
    let session = calls[0].thread.clone();
    calls.retain(|call| call.thread == session && !call.depends_on_the_client());
    let size = calls.iter().position(|call| call.text.contains("\"213 "));
    let (noops, downloads) = calls.split_at(size.expect("the reply to SIZE"));
    let of_network = [
        "sendto",
        "sendmsg",
        "getsockname",
        "getpeername",
        "getsockopt",
    ];
    let made = |calls: &[Call], name| calls.iter().filter(|call| call.name == name).count();
    let made = |calls| of_network.map(|name| made(calls, name));
    // The reply to the login, and to TYPE.
    assert_eq!(made(noops), [count + 2, 0, 0, 0, 0], "{noops:#?}");
    // Of each download: 229, 150, 226. The number of the port is known.
    let all = made(downloads);
    assert_eq!((all[2], all[3], all[4]), (0, 0, 0), "{downloads:#?}");
    assert_eq!(usual(downloads), CALLS_PER_DOWNLOAD, "{downloads:#?}");
}

/// What a listing costs: a look at each entry, or at none for names alone, and few calls besides.
#[test]
fn listings_make_one_call_for_each_entry_at_most() {
    const FILES: usize = 1000;
    let (traced, mut client) = Traced::of("trace=%net,%desc,%file");
    let directory = traced.server.path("many");
    fs::create_dir(&directory).expect("a directory");
    for number in 0..FILES {
        fs::write(directory.join(format!("{number:05}")), "").expect("a file");
    }
    client.command("CWD many", 250);
    let listings = [("NLST", 0), ("LIST", FILES), ("MLSD", FILES)];
    // The names of owners are looked up before what is counted.
    client.fetch("LIST");
    for (command, _) in listings {
        client.command("NOOP", 200);
        client.fetch(command);
    }
    client.command("QUIT", 221);
    let calls = traced.end();
    let mut parts = calls.split(|call| call.text.contains("\"200 "));
    let before = parts.next();
    assert!(before.is_some());
    for ((command, looks), calls) in listings.into_iter().zip(parts) {
        let made = |name: &str| calls.iter().filter(|call| call.name.contains(name)).count();
        let names = made("getdents");
        assert!(names <= READS_PER_1000_NAMES, "{command}: {names} reads");
        let stats = made("stat") - looks;
        assert!(stats <= LOOKS_PER_LISTING, "{command}: {stats} looks more");
        let writes = calls.iter().filter(|call| call.writes()).count();
        assert!(writes <= WRITES_PER_LISTING, "{command}: {writes} writes");
        let rest = calls.len() - names - stats - looks - writes;
        assert!(rest <= OTHERS_PER_LISTING, "{command}: {rest} others");
    }
}

#[test]
fn small_uploads_make_few_calls() {
    let (traced, mut client) = Traced::of("trace=%net,%desc,%file");
    client.command("TYPE I", 200);
    let count = 20;
    client.command("SIZE small", 213);
    for number in 0..count {
        client.store(format!("STOR new{number}"), noise(SMALL_BYTES));
    }
    client.command("QUIT", 221);
    let calls = traced.end();
    let size = calls.iter().position(|call| call.text.contains("\"213 "));
    let calls = &calls[size.expect("the reply to SIZE")..];
    let session = &calls[0].thread;
    let of_session = calls.iter().filter(|call| call.thread == *session);
    let made: Vec<Call> = of_session
        .filter(|call| !call.depends_on_the_client())
        .cloned()
        .collect();
    assert_eq!(usual(&made), CALLS_PER_UPLOAD, "{made:#?}");
}

/// The calls from one passive port to the next: those of most transfers, as some find that another
/// program has their port.
fn usual(calls: &[Call]) -> usize {
    let ports = calls.split(|call| call.text.contains("\"229 "));
    let mut counts: Vec<usize> = ports.map(<[Call]>::len).collect();
    counts.sort_unstable();
    counts[counts.len() / 2] + 1
}

/// A session waits, reads a command and answers it. It reads no second time to find nothing.
#[test]
fn a_command_makes_three_calls() {
    let (traced, mut client) = Traced::of("trace=all");
    let count = 20;
    client.command("SYST", 215);
    for _ in 0..count {
        client.command("NOOP", 200);
    }
    client.command("QUIT", 221);
    let trace = traced.end_with_trace();
    let calls = begun(&trace);
    let position = |text: &str| calls.iter().position(|call| call.text.contains(text));
    let (first, last) = (position("\"215 ").unwrap(), position("\"221 ").unwrap());
    let session = calls[first].thread;
    let of_session = calls[first + 1..last].iter();
    let mut names: Vec<&str> = of_session
        .filter(|call| call.thread == session)
        .map(|call| call.name)
        .collect();
    // On a busy machine a turn may end before it has begun.
    names.retain(|name| *name != "epoll_wait");
    let each = ["recvfrom", "sendto"];
    assert_eq!(names, [&each.repeat(count)[..], &each[..1]].concat());
}

/// A thread that has served a client takes the next one, with its poll. The socket that listens has
/// given each connection its options.
#[test]
fn a_login_makes_few_calls() {
    let (traced, mut client) = Traced::of("trace=all");
    client.command("QUIT", 221);
    client.expect_closed();
    let count = 20;
    for _ in 0..count {
        let mut client = Client::logged_in(traced.server.address);
        client.command("QUIT", 221);
        client.expect_closed();
    }
    let trace = traced.end_with_trace();
    let calls = begun(&trace);
    let is_end = |call: &Begun<'_>| call.text.contains("\"221 ");
    let first = calls.iter().position(is_end).expect("the first end");
    let last = calls.iter().rposition(is_end).expect("the last end");
    // The log has a thread of its own, which is woken.
    let is_of_log = |call: &Begun<'_>| call.name == "futex" || call.text.starts_with("write(2,");
    let calls = calls[first..last].iter();
    let calls: Vec<_> = calls.filter(|call| !is_of_log(call)).collect();
    let made = |name: &str| calls.iter().filter(|call| call.name == name).count();
    for name in ["setsockopt", "getsockname", "getpeername"] {
        assert_eq!(made(name), 0, "{name}");
    }
    // A thread may not have ended its session yet when the next client is there.
    assert!(made("clone3") + made("clone") < count / 2);
    let most = count * CALLS_PER_LOGIN;
    assert!(calls.len() <= most, "{} calls: {calls:#?}", calls.len());
}

/// That the shared directory is still the one at its path takes one call for each operation, none
/// for its blocks, and one more before an upload is confirmed. That of a download is the look at
/// its file too.
#[test]
fn each_operation_looks_at_the_share_once() {
    let (traced, mut client) = Traced::new();
    client.command("TYPE I", 200);
    let operations = ["SIZE file", "CWD /", "MLST file", "STAT file", "DELE small"];
    for (operation, code) in operations.iter().zip([213, 250, 250, 213, 250]) {
        client.command(operation, code);
    }
    for transfer in ["RETR file", "NLST"] {
        client.fetch(transfer);
    }
    client.store("STOR new", noise(FILE_BYTES));
    client.command("NOOP", 200);
    client.command("QUIT", 221);
    let share = format!("\"{}", traced.server.root().display());
    let calls = traced.end();
    let since_login = calls.iter().position(|call| call.text.contains("\"230 "));
    let calls = &calls[since_login.expect("a login")..];
    let looks: Vec<_> = calls
        .iter()
        .filter(|call| call.text.contains(&share))
        .collect();
    assert_eq!(looks.len(), operations.len() + 4, "{looks:#?}");
}

/// The program, traced, and the file that holds the trace.
struct Traced {
    server: TestServer<Program>,
    trace: PathBuf,
    _directory: TempDir,
}

/// A call that has returned something.
#[derive(Clone, Debug)]
struct Call {
    thread: String,
    name: String,
    result: usize,
    text: String,
}

/// A call that has begun.
#[derive(Debug)]
struct Begun<'a> {
    thread: &'a str,
    name: &'a str,
    text: &'a str,
}

impl Traced {
    fn new() -> (Self, Client) {
        Self::of(CALLS)
    }

    /// These calls, in strace's words, are traced.
    fn of(calls: &str) -> (Self, Client) {
        let setup = Setup::new();
        let directory = TempDir::new().expect("a temporary directory");
        let (root, trace) = (setup.root(), directory.path().join("trace"));
        fs::write(root.join("file"), noise(FILE_BYTES)).expect("a file");
        fs::write(root.join("small"), noise(SMALL_BYTES)).expect("a file");
        // With -D the server is our child, and strace its companion.
        let options = ["-D", "-f", "-q", "-s", "1000", "-e", calls, "-o"];
        let strace = [&["strace"], &options[..], &[path(&trace)]].concat();
        let setup = setup.wrapped(|serve| process::prefixed(&strace, &serve));
        let server = setup.program();
        let mut client = Client::greeted(server.address);
        client.command(format!("USER {USER}"), 331);
        client.command(format!("PASS {PASSWORD}"), 230);
        let traced = Self {
            server,
            trace,
            _directory: directory,
        };
        (traced, client)
    }

    /// Ends the server; returns the calls that it made.
    fn end(self) -> Vec<Call> {
        parse(&self.end_with_trace())
    }

    /// The same as strace has written it.
    fn end_with_trace(self) -> String {
        let id = self.server.id().to_string();
        // Short numbers have several spaces behind them.
        let is_end = |line: &str| {
            let words: Vec<&str> = line.split_ascii_whitespace().take(3).collect();
            words == [&*id, "+++", "exited"]
        };
        self.server.finish();
        wait_until("strace ends too", || read(&self.trace).lines().any(is_end));
        read(&self.trace)
    }
}

impl Call {
    fn writes(&self) -> bool {
        self.name.contains("write")
            || self.name.starts_with("sendto")
            || self.name.starts_with("sendmsg")
    }

    /// Whether it waits or looks for what may not have come yet. How often that is in vain depends
    /// on the client, and on the machine.
    fn depends_on_the_client(&self) -> bool {
        ["accept4", "epoll_ctl", "epoll_wait", "read", "recvfrom"].contains(&&*self.name)
    }
}

/// All calls, also those that have failed, in the order in which they began.
fn begun(trace: &str) -> Vec<Begun<'_>> {
    let calls = trace.lines().filter_map(|line| {
        let (thread, rest) = line.split_once(' ')?;
        let text = rest.trim_start();
        let (name, _) = text.split_once('(')?;
        let is_name = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name.then_some(Begun { thread, name, text })
    });
    calls.collect()
}

fn read(trace: &Path) -> String {
    fs::read_to_string(trace).expect("the trace")
}

/// Lines like `123 write(5, "…", 4) = 4`. A call during which another thread made one is cut in
/// two, the second part being `<... write resumed>…`; its arguments are in the first.
fn parse(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut unfinished: Vec<(&str, &str)> = Vec::new();
    for line in trace.lines() {
        let (thread, rest) = line.split_once(' ').expect("a thread's number");
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.push((thread, begun));
            continue;
        }
        let mut text = rest.to_owned();
        if rest.starts_with("<... ") {
            let index = unfinished.iter().position(|(other, _)| *other == thread);
            let (_, begun) = unfinished.swap_remove(index.expect("the beginning of a call"));
            let (_, ended) = rest.split_once("resumed>").expect("the end of a call");
            text = format!("{begun}{ended}");
        }
        let Some((name, _)) = text.split_once('(') else {
            continue;
        };
        let result = text
            .rsplit_once(" = ")
            .and_then(|(_, result)| result.parse().ok());
        if let Some(result) = result {
            calls.push(Call {
                thread: thread.to_owned(),
                name: name.to_owned(),
                result,
                text,
            });
        }
    }
    calls
}

const CALLS: &str = "trace=write,writev,pwrite64,sendto,sendmsg,sendfile,splice,pipe2,read,pread64,readv,epoll_ctl,%file";

const FILE_BYTES: usize = 300_000;
/// But for those that depend on the client.
const CALLS_PER_DOWNLOAD: usize = 14;
/// Each reads 8 KiB, and the last one nothing.
const READS_PER_1000_NAMES: usize = 5;
/// Besides those at entries: at the share, and the directory.
const LOOKS_PER_LISTING: usize = 8;
/// The same for an upload to the shared directory itself.
const CALLS_PER_UPLOAD: usize = 18;
/// More than the socket's buffers hold.
const LARGE_BYTES: usize = 20_000_000;
/// Those of the main thread included.
const CALLS_PER_LOGIN: usize = 28;
/// Of lines, about 350 in each turn, and of replies; more of them where the client is slow.
const WRITES_PER_LISTING: usize = 100;
/// They are those of the transfer and of its turns, and none for each entry.
const OTHERS_PER_LISTING: usize = 200;
/// Fits into the socket's buffer.
const SMALL_BYTES: usize = 1000;
