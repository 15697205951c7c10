//! Listings of very many entries: searched, sorted, and not held in memory.

use std::fs::{self, File};

use tempfile::TempDir;

use super::listings::sorted;
use super::{Client, PASSWORD, Site, drain, read_all, serving};
use crate::support::server::Server;

/// Whatever is asked, the search does not hold up the session for long, and its end is the truth.
#[test]
fn searches_for_nothing() {
    for flags in [&[][..], &["--rate-out", "100"]] {
        let site = Site::new(flags);
        plant_directories(&site);
        let mut client = site.client();
        // More directories than are looked at before the 150: the failure comes after it.
        let mut data = client.data();
        client.command("NLST */nothing*", 150);
        assert_eq!(read_all(&mut data), b"");
        client.expect(451);
        assert_eq!(client.fetch("NLST d1199/f*"), b"d1199/file\r\n");
        client.expect_in_step();
    }
}

#[test]
fn searches_that_take_long() {
    let site = Site::new(&[]);
    plant_directories(&site);
    assert_eq!(sorted(site.client().fetch("NLST */f*")).len(), 1200);
}

fn plant_directories(site: &Site) {
    for number in 0..1200 {
        let directory = site.path(&format!("d{number}"));
        fs::create_dir(&directory).expect("a directory");
        File::create(directory.join("file")).expect("a file");
    }
}

#[test]
fn long_too_many_to_be_sorted() {
    let site = Outside::with_files(100_001);
    let mut client = site.client();
    let lines = client.fetch("NLST -r");
    assert_eq!(
        lines.split_inclusive(|&byte| byte == b'\n').count(),
        100_001
    );
    assert_eq!(lines, client.fetch("NLST"), "in the directory's own order");
    site.server
        .log_with("has more than 100000 entries: they are listed unsorted");
    fs::remove_file(site.directory.path().join("000000")).expect("a file");
    let told = site.server.log().matches("unsorted").count();
    let lines = sorted(client.fetch("NLST -r"));
    let found = client.fetch("NLST -r");
    assert!(found.starts_with(b"100000\r\n099999\r\n"), "sorted");
    assert_eq!(lines.len(), 100_000);
    assert_eq!(site.server.log().matches("unsorted").count(), told);
    site.server.finish(&[PASSWORD]);
}

#[test]
fn long_a_million_entries_take_no_memory() {
    let site = Outside::with_files(1_000_000);
    let mut client = site.client();
    client.fetch("LIST 000000");
    let before = site.memory_kib();
    for command in ["NLST", "LIST", "MLSD", "NLST *9*", "LIST -R"] {
        let data = client.data();
        client.command(command, 150);
        assert!(drain(data) > 400_000 * 8);
        client.expect(226);
        let grown = site.memory_kib() - before;
        assert!(grown < 2048, "{command}: {grown} KiB");
    }
    // Sorting holds as many as it sorts, and lets go of them.
    let data = client.data();
    client.command("LIST -t", 150);
    assert!(drain(data) > 1_000_000 * 60);
    client.expect(226);
    let grown = site.memory_kib() - before;
    assert!(grown < 8192, "{grown} KiB");
    site.server.finish(&[PASSWORD]);
}

/// The server as a process of its own, with many files.
struct Outside {
    server: Server,
    directory: TempDir,
}

impl Outside {
    fn with_files(count: u32) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        for number in 0..count {
            let name = format!("{number:06}");
            File::create(directory.path().join(name)).expect("a file");
        }
        let root = directory.path().to_str().expect("a path");
        let server = Server::spawn(&mut serving(root, &[]));
        Self { server, directory }
    }

    fn client(&self) -> Client {
        Client::logged_in(self.server.address)
    }

    /// The most that the server has ever had in memory.
    fn memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.id()));
        let status = status.expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let words = line.expect("its memory").split_whitespace();
        words.take(1).collect::<String>().parse().expect("a number")
    }
}
