//! Names of all kinds of bytes, through every command that takes one.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::support::client::Client;
use crate::support::server::{BlackBox, TestServer};

#[test]
fn names_with_spaces_quotes_and_dashes_work() {
    check(&[
        b"a b",
        b" in front",
        b"behind ",
        b"-",
        b"-file",
        b"say \"hello\"",
        b"'single' and $HOME `x` \\n *?[a]",
        b"...",
        b"~x",
        b"#1;2,3",
        b"%2e%2e",
    ]);
}

/// The login starts in `/`.
#[test]
fn a_tilde_is_the_start_directory_unless_an_entry_has_the_name() {
    let server = TestServer::black_box();
    fs::create_dir(server.root().join("sub")).expect("a directory");
    let mut client = server.client();
    client.command("CWD sub", 250);
    client.store("STOR ~/file", "at home");
    assert_eq!(server.read("file"), b"at home");
    assert_eq!(client.fetch("RETR ~/file"), b"at home");
    assert_eq!(client.fetch("NLST ~/f*"), b"~/file\r\n");
    client.command("CWD ~", 250);
    client.command("CWD sub", 250);
    client.command("SIZE file", 550);

    client.command("MKD ~", 257);
    client.store("STOR ~/file", "in an entry");
    assert_eq!(server.read("sub/~/file"), b"in an entry");
    assert_eq!(client.fetch("RETR ~/file"), b"in an entry");
    client.command("DELE ~/file", 250);
    client.command("RMD ~", 250);
    client.command("RMD ~", 550);
    client.store("STOR ~", "an entry");
    assert_eq!(client.fetch("RETR ~"), b"an entry");
    client.command("CWD ~", 550);
    client.command("DELE ~", 250);
    assert_eq!(server.read("file"), b"at home");
}

/// NLST of a name answers with the name as it was given.
#[test]
fn names_in_utf8_work() {
    let names = ["文件", "büro", "файл ☃"];
    check(&names.map(str::as_bytes));
    let server = TestServer::black_box();
    let mut client = server.client();
    for name in names {
        client.store(format!("STOR {name}"), name);
        assert_eq!(server.read(name), name.as_bytes());
        let line = client.fetch(format!("NLST {name}"));
        assert_eq!(line, [name.as_bytes(), b"\r\n"].concat());
        assert_eq!(client.fetch(format!("RETR {name}")), name.as_bytes());
    }
}

#[test]
fn names_of_any_bytes_work() {
    check(&[
        "文件 と ファイル".as_bytes(),
        b"latin \xe9\xe8",
        b"b\xfcro",
        b"\x80\xfe",
        b"\xff",
        b"telnet \xff\xf4\xff\xf2",
        b"\xff\xff twice",
        b"a\rb",
        b"tab\tand\x1b[31mred\x7f",
        b"Icon\r",
    ]);
}

#[test]
fn names_work_up_to_the_limit() {
    let longest = vec![b'n'; 255 - 2];
    check(&[&longest]);
    let server = TestServer::black_box();
    let mut client = server.client();
    client.extended_passive();
    let too_long = "n".repeat(256);
    client.command(format!("STOR {too_long}"), 553);
    client.command(format!("MKD {too_long}"), 550);
    client.command(format!("RETR {too_long}"), 550);
    client.command(format!("CWD {}", "d/".repeat(129)), 501);
}

/// Deeper than one name may be long, and back.
#[test]
fn deep_paths_work() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let name = "deep".repeat(8);
    let mut path = String::new();
    for _ in 0..100 {
        client.command(format!("MKD {name}"), 257);
        client.command(format!("CWD {name}"), 250);
        path = format!("{path}/{name}");
    }
    assert_eq!(
        client.command("PWD", 257).text(),
        format!("257 \"{path}\" is the current directory.")
    );
    client.store("STOR file", "text");
    client.command("CWD /", 250);
    assert_eq!(client.fetch(format!("RETR {path}/file")), b"text");
    assert_eq!(
        client.fetch(format!("NLST {path}")),
        format!("{path}/file\r\n").as_bytes()
    );
    client.command(format!("RNFR {path}/file"), 350);
    client.command("RNTO file", 250);
    assert_eq!(server.read("file"), b"text");
}

