//! Errors of the system while an upload is stored. The client gets the reply that fits, the old
//! file stays as it was, and the server goes on.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::ops::RangeInclusive;

use super::{
    begin, expect_beginning, expect_bytes, expect_no_leftovers, expect_no_open_files,
    expect_no_resume, other_noise, upload,
};
use crate::support::client::{Client, Reply};
use crate::support::data::read_all;
use crate::support::fault::{
    ECONNABORTED, EDQUOT, EFBIG, EINVAL, EIO, ENOLCK, ENOSPC, ENOTCONN, EOPNOTSUPP, EPERM, EROFS,
    ESTALE, ETIMEDOUT, Error, KernelFaults, KernelTrace, LibraryFaults,
};
use crate::support::file_contents::noise;
use crate::support::server::{Program, Setup, TestServer};
use crate::support::wait::wait_until;

#[test]
fn a_failed_write_leaves_the_old_file() {
    check_library("write", WRITTEN_BEFORE);
}

/// Network file systems, and those with a quota, report errors of writing when a file is closed.
#[test]
fn a_failed_close_leaves_the_old_file() {
    check_library("close", 0);
}

#[test]
fn a_failed_sync_leaves_the_old_file() {
    let server = TestServer::program(&["--sync"]);
    for error in ERRORS {
        check_kernel(&server, SYNC, error);
    }
    server.finish();
}

#[test]
fn a_failed_rename_leaves_the_old_file() {
    let server = TestServer::program(&[]);
    for error in ERRORS {
        check_kernel(&server, "rename,renameat,renameat2,link,linkat", error);
    }
    expect_no_open_files(&server);
    server.finish();
}

/// The file, and the directory that has the new name. That it is before the reply shows where it
/// fails.
#[test]
fn with_sync_an_upload_is_written_to_the_disk() {
    for (flags, least, most) in [(&["--sync"][..], 2, usize::MAX), (&[], 0, 0)] {
        let server = TestServer::program(flags);
        for name in ["new", "old"] {
            server.write("old", noise(OLD_BYTES));
            let mut client = server.client();
            let trace = KernelTrace::start(server.id(), SYNC);
            client.store(format!("STOR {name}"), noise(NEW_BYTES));
            let calls = trace.end();
            assert!(
                (least..=most).contains(&calls),
                "{flags:?}, {name}: {calls}"
            );
        }
        server.finish();
    }
}

/// The first error of an upload to a new file, to an old one, and to the end and the middle of one.
#[track_caller]
fn check_library(call: &str, after: usize) {
    let (faults, setup) = LibraryFaults::install(Setup::new());
    let server = setup.program();
    let case = Library {
        server: &server,
        faults: &faults,
        call,
        after,
    };
    for error in ERRORS {
        for kind in [Kind::New, Kind::Old, Kind::End, Kind::Middle] {
            case.check(error, kind);
        }
    }
    expect_no_open_files(&server);
    server.finish();
}

/// The file of a STOU is there from the start, and leaves nothing either.
#[test]
fn a_failure_leaves_nothing_of_a_unique_file() {
    let (faults, setup) = LibraryFaults::install(Setup::new());
    let server = setup.program();
    let mut client = server.client();
    for (call, after) in [("write", WRITTEN_BEFORE), ("close", 0)] {
        for error in ERRORS {
            let opened = client.data();
            faults.set(call, error, after);
            let reply = upload_over(&mut client, opened, "STOU file", &noise(NEW_BYTES));
            assert_ne!(faults.clear(), 0, "no {call} has failed");
            assert_eq!(reply.code, code(error), "{call}: {}", reply.text());
            let left = fs::read_dir(server.root()).expect("the root").count();
            assert_eq!(left, 0, "{call}, {}", error.1);
            client.expect_in_step();
        }
    }
    expect_no_open_files(&server);
    server.finish();
}

struct Library<'a> {
    server: &'a TestServer<Program>,
    faults: &'a LibraryFaults,
    call: &'a str,
    after: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// STOR of a name that is free.
    New,
    /// STOR of a name that a file has.
    Old,
    /// APPE.
    End,
    /// REST and STOR.
    Middle,
}

