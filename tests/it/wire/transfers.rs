//! Files and listings through all kinds of data connections, whole and in part, and what goes wrong on the way.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use socket2::SockRef;
use tempfile::TempDir;

use super::{Client, PASSWORD, Site, connect, drain, pattern, read_all, read_some, serving};
use crate::support::server::Server;

#[test]
fn every_kind_of_data_connection() {
    let site = Site::new(&[]);
    let bytes = pattern(300_000);
    site.write("file", &bytes);
    let mut client = site.client();
    for mode in ["PASV", "EPSV", "PORT", "EPRT"] {
        let open = prepare(&mut client, mode);
        client.command("RETR file", 150);
        assert!(read_all(&mut open.stream()) == bytes, "RETR, {mode}");
        client.expect(226);

        let open = prepare(&mut client, mode);
        client.command("STOR new", 150);
        open.stream().write_all(&bytes).expect("sending data");
        client.expect(226);
        assert!(site.read("new") == bytes, "STOR, {mode}");

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
fn restarts() {
    let site = Site::new(&[]);
    let bytes = pattern(100_000);
    site.write("file", &bytes);
    let mut client = site.client();
    client.command("REST 60000", 350);
    assert!(client.fetch("RETR file") == bytes[60_000..]);
    // It holds for one transfer only.
    assert!(client.fetch("RETR file") == bytes);
    client.command("REST 100000", 350);
    assert_eq!(client.fetch("RETR file"), b"");
    client.command("REST 100001", 350);
    client.extended_passive();
    client.command("RETR file", 554);

    client.command("REST 10", 350);
    client.store("STOR file", "0123456789");
    assert!(site.read("file") == [&bytes[..10], b"0123456789"].concat());
    client.command("REST 21", 350);
    client.extended_passive();
    client.command("STOR file", 554);
    client.command("REST 1", 350);
    client.command("STOR new", 554);
    assert_eq!(site.read("file").len(), 20);
    assert!(!site.path("new").exists());
}

/// Offsets that need more than 32 bits.
#[test]
fn beyond_four_gibibytes() {
    let site = Site::new(&[]);
    let size: u64 = 5 << 30;
    site.write_sparse("huge", size);
    let mut client = site.client();
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
fn appending_and_unique_names() {
    let site = Site::new(&[]);
    site.write("file", "one ");
    let mut client = site.client();
    client.store("APPE file", "two");
    client.store("APPE new", "three");
    assert_eq!(site.read("file"), b"one two");
    assert_eq!(site.read("new"), b"three");

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
        (site.read("file"), site.read(name)),
        (b"one two".to_vec(), b"unique".to_vec())
    );
    client.store("STOU", "without a wish");
    assert_eq!(fs::read_dir(site.root()).expect("the root").count(), 4);
}

#[test]
fn ascii() {
    let site = Site::new(&[]);
    site.write("file", "one\ntwo\r\n\nthree\r");
    let mut client = site.client();
    client.command("TYPE A", 200);
    assert_eq!(client.fetch("RETR file"), b"one\r\ntwo\r\n\r\nthree\r");
    client.store("STOR new", "one\r\ntwo\n\r\nthree\rfour\r\r\n");
    assert_eq!(site.read("new"), b"one\ntwo\n\nthree\rfour\r\n");
    client.store("APPE new", "five\r");
    assert_eq!(site.read("new"), b"one\ntwo\n\nthree\rfour\r\nfive\r");
    let text = "line\n".repeat(50_000);
    site.write("long", &text);
    assert!(client.fetch("RETR long") == text.replace('\n', "\r\n").as_bytes());
    client.store("STOR long2", text.replace('\n', "\r\n"));
    assert!(site.read("long2") == text.as_bytes());
    client.command("TYPE I", 200);
    assert!(client.fetch("RETR long") == text.as_bytes());
}

/// In type A the offset counts octets as they are sent.
#[test]
fn restarts_in_ascii() {
    let site = Site::new(&[]);
    let text = "one\ntwo\r\n\nthree".repeat(20_000);
    site.write("file", &text);
    let mut client = site.client();
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
    assert!(site.read("file") == text.as_bytes());
}

#[test]
fn nothing_to_send() {
    let site = Site::new(&[]);
    site.write("empty", "");
    fs::create_dir(site.path("directory")).expect("a directory");
    let mut client = site.client();
    for command in ["RETR empty", "LIST directory", "NLST directory"] {
        assert_eq!(client.fetch(command), b"", "{command}");
    }
    // The directory itself, and the one above.
    let text = client.fetch("MLSD directory");
    assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), 2);
    client.store("STOR new", "");
    assert_eq!(site.read("new"), b"");
    client.store("STOR new", "text");
    client.store("STOR new", "");
    assert_eq!(site.read("new"), b"");
}

