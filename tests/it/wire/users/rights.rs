//! Rights: each letter with each command, words, directories with rights of their own, and what
//! listings say about it.

use std::fs;

use super::{Scene, is_done};
use crate::support::client::Client;

/// Each command that needs a right, with all letters that it needs.
const COMMANDS: [(&str, &str); 30] = [
    ("CWD d", "e"),
    ("XCWD d", "e"),
    ("CDUP", "e"),
    ("LIST", "l"),
    ("NLST d", "l"),
    ("MLSD", "l"),
    ("MLST f", "l"),
    ("STAT d", "l"),
    ("SIZE f", "l"),
    ("MDTM f", "l"),
    ("RETR f", "r"),
    ("REST 1 | RETR_f", "r"),
    ("HASH f", "r"),
    ("XCRC f", "r"),
    ("APPE f", "a"),
    ("APPE new", "a"),
    ("STOR new", "w"),
    ("STOR f", "w"),
    ("STOU new", "w"),
    ("DELE f", "d"),
    ("RMD d/e", "d"),
    ("XRMD d/e", "d"),
    ("RNFR f | RNTO new", "f"),
    ("RNFR f | RNTO g", "fw"),
    ("MKD new", "m"),
    ("XMKD new", "m"),
    ("SITE CHMOD 600 f", "M"),
    ("SITE UMASK 022", "M"),
    ("MFMT 20260101000000 f", "T"),
    // It may be a name with blanks, which is looked for first.
    ("MDTM 20260101000000 f", "lT"),
];

const LETTERS: &str = "elradfmwMT";

fn make_tree(scene: &Scene) {
    let home = scene.homes.join("home");
    // What the last command has left.
    drop(fs::remove_dir_all(&home));
    scene.make(&["home/f", "home/g", "home/d/e/", "home/d/x"]);
}

/// A user for each letter alone, one for each set of all but one, and one without rights.
#[test]
fn each_letter_permits_its_commands_and_no_others() {
    let mut users = vec![("none".to_owned(), String::new())];
    for letter in LETTERS.chars() {
        users.push((format!("only-{letter}"), letter.to_string()));
        users.push((format!("not-{letter}"), LETTERS.replace(letter, "")));
    }
    let lines = users.iter().map(|(name, letters)| {
        let rights = if letters.is_empty() { "none" } else { letters };
        format!("{name}:HASH:HOMES/home:{rights}")
    });
    let lines: Vec<String> = lines.collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let scene = Scene::new(&[], &lines);
    make_tree(&scene);
    let mut counts = [0, 0];
    for (name, letters) in &users {
        let mut client = scene.client(name);
        for (line, needed) in COMMANDS {
            let expected = needed.chars().all(|letter| letters.contains(letter));
            make_tree(&scene);
            let done = do_line(&mut client, line);
            assert_eq!(done, expected, "{line} with the rights {letters:?}");
            counts[usize::from(done)] += 1;
        }
    }
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
}

/// Starts in the root.
fn do_line(client: &mut Client, line: &str) -> bool {
    match line.strip_prefix("REST 1 | ") {
        Some(transfer) => {
            client.command("REST 1", 350);
            is_done(client, &transfer.replace('_', " "))
        }
        None => {
            let done = is_done(client, line);
            if done && line.contains("CWD") {
                client.command("CWD /", 250);
            }
            done
        }
    }
}

#[test]
fn words_are_sets_of_rights() {
    let scene = Scene::new(
        &[],
        &[
            "read:HASH:HOMES/home:read",
            "upload:HASH:HOMES/home:upload",
            "write:HASH:HOMES/home:write",
            "all:HASH:HOMES/home:all",
            "dropbox:HASH:HOMES/home:dropbox",
        ],
    );
    make_tree(&scene);
    let lines: Vec<&str> = COMMANDS.iter().map(|(line, _)| *line).collect();
    let permitted = |user: &str, is: &dyn Fn(&str, &str) -> bool| {
        let mut client = scene.client(user);
        for (line, needed) in COMMANDS {
            make_tree(&scene);
            let done = do_line(&mut client, line);
            assert_eq!(done, is(line, needed), "{user}: {line}");
        }
    };
    let replaces = ["STOR f", "RNFR f | RNTO g"];
    let within = |letters: &'static str| {
        move |_: &str, needed: &str| needed.chars().all(|letter| letters.contains(letter))
    };
    assert!(replaces.iter().all(|line| lines.contains(line)));
    permitted("read", &within("elr"));
    permitted("write", &within("elradfmwT"));
    permitted("all", &within(LETTERS));
    let new_only = |letters: &'static str| {
        move |line: &str, needed: &str| {
            let stores = needed == "w" && !replaces.contains(&line);
            stores || needed.chars().all(|letter| letters.contains(letter))
        }
    };
    permitted("upload", &new_only("elram"));
    permitted("dropbox", &new_only("e"));
}

