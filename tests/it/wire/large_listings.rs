//! Listings of very many entries: searched, sorted, and not held in memory.

use std::fs::{self, File};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::client::sorted_names;
use crate::support::data::{drain, read_all};
use crate::support::fault::KernelTrace;
use crate::support::figures;
use crate::support::log::lines_with;
use crate::support::process;
use crate::support::server::{InProcess, Program, Setup, TestServer};
use crate::support::wait::wait_until;

/// A search does not block the session for long, and the reply shows that it was not completed.
#[test]
fn a_search_that_is_too_long_ends_with_451() {
    for flags in [&[][..], &["--rate-out", "100"]] {
        let server = TestServer::in_process(flags);
        plant_directories(&server);
        let mut client = server.client();
        // More directories than are read before the 150: the failure comes after it.
        let mut data = client.data();
        client.command("NLST */nothing*", 150);
        assert_eq!(read_all(&mut data), b"");
        client.expect(451);
        // It is no error of the disk.
        assert_eq!(lines_with("NLST /*/nothing*"), [""; 0]);
        assert_eq!(client.fetch("NLST d1199/f*"), b"d1199/file\r\n");
        client.expect_in_step();
    }
}

#[test]
fn a_long_search_finds_everything() {
    let server = TestServer::in_process(&[]);
    plant_directories(&server);
    assert_eq!(sorted_names(server.client().fetch("NLST */f*")).len(), 1200);
}

/// A client may send everything at once, and end its sending side.
#[test]
fn a_listing_is_complete_though_its_client_sends_no_more() {
    let server = TestServer::program(&[]);
    plant_files(&server, 20_000);
    let mut client = server.client();
    let mut data = client.data();
    client.send_bytes("NLST f*7\r\nQUIT\r\n");
    client.stream.shutdown(Shutdown::Write).expect("the end");
    assert_eq!(read_all(&mut data), b"f7\r\n");
    client.expect_all(&[150, 226, 221]);
    client.expect_closed();
    server.finish();
}

/// As a transfer that runs may.
#[test]
fn a_listing_that_looks_for_its_first_name_may_end_at_a_shutdown() {
    let server = TestServer::program(&[]);
    plant_files(&server, 8000);
    let mut client = server.client();
    let mut data = client.data();
    let slow = KernelTrace::delay(server.id(), "getdents64", Duration::from_millis(100));
    client.send("NLST f*7");
    wait_until("the listing is being opened", || {
        server.signal(Signal::USR1);
        server.log().contains("NLST /f*7, looking for names")
    });
    server.signal(Signal::TERM);
    client.expect(150);
    slow.end_with_any();
    assert_eq!(read_all(&mut data), b"f7\r\n");
    client.expect_all(&[226, 421]);
    drop(client);
    assert_eq!(server.ended().0, Some(0));
}

/// Many names of which one ends with 7.
fn plant_files(server: &TestServer<Program>, count: usize) {
    for number in 0..count {
        File::create(server.path(&format!("f{number:05}x"))).expect("a file");
    }
    File::create(server.path("f7")).expect("a file");
}

fn plant_directories(server: &TestServer<InProcess>) {
    for number in 0..1200 {
        let directory = server.path(&format!("d{number}"));
        fs::create_dir(&directory).expect("a directory");
        File::create(directory.join("file")).expect("a file");
    }
}

/// STAT shows all or nothing, and the others say how many entries they have shown.
#[test]
fn listings_are_complete_or_refused() {
    let server = TestServer::in_process(&[]);
    for number in 0..3500 {
        File::create(server.path(&format!("f{number}"))).expect("a file");
    }
    fs::create_dir(server.path("d")).expect("a directory");
    let mut client = server.client();
    // The first line, the entries, the last line.
    assert_eq!(client.command("STAT .", 213).lines.len(), 3503);
    for (command, entries) in [
        ("LIST", "3501 entries"),
        ("LIST -a", "3501 entries"),
        ("NLST", "3501 entries"),
        ("MLSD", "3501 entries"),
        ("NLST f1*", "1111 entries"),
        ("LIST f7", "1 entry"),
        ("MLSD d", "0 entries"),
    ] {
        let data = client.data();
        client.command(command, 150);
        drain(data);
        let text = client.expect(226).one_line();
        let expected = format!("226 Transfer complete; {entries}.");
        assert_eq!(text, expected, "{command}");
    }
    for number in 3500..10_000 {
        File::create(server.path(&format!("f{number}"))).expect("a file");
    }
    let text = client.command("STAT .", 550).one_line();
    assert_eq!(
        text,
        "550 Too many entries for this reply; use LIST or MLSD."
    );
    fs::remove_dir(server.path("d")).expect("a directory");
    assert_eq!(client.command("STAT .", 213).lines.len(), 10_002);
}

