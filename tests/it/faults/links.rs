//! Symbolic links: STOR replaces what a link leads to, and the link stays.

use std::fs;
use std::os::unix::fs::symlink;

use super::{begin, expect_bytes, expect_no_leftovers, expect_no_resume, other_noise, upload};
use crate::support::data::reset;
use crate::support::file_contents::noise;
use crate::support::server::{Program, TestServer};

#[test]
fn a_link_stays_and_its_target_gets_the_bytes() {
    let server = TestServer::program(&[]);
    for directory in ["one", "two"] {
        fs::create_dir(server.path(directory)).expect("a directory");
    }
    server.write("two/target", noise(200_000));
    link(&server, "../two/target", "one/link");
    link(&server, "one/link", "chain");
    link(&server, "two", "way");
    let mut client = server.client();
    for (number, name) in ["one/link", "chain", "way/target"].into_iter().enumerate() {
        let new = other_noise(300_000 + number);
        client.store(format!("STOR {name}"), &new);
        expect_bytes(&server.read("two/target"), &new, name);
        client.command("REST 300000", 350);
        client.store(format!("STOR {name}"), "end");
        client.store(format!("APPE {name}"), "!");
        let expected = [&new[..300_000], b"end!"].concat();
        expect_bytes(&server.read("two/target"), &expected, name);
        // Broken, and kept.
        let data = begin(&mut client, &format!("STOR {name}"), b"a piece");
        reset(data);
        client.expect(426);
        assert_eq!(server.read("two/target"), b"a piece", "{name}");
    }
    for name in ["one/link", "chain", "way"] {
        assert!(is_link(&server, name), "{name}");
    }
    for directory in [server.root(), server.path("one"), server.path("two")] {
        expect_no_leftovers(&directory);
    }
    server.finish();
}

/// A resume by another name of the same file is the same mistake.
#[test]
fn a_link_is_no_way_around_a_refused_resume() {
    let server = TestServer::program(&["--broken-uploads", "discard"]);
    fs::create_dir(server.path("d")).expect("a directory");
    for (broken, resumed) in [
        ("file", "d/link"),
        ("d/link", "file"),
        ("way/link", "d/../file"),
    ] {
        for name in ["file", "d/link", "way"] {
            let _ = fs::remove_file(server.path(name));
        }
        server.write("file", noise(200_000));
        link(&server, "../file", "d/link");
        link(&server, "d", "way");
        let mut client = server.client();
        let data = begin(&mut client, &format!("STOR {broken}"), b"a piece");
        reset(data);
        client.expect(426);
        for name in [broken, resumed] {
            expect_no_resume(&mut client, 7, name);
        }
        expect_bytes(&server.read("file"), &noise(200_000), broken);
        client.store(format!("STOR {resumed}"), "whole");
        for name in [broken, resumed] {
            client.command("REST 5", 350);
            client.store(format!("STOR {name}"), "!");
        }
        assert_eq!(server.read("file"), b"whole!", "{broken}");
    }
    server.finish();
}

/// Also where the directory around the root, or the target's, could be written.
#[test]
fn a_link_that_leads_outside_is_refused() {
    let server = TestServer::program(&[]);
    let outside = server.directory().join("outside");
    fs::create_dir(&outside).expect("a directory");
    fs::write(outside.join("file"), "outside").expect("a file");
    link(&server, "../outside/file", "relative");
    link(
        &server,
        outside.join("file").to_str().expect("text"),
        "absolute",
    );
    link(&server, "../outside/new", "dangling");
    link(&server, "../outside", "directory");
    let mut client = server.client();
    client.extended_passive();
    for name in [
        "relative",
        "absolute",
        "dangling",
        "directory/file",
        "directory/new",
    ] {
        client.command(format!("STOR {name}"), 553);
        client.command(format!("APPE {name}"), 550);
        client.command("REST 3", 350);
        client.send(format!("STOR {name}"));
        let reply = client.reply();
        assert!([550, 553, 554].contains(&reply.code), "{}", reply.text());
    }
    let content = fs::read(outside.join("file")).expect("a file");
    assert_eq!(content, b"outside");
    assert_eq!(fs::read_dir(&outside).expect("the outside").count(), 1);
    expect_no_leftovers(&server.root());
    assert!(is_link(&server, "relative"));
    server.finish();
}

/// One that leads to no file yet: the file is made there, or the upload is refused; and the link
/// stays a link.
#[test]
fn a_dangling_link_stays_a_link() {
    let server = TestServer::program(&[]);
    fs::create_dir(server.path("d")).expect("a directory");
    link(&server, "d/target", "link");
    link(&server, "nowhere/target", "lost");
    let mut client = server.client();
    let reply = upload(&mut client, "STOR link", b"text");
    match reply.code {
        226 => assert_eq!(server.read("d/target"), b"text"),
        550 | 553 => assert!(!server.path("d/target").exists()),
        _ => panic!("{}", reply.text()),
    }
    assert!(is_link(&server, "link"));
    client.extended_passive();
    client.command("STOR lost", 553);
    assert!(is_link(&server, "lost"));
    for directory in [server.root(), server.path("d")] {
        expect_no_leftovers(&directory);
    }
    client.expect_in_step();
    server.finish();
}

/// A link that takes the place of the file meanwhile leads no upload out of the root.
#[test]
fn a_link_that_comes_meanwhile_is_not_followed() {
    let server = TestServer::program(&[]);
    let outside = server.directory().join("outside");
    fs::write(&outside, "outside").expect("a file");
    for command in ["STOR", "APPE"] {
        server.write("file", "old ");
        let mut client = server.client();
        let data = begin(&mut client, &format!("{command} file"), b"new");
        fs::remove_file(server.path("file")).expect("no file");
        link(&server, "../outside", "file");
        drop(data);
        let reply = client.reply();
        assert_eq!(fs::read(&outside).expect("a file"), b"outside", "{command}");
        if reply.code == 226 {
            // Then the name leads to the bytes.
            assert!(!is_link(&server, "file"), "{command}");
            assert_eq!(server.read("file"), b"new", "{command}");
        }
        expect_no_leftovers(&server.root());
        client.expect_in_step();
        fs::remove_file(server.path("file")).expect("no file");
    }
    server.finish();
}

/// The link leads elsewhere by now: to the bytes, or there is no 226.
#[test]
fn a_link_may_lead_elsewhere_meanwhile() {
    for command in ["STOR", "APPE"] {
        let server = TestServer::program(&[]);
        server.write("one", "one ");
        server.write("two", "two ");
        link(&server, "one", "link");
        let mut client = server.client();
        let data = begin(&mut client, &format!("{command} link"), b"new");
        fs::remove_file(server.path("link")).expect("no link");
        link(&server, "two", "link");
        drop(data);
        let reply = client.reply();
        let leads = server.read("link").ends_with(b"new");
        assert_eq!(reply.code == 226, leads, "{command}: {}", reply.text());
        assert!(is_link(&server, "link"), "{command}");
        expect_no_leftovers(&server.root());
        client.expect_in_step();
        server.finish();
    }
}

fn link(server: &TestServer<Program>, target: &str, name: &str) {
    symlink(target, server.path(name)).expect("a link");
}

fn is_link(server: &TestServer<Program>, name: &str) -> bool {
    let metadata = fs::symlink_metadata(server.path(name));
    metadata.is_ok_and(|metadata| metadata.is_symlink())
}
