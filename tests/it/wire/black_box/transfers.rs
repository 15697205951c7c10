//! Files and listings through all kinds of data connections, whole and in part, and what goes
//! wrong.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};

use crate::support::client::Client;
use crate::support::data::{
    accept, active_listener, connect, drain, eprt_command, read_all, read_some, reset,
};
use crate::support::file_contents::noise;
use crate::support::server::TestServer;

#[test]
fn every_kind_of_data_connection_works() {
    let server = TestServer::black_box();
    let bytes = noise(300_000);
    server.write("file", &bytes);
    let mut client = server.client();
    for mode in ["PASV", "EPSV", "PORT", "EPRT"] {
        let open = prepare(&mut client, mode);
        client.command("RETR file", 150);
        assert!(read_all(&mut open.stream()) == bytes, "RETR, {mode}");
        client.expect(226);

        let open = prepare(&mut client, mode);
        client.command("STOR new", 150);
        open.stream().write_all(&bytes).expect("sending data");
        client.expect(226);
        assert!(server.read("new") == bytes, "STOR, {mode}");

        let open = prepare(&mut client, mode);
        client.command("NLST", 150);
        let mut listing = read_all(&mut open.stream());
        client.expect(226);
        listing.sort_unstable();
        assert_eq!(listing.len(), b"file\r\nnew\r\n".len(), "NLST, {mode}");
        client.command("DELE new", 250);
    }
}

#[test]
fn restarts_continue_at_the_offset() {
    let server = TestServer::black_box();
    let bytes = noise(100_000);
    server.write("file", &bytes);
    let mut client = server.client();
    client.command("REST 60000", 350);
    assert!(client.fetch("RETR file") == bytes[60_000..]);
    // It holds for one transfer only, also for one that is refused.
    assert!(client.fetch("RETR file") == bytes);
    client.command("REST 60000", 350);
    client.command("RETR missing", 550);
    assert!(client.fetch("RETR file") == bytes);
    for line in ["REST x", "REST -1", "REST", "REST 18446744073709551616"] {
        client.command(line, 501);
    }
    client.command("REST 100000", 350);
    assert_eq!(client.fetch("RETR file"), b"");
    client.command("REST 100001", 350);
    client.extended_passive();
    client.command("RETR file", 554);

    client.command("REST 10", 350);
    client.store("STOR file", "0123456789");
    assert!(server.read("file") == [&bytes[..10], b"0123456789"].concat());
    client.command("REST 21", 350);
    client.extended_passive();
    client.command("STOR file", 554);
    client.command("REST 1", 350);
    client.command("STOR new", 554);
    assert_eq!(server.read("file").len(), 20);
    assert!(!server.path("new").exists());
}

#[test]
fn ranges_are_parts_of_downloads() {
    let server = TestServer::black_box();
    let bytes = noise(100_000);
    server.write("file", &bytes);
    let mut client = server.client();
    for (first, last) in [(0, 0), (0, 99_999), (500, 70_000), (99_999, 99_999)] {
        client.command(format!("RANG {first} {last}"), 350);
        assert!(client.fetch("RETR file") == bytes[first..=last]);
    }
    // It holds for one transfer only, also for one that is refused.
    assert!(client.fetch("RETR file") == bytes);
    client.command("RANG 5 9", 350);
    client.command("RETR missing", 550);
    assert!(client.fetch("RETR file") == bytes);
    // The end may lie behind that of the file, but not the beginning.
    client.command("RANG 99990 200000", 350);
    assert!(client.fetch("RETR file") == bytes[99_990..]);
    client.command("RANG 100001 200000", 350);
    client.extended_passive();
    client.command("RETR file", 554);
    client.command("RANG 5 9", 350);
    client.command("RANG 1 0", 350);
    assert!(client.fetch("RETR file") == bytes);
    for line in ["RANG", "RANG 1", "RANG 2 1", "RANG 1 x", "RANG 1 2 3"] {
        client.command(line, 501);
    }
    client.command("RANG 5 9", 350);
    client.extended_passive();
    client.command("STOR file", 501);
    assert!(server.read("file") == bytes);
}

/// Offsets that need more than 32 bits.
#[test]
fn offsets_may_exceed_four_gibibytes() {
    let server = TestServer::black_box();
    let size: u64 = 5 << 30;
    server.write_sparse("huge", size);
    let mut client = server.client();
    client.command(format!("REST {size}"), 350);
    client.store("STOR huge", "the end");
    assert_eq!(
        client.command("SIZE huge", 213).text(),
        format!("213 {}", size + 7)
    );
    client.command(format!("REST {}", size + 4), 350);
    assert_eq!(client.fetch("RETR huge"), b"end");
    client.command("REST 18446744073709551615", 350);
    client.extended_passive();
    client.command("RETR huge", 554);
    client.command("REST 18446744073709551616", 501);
}