impl Library<'_> {
    #[track_caller]
    fn check(&self, error: Error, kind: Kind) {
        let Self { server, call, .. } = *self;
        let name = format!("{call}-{}-{kind:?}", error.1);
        let (old, new) = (noise(OLD_BYTES), other_noise(NEW_BYTES));
        let mut client = server.client();
        let command = match kind {
            Kind::New => format!("STOR {name}"),
            Kind::Old => {
                server.write(&name, &old);
                format!("STOR {name}")
            }
            Kind::End => {
                server.write(&name, &old);
                format!("APPE {name}")
            }
            Kind::Middle => {
                server.write(&name, &old);
                client.command(format!("REST {OFFSET}"), 350);
                format!("STOR {name}")
            }
        };
        let opened = client.data();
        self.faults.set(call, error, self.after);
        let reply = upload_over(&mut client, opened, &command, &new);
        assert_ne!(self.faults.clear(), 0, "{name}: no {call} has failed");
        assert_eq!(reply.code, code(error), "{name}: {}", reply.text());
        self.check_file(kind, &name, [&old, &new]);
        expect_no_leftovers(&server.root());
        let least = if self.after == 0 {
            NEW_BYTES
        } else {
            self.after
        };
        expect_received(server, &name, &reply, least..=NEW_BYTES);
        self.check_goes_on(&mut client, kind, &name, &new);
    }

    /// What the name holds after the failure.
    #[track_caller]
    fn check_file(&self, kind: Kind, name: &str, [old, new]: [&[u8]; 2]) {
        let kept = match kind {
            Kind::New => {
                let exists = self.server.path(name).exists();
                return assert!(!exists, "{name} exists after the failure");
            }
            Kind::Old => return expect_bytes(&self.server.read(name), old, name),
            Kind::End => old.len(),
            Kind::Middle => OFFSET,
        };
        // These are written in place: bytes that arrived before the error may stay.
        let found = self.server.read(name);
        assert!(found.len() >= kept, "{name}: {} bytes", found.len());
        expect_beginning(&found, &[&old[..kept], new].concat(), name);
    }

    /// Neither the session nor another one has suffered.
    #[track_caller]
    fn check_goes_on(&self, client: &mut Client, kind: Kind, name: &str, new: &[u8]) {
        client.expect_in_step();
        let mut other = self.server.client();
        if let Kind::Old = kind {
            // A resume would join the beginning of the old file and the end of the new one.
            expect_no_resume(client, OFFSET, name);
            expect_no_resume(&mut other, OFFSET, name);
        }
        client.store(format!("STOR {name}"), new);
        expect_bytes(&self.server.read(name), new, name);
        other.command(format!("REST {OFFSET}"), 350);
        other.store(format!("STOR {name}"), &new[OFFSET..]);
        expect_bytes(&self.server.read(name), new, name);
        expect_no_leftovers(&self.server.root());
    }
}

/// The error of a call with which an upload becomes the file: the temporary file is complete.
#[track_caller]
fn check_kernel(server: &TestServer<Program>, calls: &str, error: Error) {
    let (old, new) = (noise(OLD_BYTES), other_noise(NEW_BYTES));
    for exists in [true, false] {
        let name = format!("{}-{exists}", error.1);
        if exists {
            server.write(&name, &old);
        }
        let mut client = server.client();
        let mut data = begin(&mut client, &format!("STOR {name}"), &new[..STORED_BEFORE]);
        let faults = KernelFaults::start(server.id(), calls, error);
        data.write_all(&new[STORED_BEFORE..]).expect("sending data");
        drop(data);
        let reply = client.reply();
        assert_ne!(faults.end(), 0, "{name}: no {calls} has failed");
        assert_eq!(reply.code, code(error), "{name}: {}", reply.text());
        expect_unchanged(server, &name, exists.then_some(&old));
        expect_no_leftovers(&server.root());
        expect_received(server, &name, &reply, NEW_BYTES..=NEW_BYTES);
        client.expect_in_step();
        client.store(format!("STOR {name}"), &new);
        expect_bytes(&server.read(&name), &new, &name);
        expect_no_leftovers(&server.root());
    }
}

/// Errors of the calls that look for files, open them and lock them. The upload may be refused, or
/// get along without them; reply and file agree.
#[test]
fn errors_of_other_calls_change_no_file() {
    let server = TestServer::program(&[]);
    let (old, new) = (noise(OLD_BYTES), other_noise(NEW_BYTES));
    for calls in ["openat,openat2", "statx,newfstatat,fstat", "flock,fcntl"] {
        for error in ERRORS {
            for (command, exists) in [("STOR", true), ("STOR", false), ("APPE", true)] {
                let name = format!("{}-{}-{command}-{exists}", &calls[..4], error.1);
                if exists {
                    server.write(&name, &old);
                }
                let mut client = server.client();
                let faults = KernelFaults::start(server.id(), calls, error);
                let reply = upload(&mut client, &format!("{command} {name}"), &new);
                drop(faults);
                match (reply.code, command) {
                    (226, "STOR") => expect_bytes(&server.read(&name), &new, &name),
                    (226, _) => {
                        let both = [&old[..], &new].concat();
                        expect_bytes(&server.read(&name), &both, &name);
                    }
                    (400.., _) => expect_unchanged(&server, &name, exists.then_some(&old)),
                    _ => panic!("{name}: {}", reply.text()),
                }
                expect_no_leftovers(&server.root());
                let mut client = server.client();
                client.store(format!("STOR {name}"), &new);
                expect_bytes(&server.read(&name), &new, &name);
                expect_no_leftovers(&server.root());
            }
        }
    }
    server.finish();
}