/// What NLST and MLSD show is what the next command takes, sent as it is.
#[test]
fn listed_names_work_in_the_next_command() {
    let server = TestServer::black_box();
    let names: [&[u8]; 5] = [b"a\tb", b"Icon\r", b"a\x1bb", b" a ", b"\x7f"];
    for name in names {
        fs::write(server.root().join(OsStr::from_bytes(name)), name).expect("a file");
    }
    let mut client = server.client();
    let listing = client.fetch("NLST");
    let listing = listing.strip_suffix(b"\r\n").expect("lines");
    let mut lines = listing.split(|&byte| byte == b'\n').peekable();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let is_last = lines.peek().is_none();
        let name = if is_last {
            line
        } else {
            &line[..line.len() - 1]
        };
        assert_eq!(client.fetch([b"RETR ", name].concat()), name);
        let size = client.command([b"SIZE ", name].concat(), 213);
        assert_eq!(size.text(), format!("213 {}", name.len()));
        found.push(name.to_vec());
    }
    found.sort();
    let mut names = names.map(<[u8]>::to_vec).to_vec();
    names.sort();
    assert_eq!(found, names);
}

/// A client that does not implement Telnet sends FF FF where another one sends four bytes.
#[test]
fn names_with_ff_ff_work_without_telnet() {
    let server = TestServer::black_box();
    let on_disk = |name: &[u8]| server.root().join(OsStr::from_bytes(name));
    let (double, single) = (b"\xff\xff twice", b"\xff twice");
    fs::write(on_disk(double), "double").expect("a file");
    let mut client = server.client();
    let with = |verb: &str| [verb.as_bytes(), b" ", double].concat();
    assert_eq!(client.fetch(with("RETR")), b"double");
    client.command("TYPE I", 200);
    client.command("REST 3", 350);
    assert_eq!(client.fetch(with("RETR")), b"ble");
    assert_eq!(client.command(with("SIZE"), 213).text(), "213 6");
    client.command(with("RNFR"), 350);
    client.command("RNTO other", 250);
    client.command(with("DELE"), 550);
    client.command("RNFR other", 350);
    client.command(b"RNTO \xff\xff\xff\xff twice", 250);
    // Where the name with one FF exists, the client has doubled it.
    fs::write(on_disk(single), "single").expect("a file");
    assert_eq!(client.fetch(with("RETR")), b"single");
    client.command(with("DELE"), 250);
    client.command(with("DELE"), 250);
    client.command(with("DELE"), 550);
    client.expect_in_step();
}

/// A name that the server would not create may still be in the directory: one entry stays one line.
#[test]
fn a_newline_in_a_name_forges_nothing() {
    let server = TestServer::black_box();
    server.write("plain", "text");
    server.write("two\r\n-rw-r--r-- 1 0 0 1 Jan 1 2020 forged", "text");
    fs::create_dir(server.path("d\n250 forged")).expect("a directory");
    let mut client = server.client();
    // MLSD lists the directory itself too.
    for (command, lines) in [("LIST", 3), ("NLST", 3), ("MLSD", 4)] {
        let listing = client.fetch(command);
        let text = listing.escape_ascii().to_string();
        assert_eq!(
            listing.iter().filter(|&&byte| byte == b'\n').count(),
            lines,
            "{text}"
        );
        assert_eq!(
            listing.windows(2).filter(|pair| pair == b"\r\n").count(),
            lines,
            "{text}"
        );
    }
    let status = client.command("STAT .", 213);
    assert_eq!(status.lines.len(), 2 + 3, "{}", status.text());
    client.expect_in_step();
}

/// Every command with each of these names, for a file and for a directory.
#[track_caller]
fn check(names: &[&[u8]]) {
    let server = TestServer::black_box();
    let mut client = server.client();
    for name in names {
        check_file(&server, &mut client, name);
        check_directory(&server, &mut client, name);
        let left = fs::read_dir(server.root()).expect("the root").count();
        assert_eq!(left, 0, "{}", name.escape_ascii());
    }
}

