//! Users of the system who may not log in: clients see what they see after a wrong password, and
//! the log has the reason.

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{ALICE_HASH, BOB_HASH, GROUP, PASSWD, Place, Scene, shadow};

/// One user, whose home and password are Bob's.
struct Unfit {
    name: &'static str,
    /// The fields of passwd: user, group, and the shell.
    passwd: (u32, u32, &'static str),
    /// The fields of shadow after the name.
    shadow: &'static str,
    /// One of these is in the log, after the right password. Empty: no password is right.
    reasons: &'static [&'static str],
}

#[test]
fn the_log_has_the_reason_after_the_right_password() {
    let scene = scene();
    let wrong = scene.try_login("alice", "wrong");
    assert_eq!(wrong.code, 530);
    let attempt = |name: &str, password: &str| {
        let reply = scene.try_login(name, password);
        assert_eq!(reply.code, 530, "{name}: {}", reply.text());
        assert_eq!(reply.text(), wrong.text(), "{name}");
        scene
            .server
            .log_with(&format!("login failed from 127.0.0.1 as \"{name}\""))
    };
    attempt("unknown", "secret-of-bob");
    for user in USERS {
        attempt(user.name, "wrong");
        let log = attempt(user.name, "");
        // The operator has to know about a hash that no password fits.
        let is_silent = refusal(&log, user.name).is_none() || user.name == "weak";
        assert!(is_silent, "{}", user.name);
    }
    for user in USERS {
        attempt(user.name, "secret-of-bob");
        let refused = format!("login refused from 127.0.0.1 as \"{}\"", user.name);
        if user.reasons.is_empty() {
            continue;
        }
        let log = scene.server.log_with(&refused);
        let line = refusal(&log, user.name).expect("a line");
        let line = line.to_lowercase();
        let has_reason = user.reasons.iter().any(|reason| line.contains(reason));
        assert!(has_reason, "{}: {line}", user.name);
    }
    let log = scene.finish();
    let silent = |user: &&Unfit| user.reasons.is_empty() && user.name != "weak";
    for user in USERS.iter().filter(silent) {
        assert_eq!(refusal(&log, user.name), None, "{}", user.name);
    }
}

/// A look-up may hang, and with it the thread that compares the passwords of all.
#[test]
fn a_made_up_name_is_not_looked_up() {
    let scene = scene();
    // Each look-up waits here, for a writer.
    let (pipe, file) = (scene.place.path("pipe"), "etc/nsswitch.conf");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    std::fs::rename(pipe, scene.place.path(file)).expect("the pipe");
    for name in ["unknown", "without", "eve"] {
        assert_eq!(scene.try_login(name, "secret-of-bob").code, 530, "{name}");
    }
    scene.finish();
}

/// The others log in all the same, and those whose dates are not over yet.
#[test]
fn the_fit_users_log_in() {
    let scene = scene();
    for name in ["alice", "bob", "carol"] {
        scene.client(name).expect_in_step();
    }
    for name in ["later", "never"] {
        let reply = scene.try_login(name, "secret-of-bob");
        assert_eq!(reply.code, 230, "{name}: {}", reply.text());
    }
    scene.finish();
}

/// The hash of a kind that is too weak: the log has the cure.
#[test]
fn an_md5_hash_has_a_cure() {
    let scene = scene();
    assert_eq!(scene.try_login("weak", "secret-of-bob").code, 530);
    let log = scene.finish();
    let has_cure = |line: &str| line.contains("\"weak\"") && line.contains("passwd");
    assert!(log.lines().any(has_cure), "{log}");
}

/// By `/etc/login.defs`, in both directions.
#[test]
fn the_machine_sets_the_smallest_number() {
    for (minimum, alice, low) in [("UID_MIN\t\t\t 4802", 530, 530), ("UID_MIN 900", 230, 230)] {
        let place = place();
        place.write_etc(
            "login.defs",
            &format!("# a comment\nMAIL_DIR /var/mail\n{minimum}\nUID_MAX 60000\n"),
        );
        let scene = place.serve(&["-w"]);
        let reply = scene.try_login("alice", "secret-of-alice");
        assert_eq!(reply.code, alice, "{minimum}: {}", reply.text());
        let reply = scene.try_login("low", "secret-of-bob");
        assert_eq!(reply.code, low, "{minimum}: {}", reply.text());
        assert_eq!(scene.try_login("bob", "secret-of-bob").code, 230);
        scene.finish();
    }
}

