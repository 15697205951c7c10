//! Two offices: each user can do exactly what the operator means.

use std::fs;

use super::{Scene, is_done};

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
