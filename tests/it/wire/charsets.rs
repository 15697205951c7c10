//! Clients that do not write UTF-8: what they send is right on disk, and they see it again.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::support::client::Client;
use crate::support::server::{PASSWORD, Setup, TestServer, USER};
use crate::support::wait::wait_until;

/// "中文" in GBK.
const CHINESE: &[u8] = b"\xd6\xd0\xce\xc4";
/// "誠乗" in GBK; the second bytes are backslashes.
const BACKSLASHES: &[u8] = b"\xd5\x5c\x81\x5c";

#[test]
fn every_command_takes_and_shows_names_of_the_charset() {
    let server = TestServer::in_process(&["--encoding", "GBK"]);
    let mut client = server.client();
    check_reply(
        &mut client,
        line("MKD ", CHINESE),
        b"257 \"/\xd6\xd0\xce\xc4\" created.",
    );
    assert!(server.path("中文").is_dir());
    client.command(line("CWD ", CHINESE), 250);
    let pwd = b"257 \"/\xd6\xd0\xce\xc4\" is the current directory.";
    check_reply(&mut client, "PWD", pwd);

    let name = [BACKSLASHES, b".txt"].concat();
    let data = client.data();
    let reply = client.command(line("STOR ", &name), 150);
    assert!(contains(&reply.lines[0], &name), "{}", reply.text());
    drop(data);
    client.expect(226);
    assert!(server.path("中文/誠乗.txt").is_file());
    let crlf = [&name[..], b"\r\n"].concat();
    assert_eq!(client.fetch("NLST"), crlf);
    assert_eq!(client.fetch(line("NLST ", &name)), crlf);
    // The second byte of a character is no wildcard, and a star is one.
    assert_eq!(client.fetch(line("NLST ", b"\xd5\x5c*")), crlf);
    assert_eq!(client.fetch(line("NLST ", b"??.txt")), crlf);
    let absolute = [b"/", CHINESE, b"/", &crlf[..]].concat();
    assert_eq!(client.fetch(line("NLST /", CHINESE)), absolute);
    for listing in ["LIST", "MLSD", "LIST -R"] {
        let lines = client.fetch(listing);
        assert!(
            lines.ends_with(&[b" ", &crlf[..]].concat()),
            "{}",
            lines.escape_ascii()
        );
    }
    for (command, code) in [("STAT ", 213), ("MLST ", 250), ("HASH ", 213)] {
        let reply = client.command(line(command, &name), code);
        let shown = reply.lines.iter().any(|line| line.ends_with(&name));
        assert!(shown, "{}", reply.text());
    }
    for (command, code) in [("SIZE ", 213), ("MDTM ", 213), ("XMD5 ", 250)] {
        client.command(line(command, &name), code);
    }
    let modified = [b"MFMT 20251122130709 ", &name[..]].concat();
    check_reply(
        &mut client,
        modified,
        &[b"213 Modify=20251122130709; ", &name[..]].concat(),
    );
    client.command(line("SITE CHMOD 640 ", &name), 200);
    assert_eq!(server.mode("中文/誠乗.txt"), 0o640);
    assert_eq!(client.fetch(line("RETR ", &name)), b"");
    client.command(line("RNFR ", &name), 350);
    client.command(line("RNTO /", CHINESE), 553);
    client.command(line("RNFR ", &name), 350);
    client.command(line("RNTO ", b"\xc4\xa3"), 250);
    assert!(server.path("中文/模").is_file());
    client.command(line("DELE ", b"\xc4\xa3"), 250);
    client.command("CWD /", 250);
    client.command(line("RMD ", CHINESE), 250);
}

#[test]
fn the_name_of_a_unique_upload_is_in_the_charset() {
    let server = TestServer::in_process(&["--encoding", "GBK"]);
    let mut client = server.client();
    let reply = client.store(line("STOU ", CHINESE), "x");
    assert!(reply.lines[0].ends_with(CHINESE), "{}", reply.text());
    assert_eq!(server.read("中文"), b"x");
}