/// The shells that getusershell(3) knows then.
#[test]
fn without_a_list_of_shells_there_are_two() {
    let place = place();
    std::fs::remove_file(place.path("etc/shells")).expect("the list");
    let scene = place.serve(&["-w"]);
    for (name, code) in [("alice", 230), ("bob", 530), ("carol", 230)] {
        let reply = scene.try_login(name, &format!("secret-of-{name}"));
        assert_eq!(reply.code, code, "{name}: {}", reply.text());
    }
    scene.finish();
}

/// Old systems: the hash is in the file that all may read. An empty one is never right.
#[test]
fn a_hash_in_passwd_counts() {
    let place = Place::new();
    std::fs::remove_file(place.path("etc/shadow")).expect("the hashes");
    let passwd = PASSWD
        .replace("alice:x:", &format!("alice:{ALICE_HASH}:"))
        .replace("bob:x:", "bob::");
    place.write_etc("passwd", &passwd);
    let scene = place.serve(&["-w"]);
    scene.client("alice").expect_in_step();
    for (name, password) in [
        ("bob", ""),
        ("bob", "secret-of-bob"),
        ("carol", "secret-of-carol"),
        ("carol", ""),
        ("carol", "x"),
    ] {
        assert_eq!(scene.try_login(name, password).code, 530, "{name}");
    }
    scene.finish();
}

fn scene() -> Scene {
    place().serve(&["-w"])
}

fn place() -> Place {
    let place = Place::new();
    let (mut passwd, mut hashes) = (PASSWD.to_owned(), shadow());
    for user in USERS.iter().chain(FIT) {
        let (id, group, shell) = user.passwd;
        let name = user.name;
        if name != "root" {
            passwd += &format!("{name}:x:{id}:{group}::HOMES/{name}:{shell}\n");
            place.make_directory(&format!("homes/{name}"), id, group, 0o700);
        }
        if !user.shadow.is_empty() && name != "root" {
            let line = user.shadow.replace("HASH", BOB_HASH);
            hashes += &format!("{name}:{line}\n");
        }
    }
    place.write_etc("passwd", &passwd);
    place.write_etc("shadow", &hashes);
    place.write_etc("group", GROUP);
    place.write_etc("ftpusers", "# those who may not\nroot\nlisted\n");
    place
}

/// The line with the reason.
fn refusal<'a>(log: &'a str, name: &str) -> Option<&'a str> {
    let text = format!("login refused from 127.0.0.1 as \"{name}\"");
    log.lines().find(|line| line.contains(&text))
}

const fn user(name: &'static str, shadow: &'static str, reasons: &'static [&'static str]) -> Unfit {
    Unfit {
        name,
        passwd: (4900, 4900, "/bin/sh"),
        shadow,
        reasons,
    }
}

const fn with_passwd(id: u32, shell: &'static str, user: Unfit) -> Unfit {
    Unfit {
        passwd: (id, 4900, shell),
        ..user
    }
}

const USERS: &[Unfit] = &[
    user("locked", "!HASH:20000:0:99999:7:::", &[]),
    user("starred", "*:20000:0:99999:7:::", &[]),
    user("empty", ":20000:0:99999:7:::", &[]),
    user("without", "", &[]),
    user(
        "weak",
        "$1$md5md5$k2/5r4llUh8vXNzhGADgf.:20000:0:99999:7:::",
        &[],
    ),
    user("expired", "HASH:20000:0:99999:7::20100:", &["expired"]),
    user("changing", "HASH:0:0:99999:7:::", &["password"]),
    user("aged", "HASH:15000:0:90:7:30::", &["password"]),
    user("listed", "HASH:20000:0:99999:7:::", &["ftpusers"]),
    user("root", "HASH", &["uid_min", "ftpusers"]),
    with_passwd(
        4901,
        "/usr/sbin/nologin",
        user(
            "shell",
            "HASH:20000:0:99999:7:::",
            &["shell", "/usr/sbin/nologin"],
        ),
    ),
    with_passwd(
        999,
        "/bin/sh",
        user("low", "HASH:20000:0:99999:7:::", &["uid_min", "1000"]),
    ),
    with_passwd(
        65534,
        "/bin/sh",
        user("overflow", "HASH:20000:0:99999:7:::", &["65534", "number"]),
    ),
];

/// Their dates are in the far future.
const FIT: &[Unfit] = &[
    user("later", "HASH:20000:0:99999:7:30:99999:", &[]),
    user("never", "HASH:::::::", &[]),
];
