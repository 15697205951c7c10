//! Where `--system-users` is refused at the start, and how it is written.

use std::fs;

use super::{Place, Scene};
use crate::support::client_program::path;
use crate::support::process;
use crate::support::server::{self, Setup};

/// Also root without the right to become other users.
#[test]
fn only_root_can_serve_the_users_of_the_system() {
    let place = Place::new();
    for words in [
        // It may still read all files: the program is in some directory of root's.
        &[
            "setpriv",
            "--reuid",
            "4712",
            "--clear-groups",
            "--inh-caps=-all,+dac_override",
            "--ambient-caps=+dac_override",
        ][..],
        &[
            "setpriv",
            "--bounding-set=-setuid,-setgid",
            "--inh-caps=-all",
        ],
    ] {
        for extra in [&["-w"][..], &["-w", "--check"]] {
            let flags = [&super::LISTEN[..], &["--system-users"], extra].concat();
            let serve = process::prefixed(words, &server::command(&flags));
            let finished = process::run(&mut place.know(&serve), 20);
            finished.expect_refusal("--system-users");
            finished.expect_refusal("root");
        }
    }
}

#[test]
fn flags_that_contradict_are_refused() {
    let place = Place::new();
    for (flags, named) in [
        (&["--system-users", "--run-as", "carol"][..], "--run-as"),
        (&["--run-as", "carol", "--system-users"], "--run-as"),
        (&["--system-users", "--sandbox"], "--sandbox"),
    ] {
        let finished = place.run(flags);
        finished.expect_refusal("--system-users");
        finished.expect_refusal(named);
    }
}

#[test]
fn an_unknown_group_is_refused() {
    let place = Place::new();
    for flags in [
        &["--system-users", "teem", "-w"][..],
        &["--system-users=teem"],
        &["-w", "--system-users", "teem"],
    ] {
        let finished = place.run(flags);
        finished.expect_refusal("--system-users teem: ");
        finished.expect_refusal("group");
    }
}

/// The group may be missing wherever a flag may stand.
#[test]
fn the_group_may_be_left_out() {
    for flags in [
        &["--system-users"][..],
        &["--system-users", "-w"],
        &["-w", "--system-users"],
        &["--system-users", "--write"],
    ] {
        let scene = serve(Place::new(), flags);
        scene.client("alice").expect_in_step();
        scene.client("carol").expect_in_step();
        scene.finish();
    }
    for flags in [
        &["--system-users", "team"][..],
        &["--system-users", "team", "-w"],
        &["--system-users=team"],
    ] {
        let scene = serve(Place::new(), flags);
        assert_eq!(scene.try_login("alice", "secret-of-alice").code, 530);
        scene.client("carol").expect_in_step();
        scene.finish();
    }
}

/// In a configuration file and in the environment too.
#[test]
fn it_may_stand_in_a_file_or_a_variable() {
    for (line, alice) in [("system-users team\n", 530), ("system-users *\n", 230)] {
        let place = Place::new();
        let file = place.path("conf");
        fs::write(&file, line).expect("a configuration");
        let scene = serve(place, &["--config", path(&file)]);
        scene.client("carol").expect_in_step();
        let reply = scene.try_login("alice", "secret-of-alice");
        assert_eq!(reply.code, alice, "{line}: {}", reply.text());
        scene.finish();
    }
    let place = Place::new();
    let setup = Setup::from_flags_alone().flags(&super::LISTEN);
    let setup = setup.flags(&super::PATIENT).wrapped(|mut serve| {
        serve.env("FTP_SERVER_SYNC_SYSTEM_USERS", "team");
        place.know(&serve)
    });
    let server = setup.program();
    let scene = Scene { server, place };
    assert_eq!(scene.try_login("alice", "secret-of-alice").code, 530);
    scene.client("carol").expect_in_step();
    scene.finish();
}

fn serve(place: Place, flags: &[&str]) -> Scene {
    place.serve_with(Setup::from_flags_alone().flags(&super::LISTEN).flags(flags))
}
