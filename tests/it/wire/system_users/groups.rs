//! The supplementary groups of a user, and `--system-users GROUP`.

use std::os::unix::fs::symlink;

use super::{ALICE, BOB, FAMILY, MEDIA, Place, Scene, owner, perform};
use crate::support::process;
use crate::support::server::Setup;

/// Alice and Bob have a folder in common; it is seen in each home, by a mount.
#[test]
fn a_group_opens_a_shared_folder() {
    let place = Place::new();
    place.make_directory("common", 0, FAMILY, 0o2770);
    let names = ["alice", "bob", "carol"];
    for name in names {
        place.make_directory(&format!("homes/{name}/common"), 0, 0, 0o755);
    }
    let common = place.path("common");
    let points = names.map(|name| place.home(name).join("common"));
    let setup = Setup::from_flags_alone().flags(&super::LISTEN);
    let setup = setup.flags(&["--system-users", "-w"]);
    let setup = setup.wrapped(|serve| {
        let script = "for point in \"$1\" \"$2\" \"$3\"; do mount --bind \"$0\" \"$point\"; done";
        let [alice, bob, carol] = &points;
        process::mounting(script, &[&common, alice, bob, carol], &place.know(&serve))
    });
    let server = setup.flags(&super::PATIENT).program();
    let scene = Scene { server, place };
    let (mut alice, mut bob) = (scene.client("alice"), scene.client("bob"));
    alice.store("STOR common/of-alice", "text of Alice");
    assert_eq!(bob.fetch("RETR common/of-alice"), b"text of Alice");
    bob.store("STOR common/of-bob", "text of Bob");
    assert_eq!(alice.fetch("RETR common/of-bob"), b"text of Bob");
    // Not the group's to write.
    let refused = perform(&mut bob, "APPE common/of-alice").reply;
    assert!(refused.code >= 500, "{}", refused.text());
    bob.command("SITE CHMOD 666 common/of-alice", 550);
    // The directory is the group's to write.
    alice.command("DELE common/of-bob", 250);
    assert_eq!(owner(&common.join("of-alice")), (ALICE, FAMILY));
    let mut carol = scene.client("carol");
    for line in [
        "NLST common",
        "MLSD common",
        "RETR common/of-alice",
        "SIZE common/of-alice",
        "STOR common/new",
        "MKD common/new",
        "DELE common/of-alice",
    ] {
        let outcome = perform(&mut carol, line);
        assert!(outcome.data.is_empty(), "{line}: {:?}", outcome.data);
        let is_refused = outcome.reply.code >= 400;
        assert!(is_refused, "{line}: {}", outcome.reply.text());
    }
    assert!(common.join("of-alice").exists() && !common.join("new").exists());
    scene.finish();
}

/// What another user has in a home is open by the group, also through a link.
#[test]
fn a_group_counts_through_links() {
    let scene = Scene::new(&["-w"]);
    let place = &scene.place;
    for (home, user) in [("alice", ALICE), ("bob", BOB)] {
        let area = format!("homes/{home}/area");
        place.make_directory(&area, 0, MEDIA, 0o750);
        place.make_file(&format!("{area}/file"), 0, MEDIA, 0o640);
        symlink("area/file", place.home(home).join("link")).expect("a link");
        symlink("area", place.home(home).join("to-area")).expect("a link");
        super::own(&place.home(home), user, user, 0o700);
    }
    let mut alice = scene.client("alice");
    for name in ["area/file", "link", "to-area/file"] {
        let content = alice.fetch(format!("RETR {name}"));
        assert_eq!(content, b"homes/alice/area/file", "{name}");
    }
    let mut bob = scene.client("bob");
    for name in ["area/file", "link", "to-area/file"] {
        for line in [format!("RETR {name}"), format!("SIZE {name}")] {
            let reply = perform(&mut bob, &line).reply;
            assert_eq!(reply.code, 550, "{line}: {}", reply.text());
        }
    }
    scene.finish();
}

/// Carol's primary group, and a supplementary one of Bob's.
#[test]
fn a_group_restricts_who_may_log_in() {
    let setup = Setup::from_flags_alone().flags(&super::LISTEN);
    let scene = Place::new().serve_with(setup.flags(&["--system-users", "team", "-w"]));
    scene.client("bob").store("STOR new", "text");
    scene.client("carol").store("STOR new", "text");
    let wrong = scene.try_login("bob", "wrong");
    let refused = scene.try_login("alice", "secret-of-alice");
    assert_eq!(refused.code, 530);
    assert_eq!(refused.text(), wrong.text());
    let log = scene
        .server
        .log_with("login refused from 127.0.0.1 as \"alice\"");
    let reason = log
        .lines()
        .find(|line| line.contains("login refused"))
        .expect("a line");
    assert!(reason.contains("team"), "{reason}");
    scene.finish();
}