/// A refusal comes without a 150 before it, and what was set up serves the next transfer.
#[test]
fn refusals_come_before_150() {
    let site = Site::new(&[]);
    site.write("file", "text");
    fs::create_dir(site.path("directory")).expect("a directory");
    let mut client = site.client();
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
fn a_file_is_not_touched_too_early() {
    let site = Site::new(&[]);
    site.write("file", "text");
    let mut client = site.client();
    let port = client.extended_passive();
    client.command("STOR file", 150);
    assert_eq!(site.read("file"), b"text");
    // The reply to STAT proves that the server had time for it.
    client.command("STAT", 211);
    assert_eq!(site.read("file"), b"text");
    drop(connect(port));
    client.expect(226);
    assert_eq!(site.read("file"), b"");
}

#[test]
fn an_upload_to_nobody_leaves_nothing() {
    let site = Site::new(&["--passive-timeout", "1"]);
    site.write("file", "text");
    let mut client = site.client();
    for command in ["STOR new", "APPE new", "STOU new", "STOR file", "APPE file"] {
        client.extended_passive();
        client.command(command, 150);
        client.expect(425);
        assert!(!site.path("new").exists(), "{command}");
        assert_eq!(site.read("file"), b"text", "{command}");
    }
    client.expect_in_step();
}

#[test]
fn a_file_that_shrinks() {
    let site = Site::new(&[]);
    let mut client = site.client();
    for kind in ["TYPE I", "TYPE A"] {
        site.write_sparse("large", 1 << 28);
        client.command(kind, 200);
        let mut data = client.data();
        client.command("RETR large", 150);
        read_some(&mut data, 100_000);
        let file = OpenOptions::new()
            .write(true)
            .open(site.path("large"))
            .expect("the file");
        file.set_len(1000).expect("a smaller size");
        assert!(drain(data) < 1 << 27, "{kind}");
        client.expect(451);
        client.expect_in_step();
    }
}

/// A file that grows is sent as long as it was when it was opened.
#[test]
fn a_file_that_grows() {
    let site = Site::new(&[]);
    site.write_sparse("large", 1 << 26);
    let mut client = site.client();
    let mut data = client.data();
    client.command("RETR large", 150);
    read_some(&mut data, 100_000);
    let file = OpenOptions::new().write(true).open(site.path("large"));
    file.and_then(|file| file.set_len(1 << 27))
        .expect("a larger size");
    assert_eq!(100_000 + drain(data), 1 << 26);
    client.expect(226);
}

#[test]
fn a_client_that_cuts_the_data_connection() {
    let site = Site::new(&[]);
    site.write_sparse("large", 1 << 30);
    let mut client = site.client();
    let mut data = client.data();
    client.command("RETR large", 150);
    read_some(&mut data, 1000);
    drop(data);
    client.expect(426);

    let mut data = client.data();
    client.command("STOR new", 150);
    data.write_all(&pattern(1000)).expect("sending data");
    SockRef::from(&data)
        .set_linger(Some(Duration::ZERO))
        .expect("no lingering");
    drop(data);
    client.expect(426);
    client.expect_in_step();
}

/// In a mount namespace of its own, on a file system of 256 KiB.
#[test]
fn a_full_disk() {
    let directory = TempDir::new().expect("a temporary directory");
    let script = "mount -t tmpfs -o size=256k tmpfs \"$0\" && exec \"$@\"";
    let root = directory.path().to_str().expect("a path of text");
    let serve = serving(root, &[]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, root]);
    command.arg(serve.get_program()).args(serve.get_args());
    let server = Server::spawn(&mut command);
    let mut client = Client::logged_in(server.address);
    client.store("STOR small", pattern(1000));
    for (kind, transfer) in [
        ("TYPE I", "STOR large"),
        ("TYPE I", "APPE small"),
        ("TYPE A", "STOR text"),
        ("TYPE I", "STOU"),
    ] {
        client.command(kind, 200);
        let mut data = client.data();
        client.command(transfer, 150);
        // The rest is taken and forgotten: a reset would keep most clients from reading why.
        let sent = data.write_all(&pattern(8 << 20));
        sent.expect("no reset");
        drop(data);
        let reply = client.reply();
        assert_eq!(reply.code, 452, "{transfer}: {}", reply.text());
        client.expect_in_step();
        client.command("TYPE I", 200);
        assert!(client.fetch("RETR small").starts_with(&pattern(1000)));
        for name in client.fetch("NLST").split(|&byte| byte == b'\n') {
            let name = name.trim_ascii_end();
            if !name.is_empty() && name != b"small" {
                client.command([b"DELE ", name].concat(), 250);
            }
        }
        client.store("STOR small", pattern(1000));
    }
    let log = server.finish(&[PASSWORD]);
    assert_eq!(log.matches(" failed after ").count(), 4, "{log}");
    assert!(!log.contains("refused: 452"), "told twice:\n{log}");
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
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a listener");
    let port = listener.local_addr().expect("its address").port();
    let [high, low] = port.to_be_bytes();
    client.command(
        match mode {
            "PORT" => format!("PORT 127,0,0,1,{high},{low}"),
            _ => format!("EPRT |1|127.0.0.1|{port}|"),
        },
        200,
    );
    Prepared::Active(listener)
}

impl Prepared {
    /// The connection, once the server has begun the transfer.
    fn stream(self) -> TcpStream {
        match self {
            Self::Passive(stream) => stream,
            Self::Active(listener) => super::guarded(listener.accept().expect("a connection").0),
        }
    }
}

/// One client gives up a new name while another is about to fill it: the other's file stays.
#[test]
fn a_name_given_up_is_not_another_clients_file() {
    let site = Site::new(&[]);
    let (mut first, mut second) = (site.client(), site.client());
    first.extended_passive();
    first.command("STOR new", 150);
    let mut data = second.data();
    second.command("STOR new", 150);
    first.send("ABOR");
    first.expect_all(&[426, 226]);
    data.write_all(b"text").expect("sending data");
    drop(data);
    second.expect(226);
    assert_eq!(site.read("new"), b"text");
}
