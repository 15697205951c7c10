//! Each command that names a file, on files of another user: it changes nothing and reveals
//! nothing.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, lchown, symlink};
use std::path::{Path, PathBuf};

use super::{ALICE, BOB, Outcome, Place, Scene, own, perform, tree};
use crate::support::server::Setup;

/// What Bob has in Alice's tree, and what leads there.
struct Target {
    path: &'static str,
    /// The directory that it is in is closed to Alice: not even the name is known.
    is_unknown: bool,
}

#[test]
fn the_commands_on_files_of_others_do_nothing() {
    let scene = scene();
    let mut alice = scene.client("alice");
    let before = snapshot(&scene.place);
    for line in lines() {
        for target in TARGETS {
            prepare(&scene.place);
            alice.command("CWD /", 250);
            let command = line.replace("PATH", target.path);
            let outcome = perform(&mut alice, &command);
            assert_eq!(snapshot(&scene.place), before, "{command}");
            expect_nothing_revealed(&command, target.path, &outcome);
            let verb = line.split(" PATH").next().unwrap_or_default();
            let verb = verb.rsplit("| ").next().unwrap_or_default();
            if REFUSED.contains(&verb.split(' ').next().unwrap_or_default()) {
                let text = outcome.reply.text();
                assert!(outcome.reply.code >= 400, "{command}: {text}");
            }
            // The session works as before.
            alice.expect_in_step();
        }
    }
    scene.finish();
}

/// A name that is there gets the same answer as one that is not.
#[test]
fn names_in_closed_directories_stay_unknown() {
    let scene = scene();
    let mut alice = scene.client("alice");
    let mut answer = |line: &str, path: &str| {
        prepare(&scene.place);
        alice.command("CWD /", 250);
        let outcome = perform(&mut alice, &line.replace("PATH", path));
        let text = outcome.reply.text().replace(path, "PATH");
        (text, outcome.data)
    };
    for line in lines() {
        let missing = answer(line, "area/private/bobs-missing");
        for target in TARGETS.iter().filter(|target| target.is_unknown) {
            let there = answer(line, target.path);
            assert_eq!(there, missing, "{line} of {}", target.path);
        }
    }
    scene.finish();
}

/// The same commands on what others may read, as the permission bits are.
#[test]
fn files_that_others_may_read_can_be_read_only() {
    let scene = scene();
    let mut alice = scene.client("alice");
    let before = snapshot(&scene.place);
    let path = "area/visible/bobs-open";
    let may = [
        "RETR", "SIZE", "MDTM", "MLST", "STAT", "LIST", "NLST", "HASH", "XCRC", "XMD5", "XSHA",
        "XSHA1", "XSHA256",
    ];
    for line in lines() {
        prepare(&scene.place);
        alice.command("CWD /", 250);
        let command = line.replace("PATH", path);
        let outcome = perform(&mut alice, &command);
        assert_eq!(snapshot(&scene.place), before, "{command}");
        let is_read = line.split(" | ").all(|line| {
            let verb = line.split(' ').next().unwrap_or_default();
            // The parent directory of its path is open.
            let is_parent = line == "CWD PATH/..";
            may.contains(&verb) || ["REST", "RANG"].contains(&verb) || is_parent
        });
        let text = outcome.reply.text();
        assert_eq!(outcome.reply.code < 400, is_read, "{command}: {text}");
    }
    assert_eq!(alice.fetch(format!("RETR {path}")), CONTENT.as_bytes());
    // The user of the flags has the rights of root: it is the rights that made the difference.
    let mut root = scene.server.client();
    for name in ["private/bobs-known", "visible/bobs-closed"] {
        let content = root.fetch(format!("RETR area/{name}"));
        assert_eq!(content, CONTENT.as_bytes(), "{name}");
    }
    root.command("DELE area/private/bobs-known", 250);
    assert_ne!(snapshot(&scene.place), before);
    scene.finish();
}

