//! What the kernel lets through to the thread of a session, and from there to others.

use std::fs;
use std::process::Command;

use rustls::version;

use super::{ALICE, BOB, FAMILY, PASSWD, Place, Scene, log_in, owner, perform};
use crate::support::certificates::trusting_any;
use crate::support::client::Client;
use crate::support::process;
use crate::support::server::{Setup, own_address};
use crate::support::thread_status::{field, threads};

/// A process of the same user on this machine can neither end nor read the server.
#[test]
fn processes_of_the_user_have_no_power_over_the_session() {
    let scene = Scene::new(&["-w"]);
    let mut client = scene.client("alice");
    let threads = threads(scene.server.id());
    let is_alices = |status: &&String| field(status, "Uid").ends_with(" 4801");
    let status = threads.iter().find(is_alices).expect("a thread of Alice");
    let thread = field(status, "Pid");
    for script in ["kill -0 \"$0\"", "kill \"$0\"", "cat \"/proc/$0/environ\""] {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "4801", "--regid", "4801", "--clear-groups"]);
        command.args(["sh", "-c", script, &thread]);
        let finished = process::run(&mut command, 20).expect_failure();
        assert!(finished.stdout.is_empty(), "{}", finished.text());
    }
    client.expect_in_step();
    scene.finish();
}

/// Ports below 1024 need a right that the session keeps.
#[test]
fn data_connections_use_privileged_ports() {
    let setup = Setup::from_flags_alone().host(own_address());
    let setup = setup.flags(&["-p", "21", "--system-users", "-w", "-r", "990-999"]);
    let scene = Place::new().serve_with(setup);
    let mut client = scene.client("alice");
    let to = client.extended_passive();
    assert!((990..=999).contains(&to.port()), "{to}");
    let data = client.connect_data(to);
    client.store_over(data, "STOR new", "text");
    assert_eq!(client.fetch("RETR new"), b"text");
    assert_eq!(client.fetch_active("RETR new").0, b"text");
    scene.finish();
}

#[test]
fn tls_is_the_same_for_users_of_the_system() {
    let place = Place::new();
    let state = place.path("state");
    let setup = Setup::from_flags_alone().flags(&super::LISTEN);
    let setup = setup.flags(&super::PATIENT);
    let setup = setup.flags(&["--system-users", "-w", "--tls", "--tls-control-required"]);
    let setup = setup.wrapped(|mut serve| {
        serve.env("STATE_DIRECTORY", &state);
        place.know(&serve)
    });
    let server = setup.program();
    let scene = Scene { server, place };
    let config = trusting_any(&version::TLS13);
    let mut client = Client::greeted(scene.server.address);
    client.auth_tls(&config);
    assert_eq!(log_in(&mut client, "alice").code, 230);
    client.command("TYPE I", 200);
    client.command("MKD new", 257);
    let new = scene.place.home("alice").join("new");
    assert_eq!(owner(&new), (ALICE, ALICE));
    let reply = client.command("AUTH TLS", 421);
    assert!(reply.text().contains("Connect again"), "{}", reply.text());
    // The key of the server is not the user's.
    assert_eq!(owner(&state.join("certificate.pem")), (0, 0));
    scene.finish();
}

/// The files of processes are protected by other rules than those on a disk: the thread is one of
/// the server's.
#[test]
fn the_server_itself_is_out_of_reach() {
    let place = Place::new();
    place.write_etc("passwd", &PASSWD.replace("HOMES/alice", "/"));
    let scene = place.serve(&["-w"]);
    let mut client = Client::greeted(scene.server.address);
    if log_in(&mut client, "alice").code != 230 {
        scene.finish();
        return;
    }
    client.command("TYPE I", 200);
    let mut paths = vec![
        "/etc/shadow".to_owned(),
        "/proc/self/mem".to_owned(),
        "/proc/self/environ".to_owned(),
        "/proc/thread-self/mem".to_owned(),
        "/proc/self/root/etc/shadow".to_owned(),
        format!("/proc/{}/environ", scene.server.id()),
    ];
    for number in 0..40 {
        paths.push(format!("/proc/self/fd/{number}"));
        paths.push(format!("/proc/thread-self/fd/{number}"));
    }
    for path in &paths {
        for line in [format!("RETR {path}"), format!("APPE {path}")] {
            let outcome = perform(&mut client, &line);
            let text = outcome.reply.text();
            assert!(outcome.reply.code >= 400, "{line}: {text}");
            assert!(outcome.data.is_empty(), "{line}: {text}");
        }
    }
    client.expect_in_step();
    scene.finish();
}

/// In a directory that both may change, as everywhere on the system: a new file takes the name, and
/// the old one's content and owner stay with it.
#[test]
fn a_replaced_file_of_another_user_is_a_new_one() {
    let place = Place::new();
    place.make_directory("homes/alice/common", 0, FAMILY, 0o2770);
    place.make_directory("homes/alice/sticky", 0, FAMILY, 0o3770);
    for directory in ["common", "sticky"] {
        let file = format!("homes/alice/{directory}/of-bob");
        place.make_file(&file, BOB, BOB, 0o600);
        let kept = place.path(&format!("kept-{directory}"));
        fs::hard_link(place.path(&file), kept).expect("a second name");
    }
    let scene = place.serve(&["-w"]);
    let mut alice = scene.client("alice");
    for directory in ["common", "sticky"] {
        let name = format!("{directory}/of-bob");
        let file = scene.place.home("alice").join(&name);
        let reply = perform(&mut alice, &format!("STOR {name}")).reply;
        let kept = scene.place.path(&format!("kept-{directory}"));
        let old = format!("homes/alice/{name}");
        assert_eq!(fs::read_to_string(&kept).expect("it"), old);
        assert_eq!(owner(&kept), (BOB, BOB));
        if directory == "sticky" {
            assert!(reply.code >= 500, "{}", reply.text());
        }
        if reply.code < 400 {
            assert_eq!(fs::read(&file).expect("it"), b"new");
            assert_eq!(owner(&file).0, ALICE);
        } else {
            assert_eq!(fs::read_to_string(&file).expect("it"), old);
        }
    }
    let left = super::tree(&scene.place.home("alice").join("sticky"));
    assert!(left.len() == 1, "{left:?}");
    scene.finish();
}
