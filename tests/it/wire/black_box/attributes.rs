//! Permission bits, times and owners: SITE CHMOD, SITE UMASK, MFMT, and the facts that show them.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::client::Client;
use crate::support::process;
use crate::support::server::TestServer;

#[test]
fn site_chmod_changes_permission_bits() {
    let server = TestServer::black_box();
    server.write("two words", "text");
    fs::create_dir(server.path("directory")).expect("a directory");
    let mut client = server.client();
    client.command("SITE CHMOD 600 two words", 200);
    assert_eq!(server.mode("two words"), 0o600);
    // Also for a file that no one may open.
    client.command("SITE CHMOD 0 two words", 200);
    client.command("SITE CHMOD 0644 two words", 200);
    assert_eq!(server.mode("two words"), 0o644);
    let text = client.command("SITE CHMOD 7755 two words", 200).text();
    assert!(text.contains("0755") && text.contains("setuid"), "{text}");
    assert_eq!(server.mode("two words"), 0o755);
    // What the operator has given a directory stays.
    server.set_mode("directory", 0o2775);
    client.command("SITE CHMOD 750 directory", 200);
    assert_eq!(server.mode("directory"), 0o2750);
    server.set_mode("two words", 0o4755);
    client.command("SITE CHMOD 755 two words", 200);
    assert_eq!(server.mode("two words"), 0o755);
    for line in [
        "SITE CHMOD 644 missing",
        "SITE CHMOD 700 /",
        "SITE CHMOD 700 ..",
    ] {
        client.command(line, 550);
    }
    client.expect_in_step();
}

#[test]
fn only_files_and_directories_beneath_the_root_are_changed() {
    let server = TestServer::black_box();
    let outside = server.directory().join("outside");
    fs::write(&outside, "secret").expect("a file");
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o600)).expect("its mode");
    server.set_modified("../outside", 1_000_000_000);
    symlink("../outside", server.path("relative")).expect("a link");
    symlink(&outside, server.path("absolute")).expect("a link");
    process::run(Command::new("mkfifo").arg(server.path("pipe")), 10).expect_success();
    server.write("file", "text");
    symlink("file", server.path("link")).expect("a link");
    let mut client = server.client();
    for name in ["relative", "absolute", "pipe", "../outside"] {
        client.command(format!("SITE CHMOD 666 {name}"), 550);
        client.command(format!("MFMT 20251122130709 {name}"), 550);
    }
    let metadata = fs::metadata(&outside).expect("the file");
    assert_eq!(
        (metadata.mode() & 0o7777, metadata.mtime()),
        (0o600, 1_000_000_000)
    );
    // A link within leads to its file.
    client.command("SITE CHMOD 640 link", 200);
    client.command("MFMT 20251122130709 link", 213);
    assert_eq!(server.mode("file"), 0o640);
    assert_eq!(server.modified("file"), 1_763_816_829);
}

/// A umask applies to all that this session creates, and to no other session.
#[test]
fn site_umask_applies_to_one_session() {
    let server = TestServer::black_box();
    server.write("old", "text");
    server.set_mode("old", 0o666);
    let mut client = server.client();
    let shown = client.command("SITE UMASK", 200).text();
    let before = shown
        .trim_start_matches("200 The umask is ")
        .trim_end_matches('.');
    let before = u32::from_str_radix(before, 8).expect("octal digits");
    client.command("SITE UMASK 027", 200);
    client.command("MKD directory", 257);
    client.store("STOR stored", "text");
    client.store("APPE appended", "text");
    client.store("STOU unique", "text");
    client.store("STOR old", "text");
    for (name, expected) in [
        ("directory", 0o750),
        ("stored", 0o640),
        ("appended", 0o640),
        ("unique", 0o640),
        ("old", 0o666),
    ] {
        assert_eq!(server.mode(name), expected, "{name}");
    }
    // Less strict than the server's own.
    client.command("SITE UMASK 0", 200);
    client.store("STOR open", "text");
    assert_eq!(server.mode("open"), 0o666);
    let mut other = server.client();
    other.store("STOR other", "text");
    assert_eq!(server.mode("other"), 0o666 & !before);
    other.command("MKD others", 257);
    assert_eq!(server.mode("others"), 0o777 & !before);
}

