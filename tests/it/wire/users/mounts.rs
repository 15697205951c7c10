//! Directories of elsewhere in a user's tree: the option `mount`.

mod borders;
mod missing;

use std::fs;

use super::{Scene, is_done};
use crate::support::client::{Client, sorted_names};

/// The mounts of anna: one beside files of the home, one that hides a directory of it, one in that,
/// and one in directories that are on no disk.
const ANNA: &str = "anna:HASH:HOMES/home:all:mount=/music,HOMES/music,read;mount=/work,HOMES/work;\
                    mount=/work/inner,HOMES/inner;mount=/deep/er/x,HOMES/x;dir=/work/closed,none";

fn scene() -> Scene {
    Scene::with_tree(
        &[],
        &[ANNA],
        &[
            "home/file",
            "home/sub/file",
            "home/work/hidden",
            "home/deep2/",
            "music/song",
            "music/album/song",
            "work/file",
            "work/other",
            "work/sub/file",
            "work/closed/file",
            "work/empty/",
            "inner/file",
            "x/file",
        ],
    )
}

fn names(client: &mut Client, command: &str) -> String {
    sorted_names(client.fetch(command)).join(" ")
}

/// The names in a directory. The client is in the root before and after.
fn names_in(client: &mut Client, directory: &str) -> String {
    client.command(format!("CWD {directory}"), 250);
    let names = names(client, "NLST");
    client.command("CWD /", 250);
    names
}

/// The facts of MLSD, by name.
fn facts(client: &mut Client, directory: &str) -> Vec<(String, String)> {
    let listing = client.fetch(format!("MLSD {directory}"));
    let listing = String::from_utf8(listing).expect("UTF-8");
    let lines = listing.lines().map(|line| {
        let (facts, name) = line.split_once(' ').expect("facts and a name");
        (name.to_owned(), facts.to_owned())
    });
    lines.collect()
}

fn code(client: &mut Client, line: &str) -> u16 {
    client.send(line);
    client.reply().code
}

#[test]
fn listings_show_mounts_as_directories() {
    let scene = scene();
    let mut client = scene.client("anna");
    for (directory, expected) in [
        ("/", "deep deep2 file music sub work"),
        ("/music", "album song"),
        ("/work", "closed empty file inner other sub"),
        ("/work/inner", "file"),
        ("/deep", "er"),
        ("/deep/er", "x"),
        ("/deep/er/x", "file"),
    ] {
        assert_eq!(names_in(&mut client, directory), expected);
        let mut shown: Vec<String> = facts(&mut client, directory)
            .into_iter()
            .filter(|(_, facts)| !facts.contains("type=cdir") && !facts.contains("type=pdir"))
            .map(|(name, _)| name)
            .collect();
        shown.sort();
        assert_eq!(shown.join(" "), expected, "MLSD {directory}");
        let long = client.fetch(format!("LIST {directory}"));
        let long = String::from_utf8(long).expect("UTF-8");
        assert_eq!(long.lines().count(), expected.split(' ').count(), "{long}");
        client.send(format!("STAT {directory}"));
        let status = client.reply().texts().concat();
        for name in expected.split(' ') {
            assert!(long.contains(&format!(" {name}\r")), "{long}");
            assert!(status.contains(&format!(" {name}")), "{status}");
        }
    }
    let long = client.fetch("LIST /");
    let long = String::from_utf8(long).expect("UTF-8");
    let directories = long.lines().filter(|line| line.starts_with('d'));
    assert_eq!(directories.count(), 5, "{long}");
    for (line, expected) in [
        ("NLST -d /music", "/music"),
        ("NLST /mus*", "/music"),
        ("NLST /music/*", "/music/album /music/song"),
        ("NLST /*/song", "/music/song"),
        ("NLST /deep/*/x", "/deep/er/x"),
        ("NLST /wor*/in*", "/work/inner"),
    ] {
        assert_eq!(names(&mut client, line), expected, "{line}");
    }
}

#[test]
fn a_recursive_listing_walks_through_mounts() {
    let scene = scene();
    let mut client = scene.client("anna");
    assert_eq!(
        names(&mut client, "NLST -R"),
        "deep deep/er deep/er/x deep/er/x/file deep2 file music music/album music/album/song \
         music/song sub sub/file work work/closed work/empty work/file work/inner work/inner/file \
         work/other work/sub work/sub/file"
    );
    let long = client.fetch("LIST -R /");
    let long = String::from_utf8(long).expect("UTF-8");
    assert!(long.contains("\r\n/deep/er/x:\r\n"), "{long}");
    assert!(!long.contains("hidden"), "{long}");
}

