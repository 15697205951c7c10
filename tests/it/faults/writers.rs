//! Several clients at one name: two that write it, and some that read it meanwhile.

use std::fs;
use std::io::{Read, Write};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::SockRef;
use tempfile::TempDir;

use super::{SetAtEnd, begin, expect_bytes, expect_no_leftovers, other_noise, serve, upload};
use crate::support::client::Client;
use crate::support::data::{read_all, reset};
use crate::support::file_contents::noise;
use crate::support::server::TestServer;
use crate::support::wait::pass_time;

/// The second one is not even begun, so that no client believes that its file is stored.
#[test]
fn a_second_writer_gets_450() {
    let server = TestServer::program(&[]);
    let (old, new) = (noise(200_000), other_noise(300_000));
    for exists in [true, false] {
        for first_command in ["STOR", "APPE"] {
            let name = format!("{first_command}-{exists}");
            let mut expected = new.clone();
            if exists {
                server.write(&name, &old);
                if first_command == "APPE" {
                    expected.splice(0..0, old.iter().copied());
                }
            }
            let mut first = server.client();
            let command = format!("{first_command} {name}");
            let mut data = begin(&mut first, &command, &new[..100_001]);
            let mut second = server.client();
            second.extended_passive();
            for verb in ["STOR", "APPE"] {
                second.command(format!("{verb} {name}"), 450);
            }
            if exists {
                second.command("REST 5", 350);
                second.command(format!("STOR {name}"), 450);
            }
            data.write_all(&new[100_001..]).expect("sending data");
            drop(data);
            first.expect(226);
            expect_bytes(&server.read(&name), &expected, &name);
            // The first one is over, however it has ended.
            second.store(format!("STOR {name}"), "second");
            assert_eq!(server.read(&name), b"second");
            let data = begin(&mut first, &format!("STOR {name}"), b"half");
            reset(data);
            first.expect(426);
            second.store(format!("STOR {name}"), "third");
            assert_eq!(server.read(&name), b"third");
            expect_no_leftovers(&server.root());
        }
    }
    server.finish();
}

/// A camera closes its connection without reading the last reply, and its next session may come
/// before the server has seen that. So what is about to end is waited for.
#[test]
fn a_writer_that_is_about_to_end_is_waited_for() {
    let server = TestServer::program(&[]);
    let mut first = server.client();
    for command in ["STOR", "APPE"] {
        let data = begin(&mut first, "STOR file", b"first ");
        let mut second = server.client();
        let mut second_data = second.data();
        second.send(format!("{command} file"));
        pass_time(Duration::from_millis(50), "the server has read the command");
        drop(data);
        first.expect(226);
        second.expect(150);
        second_data.write_all(b"second").expect("sending data");
        drop(second_data);
        second.expect(226);
        let expected: &[u8] = match command {
            "STOR" => b"second",
            _ => b"first second",
        };
        assert_eq!(server.read("file"), expected);
    }
    // A client that waits can leave.
    let data = begin(&mut first, "STOR file", b"first");
    let mut second = server.client();
    second.extended_passive();
    second.send("STOR file");
    reset(second.stream);
    drop(data);
    first.expect(226);
    first.store("STOR file", "third");
    assert_eq!(server.read("file"), b"third");
    server.finish();
}

/// A client whose data connection is refused on its way says QUIT, and tries again.
#[test]
fn an_upload_without_a_data_connection_does_not_keep_its_client_out() {
    let server = TestServer::program(&[]);
    for leaves in [true, false] {
        let mut first = server.client();
        first.extended_passive();
        first.command("STOR file", 150);
        if leaves {
            first.send("QUIT");
            drop(first.stream);
        }
        let mut second = server.client();
        if leaves {
            second.store("STOR file", "second");
            assert_eq!(server.read("file"), b"second");
        } else {
            second.extended_passive();
            second.command("STOR file", 450);
        }
    }
    server.finish();
}

/// A name that leads to the same file by another way is the same file.
#[test]
fn a_second_writer_by_a_link_gets_450() {
    let server = TestServer::program(&[]);
    server.write("file", "old");
    std::os::unix::fs::symlink("file", server.path("link")).expect("a link");
    let mut first = server.client();
    let data = begin(&mut first, "STOR file", b"new");
    let mut second = server.client();
    second.extended_passive();
    second.command("STOR link", 450);
    second.command("STOR ./file", 450);
    drop(data);
    first.expect(226);
    assert_eq!(server.read("file"), b"new");
    second.store("STOR link", "second");
    assert_eq!(server.read("file"), b"second");
    server.finish();
}

