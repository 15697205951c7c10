//! Where one share ends and another one begins.

use std::os::unix::fs::symlink;

use super::{code, facts, names, names_in, scene};
use crate::wire::users::{Scene, is_done};

#[test]
fn a_mount_point_stays_where_it_is() {
    let scene = scene();
    let mut client = scene.client("anna");
    for place in [
        "/music",
        "/work",
        "/work/inner",
        "/deep",
        "/deep/er",
        "/deep/er/x",
    ] {
        for (verb, expected) in [("DELE", 550), ("RMD", 550), ("RNFR", 550)] {
            client.send(format!("{verb} {place}"));
            let reply = client.reply();
            assert_eq!(reply.code, expected, "{verb} {place}: {}", reply.text());
            let text = reply.text();
            // There are closed directories below.
            let is_denied =
                matches!(place, "/music" | "/work") && text.contains("This login may not");
            assert!(
                is_denied || text.contains("mount point of the users file"),
                "{text}"
            );
        }
        assert_eq!(
            code(&mut client, &format!("MKD {place}")) / 10,
            55,
            "{place}"
        );
        client.command("RNFR /file", 350);
        assert_eq!(code(&mut client, &format!("RNTO {place}")), 553, "{place}");
        client.extended_passive();
        assert_eq!(
            code(&mut client, &format!("STOR {place}")) / 10,
            55,
            "{place}"
        );
    }
    assert_eq!(names_in(&mut client, "/"), "deep deep2 file music sub work");
    assert!(scene.exists("home/work/hidden") && scene.exists("home/file"));
}

/// Nothing is copied behind the client's back.
#[test]
fn a_rename_crosses_no_border() {
    let scene = scene();
    let mut client = scene.client("anna");
    for (from, to) in [
        ("/file", "/work/new"),
        ("/work/file", "/new"),
        ("/work/file", "/work/inner/new"),
        ("/work/inner/file", "/work/new"),
        ("/deep/er/x/file", "/work/inner/new"),
        ("/sub", "/work/new"),
    ] {
        client.command(format!("RNFR {from}"), 350);
        let reply = client.command(format!("RNTO {to}"), 553);
        assert!(
            reply.text().contains("another file system"),
            "{}",
            reply.text()
        );
    }
    client.command("RNFR /file", 350);
    client.command("RNTO /deep/new", 553);
    client.command("RNFR /work/file", 350);
    client.command("RNTO /work/sub/new", 250);
    assert!(scene.exists("work/sub/new") && scene.exists("home/file"));
}

/// What is only above mount points can be entered, and nothing else.
#[test]
fn directories_without_a_disk_are_read_only() {
    let scene = scene();
    let mut client = scene.client("anna");
    for (line, expected) in [
        ("CWD /deep", 250),
        ("CWD er", 250),
        ("MKD new", 550),
        ("SIZE /deep", 550),
        ("MDTM /deep", 550),
        ("HASH /deep", 553),
        ("SITE CHMOD 700 /deep", 550),
        ("MFMT 20260101000000 /deep", 550),
        ("DELE missing", 550),
        ("CWD missing", 550),
    ] {
        assert_eq!(code(&mut client, line), expected, "{line}");
    }
    client.extended_passive();
    assert_eq!(code(&mut client, "STOR /deep/new"), 553);
    assert_eq!(code(&mut client, "RETR /deep/er"), 550);
    assert!(!scene.exists("home/deep"));
}

#[test]
fn links_lead_into_no_other_share() {
    let scene = scene();
    for (target, name) in [
        ("../home/file", "work/out"),
        ("../inner/file", "work/to-inner"),
        ("file", "work/in"),
        ("work", "home/to-work"),
        ("../work/file", "home/to-file"),
        (".", "work/self"),
    ] {
        symlink(target, scene.homes.join(name)).expect("a link");
    }
    let mut client = scene.client("anna");
    for (line, expected) in [
        ("SIZE /work/in", true),
        ("SIZE /work/self/file", true),
        ("SIZE /work/self/../file", true),
        ("SIZE /work/out", false),
        ("SIZE /work/to-inner", false),
        ("SIZE /to-file", false),
        // The directory of the home that the mount hides.
        ("SIZE /to-work/hidden", true),
        ("SIZE /to-work/file", false),
        ("SIZE /work/hidden", false),
    ] {
        let done = code(&mut client, line) == 213;
        assert_eq!(done, expected, "{line}");
    }
    let above = facts(&mut client, "/work/self");
    let (_, above) = above
        .iter()
        .find(|(name, _)| name == "..")
        .expect("the parent");
    let work = client.command("MLST /work", 250).text();
    let unique = above
        .split(';')
        .find(|fact| fact.starts_with("unique="))
        .expect("unique");
    assert!(work.contains(unique), "{work} {above}");
}

/// A file with two ways to it has the rights of the way that is used.
#[test]
fn each_way_has_its_own_rights() {
    let scene = Scene::with_tree(
        &[],
        &[
            "anna:HASH:HOMES/home:all:dir=/private,none;mount=/public,HOMES/home/private/open,read;\
             mount=/all,HOMES,read",
        ],
        &["home/private/open/file", "home/file", "other/file"],
    );
    let mut client = scene.client("anna");
    for (line, expected) in [
        ("RETR /private/open/file", false),
        ("STOR /private/open/new", false),
        ("RETR /public/file", true),
        ("STOR /public/file", false),
        ("DELE /public/file", false),
        ("RETR /all/home/file", true),
        ("STOR /all/home/file", false),
        ("STOR /file", true),
        ("RETR /all/other/file", true),
    ] {
        assert_eq!(is_done(&mut client, line), expected, "{line}");
    }
    let listing = names(&mut client, "NLST -R /all");
    assert!(listing.contains("home/private/open/file"), "{listing}");
}

#[test]
fn hidden_names_and_the_users_file_are_hidden_in_mounts() {
    let scene = Scene::with_tree(
        &["--hide", "*.bak"],
        &["anna:HASH:HOMES/home:all:mount=/m,HOMES/m;mount=/up,HOMES/up;hide=secret"],
        &["home/", "m/file", "m/file.bak", "m/secret/file"],
    );
    // The directory that contains the users file.
    symlink("..", scene.homes.join("up")).expect("a link");
    let mut client = scene.client("anna");
    assert_eq!(names_in(&mut client, "/m"), "file");
    let up = names_in(&mut client, "/up");
    assert!(up.contains("homes") && !up.contains("users"), "{up}");
    for line in [
        "SIZE /m/file.bak",
        "SIZE /m/secret/file",
        "DELE /m/file.bak",
        "SIZE /up/users",
        "DELE /up/users",
    ] {
        assert_eq!(code(&mut client, line), 550, "{line}");
    }
    assert!(scene.exists("m/file.bak") && scene.file.exists());
}
