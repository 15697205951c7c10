//! The options of users that limit them.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use rustls::version::TLS13;

use super::{Scene, is_done, log_in, write_users};
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::data::STRANGER;
use crate::support::log;
use crate::support::server::{SecureServer, Setup, own_address};
use crate::support::wait::wait_until;

#[test]
fn sessions_of_a_user_are_limited() {
    let scene = Scene::with_tree(
        &[],
        &[
            "anna:HASH:HOMES/anna:all:max-sessions=2",
            "boris:HASH:HOMES/anna:all",
        ],
        &["anna/"],
    );
    let first = scene.client("anna");
    let mut second = scene.client("anna");
    let refused = scene.try_login("anna");
    assert_eq!(
        refused.text(),
        "421 This user has too many sessions; close one, or try again later."
    );
    for _ in 0..3 {
        scene.client("boris").expect_in_step();
    }
    // A client that logs out, and one that ends, make room.
    second.command("USER boris", 331);
    let mut third = scene.client("anna");
    drop(first);
    wait_until("room for a session", || scene.try_login("anna").code == 230);
    third.expect_in_step();
}

/// A camera that writes GBK beside people who write UTF-8. A change of the file does not lose it.
#[test]
fn charset_of_a_user() {
    let lines = [
        "camera:HASH:HOMES/anna:all:encoding=GBK",
        "anna:HASH:HOMES/anna:all",
        "boris:HASH:HOMES/anna:all:encoding=utf-8",
    ];
    let scene = Scene::with_tree(&["--encoding", "KOI8-R"], &lines, &["anna/中/"]);
    let names = |client: &mut Client| client.fetch("NLST");
    let mut camera = scene.client("camera");
    assert_eq!(names(&mut camera), b"\xd6\xd0\r\n");
    assert_eq!(names(&mut scene.client("boris")), "中\r\n".as_bytes());
    assert_eq!(names(&mut scene.client("anna")), b"%E4%B8%AD\r\n");
    let read_only = lines.map(|line| line.replace("all", "read"));
    scene.rewrite(&read_only.each_ref().map(String::as_str));
    wait_until("other rights", || {
        camera.send("MKD 257");
        camera.reply().code == 550
    });
    let shown = names(&mut camera);
    assert!(
        shown.windows(4).any(|name| name == b"\xd6\xd0\r\n"),
        "{shown:?}"
    );
}

/// The reply and its log line do not say that the password is right.
#[test]
fn networks_of_a_user() {
    let scene = Scene::with_tree(
        &[],
        &[
            "anna:HASH:HOMES/anna:all:allow=127.0.0.0/8;deny=127.0.0.2/31",
            "boris:HASH:HOMES/anna:all:deny=127.0.0.1",
            "old:HASH:HOMES/anna:all:expires=2020-02-29",
            "late:HASH:HOMES/anna:all:expires=2999-12-31",
        ],
        &["anna/"],
    );
    let mut stranger = Client::connect_from(STRANGER, scene.server.address);
    stranger.expect(220);
    let reply = log_in(&mut stranger, "anna");
    assert_eq!(reply.text(), "530 Login incorrect.");
    assert_eq!(log_in(&mut stranger, "boris").code, 230);
    scene.client("anna").expect_in_step();
    assert_eq!(scene.try_login("boris").code, 530);
    assert_eq!(scene.try_login("old").text(), "530 Login incorrect.");
    scene.client("late").expect_in_step();
}

/// It counts as a wrong password, and a blocked address is refused before anything is compared.
#[test]
fn a_login_that_its_line_forbids_counts_as_a_failed_one() {
    let scene = Scene::with_tree(
        &["--block-after", "3"],
        &[
            "anna:HASH:HOMES/anna:all:deny=127.0.0.0/8",
            "boris:HASH:HOMES/anna:all",
            "old:HASH:HOMES/anna:all:expires=2020-02-29",
        ],
        &["anna/"],
    );
    let own = own_address();
    let connected = || {
        let mut client = Client::connect_from(own, scene.server.address);
        client.expect(220);
        client
    };
    let mut before = connected();
    for name in ["anna", "old", "anna"] {
        let reply = log_in(&mut connected(), name);
        assert_eq!(reply.text(), "530 Login incorrect.", "{name}");
    }
    // The right password of one who may log in, and one of those who may not.
    let text = "421 Too many failed logins from your address; try again later.";
    assert_eq!(log_in(&mut before, "boris").text(), text);
    let mut refused = Client::connect_from(own, scene.server.address);
    assert_eq!(refused.expect(421).text(), text);
    scene.client("boris").expect_in_step();
    let failed = log::lines_with(&format!("login failed from {own} as"));
    assert_eq!(failed.len(), 3, "{failed:?}");
}

/// Nothing of a refused login stays: it does not count as a session.
#[test]
fn a_login_without_its_home() {
    let lines = ["anna:HASH:HOMES/anna:all:max-sessions=1"];
    let scene = Scene::with_tree(&[], &lines, &[]);
    for _ in 0..2 {
        let mut client = Client::greeted(scene.server.address);
        let reply = log_in(&mut client, "anna");
        assert_eq!(reply.text(), "421 The shared directory is not available.");
        client.expect_closed();
    }
    scene.make(&["anna/"]);
    scene.client("anna").expect_in_step();
}

