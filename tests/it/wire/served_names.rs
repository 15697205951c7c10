//! `--hide` and `--local-time`: what of the shared directory clients see, and how.

use std::fs;

use ftp_tests::listing_parser;

use crate::support::client::sorted_names;
use crate::support::process;
use crate::support::server::{InProcess, PASSWORD, Setup, TestServer, USER};
use crate::support::wait::wait_until;

#[test]
fn hidden_names_are_neither_listed_nor_served() {
    let server = TestServer::in_process(&["--hide", "@eaDir,.Trash*", "--hide=#recycle"]);
    plant(&server);
    let mut client = server.client();
    assert_eq!(sorted_names(client.fetch("NLST")), ["d", "file"]);
    let lines = listing_parser::parse_all(&client.fetch("LIST -a"));
    assert_eq!(lines.len(), 4, "with . and ..");
    let facts = String::from_utf8(client.fetch("MLSD")).expect("text");
    assert_eq!(facts.lines().count(), 3, "{facts}");
    assert_eq!(client.command("STAT .", 213).lines.len(), 4);
    let names = ["d", "d/file", "file"];
    assert_eq!(sorted_names(client.fetch("NLST -R")), names);
    assert_eq!(sorted_names(client.fetch("NLST */*")), ["d/file"]);
    client.extended_passive();
    for (verb, code) in NOT_FOUND {
        for name in ["@eaDir", "@eaDir/file", ".Trash-1000", "d/#recycle/file"] {
            let reply = client.command(format!("{verb} {name}"), code);
            let expected = format!("{code} No such file or directory.");
            assert_eq!(reply.text(), expected, "{verb} {name}");
        }
    }
    client.command("RNFR file", 350);
    client.command("RNTO @eaDir/file", 553);
    client.expect_in_step();
    assert_eq!(fs::read(server.path("@eaDir/file")).expect("a file"), b"x");
    // The directory is not as empty as it looks.
    client.command("DELE d/file", 250);
    client.command("RMD d", 550);
}

/// The client sees no difference to a missing file, but the operator does.
#[test]
fn the_log_says_that_a_name_is_hidden() {
    let server = TestServer::program(&["--hide", "*.tmp"]);
    server.write("file", "text");
    let mut client = server.client();
    client.extended_passive();
    for (command, code) in [
        ("STOR x.tmp", 553),
        ("MKD x.tmp", 550),
        ("SIZE missing", 550),
        ("RNFR file", 350),
        ("RNTO x.tmp", 553),
    ] {
        client.command(command, code);
    }
    let log = server.finish();
    for line in [
        "STOR /x.tmp refused: 553 No such file or directory. (see --hide)\n",
        "MKD /x.tmp refused: 550 No such file or directory. (see --hide)\n",
        "SIZE /missing refused: 550 No such file or directory.\n",
        "RNTO /file to /x.tmp refused: 553 No such file or directory. (see --hide)\n",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
}

#[test]
fn names_are_hidden_from_running_sessions_after_a_reload() {
    let setup = Setup::new();
    let file = setup.directory().join("ftp.conf");
    fs::write(&file, "hide other").expect("a configuration");
    let flag = file.to_str().expect("text").to_owned();
    let server = setup.flags(&["--config", &flag]).in_process();
    plant(&server);
    let mut client = server.client();
    client.command("SIZE @eaDir/file", 213);
    fs::write(&file, "hide @eaDir").expect("a configuration");
    server.reload();
    wait_until("the name is hidden", || {
        client.send("SIZE @eaDir/file");
        client.reply().code == 550
    });
}

#[test]
fn dates_are_utc_or_local() {
    for (flags, date) in [
        (&[][..], "Nov 22  2005"),
        (&["--local-time"], "Nov 23  2005"),
    ] {
        let setup = Setup::new().flags(flags);
        fs::write(setup.root().join("file"), "").expect("a file");
        let zone = ["env", "TZ=XYZ-2"];
        let server = setup
            .wrapped(|serve| process::prefixed(&zone, &serve))
            .program();
        let mut client = server.client();
        client.command("MFMT 20051122233000 file", 213);
        let line = String::from_utf8(client.fetch("LIST")).expect("text");
        assert!(line.ends_with(&format!(" {date} file\r\n")), "{line}");
        let line = client.command("STAT .", 213).text();
        assert!(line.contains(&format!(" {date} file")), "{line}");
        // For programs they are always UTC.
        let time = client.command("MDTM file", 213).text();
        assert_eq!(time, "213 20051122233000");
        let facts = String::from_utf8(client.fetch("MLSD")).expect("text");
        assert!(facts.contains("modify=20051122233000;"), "{facts}");
        server.finish();
    }
}

/// Wherever they are: the configuration and the password lie in the shared directory here.
#[test]
fn the_servers_own_files_are_not_served() {
    let setup = Setup::without_account().host("127.0.0.1");
    let path = |name: &str| setup.root().join(name).to_str().expect("text").to_owned();
    let (configuration, password) = (path("ftp.conf"), path("etc/password"));
    fs::create_dir(path("etc")).expect("a directory");
    let lines = format!("username {USER}\npassword-file {password}\nwrite\n");
    fs::write(&configuration, &lines).expect("a configuration");
    fs::write(&password, PASSWORD).expect("a password");
    fs::write(path("file"), "text").expect("a file");
    let server = setup.flags(&["--config", &configuration]).program();
    server.log_with("ftp.conf");
    server.log_with("are in the shared directory");
    let mut client = server.client();
    for command in ["NLST", "LIST", "MLSD", "NLST -R", "NLST *"] {
        let text = String::from_utf8(client.fetch(command)).expect("text");
        assert!(
            text.contains("file") && !text.contains("ftp.conf"),
            "{command}: {text}"
        );
        assert!(!text.contains("password"), "{command}: {text}");
    }
    assert_eq!(client.fetch("NLST etc"), b"");
    client.extended_passive();
    for (verb, code) in NOT_FOUND
        .iter()
        .filter(|(verb, _)| !["CWD", "MKD", "STOU"].contains(verb))
    {
        for name in ["ftp.conf", "etc/password"] {
            client.command(format!("{verb} {name}"), *code);
        }
    }
    client.command("RNFR etc", 550);
    client.command("RNFR file", 350);
    client.command("RNTO ftp.conf", 553);
    client.expect_in_step();
    let left = fs::read_to_string(&configuration).expect("a configuration");
    assert_eq!(left, lines);
    server.finish();
}

fn plant(server: &TestServer<InProcess>) {
    for name in ["@eaDir", ".Trash-1000", "d/#recycle"] {
        fs::create_dir_all(server.path(name)).expect("directories");
    }
    for name in ["@eaDir/file", "d/#recycle/file", "file", "d/file"] {
        server.write(name, "x");
    }
}

const NOT_FOUND: [(&str, u16); 13] = [
    ("RETR", 550),
    ("STOR", 553),
    ("APPE", 550),
    ("STOU", 553),
    ("LIST", 550),
    ("NLST", 550),
    ("MLSD", 550),
    ("MLST", 550),
    ("STAT", 550),
    ("SIZE", 550),
    ("DELE", 550),
    ("CWD", 550),
    ("MKD", 550),
];