/// The bytes of a file that is replaced remain for those who read it.
#[test]
fn a_reader_gets_the_whole_old_file() {
    let server = TestServer::program(&[]);
    // More than all buffers on the way hold: the kernel's for what is sent may grow to 4 MiB.
    let (old, new) = (noise(10 << 20), other_noise(1 << 20));
    for kind in ["I", "A"] {
        server.write("file", &old);
        let mut reader = server.client();
        reader.command(format!("TYPE {kind}"), 200);
        let mut data = reader.data();
        let buffer = SockRef::from(&data).set_recv_buffer_size(1 << 16);
        buffer.expect("an option of a socket");
        reader.command("RETR file", 150);
        let mut received = vec![0; 1 << 16];
        data.read_exact(&mut received).expect("data");
        let mut writer = server.client();
        writer.store("STOR file", &new);
        received.extend(read_all(&mut data));
        reader.expect(226);
        let mut expected = old.clone();
        if kind == "A" {
            for bytes in [&mut received, &mut expected] {
                bytes.retain(|&byte| byte != b'\r');
            }
        }
        expect_bytes(&received, &expected, kind);
        expect_bytes(&reader.fetch("RETR file")[..10], &new[..10], kind);
    }
    server.finish();
}

/// Two begin at the same moment, while two others read again and again.
#[test]
fn no_file_is_ever_a_mix() {
    let server = TestServer::program(&[]);
    for round in 0..8 {
        let versions = [noise(1 << 20), noise((1 << 20) + 1), other_noise(3 << 19)];
        server.write("file", &versions[0]);
        let (barrier, is_over) = (Barrier::new(2), AtomicBool::new(false));
        let stored: Vec<u16> = thread::scope(|scope| {
            let end = SetAtEnd(&is_over);
            let read = || {
                let mut client = server.client();
                let mut count = 0;
                while !is_over.load(Ordering::Relaxed) || count == 0 {
                    expect_version(&client.fetch("RETR file"), &versions, round);
                    count += 1;
                }
            };
            let readers = [scope.spawn(read), scope.spawn(read)];
            let write = |version| {
                let mut client = server.client();
                barrier.wait();
                upload(&mut client, "STOR file", version).code
            };
            let writers =
                [&versions[1], &versions[2]].map(|version| scope.spawn(move || write(version)));
            let codes = writers.map(|writer| writer.join().expect("a writer"));
            drop(end);
            for reader in readers {
                reader.join().expect("a reader");
            }
            codes.into()
        });
        let found = server.read("file");
        let stored = [1, 2].into_iter().zip(&stored).filter(|(_, code)| {
            assert!([226, 450].contains(*code), "round {round}: {code}");
            **code == 226
        });
        let stored: Vec<usize> = stored.map(|(number, _)| number).collect();
        assert!(
            !stored.is_empty(),
            "round {round}: no one has stored the file"
        );
        let is_stored = stored.iter().any(|&number| found == versions[number]);
        assert!(
            is_stored,
            "round {round}: {} bytes after {stored:?}",
            found.len()
        );
        expect_no_leftovers(&server.root());
    }
    server.finish();
}

/// Two servers share one directory, and know nothing of each other.
#[test]
fn two_servers_make_no_mix() {
    let directory = TempDir::new().expect("a temporary directory");
    let root = directory.path();
    let servers = [serve(root, &[]), serve(root, &[])];
    for server in &servers {
        // From then on they look for no leftovers there.
        Client::logged_in(server.address).store("STOR other", "text");
    }
    for round in 0..8 {
        let versions = [noise(1 << 20), other_noise(3 << 19)];
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            for (server, version) in servers.iter().zip(&versions) {
                let barrier = &barrier;
                scope.spawn(move || {
                    let mut client = Client::logged_in(server.address);
                    barrier.wait();
                    let code = upload(&mut client, "STOR file", version).code;
                    assert!([226, 450].contains(&code), "round {round}: {code}");
                });
            }
        });
        let found = fs::read(root.join("file")).expect("the file");
        expect_version(&found, &versions, round);
        expect_no_leftovers(root);
    }
    for server in servers {
        server.finish();
    }
}

