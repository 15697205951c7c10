//! Several users of a file: homes, rights, limits, and a file that changes.

mod limits;
mod links;
mod mounts;
mod offices;
mod quota;
mod reload;
mod rights;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::support::client::{Client, Reply};
use crate::support::client_program::path;
use crate::support::data::read_all;
use crate::support::server::{InProcess, Setup, TestServer};

/// A server for the users of a file, who have homes in one directory.
struct Scene {
    server: TestServer<InProcess>,
    file: PathBuf,
    homes: PathBuf,
}

impl Scene {
    /// In each line, `HASH` stands for the hash of [`SECRET`], and `HOMES` for a directory.
    fn new(flags: &[&str], lines: &[&str]) -> Self {
        let setup = Setup::from_flags_alone();
        let homes = setup.directory().join("homes");
        let file = setup.directory().join("users");
        fs::create_dir(&homes).expect("a directory");
        write_users(&file, &homes, lines);
        let setup = setup.flags(&["-i", "127.0.0.1", "-p", "0", "--users", path(&file)]);
        Self {
            server: setup.flags(flags).in_process(),
            file,
            homes,
        }
    }

    /// The same with these directories and files below `HOMES`; a name that ends with a slash is
    /// one of a directory.
    fn with_tree(flags: &[&str], lines: &[&str], tree: &[&str]) -> Self {
        let scene = Self::new(flags, lines);
        scene.make(tree);
        scene
    }

    fn make(&self, tree: &[&str]) {
        for name in tree {
            let place = self.homes.join(name.trim_end_matches('/'));
            let directory = if name.ends_with('/') {
                &*place
            } else {
                place.parent().expect("a directory")
            };
            fs::create_dir_all(directory).expect("a directory");
            if !name.ends_with('/') {
                fs::write(&place, *name).expect("a file");
            }
        }
    }

    fn rewrite(&self, lines: &[&str]) {
        write_users(&self.file, &self.homes, lines);
    }

    /// A client of this user, in type I.
    #[track_caller]
    fn client(&self, name: &str) -> Client {
        Client::of_user(self.server.address, name, SECRET)
    }

    /// The last reply to a login.
    fn try_login(&self, name: &str) -> Reply {
        log_in(&mut Client::greeted(self.server.address), name)
    }

    fn exists(&self, name: &str) -> bool {
        self.homes.join(name).exists()
    }
}

pub(super) fn log_in(client: &mut Client, name: &str) -> Reply {
    client.log_in_as(name, SECRET)
}

pub(super) fn write_users(file: &Path, homes: &Path, lines: &[&str]) {
    let text = lines.join("\n").replace("HASH", HASH);
    let text = text.replace("HOMES", path(homes));
    // At once: a server that reads half of it would refuse that.
    let new = file.with_extension("new");
    fs::write(&new, text + "\n").expect("a users file");
    fs::rename(&new, file).expect("a users file");
}

/// Whether the server does what a line asks for; ` | ` separates several. A transfer is performed
/// as a whole.
#[track_caller]
fn is_done(client: &mut Client, line: &str) -> bool {
    let verb = line.split(' ').next().unwrap_or_default();
    let is_upload = ["STOR", "STOU", "APPE"].contains(&verb);
    let is_download = ["RETR", "LIST", "NLST", "MLSD"].contains(&verb);
    if !is_upload && !is_download {
        return line.split(" | ").all(|line| {
            client.send(line);
            is_success(line, &client.reply())
        });
    }
    let mut data = client.data();
    client.send(line);
    let reply = client.reply();
    if !is_success(line, &reply) {
        return false;
    }
    if is_upload {
        data.write_all(b"new").expect("sending data");
        drop(data);
    } else {
        read_all(&mut data);
    }
    client.expect(226);
    true
}

/// What is refused is refused by the login's rights, and says so: that it may not do that, or that
/// it may only store new files.
#[track_caller]
fn is_success(line: &str, reply: &Reply) -> bool {
    let text = reply.text();
    let is_of_login = text.contains("This login may") || text == "553 File exists.";
    assert!(reply.code < 400 || is_of_login, "{line}: {text}");
    reply.code < 400
}