/// FAT has no owners, network shares may have no locks, and many have no attributes or cannot
/// rename without replacing: uploads work there all the same.
#[test]
fn file_systems_that_can_do_less_store_files() {
    let server = TestServer::program(&[]);
    let (old, new) = (noise(OLD_BYTES), other_noise(NEW_BYTES));
    let attributes = "setxattr,lsetxattr,fsetxattr,getxattr,lgetxattr,fgetxattr,listxattr,\
                      llistxattr,flistxattr";
    for (calls, error) in [
        ("chown,fchown,lchown,fchownat", EPERM),
        ("chmod,fchmod,fchmodat", EPERM),
        (attributes, EOPNOTSUPP),
        // As `rclone mount` says it.
        ("flistxattr", EIO),
        ("flock", EOPNOTSUPP),
        ("flock", ENOLCK),
        ("renameat2", EINVAL),
        ("link,linkat", EPERM),
    ] {
        for exists in [true, false] {
            for (command, parts) in [("STOR", &[&new[..]][..]), ("APPE", &[&old, &new])] {
                if exists {
                    server.write("file", &old);
                } else {
                    let _ = fs::remove_file(server.path("file"));
                }
                let mut client = server.client();
                let faults = KernelFaults::start(server.id(), calls, error);
                let reply = upload(&mut client, &format!("{command} file"), &new);
                drop(faults);
                let what = format!("{calls}: {}, {command}, {exists}", error.1);
                assert_eq!(reply.code, 226, "{what}: {}", reply.text());
                let expected = if exists { parts.concat() } else { new.clone() };
                expect_bytes(&server.read("file"), &expected, &what);
                expect_no_leftovers(&server.root());
            }
        }
    }
    expect_no_open_files(&server);
    server.finish();
}

/// Files of network file systems, and of FUSE, have errors that a connection has too.
#[test]
fn an_error_of_a_file_is_none_of_its_connection() {
    let server = TestServer::program(&[]);
    server.write("file", noise(OLD_BYTES));
    for error in [ENOTCONN, ETIMEDOUT, ECONNABORTED] {
        let mut client = server.client();
        let mut data = client.data();
        let faults = KernelFaults::start(server.id(), "sendfile", error);
        client.command("RETR file", 150);
        assert_eq!(read_all(&mut data), b"", "{}", error.1);
        client.expect(451);
        drop(faults);
        assert_eq!(client.fetch("RETR file").len(), OLD_BYTES);
    }
    server.finish();
}

/// A whole transfer over a connection that stands already; returns the last reply.
#[track_caller]
fn upload_over(client: &mut Client, mut data: TcpStream, command: &str, bytes: &[u8]) -> Reply {
    client.command(command, 150);
    // The server reads and discards what it cannot store, so that the client reads the reply.
    data.write_all(bytes).expect("no reset");
    drop(data);
    client.reply()
}

#[track_caller]
fn expect_unchanged(server: &TestServer<Program>, name: &str, old: Option<&Vec<u8>>) {
    match old {
        Some(old) => expect_bytes(&server.read(name), old, name),
        None => assert!(!server.path(name).exists(), "{name} exists"),
    }
}

/// The log has one line about the failure. It, and the reply, name how many bytes were received.
#[track_caller]
fn expect_received(
    server: &TestServer<Program>,
    name: &str,
    reply: &Reply,
    received: RangeInclusive<usize>,
) {
    let path = format!(" /{name}");
    let lines = |log: String| -> Vec<String> {
        let lines = log.lines().filter(|line| line.contains(&path));
        lines.map(str::to_owned).collect()
    };
    wait_until("the failure is in the log", || {
        !lines(server.log()).is_empty()
    });
    let lines = lines(server.log());
    let [line] = &lines[..] else {
        panic!("{} lines about one failure: {lines:#?}", lines.len());
    };
    let (_, text) = line.split_once(&path).expect("the path");
    for text in [text, &reply.text()] {
        let numbers = text.split(|letter: char| !letter.is_ascii_digit());
        let mut named = numbers.filter_map(|digits| digits.parse().ok());
        let is_named = named.any(|bytes| received.contains(&bytes));
        assert!(is_named, "{received:?} bytes have been received: {text}");
    }
}

/// The reply to an upload that this error has ended.
fn code(error: Error) -> u16 {
    match error {
        EDQUOT | EFBIG | ENOSPC => 452,
        _ => 451,
    }
}

const SYNC: &str = "fsync,fdatasync,syncfs";

const ERRORS: [Error; 6] = [ENOSPC, EDQUOT, EIO, EFBIG, EROFS, ESTALE];

const OLD_BYTES: usize = 200_000;
const NEW_BYTES: usize = 300_000;
/// Not at a boundary of anything.
const STORED_BEFORE: usize = 100_001;

/// Less than the server reads at once: what follows may go through a pipe, where the library does
/// not see it. A disk that is full then is in `full_disk`.
const WRITTEN_BEFORE: usize = 50_000;
const OFFSET: usize = 50_000;
