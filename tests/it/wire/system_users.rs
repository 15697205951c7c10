//! `--system-users`: users of the system log in, and the kernel decides what each of them may do.
//!
//! The tests run as root. The server finds an `/etc` of the test in place of this machine's.

mod beside;
mod check;
mod groups;
mod kernel;
mod others;
mod ownership;
mod sessions;
mod start;
mod threads;
mod unfit;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::client::{Client, Reply};
use crate::support::data::read_all;
use crate::support::process::{self, Finished};
use crate::support::server::{self, Program, Setup, TestServer};

/// Users, groups and homes that the server finds.
struct Place {
    directory: TempDir,
}

/// A server for these users.
struct Scene {
    server: TestServer<Program>,
    // Dropped after the server.
    place: Place,
}

impl Place {
    /// Alice, Bob and Carol, with homes that are closed to each other.
    fn new() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "only root can serve the users of the system: run `tests/run` as root"
        );
        let directory = TempDir::new().expect("a temporary directory");
        fs::set_permissions(directory.path(), Permissions::from_mode(0o711)).expect("a mode");
        let place = Self { directory };
        for name in ["etc", "homes"] {
            fs::create_dir(place.path(name)).expect("a directory");
        }
        place.write_etc("passwd", PASSWD);
        place.write_etc("shadow", &shadow());
        place.write_etc("group", GROUP);
        place.write_etc("shells", "# shells\n/bin/sh\n/bin/bash\n");
        place.write_etc("nsswitch.conf", "passwd: files\ngroup: files\n");
        for (name, user, group) in [
            ("alice", ALICE, ALICE),
            ("bob", BOB, BOB),
            ("carol", CAROL, TEAM),
        ] {
            place.make_directory(&format!("homes/{name}"), user, group, 0o700);
            place.make_file(&format!("homes/{name}/of-{name}"), user, group, 0o600);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn home(&self, name: &str) -> PathBuf {
        self.path("homes").join(name)
    }

    /// Replaces a file of `/etc`. `HOMES` stands for the directory of the homes.
    fn write_etc(&self, name: &str, text: &str) {
        let homes = self.path("homes");
        let text = text.replace("HOMES", homes.to_str().expect("UTF-8"));
        let (new, file) = (self.path("new"), self.path("etc").join(name));
        fs::write(&new, text).expect("a file");
        let mode = if name == "shadow" { 0o600 } else { 0o644 };
        fs::set_permissions(&new, Permissions::from_mode(mode)).expect("a mode");
        // At once: a server that reads half of it would find half of the users.
        fs::rename(&new, file).expect("a file");
    }

    fn make_directory(&self, name: &str, user: u32, group: u32, mode: u32) {
        let directory = self.path(name);
        fs::create_dir(&directory).expect(name);
        own(&directory, user, group, mode);
    }

    /// A file that holds its name.
    fn make_file(&self, name: &str, user: u32, group: u32, mode: u32) {
        let file = self.path(name);
        fs::write(&file, name).expect(name);
        own(&file, user, group, mode);
    }

    /// The command of a server that finds these users.
    fn know(&self, serve: &Command) -> Command {
        process::mounting("mount --bind \"$0\" /etc", &[&self.path("etc")], serve)
    }

    /// Runs the program to its end.
    fn run(&self, flags: &[&str]) -> Finished {
        let serve = server::command(&[&LISTEN[..], flags].concat());
        process::run(&mut self.know(&serve), 20)
    }

    /// A server with `--system-users` and these flags.
    fn serve(self, flags: &[&str]) -> Scene {
        let setup = Setup::from_flags_alone().flags(&LISTEN);
        self.serve_with(setup.flags(&["--system-users"]).flags(flags))
    }

    fn serve_with(self, setup: Setup<'_>) -> Scene {
        let server = setup.flags(&PATIENT).wrapped(|serve| self.know(&serve));
        Scene {
            server: server.program(),
            place: self,
        }
    }
}