/// What is written in place is locked for the other server too; what is replaced is not.
#[test]
fn two_servers_append_one_after_the_other() {
    let directory = TempDir::new().expect("a temporary directory");
    let root = directory.path();
    let file = root.join("file");
    fs::write(&file, "old ").expect("a file");
    let servers = [serve(root, &[]), serve(root, &[])];
    let [mut first, mut second] =
        [&servers[0], &servers[1]].map(|server| Client::logged_in(server.address));
    let data = begin(&mut first, "APPE file", b"first ");
    second.extended_passive();
    second.command("APPE file", 450);
    second.command("REST 2", 350);
    second.command("STOR file", 450);
    drop(data);
    first.expect(226);
    second.store("APPE file", "second");
    assert_eq!(fs::read(&file).expect("the file"), b"old first second");

    let data = begin(&mut first, "APPE file", b"lost");
    second.store("STOR file", "new");
    drop(data);
    let reply = first.reply();
    assert!(reply.code >= 400, "{}", reply.text());
    assert_eq!(fs::read(&file).expect("the file"), b"new");
    expect_no_leftovers(root);
    for server in servers {
        server.finish();
    }
}

#[track_caller]
fn expect_version(found: &[u8], versions: &[Vec<u8>], round: u32) {
    let is_whole = versions.iter().any(|version| version == found);
    assert!(
        is_whole,
        "round {round}: {} bytes of several files",
        found.len()
    );
}

/// A camera that lost its connection comes back at once, and its old session is still there.
#[test]
fn long_a_stalled_upload_gives_way_to_the_same_login() {
    for command in ["STOR", "APPE", "REST"] {
        let server = TestServer::program(&[]);
        let new = other_noise(300_000);
        let mut first = server.client();
        let stalled = begin(&mut first, "STOR file", &new[..100_000]);
        let mut second = server.client();
        second.extended_passive();
        second.command("STOR file", 450);
        pass_time(STALLED, "a stall is time without a byte");
        match command {
            "STOR" => {
                second.store("STOR file", &new);
                expect_bytes(&server.read("file"), &new, command);
            }
            // The piece of the stalled one has the name, as that of a broken one.
            "APPE" => {
                second.store("APPE file", &new[100_000..]);
                expect_bytes(&server.read("file"), &new, command);
            }
            _ => {
                second.command("REST 100000", 350);
                second.store("STOR file", &new[100_000..]);
                expect_bytes(&server.read("file"), &new, command);
            }
        }
        expect_no_leftovers(&server.root());
        // What still comes of the first one goes nowhere.
        first.expect(426);
        drop(stalled);
        first.expect_in_step();
        expect_bytes(&server.read("file"), &new, command);
        server.finish();
    }
}

/// The same for a file that is written in place: what the stalled one still sends goes nowhere.
#[test]
fn long_a_stalled_upload_in_place_gives_way_too() {
    let server = TestServer::program(&[]);
    server.write("file", noise(200_000));
    fs::hard_link(server.path("file"), server.path("link")).expect("a link");
    let new = other_noise(300_000);
    let mut first = server.client();
    let mut stalled = begin(&mut first, "STOR file", b"stalled");
    pass_time(STALLED, "a stall is time without a byte");
    let mut second = server.client();
    let mut data = begin(&mut second, "STOR file", &new[..100_000]);
    // The server may have closed this one already.
    let _ = stalled.write_all(b"more");
    first.expect(426);
    data.write_all(&new[100_000..]).expect("sending data");
    drop(data);
    second.expect(226);
    for name in ["file", "link"] {
        expect_bytes(&server.read(name), &new, name);
    }
    server.finish();
}

/// Slow is not stalled.
#[test]
fn long_a_slow_upload_does_not_give_way() {
    let server = TestServer::program(&[]);
    let mut first = server.client();
    let mut data = begin(&mut first, "STOR file", b"0");
    for digit in b"123" {
        pass_time(STALLED / 2, "a stall is time without a byte");
        data.write_all(&[*digit]).expect("sending data");
        let mut second = server.client();
        second.extended_passive();
        second.command("STOR file", 450);
    }
    drop(data);
    first.expect(226);
    assert_eq!(server.read("file"), b"0123");
    server.finish();
}

/// More than the ten seconds after which an upload without a byte counts as stalled.
const STALLED: Duration = Duration::from_secs(11);