#[test]
fn opts_utf8_switches_between_both() {
    let server = TestServer::in_process(&["--encoding", "GBK"]);
    server.write("中文", "x");
    let mut client = server.client();
    let wire = [CHINESE, b"\r\n"].concat();
    assert_eq!(client.fetch("NLST"), wire);
    assert!(
        client
            .command("FEAT", 211)
            .texts()
            .contains(&" UTF8".to_owned())
    );
    let reply = client.command("OPTS UTF8 ON", 200);
    assert_eq!(reply.text(), "200 Names are in UTF-8 from now on.");
    assert_eq!(client.fetch("NLST"), "中文\r\n".as_bytes());
    client.command("SIZE 中文", 213);
    client.command(line("SIZE ", CHINESE), 550);
    let reply = client.command("OPTS UTF8 OFF", 200);
    let expected = "200 Names are in the character set of your account from now on.";
    assert_eq!(reply.text(), expected);
    assert_eq!(client.fetch("NLST"), wire);
    // Not in GBK, and the reply says what helps.
    let reply = client.command("SIZE 文", 501);
    let text = "501 The path is not in the character set of your account; send OPTS UTF8 ON for \
                UTF-8.";
    assert_eq!(reply.text(), text);
    // A client beside it that asks for UTF-8 before it logs in.
    let mut other = Client::greeted(server.address);
    other.command("OPTS UTF8 ON", 200);
    other.log_in();
    assert_eq!(other.fetch("NLST"), "中文\r\n".as_bytes());
}

#[test]
fn names_that_the_charset_lacks_are_found_by_what_is_shown() {
    let server = TestServer::in_process(&["--encoding", "windows-1251"]);
    let odd = OsStr::from_bytes(b"latin \xe9\xff");
    fs::write(server.root().join(odd), "bytes").expect("a file");
    for name in ["中文.txt", "Музыка я", "100%", "%E4", "a%20b", "Icon\r"] {
        server.write(name, name);
    }
    let mut client = server.client();
    let names = sorted_lines(client.fetch("NLST"));
    let expected: [&[u8]; 7] = [
        b"%25E4",
        b"%E4%B8%AD%E6%96%87.txt",
        b"100%",
        b"Icon%0D",
        b"a%20b",
        b"latin %E9%FF",
        b"\xcc\xf3\xe7\xfb\xea\xe0 \xff",
    ];
    assert_eq!(names, expected);
    for name in expected {
        let content = client.fetch(line("RETR ", name));
        assert!(!content.is_empty(), "{}", name.escape_ascii());
        client.command(line("DELE ", name), 250);
    }
    assert_eq!(client.fetch("NLST"), b"");
}

/// FF is a letter in some charsets, and Telnet's IAC. Clients send it once or twice.
#[test]
fn a_letter_that_is_telnets_iac_works() {
    let server = TestServer::in_process(&["--encoding", "windows-1251"]);
    let mut client = server.client();
    check_reply(
        &mut client,
        b"MKD \xe4\xff",
        b"257 \"/\xe4\xff\xff\" created.",
    );
    assert!(server.path("дя").is_dir());
    client.command(b"CWD \xe4\xff\xff", 250);
    client.command(b"STOR \xff", 425);
    client.store(b"STOR \xff\xe6", "x");
    assert_eq!(server.read("дя/яж"), b"x");
}

#[test]
fn hidden_names_and_rules_apply_to_what_is_meant() {
    let hidden = ["--encoding", "Shift_JIS", "--hide", "表*"];
    let server = TestServer::in_process(&hidden);
    server.write("表", "x");
    server.write("示", "x");
    let mut client = server.client();
    assert_eq!(client.fetch("NLST"), b"\x8e\xa6\r\n");
    client.command(b"SIZE \x95\x5c", 550);
    client.command(b"SIZE %E8%A1%A8", 550);
    // No escape stands for a dot or a slash.
    client.command(b"CWD %2e%2e", 550);
    client.command(b"SIZE %2F\x8e\xa6", 550);
    client.command(b"SIZE a%0Ab", 501);
}

#[test]
fn a_session_becomes_utf8_by_a_name_in_utf8() {
    let server = TestServer::in_process(&["--encoding", "auto:GBK"]);
    server.write("中文", "x");
    let wire = [CHINESE, b"\r\n"].concat();
    let mut old = server.client();
    let mut new = server.client();
    assert_eq!(new.fetch("NLST"), wire);
    new.store("STOR 文件", "y");
    assert_eq!(server.read("文件"), b"y");
    assert_eq!(new.fetch("NLST 中*"), "中文\r\n".as_bytes());
    let status = new.command("STAT", 211);
    assert!(
        status.text().contains(" Names are in UTF-8."),
        "{}",
        status.text()
    );
    // Other sessions have their own charset.
    old.command(line("SIZE ", CHINESE), 213);
    assert_eq!(old.fetch(line("NLST ", CHINESE)), wire);
    // A client that insists on the charset keeps it.
    old.command("OPTS UTF8 OFF", 200);
    old.command("SIZE 中文中文", 550);
    assert_eq!(old.fetch(line("NLST ", CHINESE)), wire);
    new.command("OPTS UTF8 OFF", 200);
    new.command(line("SIZE ", CHINESE), 213);
}