#[test]
fn sizes_names_and_modes_of_a_user() {
    let scene = Scene::with_tree(
        &[
            "--max-upload-size",
            "10",
            "--hide",
            "*.tmp",
            "--umask",
            "022",
        ],
        &[
            "anna:HASH:HOMES/anna:all",
            "boris:HASH:HOMES/anna:all:max-upload-size=20;hide=*.bak;umask=077",
            "chen:HASH:HOMES/anna:all:max-upload-size=0;umask=000",
        ],
        &["anna/a.tmp", "anna/a.bak", "anna/a.txt"],
    );
    let mut anna = scene.client("anna");
    let mut boris = scene.client("boris");
    let mut chen = scene.client("chen");
    let is_stored = |client: &mut Client, name: &str, bytes: usize| {
        let data = client.data();
        client.command(format!("STOR {name}"), 150);
        std::io::Write::write_all(&mut &data, &vec![b'x'; bytes]).expect("sending data");
        drop(data);
        client.reply().code == 226
    };
    assert!(is_stored(&mut anna, "a10", 10) && !is_stored(&mut anna, "a11", 11));
    assert!(is_stored(&mut boris, "b20", 20) && !is_stored(&mut boris, "b21", 21));
    assert!(is_stored(&mut chen, "c", 1000));
    for (name, mode) in [("a10", 0o644), ("b20", 0o600), ("c", 0o666)] {
        let found = std::fs::metadata(scene.homes.join("anna").join(name)).expect(name);
        assert_eq!(found.permissions().mode() & 0o777, mode, "{name}");
    }
    boris.command("MKD b", 257);
    let found = std::fs::metadata(scene.homes.join("anna/b")).expect("a directory");
    assert_eq!(found.permissions().mode() & 0o777, 0o700);
    assert!(boris.command("SITE UMASK", 200).text().contains("077"));
    anna.command("SIZE a.tmp", 550);
    anna.command("SIZE a.bak", 213);
    boris.command("SIZE a.tmp", 550);
    boris.command("SIZE a.bak", 550);
    assert!(is_done(&mut boris, "RETR a.txt"));
}

/// Two sessions together get what one gets: 100 KB a second, after the first quarter of a second.
#[test]
fn sessions_of_a_user_share_a_rate() {
    let scene = Scene::with_tree(
        &[],
        &[
            "anna:HASH:HOMES/anna:all:rate-in=100000",
            "boris:HASH:HOMES/anna:all",
        ],
        &["anna/"],
    );
    let store = |mut client: Client, name: &'static str| {
        move || {
            client.store(format!("STOR {name}"), vec![b'x'; 50_000]);
        }
    };
    let since = Instant::now();
    let both = [
        store(scene.client("anna"), "one"),
        store(scene.client("anna"), "two"),
    ];
    std::thread::scope(|scope| {
        for upload in both {
            scope.spawn(upload);
        }
    });
    // Alone, each would take 250 ms.
    assert!(
        since.elapsed() >= Duration::from_millis(700),
        "{:?}",
        since.elapsed()
    );
    store(scene.client("boris"), "three")();
}

/// For the control connection and for data. Others need not.
#[test]
fn a_user_who_must_use_tls() {
    let setup = Setup::from_flags_alone();
    let (file, home) = (setup.directory().join("users"), setup.root());
    let lines = ["secure:HASH:HOMES:all:tls", "plain:HASH:HOMES:all"];
    write_users(&file, &home, &lines);
    let setup = setup.flags(&["-i", "127.0.0.1", "-p", "0", "--users", path(&file)]);
    let secure = SecureServer::in_process_from(setup);
    let mut client = Client::greeted(secure.server.address);
    let reply = log_in(&mut client, "secure");
    assert_eq!(
        reply.text(),
        "530 Send AUTH TLS first; no login in clear text."
    );
    assert_eq!(log_in(&mut client, "plain").code, 230);
    assert_eq!(client.fetch("NLST"), b"");
    let mut client = secure.secured(&secure.config(&TLS13));
    assert_eq!(log_in(&mut client, "secure").code, 230);
    client.extended_passive();
    client.command("NLST", 521);
    assert_eq!(log_in(&mut client, "plain").code, 230);
    assert_eq!(client.fetch("NLST"), b"");
}

#[test]
fn the_log_names_the_option_or_the_home() {
    let setup = Setup::from_flags_alone();
    let (homes, file) = (
        setup.directory().join("homes"),
        setup.directory().join("users"),
    );
    std::fs::create_dir_all(homes.join("anna")).expect("a home");
    let lines = [
        "anna:HASH:HOMES/anna:all:max-upload-size=20;hide=*.bak",
        "boris:HASH:HOMES/boris:all",
    ];
    write_users(&file, &homes, &lines);
    let setup = setup.flags(&["-i", "127.0.0.1", "-p", "0", "--users", path(&file)]);
    let server = setup
        .flags(&["--max-upload-size", "10", "--hide", "*.tmp"])
        .program();
    let mut anna = Client::greeted(server.address);
    assert_eq!(log_in(&mut anna, "anna").code, 230);
    anna.command("TYPE I", 200);
    anna.command("SIZE a.tmp", 550);
    anna.command("SIZE a.bak", 550);
    let data = anna.data();
    anna.command("STOR b21", 150);
    std::io::Write::write_all(&mut &data, &[b'x'; 21]).expect("sending data");
    drop(data);
    assert_eq!(anna.reply().code, 552);
    let mut boris = Client::greeted(server.address);
    assert_eq!(log_in(&mut boris, "boris").code, 421);
    let log = server.finish();
    let home = homes.join("boris");
    for (start, end) in [
        ("SIZE /a.tmp refused: ", "(see --hide)"),
        ("SIZE /a.bak refused: ", "(see option hide in --users)"),
        ("STOR /b21 ", "(see option max-upload-size in --users)"),
        ("login as boris refused: the home ", path(&home)),
    ] {
        let is_it = |line: &str| line.contains(start) && line.contains(end);
        assert!(log.lines().any(is_it), "{start}: {log}");
    }
}
