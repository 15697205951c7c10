//! What lies in the directory besides plain files: links, pipes, sockets, and what the server may
//! not open.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::client::Client;
use crate::support::data::read_all;
use crate::support::process;
use crate::support::server::{BlackBox, TestServer};

#[test]
fn impossible_requests_are_refused() {
    let server = TestServer::black_box();
    server.write("file", "text");
    fs::create_dir_all(server.path("full/inner")).expect("directories");
    let mut client = server.client();
    for (line, code) in [
        ("CWD file", 550),
        ("CWD missing", 550),
        ("DELE full", 550),
        ("DELE missing", 550),
        ("MDTM full", 550),
        ("MKD /", 550),
        ("MKD file", 550),
        ("MKD missing/new", 550),
        ("MLST missing", 550),
        ("RMD /", 550),
        ("RMD file", 550),
        ("RMD full", 550),
        ("RMD missing", 550),
        ("RNFR /", 550),
        ("RNFR missing", 550),
        ("RNTO new", 503),
        ("RNFR file", 350),
        ("RNTO full", 553),
        ("RNTO new", 503),
        ("RNFR full", 350),
        ("RNTO full/inner/below-itself", 553),
        ("RNFR file", 350),
        ("RNTO missing/new", 553),
        ("SIZE full", 550),
        ("SIZE missing", 550),
        ("STAT missing", 550),
    ] {
        client.command(line, code);
    }
    // Renaming replaces a file, as everywhere.
    server.write("other", "other text");
    client.command("RNFR file", 350);
    client.command("RNTO other", 250);
    assert_eq!(server.read("other"), b"text");
}

#[test]
fn all_commands_agree_on_facts() {
    let server = TestServer::black_box();
    server.write("file", "text");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let file = File::options().write(true).open(server.path("file"));
    file.and_then(|file| file.set_modified(time))
        .expect("its time");
    let mut client = server.client();
    assert_eq!(
        client.command("MDTM file", 213).text(),
        "213 20231114221320"
    );
    client.command("MDTM missing", 550);
    client.command("MDTM", 501);
    let lines = [
        client.command("MLST file", 250).text(),
        listing(&mut client, "MLSD"),
    ];
    for text in lines {
        for fact in ["type=file;", "size=4;", "modify=20231114221320;", "unique="] {
            assert!(text.to_lowercase().contains(fact), "{fact} in {text}");
        }
    }
    let text = listing(&mut client, "LIST");
    assert!(
        text.starts_with("-rw") && text.contains(" 4 Nov 14  2023 file"),
        "{text}"
    );
    let text = client.command("STAT /", 213).text();
    assert!(text.contains(" 4 Nov 14  2023 file"), "{text}");
}

#[test]
fn links_within_the_root_are_followed() {
    let server = TestServer::black_box();
    fs::create_dir(server.path("directory")).expect("a directory");
    server.write("directory/file", "text");
    symlink("directory/file", server.path("link")).expect("a link");
    symlink("directory", server.path("way")).expect("a link");
    symlink("../directory/file", server.path("directory/round")).expect("a link");
    let mut client = server.client();
    for command in ["RETR link", "RETR way/file", "RETR way/round"] {
        assert_eq!(client.fetch(command), b"text", "{command}");
    }
    client.command("SIZE link", 213);
    client.store("STOR way/new", "new");
    assert_eq!(server.read("directory/new"), b"new");
    client.store("STOR link", "changed");
    assert_eq!(server.read("directory/file"), b"changed");
    client.command("CWD way", 250);
    assert_eq!(client.fetch("RETR file"), b"changed");
    client.command("CWD /", 250);
    // The link goes, not what it points to.
    client.command("DELE link", 250);
    assert_eq!(server.read("directory/file"), b"changed");
}

/// However the client gets at them, links to the outside lead nowhere.
#[test]
fn links_to_files_outside_lead_nowhere() {
    let server = TestServer::black_box();
    let outside = make_links_out(&server);
    // Absolute links are refused even where they would stay inside.
    server.write("inner", "text");
    symlink(server.path("inner"), server.path("absolute-inner")).expect("a link");
    let mut client = server.client();
    for file in [
        "relative",
        "absolute",
        "relative-dir/secret",
        "absolute-dir/secret",
        "chain/secret",
        "up/outside/secret",
        "circle",
        "absolute-inner",
        "../outside/secret",
        "../../outside/secret",
        "/../outside/secret",
    ] {
        client.extended_passive();
        for (verb, code) in NOT_A_FILE {
            client.command(format!("{verb} {file}"), code);
        }
    }
    expect_untouched(&outside);
    // Removing a link removes the link.
    for link in ["relative", "absolute-dir"] {
        client.command(format!("DELE {link}"), 250);
    }
    client.command("RMD up", 250);
    expect_untouched(&outside);
}

