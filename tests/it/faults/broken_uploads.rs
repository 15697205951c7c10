//! Uploads whose client vanishes, resets or aborts, at each stage, and what `--broken-uploads`
//! makes of them.
//!
//! With `keep`, the beginning of the new file takes the name, and REST goes on with it: but only if
//! a byte came, and if nothing has happened to the name since the upload began. With `discard` the
//! old file stays, and a REST that would join it and the rest of the new one is refused.

use std::fs;
use std::io::Write;
use std::net::TcpStream;

use tempfile::TempDir;

use super::{
    begin, expect_beginning, expect_bytes, expect_no_leftovers, expect_no_resume, other_noise,
    serve, wait_until_received,
};
use crate::support::client::Client;
use crate::support::client::tls::Protected;
use crate::support::data::{drain, reset};
use crate::support::file_contents::noise;
use crate::support::server::{Program, SecureServer, TestServer};
use crate::support::wait::{pass_time, wait_until};

/// How an upload breaks in its middle.
#[derive(Clone, Copy, Debug)]
enum Break {
    /// The data connection is reset.
    DataReset,
    /// The control connection is reset.
    ControlReset,
    /// The control connection ends, and after it the data connection is reset.
    ControlEndAndDataReset,
    /// The client's system closes both connections.
    Killed,
    /// ABOR.
    Abort,
}

const BREAKS: [Break; 5] = [
    Break::DataReset,
    Break::ControlReset,
    Break::ControlEndAndDataReset,
    Break::Killed,
    Break::Abort,
];

impl Break {
    /// Breaks the upload that moves, and waits until the server has logged that.
    #[track_caller]
    fn perform(
        self,
        server: &TestServer<Program>,
        mut client: Client,
        data: TcpStream,
        name: &str,
    ) {
        match self {
            Self::DataReset => {
                reset(data);
                client.expect(426);
                client.expect_in_step();
            }
            Self::ControlReset => reset(client.stream),
            Self::ControlEndAndDataReset => {
                drop(client);
                pass_time(BETWEEN_ENDS, "the server sees the first end alone");
                reset(data);
            }
            Self::Killed => {
                pass_time(MOVING, "it takes time until a client is killed");
                drop(data);
                drop(client);
            }
            Self::Abort => {
                client.send("ABOR");
                client.expect_all(&[426, 226]);
                drain(data);
                client.expect_in_step();
            }
        }
        let ends = [" ended after ", " failed after "].map(|end| format!("STOR /{name}{end}"));
        wait_until("the end is logged", || {
            let log = server.log();
            ends.iter().any(|end| log.contains(end))
        });
    }
}

#[test]
fn kept_pieces_can_be_resumed() {
    let server = TestServer::program(&[]);
    for how in BREAKS {
        for exists in [true, false] {
            let name = format!("{how:?}-{exists}");
            let new = other_noise(NEW_BYTES);
            if exists {
                server.write(&name, noise(OLD_BYTES));
            }
            let mut client = server.client();
            let data = begin(&mut client, &format!("STOR {name}"), &new[..SENT]);
            how.perform(&server, client, data, &name);
            wait_until("the piece has the name", || {
                server.path(&name).exists() && server.read(&name).len() == SENT
            });
            expect_beginning(&server.read(&name), &new, &name);
            expect_no_leftovers(&server.root());
            // As clients do it: SIZE says where to go on.
            let mut client = server.client();
            let size = client.command(format!("SIZE {name}"), 213).text();
            assert_eq!(size, format!("213 {SENT}"));
            client.command(format!("REST {SENT}"), 350);
            client.store(format!("STOR {name}"), &new[SENT..]);
            expect_bytes(&server.read(&name), &new, &name);
        }
    }
    server.finish();
}

