//! The thread of a session has the rights of its user, and no other thread has them.

use std::thread;

use super::{ALICE, BOB, Place, Scene, owner, perform};
use crate::support::server::Setup;
use crate::support::thread_status::{field, threads};
use crate::support::wait::wait_until;

#[test]
fn the_thread_of_a_session_has_the_rights_of_its_user() {
    let scene = Scene::new(&["-w"]);
    let id = scene.server.id();
    let before = &threads(id)[0];
    let mut client = scene.client("alice");
    // What other threads may do for a session.
    for line in [
        "STOR new", "HASH new", "MLSD", "LIST -R", "STAT .", "DELE new",
    ] {
        let reply = perform(&mut client, line).reply;
        assert!(reply.code < 400, "{line}: {}", reply.text());
    }
    let mut bob = scene.client("bob");
    for (user, groups) in [(ALICE, "4801 4810 4812"), (BOB, "4802 4811 4812")] {
        let threads = threads(id);
        let of_user: Vec<_> = threads
            .iter()
            .filter(|status| has_rights_of(status, user))
            .collect();
        let [status] = of_user[..] else {
            panic!("{} threads of {user}: {threads:#?}", of_user.len());
        };
        let expect = |name: &str, value: &str| assert_eq!(field(status, name), value, "{status}");
        // With the real or the saved one, the user's processes could send signals.
        expect("Uid", &format!("0 {user} 0 {user}"));
        expect("Gid", &format!("0 {user} 0 {user}"));
        expect("Groups", groups);
        // The ports of active connections.
        expect("CapEff", "0000000000000400");
        expect("CapPrm", "0000000000000400");
        expect("CapInh", "0000000000000000");
        expect("CapAmb", "0000000000000000");
    }
    let others = threads(id);
    let others = others
        .iter()
        .filter(|status| !has_rights_of(status, ALICE) && !has_rights_of(status, BOB));
    let mut count = 0;
    for status in others {
        count += 1;
        for name in ["Uid", "Gid", "Groups", "CapEff", "CapPrm"] {
            assert_eq!(field(status, name), field(before, name), "{name}: {status}");
        }
    }
    assert!(count >= 1);
    for client in [&mut client, &mut bob] {
        client.command("QUIT", 221);
    }
    wait_until("the ends of the threads", || {
        !has_thread_of(id, ALICE) && !has_thread_of(id, BOB)
    });
    scene.finish();
}

/// A transfer of one is under way while the other one's commands run.
#[test]
fn sessions_at_once_have_different_rights() {
    let place = Place::new();
    for (home, user, other) in [("alice", ALICE, BOB), ("bob", BOB, ALICE)] {
        place.make_file(&format!("homes/{home}/of-other"), other, other, 0o600);
        place.make_file(&format!("homes/{home}/own"), user, user, 0o600);
    }
    // The user of the flags has the rights of the server.
    let setup = Setup::new().flags(&["--system-users"]);
    let scene = place.serve_with(setup);
    scene.server.write("secret", "text");
    scene.server.set_mode("secret", 0o600);
    super::own(&scene.server.path("secret"), ALICE, ALICE, 0o600);
    thread::scope(|scope| {
        for (name, user) in [("alice", ALICE), ("bob", BOB), ("alice", ALICE)] {
            let scene = &scene;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    serve_user(scene, name, user, round);
                }
            });
        }
        for round in 0..ROUNDS {
            let mut client = scene.server.client();
            let name = format!("new{round}");
            client.store(format!("STOR {name}"), "text");
            assert_eq!(owner(&scene.server.path(&name)), (0, 0));
            assert_eq!(client.fetch("RETR secret"), b"text");
            client.command("QUIT", 221);
        }
    });
    scene.finish();
}

fn serve_user(scene: &Scene, name: &str, user: u32, round: usize) {
    let mut client = scene.client(name);
    let own = format!("homes/{name}/own");
    for number in 0..COMMANDS {
        let file = format!("{:?}-{round}-{number}", thread::current().id());
        let file = file.replace(['(', ')'], "-");
        let mut running = client.data();
        client.command(format!("STOR {file}"), 150);
        std::io::Write::write_all(&mut running, b"text").expect("sending data");
        drop(running);
        client.expect(226);
        let path = scene.place.home(name).join(&file);
        assert_eq!(owner(&path), (user, user), "{file}");
        assert_eq!(client.fetch("RETR own"), own.as_bytes());
        let outcome = perform(&mut client, "RETR of-other");
        assert_eq!(outcome.reply.code, 550, "{}", outcome.reply.text());
        client.command("SITE CHMOD 666 of-other", 550);
        client.command(format!("DELE {file}"), 250);
    }
    client.command("QUIT", 221);
}

/// Whether a thread of this process has the rights of this user on files.
pub(super) fn has_thread_of(process: u32, user: u32) -> bool {
    threads(process)
        .iter()
        .any(|status| has_rights_of(status, user))
}

fn has_rights_of(status: &str, user: u32) -> bool {
    let file_system = format!(" {user}");
    field(status, "Uid").ends_with(&file_system)
}

const ROUNDS: usize = 8;
const COMMANDS: usize = 10;
