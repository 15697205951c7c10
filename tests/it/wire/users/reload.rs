//! The users file changes while users are logged in.

use std::fs;
use std::io::Write;

use rustls::version::TLS13;
use tempfile::TempDir;

use super::{Scene, is_done, log_in, write_users};
use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::server::{SecureServer, Setup};
use crate::support::wait::wait_until;

#[test]
fn a_reload_takes_the_file() {
    let scene = Scene::with_tree(
        &[],
        &["anna:HASH:HOMES/home:read", "boris:HASH:HOMES/home:all"],
        &["home/file", "other/"],
    );
    let mut anna = scene.client("anna");
    let mut boris = scene.client("boris");
    assert!(!is_done(&mut anna, "STOR new"));
    scene.rewrite(&["anna:HASH:HOMES/home:all", "chen:HASH:HOMES/home:read"]);
    scene.server.reload();
    wait_until("new rights", || is_done(&mut anna, "STOR new"));
    // Without a command of the client.
    boris.expect(421);
    boris.expect_closed();
    assert_eq!(scene.try_login("boris").code, 530);
    scene.client("chen").expect_in_step();

    // Another home.
    scene.rewrite(&["anna:HASH:HOMES/other:all"]);
    scene.server.reload();
    let reply = anna.expect(421);
    assert_eq!(
        reply.text(),
        "421 This account has been changed; log in again."
    );
    assert_eq!(scene.client("anna").fetch("NLST"), b"");
}

/// As that of a user who was removed.
#[test]
fn a_session_ends_that_its_line_would_refuse_now() {
    let lines = ["anna", "boris", "chen", "dora"].map(|name| format!("{name}:HASH:HOMES/home:all"));
    let lines = lines.each_ref().map(String::as_str);
    let scene = Scene::with_tree(&[], &lines, &["home/file"]);
    let [mut anna, mut boris, mut chen, mut dora] =
        ["anna", "boris", "chen", "dora"].map(|name| scene.client(name));
    scene.rewrite(&[
        "anna:HASH:HOMES/home:all:allow=127.0.0.0/8",
        "boris:HASH:HOMES/home:all:allow=192.0.2.0/24",
        "chen:HASH:HOMES/home:all:deny=127.0.0.1",
        "dora:HASH:HOMES/home:read:deny=192.0.2.0/24",
    ]);
    scene.server.reload();
    for client in [&mut boris, &mut chen] {
        let reply = client.expect(421);
        let expected = "421 This account has been changed; log in again.";
        assert_eq!(reply.text(), expected);
        client.expect_closed();
    }
    for client in [&mut anna, &mut dora] {
        client.expect_in_step();
        assert_eq!(client.fetch("RETR file"), b"home/file");
    }
    assert_eq!(scene.try_login("boris").code, 530);
}

#[test]
fn a_session_in_clear_text_ends_if_its_user_must_use_tls_now() {
    let setup = Setup::from_flags_alone();
    let (file, home) = (setup.directory().join("users"), setup.root());
    write_users(&file, &home, &["anna:HASH:HOMES:all"]);
    let setup = setup.flags(&["-i", "127.0.0.1", "-p", "0", "--users", path(&file)]);
    let secure = SecureServer::in_process_from(setup);
    let mut clear = Client::greeted(secure.server.address);
    assert_eq!(log_in(&mut clear, "anna").code, 230);
    let mut secured = secure.secured(&secure.config(&TLS13));
    assert_eq!(log_in(&mut secured, "anna").code, 230);
    write_users(&file, &home, &["anna:HASH:HOMES:all:tls"]);
    secure.server.reload();
    clear.expect(421);
    clear.expect_closed();
    secured.expect_in_step();
}

/// By itself, within some seconds.
#[test]
fn a_changed_file_is_taken_without_a_reload() {
    let scene = Scene::with_tree(&[], &["anna:HASH:HOMES/home:read"], &["home/file"]);
    let mut anna = scene.client("anna");
    scene.rewrite(&["anna:HASH:HOMES/home:all:dir=/d,none"]);
    wait_until("new rights", || is_done(&mut anna, "STOR new"));
    assert!(!is_done(&mut anna, "MKD d"));
}

#[test]
fn a_broken_file_changes_nothing() {
    let scene = Scene::with_tree(&[], &["anna:HASH:HOMES/home:all"], &["home/file"]);
    let mut anna = scene.client("anna");
    for broken in [
        &["anna:HASH:HOMES/home:all", "boris:HASH:home:all"][..],
        &["anna:HASH:HOMES/home:all", "anna:HASH:HOMES/home:read"],
        &["# none"],
        &[""],
    ] {
        scene.rewrite(broken);
        scene.server.reload();
        // Messages are handled in order: when a later client is served, the reload is over.
        scene.client("anna").expect_in_step();
        assert!(is_done(&mut anna, "STOR new"), "{broken:?}");
        assert_eq!(scene.try_login("boris").code, 530);
    }
    fs::remove_file(&scene.file).expect("the users file");
    scene.server.reload();
    scene.client("anna").expect_in_step();
    assert!(is_done(&mut anna, "STOR new"));
    scene.rewrite(&["anna:HASH:HOMES/home:read"]);
    scene.server.reload();
    wait_until("new rights", || !is_done(&mut anna, "STOR new"));
}

/// As at the start. Only root's server has this rule.
#[test]
fn a_changed_file_does_not_share_the_root_directory() {
    let place = TempDir::new().expect("a temporary directory");
    let [file, homes] = ["users", "homes"].map(|name| place.path().join(name));
    fs::create_dir_all(homes.join("home")).expect("a directory");
    write_users(&file, &homes, &["anna:HASH:HOMES/home:all"]);
    let flags = ["-i", "127.0.0.1", "-p", "0", "--users", path(&file)];
    let server = Setup::from_flags_alone().flags(&flags).program();
    let lines = ["anna:HASH:HOMES/home:all", "boris:HASH:/:all"];
    write_users(&file, &homes, &lines);
    server.log_with("--users: boris: the home /: this is the root directory");
    let mut boris = Client::greeted(server.address);
    assert_eq!(log_in(&mut boris, "boris").code, 530);
    server.finish();
}

/// The rights of its beginning are those of an upload that runs; a removed user's upload ends.
#[test]
fn an_upload_goes_on_unless_its_user_is_removed() {
    let scene = Scene::with_tree(
        &[],
        &["anna:HASH:HOMES/home:all", "boris:HASH:HOMES/home:all"],
        &["home/"],
    );
    let mut anna = scene.client("anna");
    let mut boris = scene.client("boris");
    let mut of_anna = anna.data();
    anna.command("STOR of-anna", 150);
    let mut of_boris = boris.data();
    boris.command("STOR of-boris", 150);
    for data in [&mut of_anna, &mut of_boris] {
        data.write_all(b"one ").expect("sending data");
    }
    scene.rewrite(&["anna:HASH:HOMES/home:read"]);
    scene.server.reload();
    boris.expect(421);
    of_anna.write_all(b"two").expect("sending data");
    drop(of_anna);
    anna.expect(226);
    assert_eq!(anna.fetch("RETR of-anna"), b"one two");
    assert!(!is_done(&mut anna, "DELE of-anna"));
}