#[test]
fn stor_replaces_appe_appends_and_stou_finds_a_new_name() {
    let server = TestServer::black_box();
    server.write("file", "a longer text");
    let mut client = server.client();
    client.store("STOR file", "one ");
    assert_eq!(server.read("file"), b"one ");
    client.store("APPE file", "two");
    client.store("APPE new", "three");
    assert_eq!(server.read("file"), b"one two");
    assert_eq!(server.read("new"), b"three");

    let mut data = client.data();
    let opened = client.command("STOU file", 150).text();
    let name = opened
        .strip_prefix("150 FILE: ")
        .unwrap_or_else(|| panic!("{opened}"));
    assert_ne!(name, "file");
    data.write_all(b"unique").expect("sending data");
    drop(data);
    let ended = client.expect(226).text();
    assert!(ended.ends_with(&format!("FILE: {name}")), "{ended}");
    assert_eq!(
        (server.read("file"), server.read(name)),
        (b"one two".to_vec(), b"unique".to_vec())
    );
    client.store("STOU", "without a name");
    assert_eq!(fs::read_dir(server.root()).expect("the root").count(), 4);
}

#[test]
fn ascii_translates_line_ends() {
    let server = TestServer::black_box();
    server.write("file", "one\ntwo\r\n\nthree\r");
    let mut client = server.client();
    client.command("TYPE A N", 200);
    assert_eq!(client.fetch("RETR file"), b"one\r\ntwo\r\n\r\nthree\r");
    for (name, text) in [("unix", "one\ntwo\n"), ("dos", "one\r\ntwo\r\n")] {
        server.write(name, text);
        assert_eq!(client.fetch(format!("RETR {name}")), b"one\r\ntwo\r\n");
    }
    client.store("STOR new", "one\r\ntwo\n\r\nthree\rfour\r\r\n");
    assert_eq!(server.read("new"), b"one\ntwo\n\nthree\rfour\r\n");
    client.store("APPE new", "five\r");
    assert_eq!(server.read("new"), b"one\ntwo\n\nthree\rfour\r\nfive\r");
    let text = "line\n".repeat(50_000);
    server.write("long", &text);
    assert!(client.fetch("RETR long") == text.replace('\n', "\r\n").as_bytes());
    client.store("STOR long2", text.replace('\n', "\r\n"));
    assert!(server.read("long2") == text.as_bytes());
    client.command("TYPE I", 200);
    assert!(client.fetch("RETR long") == text.as_bytes());
}

/// In type A the offset counts octets as they are sent.
#[test]
fn ascii_restarts_count_octets_on_the_wire() {
    let server = TestServer::black_box();
    let text = "one\ntwo\r\n\nthree".repeat(20_000);
    server.write("file", &text);
    let mut client = server.client();
    client.command("TYPE A", 200);
    let whole = client.fetch("RETR file");
    for offset in [1, 4, 5, 100_000, whole.len() - 1, whole.len()] {
        client.command(format!("REST {offset}"), 350);
        assert!(client.fetch("RETR file") == whole[offset..], "{offset}");
    }
    client.extended_passive();
    for offset in [whole.len() as u64 + 1, u64::MAX] {
        client.command(format!("REST {offset}"), 350);
        client.command("RETR file", 554);
    }
    client.command("REST 1", 350);
    client.command("STOR file", 501);
    assert!(server.read("file") == text.as_bytes());
}

#[test]
fn empty_files_and_listings_work() {
    let server = TestServer::black_box();
    server.write("empty", "");
    fs::create_dir(server.path("directory")).expect("a directory");
    let mut client = server.client();
    for command in ["RETR empty", "LIST directory", "NLST directory"] {
        assert_eq!(client.fetch(command), b"", "{command}");
    }
    // The directory itself, and the one above.
    let text = client.fetch("MLSD directory");
    assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), 2);
    client.store("STOR new", "");
    assert_eq!(server.read("new"), b"");
    client.store("STOR new", "text");
    client.store("STOR new", "");
    assert_eq!(server.read("new"), b"");
}