#[test]
fn discarded_pieces_cannot_be_resumed() {
    let server = TestServer::program(&["--broken-uploads", "discard"]);
    for how in BREAKS {
        for exists in [true, false] {
            let name = format!("{how:?}-{exists}");
            let (old, new) = (noise(OLD_BYTES), other_noise(NEW_BYTES));
            if exists {
                server.write(&name, &old);
            }
            let mut client = server.client();
            let data = begin(&mut client, &format!("STOR {name}"), &new[..SENT]);
            how.perform(&server, client, data, &name);
            expect_no_leftovers(&server.root());
            for mut client in [server.client(), server.client()] {
                if exists {
                    expect_bytes(&server.read(&name), &old, &name);
                    expect_no_resume(&mut client, SENT, &name);
                } else {
                    client.command(format!("SIZE {name}"), 550);
                    client.extended_passive();
                    client.command(format!("REST {SENT}"), 350);
                    client.command(format!("STOR {name}"), 554);
                }
            }
            let mut client = server.client();
            client.store(format!("STOR {name}"), &new[..SENT]);
            client.command(format!("REST {SENT}"), 350);
            client.store(format!("STOR {name}"), &new[SENT..]);
            expect_bytes(&server.read(&name), &new, &name);
        }
    }
    server.finish();
}

/// Where no old file is left, no command can join one and the rest of the new file.
#[test]
fn discarded_pieces_of_new_files_are_no_obstacle() {
    let server = TestServer::program(&["--broken-uploads", "discard"]);
    let new = other_noise(NEW_BYTES);
    for command in ["STOR", "APPE", "REST"] {
        let mut client = server.client();
        let data = begin(&mut client, &format!("STOR {command}"), &new[..SENT]);
        reset(data);
        client.expect(426);
        let verb = if command == "APPE" { "APPE" } else { "STOR" };
        if command == "REST" {
            client.command("REST 0", 350);
        }
        client.store(format!("{verb} {command}"), &new);
        expect_bytes(&server.read(command), &new, command);
    }
    server.finish();
}

/// No byte came, so there is no piece: in no mode, and by no kind of end.
#[test]
fn an_upload_without_a_byte_changes_nothing() {
    for mode in ["keep", "discard"] {
        let server = TestServer::program(&["--broken-uploads", mode]);
        server.write("old", "the old file");
        let mut resets = 0;
        for name in ["old", "new"] {
            for connects in [true, false] {
                for aborts in [true, false] {
                    let mut client = server.client();
                    let port = client.extended_passive();
                    let data = connects.then(|| client.connect_data(port));
                    client.command(format!("STOR {name}"), 150);
                    if aborts {
                        client.send("ABOR");
                        client.expect_all(&[426, 226]);
                        client.expect_in_step();
                        drop(data);
                    } else {
                        reset(client.stream);
                        data.into_iter().for_each(reset);
                        resets += 1;
                        // Until then the name is in use.
                        wait_until("the session is over", || {
                            let reset =
                                " closed: the client is gone: its control connection was reset";
                            server.log().matches(reset).count() == resets
                        });
                    }
                    expect_untouched(&server);
                }
            }
            // Before the transfer command.
            let mut client = server.client();
            client.extended_passive();
            client.command("ABOR", 226);
            client.command(format!("STOR {name}"), 425);
            expect_untouched(&server);
        }
        server.finish();
    }
}

#[track_caller]
fn expect_untouched(server: &TestServer<Program>) {
    assert_eq!(server.read("old"), b"the old file");
    assert!(!server.path("new").exists());
    expect_no_leftovers(&server.root());
}

/// An ABOR behind the last byte comes before the end of the upload, or after it: the reply says so.
#[test]
fn an_abort_after_the_last_byte_is_one_or_the_other() {
    for mode in ["keep", "discard"] {
        let server = TestServer::program(&["--broken-uploads", mode]);
        let (old, new) = (noise(OLD_BYTES), other_noise(NEW_BYTES));
        for ends_first in [true, false] {
            server.write("file", &old);
            let mut client = server.client();
            let data = begin(&mut client, "STOR file", &new);
            if ends_first {
                drop(data);
                client.send("ABOR");
            } else {
                client.send("ABOR");
                drop(data);
            }
            let reply = client.reply();
            client.expect(226);
            let found = server.read("file");
            match (reply.code, mode) {
                (226, _) | (426, "keep") => expect_bytes(&found, &new, mode),
                (426, _) => expect_bytes(&found, &old, mode),
                _ => panic!("{}", reply.text()),
            }
            expect_no_leftovers(&server.root());
            client.expect_in_step();
        }
        server.finish();
    }
}

