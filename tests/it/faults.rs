//! What may happen to a file while it is written: errors of the system, a full disk, a server that
//! is killed, clients that vanish, other writers, other kinds of files.
//!
//! One rule is tested throughout: a name holds the whole old or the whole new file. After a broken
//! connection, and only with `--broken-uploads keep`, it holds the beginning of the new one, which
//! REST goes on with. It never holds bytes of both, and no temporary file stays.

mod broken_uploads;
mod devices;
mod full_disk;
mod fuse;
mod killed_server;
mod leftovers;
mod links;
mod meanwhile;
mod metadata;
mod system_errors;
mod writers;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::client::{Client, Reply};
use crate::support::server::{PASSWORD, Program, Setup, TestServer, USER};
use crate::support::wait::wait_until;

/// A server of a directory that outlives it.
fn serve(root: &Path, flags: &[&str]) -> TestServer<Program> {
    let root = root.to_str().expect("a path in UTF-8");
    let common = ["-i", "127.0.0.1", "-p", "0", "-d", root, "-w"];
    let account = ["-u", USER, "-P", PASSWORD];
    let setup = Setup::from_flags_alone();
    setup.flags(&common).flags(&account).flags(flags).program()
}

/// The beginning of an upload: the server has received these bytes, and waits for more.
#[track_caller]
fn begin(client: &mut Client, command: &str, bytes: &[u8]) -> TcpStream {
    let mut data = client.data();
    client.command(command, 150);
    data.write_all(bytes).expect("sending data");
    wait_until_received(client, bytes.len());
    data
}

/// The upload of this session has received this many bytes.
#[track_caller]
fn wait_until_received(client: &mut Client, bytes: usize) {
    let shown = format!(" in progress, {bytes} bytes so far.");
    wait_until("all bytes have come", || {
        let text = client.command("STAT", 211).text();
        bytes == 0 || text.contains(&shown)
    });
}

/// Sends a whole upload, whatever becomes of it; returns the last reply.
#[track_caller]
fn upload(client: &mut Client, command: &str, bytes: &[u8]) -> Reply {
    let mut data = client.data();
    client.send(command);
    let reply = client.reply();
    if reply.code != 150 {
        return reply;
    }
    // The server reads and discards what it cannot store, so that the client reads the reply.
    data.write_all(bytes).expect("no reset");
    drop(data);
    client.reply()
}

/// What would join two files is refused, after an upload that left the old one.
#[track_caller]
fn expect_no_resume(client: &mut Client, offset: usize, name: &str) {
    client.extended_passive();
    client.command(format!("REST {offset}"), 350);
    client.command(format!("STOR {name}"), 554);
    client.command(format!("APPE {name}"), 554);
}

/// The temporary files in a directory, by their names.
fn leftovers(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with(".ftp-upload."))
        .collect()
}

#[track_caller]
fn expect_no_leftovers(directory: &Path) {
    assert_eq!(leftovers(directory), [""; 0], "temporary files");
}

/// The server holds no file of its directory open, and so has no lock on one.
#[track_caller]
fn expect_no_open_files(server: &TestServer<Program>) {
    let descriptors = format!("/proc/{}/fd", server.id());
    let beneath = server.root().join("");
    wait_until("all files are closed", || {
        let entries = fs::read_dir(&descriptors).expect("the server's descriptors");
        let mut targets = entries
            .flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok());
        !targets.any(|target| target.starts_with(&beneath) && target != beneath)
    });
}

/// Checks bytes without printing them: for a person, how many there are says more.
#[track_caller]
fn expect_bytes(found: &[u8], expected: &[u8], what: &str) {
    let same = found.iter().zip(expected).take_while(|(a, b)| a == b);
    let (same, bytes, wanted) = (same.count(), found.len(), expected.len());
    assert!(
        found == expected,
        "{what}: {bytes} bytes, of which the first {same} are as in the {wanted} expected"
    );
}

/// Checks that these bytes begin the expected ones.
#[track_caller]
fn expect_beginning(found: &[u8], whole: &[u8], what: &str) {
    let end = found.len().min(whole.len());
    expect_bytes(found, &whole[..end], what);
}

/// Sets the flag when it is dropped, also by a panic: a thread that waits for the flag would never
/// end otherwise.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Another content than that of [`noise`](crate::support::file_contents::noise), of this size.
fn other_noise(bytes: usize) -> Vec<u8> {
    let mut noise = crate::support::file_contents::noise(bytes + 8);
    noise.drain(..8);
    noise.iter_mut().for_each(|byte| *byte ^= 0x55);
    noise
}
