//! RFC 3659, Extensions to FTP.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use crate::support::server::{BlackBox, TestServer};

fn site_with_a_file() -> TestServer<BlackBox> {
    let server = TestServer::black_box();
    fs::create_dir(server.path("directory")).expect("a directory");
    server.write("directory/file", "0123456789");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_816_829);
    let file = File::options()
        .write(true)
        .open(server.path("directory/file"));
    file.and_then(|file| file.set_modified(time))
        .expect("its time");
    server
}

#[test]
fn rfc3659_4_1_size_is_what_retr_would_send_or_is_refused() {
    let server = site_with_a_file();
    let mut client = server.client();
    assert_eq!(
        client.command("SIZE directory/file", 213).one_line(),
        "213 10"
    );
    client.command("SIZE directory", 550);
    client.command("SIZE missing", 550);
    client.command("TYPE A", 200);
    server.write("text", "one\ntwo\r\n\n");
    let sent = client.fetch("RETR text").len();
    assert_eq!(
        client.command("SIZE text", 213).text(),
        format!("213 {sent}")
    );
    client.command("SIZE directory", 550);
}

#[test]
fn rfc3659_5_4_rest_before_stou_is_refused_and_before_appe_it_names_the_end() {
    let server = site_with_a_file();
    let mut client = server.client();
    client.extended_passive();
    client.command("REST 3", 350);
    client.command("STOU directory/file", 501);
    for offset in [3, 11] {
        client.command(format!("REST {offset}"), 350);
        client.command("APPE directory/file", 554);
    }
    assert_eq!(server.read("directory/file"), b"0123456789");
    client.command("REST 10", 350);
    client.store("APPE directory/file", "more");
    assert_eq!(server.read("directory/file"), b"0123456789more");
    assert_eq!(
        fs::read_dir(server.path("directory")).expect("it").count(),
        1
    );
}

#[test]
fn rfc3659_6_tvfs_paths_are_one_tree_from_the_root() {
    let server = site_with_a_file();
    let mut client = server.client();
    for path in [
        "/directory/file",
        "directory/file",
        "./directory/file",
        "//directory///file",
        "directory/../directory/file",
        "../../directory/file",
    ] {
        let text = client.command(format!("MLST {path}"), 250).one_line();
        assert!(text.contains("; /directory/file "), "{path}: {text}");
    }
}

#[test]
fn rfc3659_7_2_mlst_has_one_line_with_a_leading_blank() {
    let server = site_with_a_file();
    let mut client = server.client();
    let reply = client.command("MLST directory/file", 250);
    let [first, entry, last] = &reply.lines[..] else {
        panic!("{}", reply.text());
    };
    assert!(first.starts_with(b"250-") && last.starts_with(b"250 "));
    let entry = std::str::from_utf8(entry).expect("text");
    let facts = entry
        .strip_prefix(' ')
        .and_then(|rest| rest.strip_suffix("; /directory/file"));
    let facts = facts.unwrap_or_else(|| panic!("{entry}"));
    assert!(
        facts.split(';').all(|fact| fact.split_once('=').is_some()),
        "{entry}"
    );
    // Nothing is sent over a data connection, so none is needed.
    client.command("MLST", 250);
    client.command("MLST missing", 550);
}

#[test]
fn rfc3659_7_2_mlsd_lines_hold_facts_one_blank_and_a_name() {
    let server = site_with_a_file();
    server.write("directory/ blank;semicolon=", "");
    let mut client = server.client();
    client.command("TYPE A", 200);
    client.command("OPTS MLST type;size;", 200);
    let text = String::from_utf8(client.fetch("MLSD directory")).expect("text");
    let mut lines: Vec<&str> = text.split_terminator("\r\n").collect();
    lines.sort_unstable();
    let expected = [
        "type=cdir; .",
        "type=file;size=0;  blank;semicolon=",
        "type=file;size=10; file",
        "type=pdir; ..",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn rfc3659_7_5_1_types_of_entries() {
    let server = site_with_a_file();
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, server.path(name)).expect("a link");
    };
    link("file", "directory/link");
    link("directory", "way");
    link("..", "directory/up");
    link("missing", "directory/nowhere");
    link("../..", "directory/out");
    let mut client = server.client();
    client.command("OPTS MLST type;", 200);
    for (path, kind) in [
        ("directory/file", "file"),
        ("directory", "dir"),
        ("/", "dir"),
        ("directory/link", "file"),
        ("way", "dir"),
        ("way/link", "file"),
        ("way/up", "OS.unix=slink:.."),
        ("directory/up", "OS.unix=slink:.."),
        ("directory/nowhere", "OS.unix=slink:missing"),
        ("directory/out", "OS.unix=slink:../.."),
    ] {
        let text = client.command(format!("MLST {path}"), 250).one_line();
        assert!(text.contains(&format!(" type={kind}; ")), "{path}: {text}");
    }
    for path in ["directory", "way"] {
        let text = client.fetch(format!("MLSD {path}"));
        let text = String::from_utf8(text).expect("text");
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        let expected = [
            "type=OS.unix=slink:../..; out",
            "type=OS.unix=slink:..; up",
            "type=OS.unix=slink:missing; nowhere",
            "type=cdir; .",
            "type=file; file",
            "type=file; link",
            "type=pdir; ..",
        ];
        assert_eq!(lines, expected, "{path}");
    }
}

