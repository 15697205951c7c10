//! `--xferlog`: a line about each file, as programs for wu-ftpd's format read it.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::data::read_some;
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{PASSWORD, Program, Setup, TestServer, USER};
use crate::support::wait::wait_until;

/// A server that writes the file in a directory of its own.
struct Transfers {
    directory: TempDir,
    server: TestServer<Program>,
}

impl Transfers {
    fn new(flags: &[&str]) -> Self {
        let directory = TempDir::new().expect("a directory");
        let file = directory.path().join("xferlog");
        let setup = Setup::new().flags(&["--xferlog", path(&file)]).flags(flags);
        Self {
            server: setup.program(),
            directory,
        }
    }

    fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("xferlog")
    }

    /// The lines, once there are this many, without their time and with `T` for how long it took.
    #[track_caller]
    fn lines(&self, count: usize) -> Vec<String> {
        let text = || fs::read_to_string(self.file()).expect("the file");
        wait_until(&format!("{count} transfers are written"), || {
            text().matches('\n').count() >= count
        });
        let text = text();
        let lines = text.lines().map(|line| {
            assert!(line.is_char_boundary(24), "{line}");
            let (_, rest) = line.split_at(24);
            let (seconds, rest) = rest.trim_start().split_once(' ').expect("fields");
            assert!(seconds.parse::<u64>().is_ok(), "{line}");
            format!("T {rest}")
        });
        lines.collect()
    }
}

#[test]
fn each_file_has_a_line() {
    let transfers = Transfers::new(&["--anonymous"]);
    let server = &transfers.server;
    server.write("big", noise(32 << 20));
    let mut client = server.client();
    client.store("STOR new file", "text");
    assert_eq!(client.fetch("RETR new file"), b"text");
    client.fetch("LIST");
    client.command("TYPE A", 200);
    client.store("APPE new file", "\r\n");
    client.command("TYPE I", 200);
    client.command("DELE new file", 250);
    client.command("DELE missing", 550);
    let mut data = client.data();
    client.command("RETR big", 150);
    read_some(&mut data, 1);
    drop(data);
    client.expect(426);
    let mut anonymous = Client::greeted(server.address);
    anonymous.command("USER ftp", 331);
    anonymous.command(format!("PASS {PASSWORD}"), 230);
    anonymous.command("TYPE I", 200);
    server.write("empty", "");
    assert_eq!(anonymous.fetch("RETR empty"), b"");
    let lines = transfers.lines(6);
    let broken = &lines[4];
    assert!(
        broken.starts_with("T 127.0.0.1 ")
            && broken.ends_with(&format!(" /big b _ o r {USER} ftp 0 * i")),
        "{broken}"
    );
    let whole: Vec<&String> = lines.iter().filter(|line| *line != broken).collect();
    assert_eq!(
        whole,
        [
            &format!("T 127.0.0.1 4 /new_file b _ i r {USER} ftp 0 * c"),
            &format!("T 127.0.0.1 4 /new_file b _ o r {USER} ftp 0 * c"),
            &format!("T 127.0.0.1 2 /new_file a _ i r {USER} ftp 0 * c"),
            &format!("T 127.0.0.1 0 /new_file b _ d r {USER} ftp 0 * c"),
            "T 127.0.0.1 0 /empty b _ o a anonymous ftp 0 * c",
        ]
    );
    let log = transfers.server.finish();
    assert!(!log.contains("xferlog"), "{log}");
}

#[test]
fn no_name_forges_a_line() {
    let transfers = Transfers::new(&[]);
    let mut client = transfers.server.client();
    let names = [
        "a b _ o r root ftp 0 * c",
        "b\u{2028}Thu Nov 29",
        "c\td\u{a0}e\u{202e}",
        "d\u{e4}",
    ];
    for name in names {
        client.store(format!("STOR {name}"), "1");
    }
    assert_eq!(
        transfers.lines(4),
        [
            "a_b___o_r_root_ftp_0_*_c",
            "b_Thu_Nov_29",
            "c_d_e_",
            "d\u{e4}"
        ]
        .map(|name| format!("T 127.0.0.1 1 /{name} b _ i r {USER} ftp 0 * c"))
    );
}