#[test]
fn mfmt_sets_modification_times() {
    let server = TestServer::black_box();
    server.write("file", "text");
    fs::create_dir(server.path("directory")).expect("a directory");
    let file = File::options()
        .write(true)
        .open(server.path("file"))
        .expect("a file");
    let accessed = SystemTime::UNIX_EPOCH + Duration::from_secs(900_000_000);
    file.set_times(FileTimes::new().set_accessed(accessed))
        .expect("its times");
    let mut client = server.client();
    for (time, seconds) in [
        ("20251122130709", 1_763_816_829),
        ("20251122130709.999", 1_763_816_829),
        ("19700101000000", 0),
        ("19691231235959", -1),
        ("20380119031408", 1 << 31),
    ] {
        for name in ["file", "directory"] {
            let whole = &time[..14];
            let text = client.command(format!("MFMT {time} {name}"), 213).text();
            assert_eq!(text, format!("213 Modify={whole}; {name}"));
            assert_eq!(server.modified(name), seconds, "{time} {name}");
        }
        let text = client.command("MDTM file", 213).text();
        assert_eq!(text, format!("213 {}", &time[..14]));
    }
    let metadata = fs::metadata(server.path("file")).expect("the file");
    assert_eq!(metadata.atime(), 900_000_000);
    for line in ["MFMT 20251122130709 missing", "MFMT 20251122130709 /"] {
        client.command(line, 550);
    }
    client.command("MFMT 20250229000000 file", 501);
}

#[test]
fn owners_are_facts_when_selected() {
    let server = TestServer::black_box();
    fs::create_dir(server.path("directory")).expect("a directory");
    server.write("directory/file", "text");
    let mut client = server.client();
    let fetch = |client: &mut Client, command: &str| {
        String::from_utf8(client.fetch(command)).expect("text")
    };
    assert!(!fetch(&mut client, "MLSD directory").contains("unix.owner"));
    client.command("OPTS MLST type;unix.owner;unix.group;", 200);
    let owned = "unix.owner=root;unix.group=root;";
    let expected =
        format!("type=cdir;{owned} .\r\ntype=pdir;{owned} ..\r\ntype=file;{owned} file\r\n");
    assert_eq!(fetch(&mut client, "MLSD directory"), expected);
    let text = client.command("MLST directory/file", 250).text();
    assert!(
        text.contains(&format!(" type=file;{owned} /directory/file")),
        "{text}"
    );
    let text = client.command("MLST", 250).text();
    assert!(text.contains(&format!(" type=dir;{owned} /")), "{text}");
}

/// No path to the root shows anything above it.
#[test]
fn mlsd_shows_no_parent_of_the_root() {
    let server = TestServer::black_box();
    fs::create_dir(server.path("directory")).expect("a directory");
    symlink(".", server.path("directory/here")).expect("a link");
    symlink("..", server.path("directory/up")).expect("a link");
    let mut client = server.client();
    client.command("OPTS MLST type;", 200);
    for (command, above) in [
        ("MLSD", false),
        ("MLSD /", false),
        ("MLSD directory/..", false),
        ("MLSD directory/up", false),
        ("MLSD directory", true),
        ("MLSD directory/here", true),
    ] {
        let text = String::from_utf8(client.fetch(command)).expect("text");
        assert!(text.starts_with("type=cdir; .\r\n"), "{command}: {text}");
        assert_eq!(
            text.contains("type=pdir; ..\r\n"),
            above,
            "{command}: {text}"
        );
    }
}

/// MFMT has tests of its own.
#[test]
fn mdtm_and_site_utime_set_times() {
    let server = TestServer::black_box();
    server.write("a b", "text");
    let mut client = server.client();
    client.command("MDTM 20201122130709 a b", 213);
    assert_eq!(client.command("MDTM a b", 213).text(), "213 20201122130709");
    client.command("SITE UTIME 202101020304 a b", 200);
    assert_eq!(client.command("MDTM a b", 213).text(), "213 20210102030400");
    let times = "20220102030405 20220102030406 20220102030407";
    client.command(format!("SITE UTIME a b {times} UTC"), 200);
    assert_eq!(client.command("MDTM a b", 213).text(), "213 20220102030406");
    // A file that has the whole name comes first.
    server.write("20201122130709 a b", "");
    let text = client.command("MDTM 20201122130709 a b", 213).text();
    assert!(!text.contains("Modify"), "{text}");
    assert_eq!(client.command("MDTM a b", 213).text(), "213 20220102030406");
}
