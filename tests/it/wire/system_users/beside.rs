//! Users of the system beside those of the flags and of a users file, and the programs of hooks.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::{ALICE, CAROL_HASH, Place, Scene, log_in, own, owner, perform};
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::server::{PASSWORD, Setup, USER};

/// The session of a user of the system, whose thread is another one, changes nothing for them.
#[test]
fn other_users_have_the_rights_of_the_server() {
    let scene = beside();
    for _ in 0..3 {
        let mut alice = scene.client("alice");
        alice.store("STOR new", "text");
        let of_alice = scene.place.home("alice").join("new");
        assert_eq!(owner(&of_alice), (ALICE, ALICE));
        let mut tester = scene.server.client();
        let mut dora = scene.client("dora");
        for (client, root) in [
            (&mut tester, scene.server.root()),
            (&mut dora, scene.place.home("dora")),
        ] {
            assert_eq!(client.fetch("RETR secret"), b"text");
            client.store("STOR new", "text");
            assert_eq!(owner(&root.join("new")), (0, 0));
            client.command("DELE new", 250);
        }
        alice.command("DELE new", 250);
        alice.command("QUIT", 221);
        tester.store("STOR secret", "text");
        own(&scene.server.path("secret"), ALICE, ALICE, 0o600);
    }
    scene.finish();
}

/// The users file comes first.
#[test]
fn a_name_in_the_users_file_is_not_the_systems() {
    let scene = beside();
    assert_eq!(scene.try_login("bob", "secret-of-bob").code, 530);
    let mut bob = Client::greeted(scene.server.address);
    bob.command("USER bob", 331);
    bob.command("PASS secret-of-carol", 230);
    bob.command("TYPE I", 200);
    assert_eq!(bob.fetch("RETR secret"), b"text");
    bob.store("STOR by-bob", "text");
    assert_eq!(owner(&scene.place.home("dora").join("by-bob")), (0, 0));
    scene.finish();
}

/// So does the user of the flags, whatever the system says about that name.
#[test]
fn a_name_of_the_flags_is_not_the_systems() {
    let setup = Setup::without_account().host("127.0.0.1");
    let flags = ["-u", "alice", "-P", PASSWORD, "-w", "--system-users"];
    let scene = Place::new().serve_with(setup.flags(&flags));
    assert_eq!(scene.try_login("alice", "secret-of-alice").code, 530);
    let mut alice = Client::greeted(scene.server.address);
    alice.command("USER alice", 331);
    alice.command(format!("PASS {PASSWORD}"), 230);
    alice.command("TYPE I", 200);
    alice.store("STOR new", "text");
    assert_eq!(owner(&scene.server.path("new")), (0, 0));
    scene.finish();
}

/// A session in which no rights have changed yet takes further logins, the last of which may be one
/// of the system.
#[test]
fn a_login_of_the_system_may_follow_another() {
    let scene = beside();
    let mut client = scene.server.client();
    client.store("STOR new", "text");
    client.command("REIN", 220);
    client.command(format!("USER {USER}"), 331);
    client.command(format!("PASS {PASSWORD}"), 230);
    assert_eq!(log_in(&mut client, "dora").code, 230);
    assert_eq!(log_in(&mut client, "alice").code, 230);
    client.command("TYPE I", 200);
    client.store("STOR new", "text");
    let new = scene.place.home("alice").join("new");
    assert_eq!(owner(&new), (ALICE, ALICE));
    client.command("SIZE of-dora", 550);
    client.command(format!("USER {USER}"), 421);
    client.expect_closed();
    scene.finish();
}

/// Only where a flag lets anonymous in.
#[test]
fn anonymous_stands_beside() {
    let setup = Setup::without_account().host("127.0.0.1");
    let scene = Place::new().serve_with(setup.flags(&["--anonymous", "--system-users"]));
    scene.server.write("file", "text");
    let mut anonymous = Client::greeted(scene.server.address);
    anonymous.command("USER anonymous", 331);
    anonymous.command("PASS me@example.org", 230);
    assert_eq!(anonymous.fetch("RETR file"), b"text");
    let refused = perform(&mut anonymous, "STOR new").reply;
    assert!(refused.code >= 500, "{}", refused.text());
    scene.client("alice").expect_in_step();
    scene.finish();

    let scene = Scene::new(&[]);
    assert_eq!(scene.try_login("anonymous", "me@example.org").code, 530);
    scene.finish();
}

/// They run as the server does, whichever session they are of, and whichever is the first.
#[test]
fn hooks_run_as_the_server() {
    let place = Place::new();
    let hook = place.path("hook");
    let script = "#!/bin/sh\necho $FTP_USER $(id -u) $(id -g) \
                  $(grep -E '^(Uid|Gid|CapEff)' /proc/self/status)\n";
    fs::write(&hook, script).expect("a script");
    fs::set_permissions(&hook, Permissions::from_mode(0o755)).expect("a mode");
    let setup = Setup::new().flags(&["--system-users", "--on-upload", path(&hook)]);
    let scene = place.serve_with(setup);
    let said = |client: &mut Client, name: &str, number: usize| {
        client.store("STOR new", "text");
        let start = format!("for upload of #{number}: {name} ");
        let log = scene.server.log_with(&start);
        let line = log.lines().find_map(|line| line.split_once(&start));
        line.expect("a line").1.to_owned()
    };
    // What a session of a user starts first has that user's rights.
    let mut alice = scene.client("alice");
    let of_alice = said(&mut alice, "alice", 1);
    let of_tester = said(&mut scene.server.client(), USER, 2);
    assert!(of_tester.starts_with("0 0 Uid: 0 0 0 0"), "{of_tester}");
    assert_eq!(of_alice, of_tester);
    scene.finish();
}

/// Beside the user of the flags are Dora and Bob of a users file, who share a home.
fn beside() -> Scene {
    let place = Place::new();
    place.make_directory("homes/dora", 0, 0, 0o755);
    let file = place.path("users");
    let home = place.home("dora");
    let home = path(&home);
    let lines = format!("dora:{DORA_HASH}:{home}:all\nbob:{CAROL_HASH}:{home}:all\n");
    fs::write(&file, lines).expect("the users file");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("a mode");
    let setup = Setup::new().flags(&["--system-users", "--users", path(&file)]);
    // Only their owner and root may read them.
    for directory in [setup.root(), place.home("dora")] {
        let secret = directory.join("secret");
        fs::write(&secret, "text").expect("a file");
        own(&secret, ALICE, ALICE, 0o600);
    }
    fs::write(place.home("dora").join("of-dora"), "").expect("a file");
    place.serve_with(setup)
}

const DORA_HASH: &str = "$6$rounds=1000$doradora$RWxJpa/49igRAB0THCKCrTVm7c87S2Bux4dmVgR5b0ChwA\
                         5CakYTfkiaq9yBvyCqWxt5GsYl0MxUBNjafcEGj/";