#[test]
fn each_user_has_a_home() {
    let scene = Scene::with_tree(
        &[],
        &["anna:HASH:HOMES/anna:all", "boris:HASH:HOMES/boris:read"],
        &["anna/of-anna", "boris/of-boris"],
    );
    let mut anna = scene.client("anna");
    let mut boris = scene.client("boris");
    assert_eq!(anna.fetch("NLST"), b"of-anna\r\n");
    assert_eq!(boris.fetch("NLST"), b"of-boris\r\n");
    let reply = anna.command("PWD", 257);
    assert!(reply.text().starts_with("257 \"/\""), "{}", reply.text());
    anna.command("CWD ..", 250);
    assert_eq!(anna.fetch("NLST"), b"of-anna\r\n");
    anna.command("SIZE ../boris/of-boris", 550);
    anna.store("STOR new", "text");
    assert!(scene.exists("anna/new"));
    boris.command("DELE of-boris", 550);

    // Another login in the same session.
    assert_eq!(log_in(&mut anna, "boris").code, 230);
    assert_eq!(anna.fetch("NLST"), b"of-boris\r\n");
}

#[test]
fn unknown_names_and_wrong_passwords_are_refused() {
    let scene = Scene::with_tree(
        &[],
        &["anna:HASH:HOMES/anna:all", "boris:*:HOMES/anna:all"],
        &["anna/"],
    );
    for name in ["eve", "boris", "Anna", "anonymous", "ftp"] {
        assert_eq!(scene.try_login(name).code, 530, "{name}");
    }
    let mut client = Client::greeted(scene.server.address);
    client.command("USER anna", 331);
    client.command("PASS wrong", 530);
    assert_eq!(log_in(&mut client, "anna").code, 230);
}

#[test]
fn anonymous_is_a_line_of_the_file() {
    let scene = Scene::with_tree(
        &[],
        &["anna:HASH:HOMES/anna:all", "anonymous::HOMES/drop:dropbox"],
        &["anna/", "drop/there"],
    );
    let mut client = Client::greeted(scene.server.address);
    client.command("USER ftp", 331);
    client.command("PASS me@example.org", 230);
    client.store("STOR new", "text");
    assert!(scene.exists("drop/new"));
    assert!(!is_done(&mut client, "NLST"));
    assert!(!is_done(&mut client, "RETR there"));
    assert!(!is_done(&mut client, "DELE there"));
}

/// The user of the flags has the shared directory.
#[test]
fn a_user_of_flags_stands_beside_the_file() {
    let setup = Setup::new();
    let file = setup.directory().join("users");
    let home = setup.directory().join("home");
    fs::create_dir(&home).expect("a directory");
    write_users(&file, &home, &["anna:HASH:HOMES:all"]);
    let server = setup.flags(&["--users", path(&file)]).in_process();
    server.write("shared", "");
    assert_eq!(server.client().fetch("NLST"), b"shared\r\n");
    let mut anna = Client::greeted(server.address);
    assert_eq!(log_in(&mut anna, "anna").code, 230);
    assert_eq!(anna.fetch("NLST"), b"");
}

#[test]
fn a_missing_home_is_not_available_until_it_is_there() {
    let lines = [
        "anna:HASH:HOMES/anna:all",
        "boris:HASH:HOMES/deep/boris:all",
    ];
    let scene = Scene::new(&[], &lines);
    assert_eq!(scene.try_login("anna").code, 421);
    scene.make(&["anna/file"]);
    assert_eq!(scene.client("anna").fetch("NLST"), b"file\r\n");

    let scene = Scene::new(&["--create-home"], &lines);
    scene.client("anna").store("STOR new", "text");
    assert!(scene.exists("anna/new"));
    assert_eq!(scene.try_login("boris").code, 421);
    assert!(!scene.exists("deep"));
}

/// No client sees the file, although it is in a home.
#[test]
fn the_file_is_not_served() {
    let setup = Setup::from_flags_alone();
    let home = setup.directory().join("home");
    let file = home.join("users");
    fs::create_dir(&home).expect("a directory");
    write_users(&file, &home, &["anna:HASH:HOMES:all"]);
    let flags = ["-i", "127.0.0.1", "-p", "0", "--users", path(&file)];
    let server = setup.flags(&flags).in_process();
    let mut client = Client::greeted(server.address);
    assert_eq!(log_in(&mut client, "anna").code, 230);
    client.command("TYPE I", 200);
    assert_eq!(client.fetch("NLST"), b"");
    for line in ["SIZE users", "DELE users", "RNFR users", "MKD users"] {
        client.command(line, 550);
    }
    assert!(file.exists());
}

const SECRET: &str = "secret";

/// Of that password, by crypt(3), with few rounds: tests log in often.
pub(crate) const HASH: &str = "$6$rounds=1000$usersusers$rDtNMqXv5rHVS8wJVAZJRFNSjjHmecsa53b2vpG.\
                    eqy14bU82CvPbioGNJf7UUilu2efDD90jcEEsX3Jj0935/";