#[test]
fn long_too_many_entries_are_listed_unsorted() {
    let server = with_files(100_001);
    let mut client = server.client();
    let lines = client.fetch("NLST -r");
    assert_eq!(
        lines.split_inclusive(|&byte| byte == b'\n').count(),
        100_001
    );
    assert_eq!(lines, client.fetch("NLST"), "in the directory's own order");
    server.log_with("has more than 100000 entries: they are listed unsorted");
    fs::remove_file(server.path("000000")).expect("a file");
    let logged = server.log().matches("unsorted").count();
    let lines = sorted_names(client.fetch("NLST -r"));
    let found = client.fetch("NLST -r");
    assert!(found.starts_with(b"100000\r\n099999\r\n"), "sorted");
    assert_eq!(lines.len(), 100_000);
    assert_eq!(server.log().matches("unsorted").count(), logged);
    server.finish();
}

#[test]
fn long_a_million_entries_take_no_memory() {
    let server = with_files(1_000_000);
    let mut client = server.client();
    client.fetch("LIST 000000");
    let before = server.peak_kib();
    for command in ["NLST", "LIST", "MLSD", "NLST *9*", "LIST -R"] {
        let data = client.data();
        client.command(command, 150);
        assert!(drain(data) > 400_000 * 8);
        client.expect(226);
        let grown = server.peak_kib() - before;
        assert!(grown < 2048, "{command}: {grown} KiB");
    }
    // Sorting holds the entries that it sorts, and releases them.
    let data = client.data();
    client.command("LIST -t", 150);
    assert!(drain(data) > 1_000_000 * 60);
    client.expect(226);
    let grown = server.peak_kib() - before;
    assert!(grown < 8192, "{grown} KiB");
    server.finish();
}

/// What listings have sorted returns to the system.
#[test]
fn long_sorted_listings_give_their_memory_back() {
    let server = TestServer::program(&[]);
    let long = "x".repeat(200);
    for number in 0..60_000 {
        server.write(&format!("{number:06}{long}"), "");
    }
    let mut clients: Vec<_> = (0..12).map(|_| server.client()).collect();
    let idle = server.resident_kib();
    let mut worst = 0;
    for _ in 0..3 {
        thread::scope(|scope| {
            for client in &mut clients {
                scope.spawn(|| {
                    let data = client.data();
                    // All is sorted before the first line comes.
                    for stream in [&data, &client.stream] {
                        stream
                            .set_read_timeout(Some(SORTED_MAX))
                            .expect("a timeout");
                    }
                    client.command("LIST -t", 150);
                    assert!(drain(data) > 60_000 * 200);
                    client.expect(226);
                });
            }
        });
        worst = worst.max(server.resident_kib().saturating_sub(idle));
    }
    figures::show(format_args!(
        "{idle} KiB with idle sessions, {worst} KiB more after listings"
    ));
    assert!(worst < 8192, "{worst} KiB are not given back");
    drop(clients);
    server.finish();
}

/// The program with many files.
fn with_files(count: u32) -> TestServer<Program> {
    let server = TestServer::program(&[]);
    for number in 0..count {
        server.write(&format!("{number:06}"), "");
    }
    server
}

/// However deep: directories are open one at a time.
#[test]
fn deep_directories_take_no_descriptors() {
    let setup = Setup::new();
    let deepest = "d/".repeat(126);
    fs::create_dir_all(setup.root().join(&deepest)).expect("directories");
    fs::write(setup.root().join(&deepest).join("end"), "").expect("a file");
    let limit = ["sh", "-c", "ulimit -n 32; exec \"$0\" \"$@\""];
    let setup = setup.wrapped(|serve| process::prefixed(&limit, &serve));
    let server = setup.program();
    let mut client = server.client();
    let found = client.fetch("NLST -R");
    assert!(found.ends_with(format!("{deepest}end\r\n").as_bytes()));
    let pattern = "*/".repeat(126);
    assert_eq!(
        client.fetch(format!("NLST {pattern}e*")),
        format!("{deepest}end\r\n").as_bytes()
    );
    server.finish();
}

/// All listings together sort in 16 MiB; what goes beyond is unsorted, and complete.
#[test]
fn the_memory_for_sorting_is_limited() {
    const FILES: usize = 20_000;
    let server = TestServer::program(&[]);
    let long = "x".repeat(230);
    for number in 0..FILES {
        File::create(server.path(&format!("{number:05}{long}"))).expect("a file");
    }
    let mut clients: Vec<_> = (0..6).map(|_| server.client()).collect();
    let listings: Vec<_> = clients
        .iter_mut()
        .map(|client| {
            let data = client.data();
            client.command("NLST -S", 150);
            data
        })
        .collect();
    server.log_with("other listings use all memory for sorting: the entries of / are");
    let mut sorted = 0;
    for (mut data, client) in listings.into_iter().zip(&mut clients) {
        let listing = read_all(&mut data);
        client.expect(226);
        assert_eq!(listing.iter().filter(|&&byte| byte == b'\n').count(), FILES);
        sorted += usize::from(is_sorted(&listing));
    }
    assert!((1..6).contains(&sorted), "{sorted} are sorted");
    // The memory is free again.
    assert!(is_sorted(&server.client().fetch("NLST -S")));
    server.finish();
}

fn is_sorted(listing: &[u8]) -> bool {
    listing
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .is_sorted()
}

/// Twelve large directories, on a busy machine.
const SORTED_MAX: Duration = Duration::from_secs(120);
