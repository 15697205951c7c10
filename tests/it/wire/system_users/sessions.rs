//! How sessions of users of the system end: by another login, and by a change of the system.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::process::Signal;

use super::{ALICE, GROUP, LISTEN, PASSWD, Place, Scene, log_in, own, owner};
use crate::support::client_program::path;
use crate::support::server::Setup;

/// A thread that has had a user's rights serves no other login.
#[test]
fn a_second_login_needs_another_connection() {
    let scene = Scene::new(&["-w"]);
    for line in ["REIN", "USER bob", "USER alice", "USER anonymous"] {
        let mut client = scene.client("alice");
        let reply = client.command(line, 421);
        let text = reply.text().to_lowercase();
        assert!(text.contains("connect again"), "{line}: {text}");
        client.expect_closed();
    }
    // Before the rights have changed, another name is as good.
    let mut client = scene.client("bob");
    client.expect_in_step();
    let mut client = crate::support::client::Client::greeted(scene.server.address);
    client.command("USER bob", 331);
    client.command("PASS wrong", 530);
    client.command("USER bob", 331);
    assert_eq!(log_in(&mut client, "alice").code, 230);
    client.store("STOR new", "text");
    let new = scene.place.home("alice").join("new");
    assert_eq!(owner(&new), (ALICE, ALICE));
    scene.finish();
}

/// Others are not affected.
#[test]
fn a_reload_ends_the_sessions_of_removed_users() {
    let passwd = |from: &str, to: &str| ("passwd", PASSWD.replace(from, to));
    for (file, text) in [
        ("passwd", without(PASSWD, "alice")),
        passwd("4801:4801", "4899:4801"),
        passwd("4801:4801", "4801:4899"),
        passwd("HOMES/alice", "HOMES/carol"),
        (
            "group",
            GROUP.replace("media:x:4810:alice", "media:x:4810:"),
        ),
        (
            "group",
            GROUP.replace("team:x:4811:bob", "team:x:4811:bob,alice"),
        ),
        ("ftpusers", "alice\n".to_owned()),
    ] {
        let scene = Scene::new(&["-w"]);
        let (mut alice, mut bob) = (scene.client("alice"), scene.client("bob"));
        let mut idle = scene.client("alice");
        let mut data = alice.data();
        alice.command("STOR part", 150);
        data.write_all(b"text").expect("sending data");
        scene.server.signal(Signal::HUP);
        scene.server.log_with("reloaded the settings");
        bob.expect_in_step();
        idle.expect_in_step();
        scene.place.write_etc(file, &text);
        scene.server.signal(Signal::HUP);
        // Without a command of the client.
        let reply = idle.expect(421);
        assert_eq!(
            reply.text(),
            "421 This account has been changed; log in again."
        );
        idle.expect_closed();
        let mut reply = alice.reply();
        if reply.code == 426 {
            reply = alice.reply();
        }
        assert_eq!(reply.code, 421, "{}", reply.text());
        bob.expect_in_step();
        bob.store("STOR new", "text");
        scene.finish();
    }
}

/// The session gets a new account then, for the same user only.
#[test]
fn after_a_reload_a_second_login_needs_another_connection() {
    let place = Place::new();
    let file = place.path("conf");
    fs::write(&file, "system-users\nwrite\n").expect("a configuration");
    let setup = Setup::from_flags_alone().flags(&LISTEN);
    let scene = place.serve_with(setup.flags(&["--config", path(&file)]));
    let mut client = scene.client("alice");
    fs::write(&file, "system-users\nwrite\nencoding latin1\n").expect("a configuration");
    scene.server.signal(Signal::HUP);
    scene.server.log_with("reloaded the settings");
    client.expect_in_step();
    let text = client.command("USER bob", 421).text().to_lowercase();
    assert!(text.contains("connect again"), "{text}");
    client.expect_closed();
    scene.finish();
}