#[test]
fn links_to_directories_outside_lead_nowhere() {
    let server = TestServer::black_box();
    let outside = make_links_out(&server);
    server.write("inner", "text");
    let mut client = server.client();
    for directory in [
        "relative-dir",
        "absolute-dir",
        "slash",
        "up",
        "chain",
        "up/outside",
        "circle",
    ] {
        client.extended_passive();
        for (command, code) in [
            ("CWD @", 550),
            ("DELE @/secret", 550),
            ("LIST @/secret", 550),
            ("MKD @/new", 550),
            ("MLSD @", 550),
            ("MLST @/secret", 550),
            ("RMD @/new", 550),
            ("RNFR @/secret", 550),
            ("STAT @/secret", 550),
            ("STOR @/new", 553),
            ("STOU @/new", 553),
            ("RNFR inner", 350),
            ("RNTO @/new", 553),
        ] {
            client.command(command.replace('@', directory), code);
        }
        // A link may be shown as the link that it is, but nothing behind it.
        for verb in ["LIST", "NLST", "STAT"] {
            let text = listing(&mut client, &format!("{verb} {directory}"));
            assert!(!text.contains("secret"), "{verb} {directory}: {text}");
        }
    }
    expect_untouched(&outside);
}

/// A directory beside the root, and links of all kinds that lead there; returns it.
fn make_links_out(server: &TestServer<BlackBox>) -> PathBuf {
    let outside = server.directory().join("outside");
    fs::create_dir(&outside).expect("a directory");
    fs::write(outside.join("secret"), "secret").expect("a file");
    let link = |target: &Path, name: &str| symlink(target, server.path(name)).expect("a link");
    link(Path::new("../outside/secret"), "relative");
    link(&outside.join("secret"), "absolute");
    link(Path::new("../outside"), "relative-dir");
    link(&outside, "absolute-dir");
    link(Path::new("/"), "slash");
    link(Path::new(".."), "up");
    link(Path::new("up/outside"), "chain");
    link(Path::new("circle"), "circle");
    outside
}

#[track_caller]
fn expect_untouched(outside: &Path) {
    let secret = fs::read(outside.join("secret")).expect("the secret");
    assert_eq!(secret, b"secret");
    assert_eq!(fs::read_dir(outside).expect("the outside").count(), 1);
}

/// What LIST, NLST or STAT answer, also when they refuse.
fn listing(client: &mut Client, command: &str) -> String {
    if command.starts_with("STAT") {
        client.send(command);
        return client.reply().text();
    }
    let mut data = client.data();
    client.send(command);
    let reply = client.reply();
    if reply.code != 150 {
        return reply.text();
    }
    let text = read_all(&mut data).escape_ascii().to_string();
    client.expect(226);
    text
}

/// Neither a pipe without a peer nor one with a peer blocks a session.
#[test]
fn pipes_and_sockets_are_refused() {
    let server = TestServer::black_box();
    let pipe = server.path("pipe");
    process::run(Command::new("mkfifo").arg(&pipe), 10).expect_success();
    let _listener = UnixListener::bind(server.path("socket")).expect("a socket");
    let mut client = server.client();
    let mut held: Option<File> = None;
    for _ in 0..2 {
        for name in ["pipe", "socket"] {
            client.extended_passive();
            for (verb, code) in NOT_A_FILE {
                client.command(format!("{verb} {name}"), code);
            }
            client.command(format!("MLST {name}"), 250);
            assert!(listing(&mut client, &format!("LIST {name}")).contains(name));
        }
        // The second time both ends of the pipe are open.
        let both = OpenOptions::new().read(true).write(true).open(&pipe);
        held.replace(both.expect("both ends of the pipe"));
    }
    assert!(pipe.exists());
    client.command("DELE pipe", 250);
    client.command("RMD socket", 550);
}

/// How commands answer that ask for anything but a plain file within the root.
const NOT_A_FILE: [(&str, u16); 5] = [
    ("RETR", 550),
    ("STOR", 553),
    ("APPE", 550),
    ("SIZE", 550),
    ("MDTM", 550),
];