/// The directory above a mount is the one that the user sees there.
#[test]
fn parent_directories_are_those_of_the_tree() {
    let scene = scene();
    let mut client = scene.client("anna");
    let unique = |client: &mut Client, directory: &str, kind: &str| {
        let facts = facts(client, directory);
        let found = facts.iter().find(|(_, facts)| facts.contains(kind));
        let (_, facts) = found.unwrap_or_else(|| panic!("{kind} of {directory}: {facts:?}"));
        let unique = facts.split(';').find(|fact| fact.starts_with("unique="));
        unique.expect("the fact unique").to_owned()
    };
    for (directory, parent) in [
        ("/music", "/"),
        ("/work/inner", "/work"),
        ("/deep/er/x", "/deep/er"),
        ("/deep", "/"),
        ("/music/album", "/music"),
    ] {
        let above = unique(&mut client, directory, "type=pdir");
        assert_eq!(
            above,
            unique(&mut client, parent, "type=cdir"),
            "{directory}"
        );
    }
    for directory in ["/music/album", "/deep/er", "/work/inner"] {
        client.command(format!("CWD {directory}"), 250);
        client.command("CWD ..", 250);
        client.command("CWD ..", 250);
    }
    client.command("CWD /music/../work", 250);
    assert_eq!(names(&mut client, "NLST inner"), "inner/file");
    client.command("CDUP", 250);
    assert!(client.command("PWD", 257).text().contains("\"/\""));
}

/// Each command does in a mount what it does at home.
#[test]
fn every_command_works_in_mounts() {
    let scene = scene();
    let mut client = scene.client("anna");
    for directory in ["/sub", "/work", "/work/sub", "/work/inner", "/deep/er/x"] {
        client.command(format!("CWD {directory}"), 250);
        for line in [
            "RETR file",
            "SIZE file",
            "MDTM file",
            "HASH file",
            "MLST file",
            "STAT file",
            "LIST file",
            "STOR new",
            "STOR file",
            "APPE file",
            "STOU unique",
            "SITE CHMOD 600 file",
            "MFMT 20260101000000 file",
            "RNFR file | RNTO moved",
            "MKD made",
            "RNFR moved | RNTO made/moved",
            "DELE made/moved",
            "RMD made",
            "DELE new",
        ] {
            assert!(is_done(&mut client, line), "{directory}: {line}");
        }
        assert_eq!(names(&mut client, "NLST unique*"), "unique");
    }
    for (name, there) in [
        ("work/unique", true),
        ("inner/unique", true),
        ("x/unique", true),
    ] {
        assert_eq!(scene.exists(name), there, "{name}");
    }
    for name in [
        "work/file",
        "home/work/unique",
        "home/deep",
        "home/work/inner",
    ] {
        assert!(!scene.exists(name), "{name}");
    }
    client.command("TYPE A", 200);
    assert!(code(&mut client, "SIZE /work/other") == 213);
    client.command("TYPE I", 200);
    client.command("REST 5", 350);
    assert_eq!(client.fetch("RETR /music/song"), b"/song");
    client.command("REST 2", 350);
    assert_eq!(client.store("STOR /work/other", "x").code, 226);
    assert_eq!(
        fs::read(scene.homes.join("work/other")).expect("a file"),
        b"wox"
    );
}

#[test]
fn a_mount_has_its_rights() {
    let scene = scene();
    let mut client = scene.client("anna");
    for (line, expected) in [
        ("RETR music/song", true),
        ("CWD music", true),
        ("CWD /", true),
        ("STOR music/new", false),
        ("STOR music/song", false),
        ("APPE music/song", false),
        ("DELE music/song", false),
        ("RMD music/album", false),
        ("MKD music/new", false),
        ("RNFR music/song", false),
        ("RNFR file | RNTO music/file", false),
        ("SITE CHMOD 600 music/song", false),
        ("MFMT 20260101000000 music/song", false),
        ("STOR music/../new", true),
        ("RETR work/closed/file", false),
        ("NLST work/closed", false),
        ("STOR work/closed/new", false),
        ("STOR work/inner/new", true),
    ] {
        assert_eq!(is_done(&mut client, line), expected, "{line}");
    }
}

/// What the fact `perm` shows of a directory of the tree is what is allowed.
#[test]
fn facts_and_what_is_allowed_agree() {
    let scene = scene();
    let mut client = scene.client("anna");
    for (directory, expected) in [
        ("music", "el"),
        ("music/album", "el"),
        ("work", "celmp"),
        ("work/inner", "celmp"),
        ("work/sub", "cdeflmp"),
        ("work/closed", ""),
        ("deep", "el"),
        ("deep/er", "el"),
        ("deep/er/x", "celmp"),
        ("sub", "cdeflmp"),
    ] {
        let (parent, name) = directory.rsplit_once('/').unwrap_or(("", directory));
        let listed = facts(&mut client, &format!("/{parent}"));
        let (_, listed) = listed
            .iter()
            .find(|(found, _)| found == name)
            .expect("the name");
        assert!(listed.contains(&format!("perm={expected};")), "{listed}");
        if expected.contains('l') {
            let one = client.command(format!("MLST /{directory}"), 250).text();
            assert!(one.contains(&format!("perm={expected};")), "{one}");
            let own = facts(&mut client, &format!("/{directory}"));
            let (_, own) = own.iter().find(|(name, _)| name == ".").expect("itself");
            assert!(
                own.contains(&format!("perm={expected};")),
                "{directory}: {own}"
            );
        }
        let allowed = |client: &mut Client, line: &str| code(client, line) < 400;
        for (letter, line) in [
            ('e', "CWD @"),
            ('m', "MKD @/new"),
            ('f', "RNFR @"),
            ('d', "RMD @"),
        ] {
            let line = line.replace('@', &format!("/{directory}"));
            if letter == 'd' && directory.ends_with("sub") {
                // It is not empty.
                continue;
            }
            let done = allowed(&mut client, &line);
            assert_eq!(done, expected.contains(letter), "{line}: {expected}");
        }
    }
}