#[test]
fn a_reload_follows_the_name_and_the_flag() {
    let directory = TempDir::new().expect("a directory");
    let (config, first) = (
        directory.path().join("conf"),
        directory.path().join("first"),
    );
    let second = directory.path().join("second");
    fs::write(&config, "").expect("a file");
    let server = TestServer::program(&["--config", path(&config)]);
    let mut client = server.client();
    let mut reload = |text: &str, number: usize| {
        fs::write(&config, text).expect("a file");
        server.signal(Signal::HUP);
        wait_until("the settings are in force", || {
            server.log().matches("reloaded the settings").count() == number
        });
        client.store(format!("STOR file{number}"), "text");
    };
    let has = |file: &Path, name: &str| {
        wait_until(&format!("{name} is written"), || {
            fs::read_to_string(file).is_ok_and(|text| text.contains(name))
        });
    };
    let line = |file: &Path| format!("xferlog {}\n", path(file));
    reload(&line(&first), 1);
    has(&first, "/file1 ");
    fs::rename(&first, directory.path().join("first.1")).expect("a rotation");
    reload(&line(&first), 2);
    has(&first, "/file2 ");
    reload(&line(&second), 3);
    has(&second, "/file3 ");
    reload("", 4);
    let log = server.finish();
    assert!(!log.contains("cannot open"), "{log}");
    for file in [first, second] {
        let text = fs::read_to_string(file).expect("a file");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_full_disk_is_reported_once_and_stops_no_transfer() {
    let server = TestServer::program(&["--xferlog", "/dev/full"]);
    let mut client = server.client();
    for number in 0..20 {
        client.store(format!("STOR file{number}"), "text");
    }
    server.log_with("cannot write --xferlog /dev/full: No space left on device; lines are lost");
    let log = server.finish();
    assert_eq!(log.matches("--xferlog").count(), 1, "{log}");
}

/// A reader that we did not write: AWStats counts the bytes of each user.
#[test]
fn awstats_reads_the_same_totals() {
    let transfers = Transfers::new(&[]);
    let mut client = transfers.server.client();
    for (name, size) in [("a", 1000), ("b c", 20_000), ("d", 300_000)] {
        client.store(format!("STOR {name}"), noise(size));
        client.fetch(format!("RETR {name}"));
    }
    client.command("DELE d", 250);
    transfers.lines(7);
    let place = transfers.directory.path();
    let config = format!(
        "LogFile=\"{}\"\nLogType=F\nLogFormat=\"%time3 %other %host %bytesd %url %other %other \
         %method %other %logname %other %code %other %other\"\nLogSeparator=\"\\s\"\n\
         SiteDomain=\"nas\"\nHostAliases=\"nas\"\nDirData=\"{}\"\nDNSLookup=0\n\
         NotPageList=\"\"\n",
        path(&transfers.file()),
        path(place)
    );
    fs::write(place.join("awstats.nas.conf"), config).expect("a file");
    let mut awstats = Command::new("/usr/lib/cgi-bin/awstats.pl");
    awstats.args(["-config=nas", "-update"]);
    awstats.arg(format!("-configdir={}", path(place)));
    let found = process::run(&mut awstats, 60).expect_success().text();
    for expected in [
        "Found 0 corrupted records",
        // It does not count what was removed.
        "Found 1 dropped records",
        "Found 6 new qualified records",
    ] {
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let data = fs::read_dir(place).expect("a directory").flatten();
    let data = data.map(|entry| entry.path());
    let data: Vec<_> = data
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .collect();
    assert_eq!(data.len(), 1, "{data:?}");
    let data = fs::read_to_string(&data[0]).expect("the data");
    let of_user = data.lines().find(|line| line.starts_with(USER));
    let words: Vec<&str> = of_user.expect("the user").split(' ').collect();
    assert_eq!(words[3], "642000", "{data}");
}