/// A new command is added here, to one list or the other.
#[test]
fn each_command_is_tried_or_names_no_file() {
    let mut tried: BTreeSet<&str> = LINES
        .iter()
        .flat_map(|line| line.split(" | "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    tried.extend(WITHOUT_FILES);
    let all: BTreeSet<&str> = ftp_proto::commands().map(|command| command.name).collect();
    assert_eq!(tried, all);
}

/// In Alice's home is a directory of root's, so that she moves nothing of it, and in that one are
/// directories of Bob's.
fn scene() -> Scene {
    let place = Place::new();
    for (name, user, mode) in [
        ("area", 0, 0o755),
        ("area/private", BOB, 0o700),
        ("area/private/bobs-deep", BOB, 0o777),
        ("area/visible", BOB, 0o755),
        ("area/visible/closed", BOB, 0o700),
    ] {
        place.make_directory(&format!("homes/alice/{name}"), user, user, mode);
    }
    for (name, mode) in [
        ("private/bobs-known", 0o666),
        ("private/bobs-deep/bobs-inner", 0o666),
        ("visible/bobs-closed", 0o600),
        ("visible/bobs-open", 0o644),
        ("visible/closed/bobs-inner", 0o666),
    ] {
        let file = place.home("alice").join("area").join(name);
        fs::write(&file, CONTENT).expect("a file");
        own(&file, BOB, BOB, mode);
    }
    fs::write(place.home("bob").join("bobs-known"), CONTENT).expect("a file");
    own(&place.home("bob").join("bobs-known"), BOB, BOB, 0o644);
    prepare(&place);
    let share = place.home("alice");
    let share = share.to_str().expect("UTF-8");
    let setup = Setup::from_flags_alone().flags(&super::LISTEN);
    let setup = setup.flags(&["-d", share, "-u", "tester", "-P", "never-in-a-log", "-w"]);
    place.serve_with(setup.flags(&["--system-users"]))
}

/// What Alice has and may change, as it was.
fn prepare(place: &Place) {
    let home = place.home("alice");
    for entry in fs::read_dir(&home).expect("the home") {
        let path = entry.expect("an entry").path();
        let is_others = path.ends_with("area") || path.ends_with("of-alice");
        if !is_others {
            let is_directory = path.symlink_metadata().expect("it").is_dir();
            let removed = if is_directory {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.expect("removed");
        }
    }
    place.make_file("homes/alice/mine", ALICE, ALICE, 0o600);
    let outside = place.home("bob");
    for (target, name) in [
        (Path::new("area/private/bobs-known"), "to-known"),
        (Path::new("area/private"), "to-private"),
        (Path::new("area/visible/bobs-closed"), "to-closed"),
        (Path::new("../bob"), "up"),
        (&outside, "out"),
    ] {
        let link = home.join(name);
        symlink(target, &link).expect("a link");
        lchown(&link, Some(ALICE), Some(ALICE)).expect("an owner");
    }
}

/// All that is Bob's, with what a change would change.
fn snapshot(place: &Place) -> Vec<(PathBuf, String, Vec<u8>)> {
    let area = place.home("alice").join("area");
    let mut paths = vec![area.clone(), place.home("bob")];
    paths.extend(tree(&area));
    paths.extend(tree(&place.home("bob")));
    let shown = |metadata: &Metadata| {
        format!(
            "{} {:o} {}:{} {} {} {} {}",
            metadata.ino(),
            metadata.mode(),
            metadata.uid(),
            metadata.gid(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        )
    };
    let state = |path: PathBuf| {
        let metadata = fs::symlink_metadata(&path).expect("its metadata");
        let content = if metadata.is_dir() {
            Vec::new()
        } else {
            fs::read(&path).expect("its content")
        };
        (path, shown(&metadata), content)
    };
    paths.into_iter().map(state).collect()
}

/// Neither the content nor a name that was not in the command.
#[track_caller]
fn expect_nothing_revealed(command: &str, path: &str, outcome: &Outcome) {
    let data = String::from_utf8_lossy(&outcome.data);
    let reply = outcome.reply.text().replace(path, "PATH");
    let visible = path.starts_with("area/visible") && !path.contains("/closed/");
    for text in [&*data, &reply] {
        // What Alice's own links name.
        let text = text.replace("-> area/private/bobs-known", "");
        let text = text.replace("-> area/visible/bobs-closed", "");
        let text = text.replace("=OS.unix=slink:area/private/bobs-known", "");
        let text = text.replace("=OS.unix=slink:area/visible/bobs-closed", "");
        assert!(!text.contains(CONTENT), "{command}: {text}");
        let names = text.contains("bobs-known") || text.contains("bobs-inner");
        let names = names || text.contains("bobs-deep");
        assert!(!names, "{command}: {text}");
        assert!(visible || !text.contains("bobs-"), "{command}: {text}");
    }
}

fn lines() -> impl Iterator<Item = &'static str> {
    LINES.into_iter().filter(|line| line.contains("PATH"))
}

const TARGETS: &[Target] = &[
    Target::unknown("area/private/bobs-known"),
    Target::unknown("area/private/bobs-deep"),
    Target::unknown("area/private/bobs-deep/bobs-inner"),
    Target::known("area/private/bobs-missing"),
    Target::known("area/visible/bobs-closed"),
    Target::known("area/visible/closed/bobs-inner"),
    Target::known("to-known"),
    Target::known("to-private/bobs-known"),
    Target::known("to-closed"),
    Target::known("up/bobs-known"),
    Target::known("out/bobs-known"),
    Target::known("../bob/bobs-known"),
];

impl Target {
    const fn unknown(path: &'static str) -> Self {
        Self {
            path,
            is_unknown: true,
        }
    }

    const fn known(path: &'static str) -> Self {
        Self {
            path,
            is_unknown: false,
        }
    }
}

/// Each command that names a file, and those that come with it.
const LINES: [&str; 41] = [
    "APPE PATH",
    "AVBL PATH",
    "CWD PATH",
    "CWD PATH/..",
    "XCWD PATH",
    "DELE PATH",
    "HASH PATH",
    "RANG 0 3 | HASH PATH",
    "LIST PATH",
    "LIST -a PATH",
    "LIST -R PATH",
    "MDTM PATH",
    "MFMT 20200101000000 PATH",
    "MKD PATH",
    "MKD PATH/new",
    "XMKD PATH",
    "MLSD PATH",
    "MLST PATH",
    "NLST PATH",
    "NLST PATH*",
    "RETR PATH",
    "REST 1 | RETR PATH",
    "RANG 0 3 | RETR PATH",
    "RMD PATH",
    "XRMD PATH",
    "RNFR PATH | RNTO taken",
    "RNFR mine | RNTO PATH",
    "RNFR mine | RNTO PATH/new",
    "SITE CHMOD 777 PATH",
    "SIZE PATH",
    "STAT PATH",
    "STOR PATH",
    "REST 1 | STOR PATH",
    "STOU PATH",
    "ALLO 3 | STOR PATH/new",
    "XCRC PATH",
    "XCRC PATH 0 3",
    "XMD5 PATH",
    "XSHA PATH",
    "XSHA1 PATH",
    "XSHA256 PATH",
];

/// Those that read a file, or change it whatever leads there.
const REFUSED: [&str; 10] = [
    "APPE", "HASH", "MFMT", "RETR", "SITE", "XCRC", "XMD5", "XSHA", "XSHA1", "XSHA256",
];

const WITHOUT_FILES: [&str; 30] = [
    "ABOR", "ACCT", "AUTH", "CCC", "CDUP", "CLNT", "EPRT", "EPSV", "FEAT", "HELP", "HOST", "LANG",
    "MODE", "NOOP", "OPTS", "PASS", "PASV", "PBSZ", "PORT", "PROT", "PWD", "QUIT", "REIN", "STRU",
    "SYST", "TYPE", "USER", "XCUP", "XPWD", "REST",
];

const CONTENT: &str = "content-of-bob";