/// What MLST, MLSD, SIZE and MDTM say of a link is what RETR sends.
#[test]
fn rfc3659_4_1_and_7_facts_of_a_link_are_those_of_the_file() {
    let server = site_with_a_file();
    std::os::unix::fs::symlink("directory/file", server.path("link")).expect("a link");
    let mut client = server.client();
    client.command("TYPE I", 200);
    client.command("OPTS MLST size;modify;", 200);
    let facts = "size=10;modify=20251122130709; ";
    let text = client.command("MLST link", 250).one_line();
    assert!(text.contains(&format!("{facts}/link ")), "{text}");
    let listed = String::from_utf8(client.fetch("MLSD")).expect("text");
    assert!(listed.contains(&format!("{facts}link\r\n")), "{listed}");
    let size = client.command("SIZE link", 213).one_line();
    let time = client.command("MDTM link", 213).one_line();
    assert_eq!((&size[..], &time[..]), ("213 10", "213 20251122130709"));
    assert_eq!(client.fetch("RETR link").len(), 10);
    // A client that removes what it sees removes the link alone.
    std::os::unix::fs::symlink("directory", server.path("way")).expect("a link");
    client.command("RMD way", 250);
    client.command("DELE link", 250);
    client.command("MLST way", 550);
    client.command("SIZE directory/file", 213);
}

#[test]
fn rfc3659_7_5_2_unique_is_the_same_for_the_same_file_alone() {
    let server = site_with_a_file();
    server.write("directory/other", "");
    fs::hard_link(server.path("directory/file"), server.path("again")).expect("a link");
    let mut client = server.client();
    client.command("OPTS MLST unique;", 200);
    let mut unique = |path: &str| {
        let text = client.command(format!("MLST {path}"), 250).one_line();
        let (_, rest) = text.split_once("unique=").expect("the fact");
        rest.split(';').next().expect("its value").to_owned()
    };
    let file = unique("directory/file");
    assert_eq!(file, unique("again"));
    assert_ne!(file, unique("directory/other"));
    assert_ne!(file, unique("directory"));
}

#[test]
fn rfc3659_7_8_feat_marks_the_selected_facts() {
    let server = site_with_a_file();
    let mut client = server.client();
    let features = client.command("FEAT", 211).one_line();
    let facts =
        "type*;size*;modify*;perm*;unique*;unix.mode*;unix.uid*;unix.gid*;unix.owner;unix.group;";
    assert!(features.contains(&format!(" MLST {facts} ")), "{features}");
    client.command("OPTS MLST size;unix.owner;", 200);
    let features = client.command("FEAT", 211).one_line();
    let facts = "type;size*;modify;perm;unique;unix.mode;unix.uid;unix.gid;unix.owner*;unix.group;";
    assert!(features.contains(&format!(" MLST {facts} ")), "{features}");
}

#[test]
fn rfc3659_7_9_opts_mlst_chooses_facts() {
    let server = site_with_a_file();
    let mut client = server.client();
    for (options, facts) in [
        (" type;size;", " type;size;"),
        (" SIZE;Type;", " type;size;"),
        (" size;nosuch;", " size;"),
        (" nosuch;", ""),
        ("", ""),
        (" modify;UNIX.mode;", " modify;unix.mode;"),
    ] {
        let text = client
            .command(format!("OPTS MLST{options}"), 200)
            .one_line();
        assert_eq!(text, format!("200 MLST OPTS{facts}"));
    }
    // A mistake changes nothing.
    for options in ["type", "type ;", ";", "type; size;"] {
        client.command(format!("OPTS MLST {options}"), 501);
    }
    let text = client.command("MLST directory/file", 250).one_line();
    assert!(
        text.contains(" modify=20251122130709;unix.mode=0644; /directory/file "),
        "{text}"
    );
}