/// The control connection alone has ended, and then data came, and its end: the upload is complete.
#[test]
fn an_upload_goes_on_after_the_end_of_its_control_connection() {
    for mode in ["keep", "discard"] {
        let server = TestServer::program(&["--broken-uploads", mode]);
        let new = other_noise(NEW_BYTES);
        server.write("file", noise(OLD_BYTES));
        let mut client = server.client();
        let mut data = begin(&mut client, "STOR file", &new[..SENT]);
        drop(client);
        pass_time(BETWEEN_ENDS, "the server sees the first end alone");
        data.write_all(&new[SENT..]).expect("sending data");
        drop(data);
        server.log_with(&format!("STOR /file: {NEW_BYTES} bytes in"));
        expect_bytes(&server.read("file"), &new, mode);
        expect_no_leftovers(&server.root());
        server.finish();
    }
}

/// What has happened to the name since the upload began is newer than its piece.
#[test]
fn a_piece_never_replaces_what_is_newer() {
    type Change = fn(&TestServer<Program>);
    let changes: [(&str, Change, Option<&[u8]>); 5] = [
        (
            "removed",
            |server| {
                server.client().command("DELE file", 250);
            },
            None,
        ),
        (
            "renamed",
            |server| {
                let mut other = server.client();
                other.command("RNFR file", 350);
                other.command("RNTO moved", 250);
            },
            None,
        ),
        (
            "replaced",
            |server| {
                server.write("other", "newer");
                let mut other = server.client();
                other.command("RNFR other", 350);
                other.command("RNTO file", 250);
            },
            Some(b"newer"),
        ),
        (
            "replaced by a program",
            |server| {
                server.write("other", "newer");
                fs::rename(server.path("other"), server.path("file")).expect("a new name");
            },
            Some(b"newer"),
        ),
        (
            "removed and stored again by a program",
            |server| {
                fs::remove_file(server.path("file")).expect("no file");
                server.write("file", "newer");
            },
            Some(b"newer"),
        ),
    ];
    for mode in ["keep", "discard"] {
        let server = TestServer::program(&["--broken-uploads", mode]);
        for (what, change, expected) in changes {
            server.write("file", noise(OLD_BYTES));
            let mut client = server.client();
            let data = begin(&mut client, "STOR file", &other_noise(SENT));
            change(&server);
            reset(data);
            client.expect(426);
            let found = fs::read(server.path("file")).ok();
            assert!(found.as_deref() == expected, "{what}, {mode}");
            expect_no_leftovers(&server.root());
            client.expect_in_step();
        }
        server.finish();
    }
}

/// The same for a name that was free when the upload began.
#[test]
fn a_piece_never_replaces_a_file_that_came_meanwhile() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    let data = begin(&mut client, "STOR file", &other_noise(SENT));
    server.write("file", "newer");
    reset(data);
    client.expect(426);
    assert_eq!(server.read("file"), b"newer");
    expect_no_leftovers(&server.root());
    server.finish();
}

/// The client is there and sends nothing more.
#[test]
fn an_upload_that_ends_by_the_data_timeout_is_broken() {
    for mode in ["keep", "discard"] {
        let server = TestServer::program(&["--broken-uploads", mode, "--data-timeout", "1"]);
        let (old, new) = (noise(OLD_BYTES), other_noise(SENT));
        server.write("file", &old);
        let mut client = server.client();
        let _data = begin(&mut client, "STOR file", &new);
        client.expect(426);
        let expected = if mode == "keep" { new } else { old };
        expect_bytes(&server.read("file"), &expected, mode);
        expect_no_leftovers(&server.root());
        client.expect_in_step();
        server.finish();
    }
}

