//! `--deny-commands`: what clients of a server without some commands get.

use std::fs;

use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::server::{PASSWORD, Setup, TestServer, USER};
use crate::support::wait::wait_until;

/// The lines of FEAT and HELP, without those of the frame.
fn listed(client: &mut Client, command: &str, code: u16) -> Vec<String> {
    let reply = client.command(command, code);
    let lines = reply.lines.iter().filter(|line| line.starts_with(b" "));
    let text: Vec<String> = lines
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let words = text.iter().flat_map(|line| line.split_whitespace());
    words.map(str::to_owned).collect()
}

#[test]
fn a_denied_command_is_502_and_is_not_listed() {
    let with_both = TestServer::in_process(&[]);
    let server = TestServer::in_process(&["--deny-commands", "epsv,EPRT"]);
    let mut before_login = Client::connect(server.address);
    before_login.expect(220);
    before_login.command("EPSV", 502);
    // Neighbours: another command, and another server.
    before_login.command("PASV", 530);
    let mut client = server.client();
    let mut other = with_both.client();
    for name in ["EPSV", "EPRT"].map(str::to_owned) {
        for (command, code) in [("FEAT", 211), ("HELP", 214)] {
            assert!(
                !listed(&mut client, command, code).contains(&name),
                "{command}"
            );
            assert!(
                listed(&mut other, command, code).contains(&name),
                "{command}"
            );
        }
        client.command(format!("HELP {name}"), 502);
        other.command(format!("HELP {name}"), 214);
    }
    client.command("EPRT |1|127.0.0.1|50000|", 502);
    client.command("EPSV ALL", 502);
    client.command("EPSV", 502);
    // EPSV ALL has not been executed.
    client.passive();
}

/// Running sessions follow, as with other settings.
#[test]
fn a_reload_changes_what_is_denied() {
    let directory = TempDir::new().expect("a temporary directory");
    let file = directory.path().join("ftp.conf");
    fs::write(&file, "deny-commands NOOP\n").expect("a configuration file");
    let flags = ["--config", path(&file), "-u", USER, "-P", PASSWORD];
    let server = Setup::without_account().flags(&flags).in_process();
    let mut running = server.client();
    running.command("NOOP", 502);
    running.command("EPSV", 229);
    fs::write(&file, "deny-commands EPSV\n").expect("a configuration file");
    server.reload();
    wait_until("EPSV is denied", || {
        running.send("EPSV");
        running.reply().code == 502
    });
    running.command("NOOP", 200);
    let mut new = server.client();
    new.command("EPSV", 502);
    new.command("NOOP", 200);
}

/// The log names the cause, each time: they are no unknown commands.
#[test]
fn the_log_names_the_flag() {
    let server = TestServer::program(&["--deny-commands", "EPSV,EPRT"]);
    let mut client = server.client();
    for command in ["EPSV", "epsv", "EPRT |1|127.0.0.1|50000|"] {
        client.command(command, 502);
    }
    client.command("NOSUCH", 500);
    let log = server.finish();
    for command in ["EPSV", "epsv", "EPRT |1|127.0.0.1|50000|"] {
        let line = format!("{command} refused: 502 Command not implemented. (see --deny-commands)");
        assert!(log.contains(&line), "{log}");
    }
    assert!(log.contains("NOSUCH refused: 500"), "{log}");
}