impl Scene {
    fn new(flags: &[&str]) -> Self {
        Place::new().serve(flags)
    }

    /// A client of this user, in type I.
    #[track_caller]
    fn client(&self, name: &str) -> Client {
        Client::of_user(self.server.address, name, &secret_of(name))
    }

    /// The last reply to a login of a new client.
    fn try_login(&self, name: &str, password: &str) -> Reply {
        Client::greeted(self.server.address).log_in_as(name, password)
    }

    /// Ends the server. The log has no error and no password.
    #[track_caller]
    fn finish(self) -> String {
        let log = self.server.finish();
        assert!(!log.contains(" ERROR "), "{log}");
        assert!(!log.contains("secret-of-"), "{log}");
        log
    }
}

/// The end of one or several commands.
struct Outcome {
    /// The last one.
    reply: Reply,
    /// What a transfer to us has brought.
    data: Vec<u8>,
}

fn log_in(client: &mut Client, name: &str) -> Reply {
    client.log_in_as(name, &secret_of(name))
}

fn secret_of(name: &str) -> String {
    format!("secret-of-{name}")
}

/// Performs a line, with its transfer; ` | ` separates several, and the first refusal ends them.
#[track_caller]
fn perform(client: &mut Client, lines: &str) -> Outcome {
    let mut outcome = None;
    for line in lines.split(" | ") {
        let done = perform_one(client, line);
        let is_refused = done.reply.code >= 400;
        outcome = Some(done);
        if is_refused {
            break;
        }
    }
    outcome.expect("a line")
}

#[track_caller]
fn perform_one(client: &mut Client, line: &str) -> Outcome {
    let verb = line.split(' ').next().unwrap_or_default();
    let is_upload = ["STOR", "STOU", "APPE"].contains(&verb);
    let is_download = ["RETR", "LIST", "NLST", "MLSD"].contains(&verb);
    let mut bytes = Vec::new();
    if !is_upload && !is_download {
        client.send(line);
        let reply = client.reply();
        return Outcome { reply, data: bytes };
    }
    let mut data = client.data();
    client.send(line);
    let mut reply = client.reply();
    if reply.code < 200 {
        if is_upload {
            // The server may refuse it already.
            let _ = data.write_all(b"new");
        } else {
            bytes = read_all(&mut data);
        }
        drop(data);
        reply = client.reply();
    }
    Outcome { reply, data: bytes }
}