/// A server that ends in good order leaves no temporary file.
#[test]
fn an_upload_that_ends_with_the_server_is_broken() {
    for mode in ["keep", "discard"] {
        let root = TempDir::new().expect("a temporary directory");
        let file = root.path().join("file");
        let (old, new) = (noise(OLD_BYTES), other_noise(SENT));
        fs::write(&file, &old).expect("a file");
        let flags = ["--broken-uploads", mode, "--shutdown-grace", "0"];
        let server = serve(root.path(), &flags);
        let mut client = Client::logged_in(server.address);
        let _data = begin(&mut client, "STOR file", &new);
        server.finish();
        let expected = if mode == "keep" { new } else { old };
        expect_bytes(&fs::read(&file).expect("the file"), &expected, mode);
        expect_no_leftovers(root.path());
    }
}

/// The name of a STOU was announced, so its piece can be resumed.
#[test]
fn the_piece_of_a_unique_file_follows_the_rule_too() {
    for mode in ["keep", "discard"] {
        let server = TestServer::program(&["--broken-uploads", mode]);
        let new = other_noise(NEW_BYTES);
        let mut client = server.client();
        let mut data = client.data();
        let opened = client.command("STOU file", 150).text();
        let name = opened.strip_prefix("150 FILE: ").expect("a name");
        data.write_all(&new[..SENT]).expect("sending data");
        wait_until_received(&mut client, SENT);
        reset(data);
        client.expect(426);
        if mode == "keep" {
            client.command(format!("REST {SENT}"), 350);
            client.store(format!("STOR {name}"), &new[SENT..]);
            expect_bytes(&server.read(name), &new, name);
        } else {
            assert_eq!(fs::read_dir(server.root()).expect("the root").count(), 0);
        }
        expect_no_leftovers(&server.root());
        server.finish();
    }
}

/// Over TLS a reset is a broken upload; an end without close_notify is the end that many clients
/// make.
#[test]
fn protected_uploads_follow_the_rule_too() {
    for mode in ["keep", "discard"] {
        let secure = SecureServer::program(&["--broken-uploads", mode]);
        let server = &secure.server;
        let config = secure.config(&rustls::version::TLS13);
        let (old, new) = (noise(OLD_BYTES), other_noise(SENT));
        for ends in ["reset", "close_notify", "bare end"] {
            server.write("file", &old);
            let mut client = secure.client(&config);
            let socket = client.data();
            client.command("STOR file", 150);
            let mut data = Protected::over(socket, &config);
            data.write(&new);
            wait_until_received(&mut client, SENT);
            expect_bytes(&server.read("file"), &old, ends);
            match ends {
                "reset" => reset(data.socket),
                "bare end" => data.close_bare(),
                _ => data.close(),
            }
            client.expect(if ends == "reset" { 426 } else { 226 });
            let is_old = ends == "reset" && mode == "discard";
            expect_bytes(&server.read("file"), if is_old { &old } else { &new }, ends);
            expect_no_leftovers(&server.root());
            client.expect_in_step();
        }
        secure.server.finish();
    }
}

/// APPE and REST write in place: what they have stored stays, in both modes, and can be resumed.
#[test]
fn appended_pieces_stay() {
    for mode in ["keep", "discard"] {
        let server = TestServer::program(&["--broken-uploads", mode]);
        let whole = noise(NEW_BYTES);
        for command in ["APPE file", "STOR file"] {
            server.write("file", &whole[..OLD_BYTES]);
            let mut client = server.client();
            if command.starts_with("STOR") {
                client.command(format!("REST {OLD_BYTES}"), 350);
            }
            let data = begin(&mut client, command, &whole[OLD_BYTES..OLD_BYTES + SENT]);
            reset(data);
            client.expect(426);
            expect_bytes(&server.read("file"), &whole[..OLD_BYTES + SENT], command);
            let mut client = server.client();
            client.command(format!("REST {}", OLD_BYTES + SENT), 350);
            client.store("STOR file", &whole[OLD_BYTES + SENT..]);
            expect_bytes(&server.read("file"), &whole, command);
        }
        server.finish();
    }
}

const OLD_BYTES: usize = 150_000;
const NEW_BYTES: usize = 300_000;
/// Less than the old file, so that an offset there lies within it.
const SENT: usize = 100_001;

/// How long data moves until a client is killed.
const MOVING: std::time::Duration = std::time::Duration::from_millis(100);
/// Long enough for the server to see the first end alone.
const BETWEEN_ENDS: std::time::Duration = std::time::Duration::from_millis(20);