/// They need the rights of root, which are gone.
#[test]
fn a_reload_does_not_bring_the_users_of_the_system_to_another_user() {
    let place = Place::new();
    let file = place.path("conf");
    let share = format!("directory {}\n", path(&place.home("carol")));
    fs::write(&file, format!("{share}run-as carol\n")).expect("a configuration");
    let setup = Setup::from_flags_alone().flags(&LISTEN);
    let scene = place.serve_with(setup.flags(&["--config", path(&file)]));
    fs::write(&file, format!("{share}system-users\n")).expect("a configuration");
    scene.server.signal(Signal::HUP);
    let log = scene.server.log_with("not reloading");
    let line = log.lines().find(|line| line.contains("not reloading"));
    let line = line.expect("a line");
    assert!(
        line.contains("--system-users") && line.contains("--run-as carol"),
        "{line}"
    );
}

#[test]
fn a_removed_user_is_unknown() {
    let scene = Scene::new(&["-w"]);
    scene.client("alice").expect_in_step();
    scene.place.write_etc("passwd", &without(PASSWD, "alice"));
    let refused = scene.try_login("alice", "secret-of-alice");
    let unknown = scene.try_login("eve", "secret-of-alice");
    assert_eq!(refused.code, 530);
    assert_eq!(refused.text(), unknown.text());
    scene.finish();
}

/// The server gets in, as root could; the user does not, and it is the user who counts.
#[test]
fn a_home_that_the_user_cannot_enter_is_not_available() {
    let place = Place::new();
    own(&place.home("alice"), 0, 0, 0o700);
    fs::remove_dir_all(place.home("bob")).expect("a home");
    let scene = place.serve(&["-w"]);
    for name in ["alice", "bob"] {
        let reply = scene.try_login(name, &format!("secret-of-{name}"));
        assert_eq!(reply.code, 421, "{name}: {}", reply.text());
        let home = scene.place.home(name);
        scene.server.log_with(home.to_str().expect("UTF-8"));
    }
    scene.client("carol").expect_in_step();
    // It is looked at again for each login.
    own(&scene.place.home("alice"), ALICE, ALICE, 0o700);
    scene.client("alice").store("STOR new", "text");
    scene.finish();
}

/// By root, as the directory above is root's, and nothing else.
#[test]
fn a_missing_home_can_be_created() {
    let place = Place::new();
    fs::remove_dir_all(place.home("alice")).expect("a home");
    let scene = place.serve(&["-w", "--create-home"]);
    assert_eq!(scene.try_login("alice", "wrong").code, 530);
    assert!(!scene.place.home("alice").exists());
    scene.client("alice").store("STOR new", "text");
    let home = scene.place.home("alice");
    assert_eq!(owner(&home), (ALICE, ALICE));
    let mode = home.metadata().expect("the home").permissions();
    assert_eq!(mode, Permissions::from_mode(0o40700));
    assert_eq!(owner(&home.join("new")), (ALICE, ALICE));
    // One that is there stays as it is.
    own(&home, ALICE, ALICE, 0o750);
    scene.client("alice").store("STOR new", "text");
    let mode = home.metadata().expect("the home").permissions();
    assert_eq!(mode, Permissions::from_mode(0o40750));
    scene.finish();
}

/// Root makes it, and what is in a home of another user may lead anywhere.
#[test]
fn a_home_is_not_created_through_a_users_link() {
    let place = Place::new();
    place.make_directory("target", 0, 0, 0o755);
    let link = place.home("alice").join("link");
    symlink(place.path("target"), link).expect("a link");
    let passwd = PASSWD.replace("HOMES/bob", "HOMES/alice/link/new");
    place.write_etc("passwd", &passwd);
    let scene = place.serve(&["-w", "--create-home"]);
    assert_eq!(scene.try_login("bob", "secret-of-bob").code, 421);
    assert!(!scene.place.path("target/new").exists());
    scene.finish();
}

fn without(passwd: &str, name: &str) -> String {
    let start = format!("{name}:");
    let lines = passwd.split_inclusive('\n');
    lines.filter(|line| !line.starts_with(&start)).collect()
}
