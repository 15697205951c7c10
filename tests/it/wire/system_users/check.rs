//! What `--check` says about the users of the system.

use std::fs;

use super::{PASSWD, Place, own, shadow};

#[test]
fn check_lists_who_may_log_in_and_who_may_not() {
    let place = Place::new();
    let passwd = format!(
        "{PASSWD}daemon:x:2:2::/:/usr/sbin/nologin\n\
         locked:x:4901:4901::HOMES/locked:/bin/sh\n\
         weak:x:4902:4902::HOMES/weak:/bin/sh\n\
         shell:x:4903:4903::HOMES/shell:/usr/sbin/nologin\n"
    );
    place.write_etc("passwd", &passwd);
    let hashes = shadow();
    let hash = hashes.split(':').nth(1).expect("a hash");
    let lines = format!(
        "{hashes}locked:!{hash}:20000:0:99999:7:::\n\
         weak:$1$md5md5$k2/5r4llUh8vXNzhGADgf.:20000:0:99999:7:::\n\
         shell:{hash}:20000:0:99999:7:::\n"
    );
    place.write_etc("shadow", &lines);
    fs::remove_dir_all(place.home("carol")).expect("a home");
    for (flags, rights) in [
        (&["--system-users", "--check"][..], "read"),
        (&["--system-users", "-w", "--check"], "write"),
    ] {
        let finished = place.run(flags);
        let text = finished.text();
        let line_of = |name: &str, part: &str| {
            let mut lines = text.lines();
            let is_it = |line: &&str| has_word(line, name) && line.contains(part);
            assert!(lines.any(|line| is_it(&line)), "{name} {part} in\n{text}");
        };
        for name in ["alice", "bob"] {
            let home = place.home(name);
            line_of(name, home.to_str().expect("UTF-8"));
            line_of(name, rights);
        }
        line_of("carol", place.home("carol").to_str().expect("UTF-8"));
        line_of("locked", "lock");
        line_of("weak", "passwd");
        line_of("shell", "/usr/sbin/nologin");
        // Programs of the system are not in the list.
        let has_daemon = text.lines().any(|line| has_word(line, "daemon"));
        assert!(!has_daemon, "{text}");
        // A hash is not for the screen.
        assert!(
            !text.contains("bobbobbob") && !text.contains("md5md5"),
            "{text}"
        );
    }
}

/// Those who are not in it are unfit.
#[test]
fn check_knows_the_group() {
    let place = Place::new();
    let finished = place.run(&["--system-users", "team", "--check"]);
    let text = finished.text();
    let lines = |name: &str| {
        let lines = text.lines().filter(|line| has_word(line, name));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert!(lines("alice").contains("team"), "{text}");
    assert!(lines("bob").contains("homes/bob"), "{text}");
    assert!(lines("carol").contains("homes/carol"), "{text}");
}

/// The server can read it, and the user cannot.
#[test]
fn check_says_that_a_user_cannot_enter_the_home() {
    let place = Place::new();
    own(&place.home("alice"), 0, 0, 0o700);
    let says = |place: &Place| {
        let text = place.run(&["--system-users", "--check"]).text();
        let words: Vec<_> = text.split_whitespace().collect();
        let home = place.home("alice");
        let problem = format!("alice: this user may not enter the home {}", home.display());
        words.join(" ").contains(&problem)
    };
    assert!(says(&place));
    assert!(!says(&Place::new()));
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|character: char| !character.is_ascii_alphanumeric() && character != '-')
        .any(|part| part == word)
}