/// The longest path decides, `..` does not lead around it, and a rename crosses no border.
#[test]
fn directories_have_rights_of_their_own() {
    let scene = Scene::with_tree(
        &[],
        &["anna:HASH:HOMES/home:read:dir=/in,write;dir=/in/closed,none;dir=/in/closed/open,read"],
        &[
            "home/top",
            "home/in/file",
            "home/in/sub/file",
            "home/in/closed/file",
            "home/in/closed/open/file",
            "home/inside",
        ],
    );
    let mut client = scene.client("anna");
    for (line, expected) in [
        ("RETR top", true),
        ("DELE top", false),
        ("STOR new", false),
        ("STOR inside", false),
        ("STOR in/new", true),
        ("STOR in/sub/new", true),
        ("STOR in/../new", false),
        ("STOR in/closed/../new2", true),
        ("STOR in/closed/new", false),
        ("RETR in/closed/file", false),
        ("SIZE in/closed/file", false),
        ("CWD in/closed", false),
        ("LIST in/closed", false),
        ("CWD in/closed/open", true),
        ("CWD /", true),
        ("RETR in/closed/open/file", true),
        ("STOR in/closed/open/new", false),
        // Renames within, out of, into, and of what contains a border.
        ("RNFR in/file | RNTO in/file2", true),
        ("RNFR in/file2 | RNTO top2", false),
        ("RNFR in/file2 | RNTO in/closed/x", false),
        ("RNFR top", false),
        ("RNFR in/closed", false),
        ("RNFR in", false),
        ("RNFR in/sub | RNTO in/sub2", true),
        ("MKD in/closed/x", false),
        ("RMD in/closed", false),
    ] {
        assert_eq!(is_done(&mut client, line), expected, "{line}");
    }
    // What cannot be listed is shown by its name, and not entered.
    let listing = client.fetch("LIST -R in");
    let listing = String::from_utf8_lossy(&listing);
    assert!(
        listing.contains("closed") && !listing.contains("open"),
        "{listing}"
    );
}

/// The letters of the fact `perm` for a name.
fn perm(client: &mut Client, name: &str) -> Option<String> {
    client.send(format!("MLST {name}"));
    let reply = client.reply();
    let text = reply.text();
    let facts = text.split_once("perm=")?.1;
    Some(facts.split_once(';')?.0.to_owned())
}

/// What MLST and MLSD say that may be done is what may be done.
#[test]
fn facts_and_what_is_permitted_agree() {
    const SETS: [&str; 9] = [
        "read", "upload", "write", "all", "el", "elr", "elw", "eldfw", "elamT",
    ];
    let lines =
        SETS.map(|set| format!("{set}:HASH:HOMES/home:{set}:dir=/closed,el;dir=/open,elradfmw"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let scene = Scene::new(&[], &lines);
    let reset = || {
        drop(fs::remove_dir_all(scene.homes.join("home")));
        for directory in ["home", "home/closed", "home/open"] {
            scene.make(&[
                &format!("{directory}/f"),
                &format!("{directory}/d/"),
                &format!("{directory}/x/in"),
            ]);
        }
    };
    reset();
    let of_files: [(char, &str); 5] = [
        ('r', "RETR @F"),
        ('a', "APPE @F"),
        ('w', "STOR @F"),
        ('d', "DELE @F"),
        ('f', "RNFR @F"),
    ];
    let of_directories: [(char, &str); 7] = [
        ('e', "CWD @F"),
        ('l', "NLST @F"),
        ('c', "STOR @F/new"),
        ('m', "MKD @F/new"),
        ('d', "RMD @F"),
        ('f', "RNFR @F"),
        ('p', "DELE @X/in"),
    ];
    for set in SETS {
        let mut client = scene.client(set);
        for directory in ["", "closed/", "open/"] {
            let listing = client.fetch(format!("MLSD /{directory}"));
            let listing = String::from_utf8_lossy(&listing).into_owned();
            for (letters, name) in [(&of_files[..], "f"), (&of_directories[..], "d")] {
                let path = format!("/{directory}{name}");
                let perm = perm(&mut client, &path).expect("facts");
                assert!(listing.contains(&format!("perm={perm};")), "{listing}");
                for (letter, line) in letters {
                    reset();
                    let line = line.replace("@F", &path);
                    let line = line.replace("@X", &format!("/{directory}x"));
                    let done = is_done(&mut client, &line);
                    assert_eq!(done, perm.contains(*letter), "{set}: {line}: perm={perm}");
                    client.send("CWD /");
                    client.reply();
                }
            }
        }
    }
}
