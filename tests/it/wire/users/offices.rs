//! Two offices: each user can do exactly what the operator means.

use std::fs;
use std::io::Write;

use super::{Scene, is_done};
use crate::support::wait::wait_until;

/// What a user tries in each place.
const TRIES: [(&str, &str); 8] = [
    ("list", "NLST PLACE"),
    ("read", "RETR PLACE/file"),
    ("add", "STOR PLACE/new"),
    ("replace", "STOR PLACE/file"),
    ("append", "APPE PLACE/file"),
    ("rename", "RNFR PLACE/file | RNTO PLACE/file2"),
    ("make", "MKD PLACE/dir"),
    ("delete", "DELE PLACE/file"),
];

#[track_caller]
fn check(scene: &Scene, home: &str, user: &str, place: &str, expected: &str) {
    let mut client = scene.client(user);
    for (name, line) in TRIES {
        let directory = scene.homes.join(home).join(place);
        drop(fs::remove_dir_all(&directory));
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join("file"), "text").expect("a file");
        let line = line.replace("PLACE", &format!("/{place}"));
        let is_expected = expected == "all" || expected.split(' ').any(|word| word == name);
        let done = is_done(&mut client, &line);
        assert_eq!(done, is_expected, "{user}: {line}");
    }
}

#[test]
fn five_people() {
    let home = "HASH:HOMES/office";
    let lines = [
        format!("anna:{home}:read:dir=/common,write;dir=/anna,all;dir=/eva,none"),
        format!("boris:{home}:read:dir=/common,write;dir=/boris,all;dir=/eva,none"),
        format!("chen:{home}:read:dir=/common,write;dir=/chen,all;dir=/eva,none"),
        format!("dana:{home}:none:dir=/common,read"),
        format!("eva:{home}:all"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let places = ["common", "anna", "boris", "chen", "eva"];
    let tree: Vec<String> = places
        .iter()
        .map(|place| format!("office/{place}/"))
        .collect();
    let tree: Vec<&str> = tree.iter().map(String::as_str).collect();
    let scene = Scene::with_tree(&[], &lines, &tree);
    for user in ["anna", "boris", "chen", "dana", "eva"] {
        for place in places {
            let expected = match (user, place) {
                ("eva", _) => "all",
                ("dana", "common") => "list read",
                ("dana", _) | (_, "eva") => "",
                (_, "common") => "all",
                _ if user == place => "all",
                _ => "list read",
            };
            check(&scene, "office", user, place, expected);
        }
    }
    // The folders stay where they are, for those who may not change what is above them.
    let mut boris = scene.client("boris");
    for line in [
        "RNFR /common | RNTO /boris/common",
        "RNFR /anna | RNTO /common/anna",
        "RNFR /boris | RNTO /common/boris",
        "RMD /chen",
        "RMD /common",
    ] {
        assert!(!is_done(&mut boris, line), "{line}");
    }
    let mut eva = scene.client("eva");
    assert!(is_done(&mut eva, "RNFR /common | RNTO /all"));
}

/// A device that may only store new files would never be rid of the piece.
#[test]
fn a_broken_upload_to_a_drop_box_is_discarded() {
    let lines = [
        "scanner:HASH:HOMES/scans:dropbox",
        "anna:HASH:HOMES/scans:upload",
    ];
    let scene = Scene::with_tree(&[], &lines, &["scans/"]);
    for user in ["scanner", "anna"] {
        let mut client = scene.client(user);
        let mut data = client.data();
        client.command(format!("STOR {user}"), 150);
        data.write_all(b"part").expect("sending data");
        drop(client);
        drop(data);
    }
    let kept = scene.homes.join("scans/anna");
    wait_until("the piece", || kept.exists());
    wait_until("the name to be free", || {
        is_done(&mut scene.client("scanner"), "STOR scanner")
    });
}

#[test]
fn devices_and_strangers() {
    let scene = Scene::with_tree(
        &[],
        &[
            "scanner:HASH:HOMES/scans:dropbox",
            "camera:HASH:HOMES/camera:elw",
            "anonymous::HOMES/drop:dropbox",
            "reader:HASH:HOMES:read",
        ],
        &["scans/x/", "camera/x/", "drop/x/"],
    );
    check(&scene, "scans", "scanner", "x", "add");
    check(&scene, "camera", "camera", "x", "list add replace");
    check(&scene, "drop", "anonymous", "x", "add");
    for place in ["scans/x", "camera/x", "drop/x"] {
        check(&scene, "", "reader", place, "list read");
    }
}