#[track_caller]
fn check_file(server: &TestServer<BlackBox>, client: &mut Client, name: &[u8]) {
    let wire = wire_form(name);
    let with = |verb: &str| [verb.as_bytes(), b" ", &wire[..]].concat();
    let on_disk = |name: &[u8]| server.root().join(OsStr::from_bytes(name));
    client.store(with("STOR"), "some text");
    client.store(with("APPE"), " more");
    assert_eq!(
        fs::read(on_disk(name)).expect("the file"),
        b"some text more"
    );
    assert_eq!(client.fetch(with("RETR")), b"some text more");
    assert_eq!(client.command(with("SIZE"), 213).text(), "213 14");
    client.command(with("MDTM"), 213);
    let facts = client.command(with("MLST"), 250);
    let shown = [&b" /"[..], &shown_form(&wire)[..]].concat();
    let text = facts.text();
    assert!(facts.lines[1].ends_with(&shown), "{text}");
    // On a data connection nothing is Telnet: no byte is doubled.
    let line = [name, b"\r\n"].concat();
    // People read the lines of LIST, where a CR would hide what is before it.
    let long = line.strip_suffix(b"\r\n").expect("its end");
    let long: Vec<u8> = long
        .iter()
        .map(|&byte| if byte == b'\r' { b'?' } else { byte })
        .collect();
    let long = [&long[..], b"\r\n"].concat();
    for (command, line) in [("LIST", &long), ("NLST", &line), ("MLSD", &line)] {
        let listing = client.fetch(command);
        assert!(
            listing.ends_with(line),
            "{command}: {}",
            listing.escape_ascii()
        );
    }
    let renamed = [name, b".x"].concat();
    client.command(with("RNFR"), 350);
    client.command([b"RNTO ", &wire_form(&renamed)[..]].concat(), 250);
    assert!(on_disk(&renamed).exists() && !on_disk(name).exists());
    client.command([b"RNFR ", &wire_form(&renamed)[..]].concat(), 350);
    client.command(with("RNTO"), 250);
    client.command(with("DELE"), 250);
    client.command(with("DELE"), 550);
}

#[track_caller]
fn check_directory(server: &TestServer<BlackBox>, client: &mut Client, name: &[u8]) {
    let wire = wire_form(name);
    let with = |verb: &str| [verb.as_bytes(), b" ", &wire[..]].concat();
    let quoted: Vec<u8> = shown_form(&wire)
        .iter()
        .flat_map(|&byte| vec![byte; if byte == b'"' { 2 } else { 1 }])
        .collect();
    let quoted = [b"257 \"/", &quoted[..], b"\""].concat();
    let made = client.command(with("MKD"), 257);
    assert!(made.lines[0].starts_with(&quoted), "{}", made.text());
    assert!(server.root().join(OsStr::from_bytes(name)).is_dir());
    client.command(with("CWD"), 250);
    let current = client.command("PWD", 257);
    assert!(current.lines[0].starts_with(&quoted), "{}", current.text());
    assert_eq!(client.fetch("NLST"), b"");
    client.command("CDUP", 250);
    client.command(with("RMD"), 250);
    client.command(with("CWD"), 550);
}

/// As it goes through the control connection: Telnet doubles FF and puts a NUL behind a lone CR.
fn wire_form(name: &[u8]) -> Vec<u8> {
    let escape = |&byte: &u8| match byte {
        0xff => vec![0xff, 0xff],
        b'\r' => vec![b'\r', 0],
        other => vec![other],
    };
    name.iter().flat_map(escape).collect()
}

/// As replies show it: control bytes but TAB become question marks.
fn shown_form(name: &[u8]) -> Vec<u8> {
    let mut shown = Vec::new();
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        let is_replaced = byte.is_ascii_control() && byte != b'\t';
        shown.push(if is_replaced { b'?' } else { byte });
        rest = after
            .strip_prefix(b"\0")
            .filter(|_| byte == b'\r')
            .unwrap_or(after);
    }
    shown
}