/// A refusal has no 150 before it, and the data connection remains for the next transfer.
#[test]
fn refusals_come_before_150() {
    let server = TestServer::black_box();
    server.write("file", "text");
    fs::create_dir(server.path("directory")).expect("a directory");
    let mut client = server.client();
    client.command("RETR file", 425);
    client.command("RETR missing", 550);
    let mut data = client.data();
    for (command, code) in [
        ("RETR missing", 550),
        ("RETR directory", 550),
        ("RETR file/below", 550),
        ("STOR directory", 553),
        ("STOR missing/file", 553),
        ("APPE directory", 550),
        ("LIST missing", 550),
        ("MLSD file", 501),
        ("MLSD missing", 550),
        ("RETR a\0b", 501),
    ] {
        client.command(command, code);
    }
    client.command("RETR file", 150);
    assert_eq!(read_all(&mut data), b"text");
    client.expect(226);
    client.command("RETR file", 425);
}

/// The file is as it was until the data connection exists.
#[test]
fn a_file_changes_only_once_data_is_connected() {
    let server = TestServer::black_box();
    server.write("file", "text");
    let mut client = server.client();
    let port = client.extended_passive();
    client.command("STOR file", 150);
    assert_eq!(server.read("file"), b"text");
    // The reply to STAT proves that the server had time for it.
    client.command("STAT", 211);
    assert_eq!(server.read("file"), b"text");
    drop(connect(port));
    client.expect(226);
    assert_eq!(server.read("file"), b"");
}

#[test]
fn a_shrinking_file_is_451() {
    let server = TestServer::black_box();
    let mut client = server.client();
    for kind in ["TYPE I", "TYPE A"] {
        server.write_sparse("large", 1 << 28);
        client.command(kind, 200);
        let mut data = client.data();
        client.command("RETR large", 150);
        read_some(&mut data, 100_000);
        let file = OpenOptions::new()
            .write(true)
            .open(server.path("large"))
            .expect("the file");
        file.set_len(1000).expect("a smaller size");
        assert!(drain(data) < 1 << 27, "{kind}");
        client.expect(451);
        client.expect_in_step();
    }
}

/// A file that grows is sent as long as it was when it was opened.
#[test]
fn a_growing_file_is_sent_at_its_old_size() {
    let server = TestServer::black_box();
    server.write_sparse("large", 1 << 26);
    let mut client = server.client();
    let mut data = client.data();
    client.command("RETR large", 150);
    read_some(&mut data, 100_000);
    let file = OpenOptions::new().write(true).open(server.path("large"));
    file.and_then(|file| file.set_len(1 << 27))
        .expect("a larger size");
    assert_eq!(100_000 + drain(data), 1 << 26);
    client.expect(226);
}

#[test]
fn a_cut_data_connection_is_426() {
    let server = TestServer::black_box();
    server.write_sparse("large", 1 << 30);
    let mut client = server.client();
    let mut data = client.data();
    client.command("RETR large", 150);
    read_some(&mut data, 1000);
    drop(data);
    client.expect(426);

    let mut data = client.data();
    client.command("STOR new", 150);
    data.write_all(&noise(1000)).expect("sending data");
    reset(data);
    client.expect(426);
    client.expect_in_step();
}

/// A data connection that both sides have agreed upon.
enum Prepared {
    Passive(TcpStream),
    Active(TcpListener),
}

fn prepare(client: &mut Client, mode: &str) -> Prepared {
    match mode {
        "PASV" => return Prepared::Passive(connect(client.passive())),
        "EPSV" => return Prepared::Passive(client.data()),
        _ => {}
    }
    let (listener, port) = active_listener();
    let address = listener.local_addr().expect("its address");
    let line = if mode == "PORT" {
        port
    } else {
        eprt_command(address)
    };
    client.command(line, 200);
    Prepared::Active(listener)
}

impl Prepared {
    /// The connection, once the server has begun the transfer.
    fn stream(self) -> TcpStream {
        match self {
            Self::Passive(stream) => stream,
            Self::Active(listener) => accept(&listener).0,
        }
    }
}

/// One client aborts the upload of a new file when another has given a file the same name: the
/// other's file stays.
#[test]
fn an_aborted_upload_leaves_the_file_of_another_client() {
    let server = TestServer::black_box();
    let (mut first, mut second) = (server.client(), server.client());
    first.extended_passive();
    first.command("STOR new", 150);
    second.store("STOR other", "text");
    second.command("RNFR other", 350);
    second.command("RNTO new", 250);
    first.send("ABOR");
    first.expect_all(&[426, 226]);
    assert_eq!(server.read("new"), b"text");
}