#[test]
fn the_log_is_in_utf8() {
    let server = TestServer::program(&["--encoding", "GBK", "--debug"]);
    let mut client = server.client();
    client.store(line("STOR ", CHINESE), "x");
    client.command(line("SIZE ", b"\xd7\xd6"), 550);
    client.command(line("TYPE ", CHINESE), 501);
    client.command(line("MKD ", b"\xc4\xa3"), 257);
    client.command(b"SIZE \xff", 501);
    let log = server.finish();
    for text in [
        "names are in GBK until a client asks for UTF-8\n",
        "> STOR 中文\n",
        "STOR /中文: 1 bytes in ",
        "SIZE /字 refused: 550 No such file",
        "TYPE 中文 refused: 501 ",
        "MKD /模\n",
        "< 257 \"/模\" created.\n",
        "> SIZE \\xff\n",
    ] {
        assert!(log.contains(text), "{text}: {log}");
    }
}

#[test]
fn the_locale_suggests_a_charset() {
    let server = Setup::new()
        .flags(&["--encoding", "auto"])
        .wrapped(|mut command| {
            command.env("LC_ALL", "ja_JP.UTF-8");
            command
        })
        .program();
    server.write("表", "x");
    assert_eq!(server.client().fetch("NLST"), b"\x95\x5c\r\n");
    let log = server.finish();
    let text = "names are in Shift_JIS until a client asks for UTF-8 or writes it\n";
    assert!(log.contains(text), "{log}");
}

#[test]
fn a_reload_changes_the_charset_of_all_sessions() {
    let setup = Setup::without_account().host("127.0.0.1");
    let file = setup.directory().join("ftp.conf");
    let common = format!("username {USER}\npassword {PASSWORD}\n");
    fs::write(&file, format!("{common}encoding GBK\n")).expect("a configuration");
    let flag = file.to_str().expect("text").to_owned();
    let server = setup.flags(&["--config", &flag]).in_process();
    server.write("中文", "x");
    let mut old = server.client();
    assert_eq!(old.fetch("NLST"), [CHINESE, b"\r\n"].concat());
    fs::write(&file, format!("{common}encoding big5\n")).expect("a configuration");
    server.reload();
    wait_until("a login with the new charset", || {
        server.client().fetch("NLST") == b"\xa4\xa4\xa4\xe5\r\n"
    });
    assert_eq!(old.fetch("NLST"), b"\xa4\xa4\xa4\xe5\r\n");
    old.command("OPTS UTF8 ON", 200);
    assert_eq!(old.fetch("NLST"), "中文\r\n".as_bytes());
    old.command("OPTS UTF8 OFF", 200);
    fs::write(&file, &common).expect("a configuration");
    server.reload();
    wait_until("a login without a charset", || {
        server.client().fetch("NLST") == "中文\r\n".as_bytes()
    });
    assert_eq!(old.fetch("NLST"), "中文\r\n".as_bytes());
}

/// The lines of a listing of names in bytes, sorted.
fn sorted_lines(listing: Vec<u8>) -> Vec<Vec<u8>> {
    let lines = listing.split_inclusive(|&byte| byte == b'\n');
    let mut lines: Vec<_> = lines
        .map(|line| line.strip_suffix(b"\r\n").expect("whole lines").to_owned())
        .collect();
    lines.sort_unstable();
    lines
}

fn line(command: &str, name: &[u8]) -> Vec<u8> {
    [command.as_bytes(), name].concat()
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

#[track_caller]
fn check_reply(client: &mut Client, command: impl AsRef<[u8]>, expected: &[u8]) {
    client.send(command);
    let reply = client.reply();
    assert_eq!(
        reply.text(),
        expected.escape_ascii().to_string().replace("\\\"", "\"")
    );
}