fn own(path: &Path, user: u32, group: u32, mode: u32) {
    chown(path, Some(user), Some(group)).expect("an owner: run as root");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

/// Owner and group, without following a link.
#[track_caller]
fn owner(path: &Path) -> (u32, u32) {
    let metadata = fs::symlink_metadata(path);
    let metadata = metadata.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (metadata.uid(), metadata.gid())
}

/// All paths below a directory, links themselves instead of their targets, sorted.
fn tree(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut ahead = vec![directory.to_owned()];
    while let Some(directory) = ahead.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("its type").is_dir() {
                ahead.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// The home is the root, and nothing outside of it is to be had.
#[test]
fn each_user_has_a_home() {
    let scene = Scene::new(&["-w"]);
    for (name, other) in [("alice", "bob"), ("bob", "alice")] {
        let mut client = scene.client(name);
        let listing = format!("of-{name}\r\n");
        assert_eq!(client.fetch("NLST"), listing.as_bytes());
        let reply = client.command("PWD", 257);
        assert!(reply.text().starts_with("257 \"/\""), "{}", reply.text());
        client.command("CWD ..", 250);
        client.command("CDUP", 250);
        assert_eq!(client.fetch("NLST"), listing.as_bytes());
        let home = scene.place.home(other);
        let home = home.to_str().expect("UTF-8");
        for path in [format!("../{other}"), home.to_owned()] {
            for line in [
                format!("CWD {path}"),
                format!("SIZE {path}/of-{other}"),
                format!("MLST {path}"),
                format!("DELE {path}/of-{other}"),
            ] {
                client.command(line, 550);
            }
        }
        client.store("STOR new", "text");
        assert!(scene.place.home(name).join("new").exists());
    }
    let log = scene.finish();
    for name in ["alice", "bob"] {
        let line = format!(" {name}@127.0.0.1 logged in");
        assert!(log.contains(&line), "no {line} in\n{log}");
    }
}

/// As the user of `--username` without it.
#[test]
fn without_write_users_only_read() {
    let scene = Scene::new(&[]);
    let mut client = scene.client("alice");
    assert_eq!(client.fetch("RETR of-alice"), b"homes/alice/of-alice");
    for line in [
        "STOR new",
        "APPE of-alice",
        "STOU new",
        "DELE of-alice",
        "MKD new",
        "RNFR of-alice",
        "SITE CHMOD 777 of-alice",
        "MFMT 20260101000000 of-alice",
    ] {
        let reply = perform(&mut client, line).reply;
        assert!(reply.code >= 500, "{line}: {}", reply.text());
    }
    assert_eq!(tree(&scene.place.home("alice")).len(), 1);
    scene.finish();
}

/// The files of the system are read again for each login.
#[test]
fn a_new_password_is_for_the_next_login() {
    let scene = Scene::new(&[]);
    let mut before = scene.client("bob");
    let text = shadow().replace(&format!("bob:{BOB_HASH}"), &format!("bob:{CAROL_HASH}"));
    scene.place.write_etc("shadow", &text);
    assert_eq!(scene.try_login("bob", "secret-of-bob").code, 530);
    assert_eq!(scene.try_login("bob", "secret-of-carol").code, 230);
    before.expect_in_step();
    scene.finish();
}

fn shadow() -> String {
    format!(
        "root:{BOB_HASH}:20000:0:99999:7:::\n\
         alice:{ALICE_HASH}:20000:0:99999:7:::\n\
         bob:{BOB_HASH}:20000:0:99999:7:::\n\
         carol:{CAROL_HASH}:20000::::::\n"
    )
}

const PASSWD: &str = "root:x:0:0::/root:/bin/sh\n\
                      alice:x:4801:4801:Alice,,,:HOMES/alice:/bin/sh\n\
                      bob:x:4802:4802::HOMES/bob:/bin/bash\n\
                      carol:x:4803:4811::HOMES/carol:/bin/sh\n";

const GROUP: &str = "root:x:0:\n\
                     alice:x:4801:\n\
                     bob:x:4802:\n\
                     media:x:4810:alice\n\
                     team:x:4811:bob\n\
                     family:x:4812:alice,bob\n";

const ALICE: u32 = 4801;
const BOB: u32 = 4802;
const CAROL: u32 = 4803;
const MEDIA: u32 = 4810;
const TEAM: u32 = 4811;
const FAMILY: u32 = 4812;

/// By crypt(3), of `secret-of-` and the name; with small costs, as tests log in often.
const ALICE_HASH: &str = "$y$j75$alicealicealice.$OT2asItNqare6sK0R/BL715GNG55VbSPaLFzyOLPyE1";
const BOB_HASH: &str = "$6$rounds=1000$bobbobbob$rmW4O4FUVtjgHWSq4LNdvu5vvEgjBrRe95S8IpxtyXzK83enF\
                        vbGs1qSbjYBzaPgi4ZFIXWJE6G9jrn0sg64M0";
const CAROL_HASH: &str = "$6$rounds=1000$carolcarol$41hnWBWphV2LbSatyMnlge6whLMN5cej4mZWXTOy.cnQFRGo\
                          oTEa/.DXHojxdhI.G6g9Zh2CD00Vix2D5z0Kp.";

const LISTEN: [&str; 4] = ["-i", "127.0.0.1", "-p", "0"];
/// Tests send many wrong passwords.
const PATIENT: [&str; 4] = ["--login-delay", "0", "--block-after", "0"];
