//! Settings that change while sessions run.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::data::{STRANGER, connect, read_all, wait_until_closed};
use crate::support::file_contents::noise;
use crate::support::server::{InProcess, PASSWORD, Setup, TestServer, USER, own_address};
use crate::support::wait::wait_until;

/// A server whose settings come from a file that the test rewrites.
struct Configured {
    server: TestServer<InProcess>,
    file: PathBuf,
    _directory: TempDir,
}

impl Configured {
    /// `flags` stay as they are; `lines` are the file.
    fn new(flags: &[&str], lines: &[&str]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let file = directory.path().join("ftp.conf");
        write_lines(&file, lines);
        let setup = Setup::without_account().flags(&["--config", path(&file)]);
        Self {
            server: setup.flags(flags).in_process(),
            file,
            _directory: directory,
        }
    }

    fn reload(&self, lines: &[&str]) {
        write_lines(&self.file, lines);
        self.server.reload();
    }
}

fn write_lines(file: &Path, lines: &[&str]) {
    fs::write(file, lines.join("\n")).expect("a configuration file");
}

fn announced(client: &mut Client) -> IpAddr {
    client.passive().ip()
}

#[test]
fn a_running_session_announces_the_new_address() {
    let flags = [
        "-i",
        "127.0.0.1",
        "-u",
        USER,
        "-P",
        PASSWORD,
        "--local-networks",
        "none",
    ];
    let configured = Configured::new(&flags, &["masquerade-address 203.0.113.1"]);
    let mut client = configured.server.client();
    assert_eq!(announced(&mut client), Ipv4Addr::new(203, 0, 113, 1));
    configured.reload(&["masquerade-address 203.0.113.2"]);
    wait_until("the new address", || {
        announced(&mut client) == Ipv4Addr::new(203, 0, 113, 2)
    });
}

#[test]
fn a_reload_without_blocks_lifts_them() {
    let flags = ["-i", "127.0.0.1", "-u", USER, "-P", PASSWORD];
    let configured = Configured::new(&flags, &["block-after 1"]);
    let address = configured.server.address;
    let mut client = Client::connect_from(STRANGER, address);
    client.expect(220);
    client.command(format!("USER {USER}"), 331);
    client.command("PASS wrong", 530);
    Client::connect_from(STRANGER, address).expect(421);
    configured.reload(&["block-after 0"]);
    wait_until("the block is gone", || {
        Client::connect_from(STRANGER, address).reply().code == 220
    });
}

/// Running sessions go on.
#[test]
fn networks_that_are_served_change() {
    let flags = ["-i", "127.0.0.1", "-u", USER, "-P", PASSWORD];
    let configured = Configured::new(&flags, &["deny 127.0.0.2/31"]);
    let address = configured.server.address;
    let mut stranger = Client::connect_from(STRANGER, address);
    let reply = stranger.expect(421);
    assert_eq!(reply.text(), "421 Clients at your address are not served.");
    stranger.expect_closed();
    let mut client = configured.server.client();
    // A longer prefix allows the stranger; others are then in no network.
    configured.reload(&["deny 127.0.0.2/31", "allow 127.0.0.2"]);
    wait_until("the stranger is served", || {
        Client::connect_from(STRANGER, address).reply().code == 220
    });
    Client::connect(address).expect(421);
    client.expect_in_step();
}

/// Where a client was sent to stands in the log once, with the rule, although two commands announce
/// it.
#[test]
fn the_log_names_an_announced_address_once() {
    let server = TestServer::program(&[
        "--masquerade-address",
        "203.0.113.1",
        "--local-networks",
        "none",
    ]);
    let mut client = server.client();
    let first = client.passive();
    client.passive();
    client.command("DELE missing", 550);
    let log = server.log_with("DELE /missing refused");
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("passive mode announces"))
        .collect();
    let expected = format!(
        "passive mode announces 203.0.113.1, port {}, by the masquerade address",
        first.port()
    );
    assert!(
        lines.len() == 1 && lines[0].ends_with(&expected),
        "{lines:?}"
    );
    server.finish();
}

/// A name in the hosts file, so that no name server is asked: its address is announced as soon as
/// the name is resolved, stays after a reload, and is replaced by a reload that names an address.
#[test]
fn a_running_session_announces_the_address_of_a_name() {
    let ours = own_address().to_string();
    let flags = [
        "-i",
        &ours,
        "-u",
        USER,
        "-P",
        PASSWORD,
        "--local-networks",
        "none",
    ];
    let configured = Configured::new(&flags, &["masquerade-address localhost"]);
    let mut client = configured.server.client();
    wait_until("the name's address", || {
        announced(&mut client) == Ipv4Addr::LOCALHOST
    });
    let name = "masquerade-address localhost";
    configured.reload(&[name, "masquerade-refresh 3600"]);
    // Messages are handled in order: when a later client is served, the reload is over.
    configured.server.client().expect_in_step();
    assert_eq!(announced(&mut client), Ipv4Addr::LOCALHOST);
    configured.reload(&["masquerade-address 203.0.113.1"]);
    configured.server.client().expect_in_step();
    assert_eq!(announced(&mut client), Ipv4Addr::new(203, 0, 113, 1));
    configured.reload(&[
        "masquerade-address 203.0.113.1",
        &format!("masquerade-address-map {ours}=localhost"),
    ]);
    wait_until("the name's address by the map", || {
        announced(&mut client) == Ipv4Addr::LOCALHOST
    });
}

/// What reads the settings stands for a directory on a disk that does not answer.
#[test]
fn clients_are_served_while_the_settings_are_read() {
    let (release, released) = mpsc::channel::<()>();
    let reads = AtomicUsize::new(0);
    let setup = Setup::new().settings(move |settings| {
        let number = reads.fetch_add(1, Ordering::Relaxed);
        if number == 1 {
            let _ = released.recv();
        }
        if number == 2 {
            settings.banner = Some("the second reload".to_owned());
        }
    });
    let server = setup.in_process();
    server.reload();
    // The main thread accepts them.
    let mut first = server.client();
    first.expect_in_step();
    server.client().expect_in_step();
    // It is not forgotten.
    server.reload();
    server.client().expect_in_step();
    drop(release);
    wait_until("both reloads", || {
        let mut client = Client::connect(server.address);
        client.reply().text().contains("the second reload")
    });
    first.expect_in_step();
}

/// Neither a file with an error nor an address that the system refuses changes anything; the next
/// good file takes effect.
#[test]
fn a_bad_file_changes_nothing() {
    let (ours, occupied) = (own_address(), own_address());
    let _occupant = TcpListener::bind((occupied, 20103)).expect("a listener");
    let interface = |address: Ipv4Addr| format!("interface {address}");
    let (ours, occupied) = (interface(ours), interface(occupied));
    let flags = [
        "-p",
        "20103",
        "-u",
        USER,
        "-P",
        PASSWORD,
        "--local-networks",
        "none",
    ];
    let configured = Configured::new(&flags, &["masquerade-address 203.0.113.1", &ours]);
    let mut client = configured.server.client();
    for bad in [
        &["masquerade-address 203.0.113.2", &ours, "timeout never"][..],
        &[
            "masquerade-address 203.0.113.2",
            &ours,
            "passive-ports 70-60",
        ],
        &["masquerade-address 203.0.113.2", &ours, "no-such-name"],
        &["masquerade-address 203.0.113.2", &occupied],
    ] {
        configured.reload(bad);
        // Messages are handled in order: when a later client is served, the reload is over.
        configured.server.client().expect_in_step();
        let found = announced(&mut client);
        assert_eq!(found, Ipv4Addr::new(203, 0, 113, 1), "{bad:?}");
    }
    configured.reload(&["masquerade-address 203.0.113.3", &ours]);
    wait_until("the good file", || {
        announced(&mut client) == Ipv4Addr::new(203, 0, 113, 3)
    });
}

#[test]
fn listeners_come_and_go_and_sessions_stay() {
    let (first, second) = (own_address(), own_address());
    let only = |address: Ipv4Addr| format!("interface {address}");
    let flags = ["-p", "20100", "-u", USER, "-P", PASSWORD];
    let configured = Configured::new(&flags, &[&only(first)]);
    let (here, there) = (
        SocketAddr::from((first, 20100)),
        SocketAddr::from((second, 20100)),
    );
    let mut client = Client::logged_in(here);
    configured.reload(&[&only(second)]);
    wait_until("the new listener", || TcpStream::connect(there).is_ok());
    wait_until_closed(here);
    client.expect_in_step();
    Client::logged_in(there).expect_in_step();
}

/// A listener on all addresses is replaced by one on a single address, on the same port: only one
/// of the two sockets can exist.
#[test]
fn a_listener_may_replace_one_of_the_same_port() {
    let address = own_address();
    let flags = ["-p", "20101", "-u", USER, "-P", PASSWORD];
    let all = "interface 0.0.0.0";
    let one = format!("interface {address}");
    let configured = Configured::new(&flags, &[all]);
    let mut client = Client::logged_in(SocketAddr::from((address, 20101)));
    configured.reload(&[&one]);
    wait_until_closed(SocketAddr::from((Ipv4Addr::LOCALHOST, 20101)));
    // For a moment there is neither of the two.
    let there = SocketAddr::from((address, 20101));
    wait_until("the new listener", || TcpStream::connect(there).is_ok());
    Client::logged_in(there).expect_in_step();
    client.expect_in_step();
}

#[test]
fn a_new_password_applies_to_new_logins() {
    let flags = ["-i", "127.0.0.1", "-u", USER];
    let configured = Configured::new(&flags, &[&format!("password {PASSWORD}")]);
    let mut client = configured.server.client();
    configured.reload(&["password another"]);
    wait_until("the new password", || {
        let mut other = Client::greeted(configured.server.address);
        other.command(format!("USER {USER}"), 331);
        other.send("PASS another");
        other.reply().code == 230
    });
    client.expect_in_step();
    let mut other = Client::greeted(configured.server.address);
    other.command(format!("USER {USER}"), 331);
    other.command(format!("PASS {PASSWORD}"), 530);
}

/// Twenty sessions and their transfers, while the public address and the range change all the time.
#[test]
fn reloads_disturb_no_transfer() {
    const SESSIONS: usize = 20;
    const SWAPS: usize = 60;
    const RANGES: [(u16, u16); 2] = [(20000, 20009), (20010, 20019)];
    let host = own_address();
    let interface = host.to_string();
    let flags = [
        "-i",
        &interface,
        "-u",
        USER,
        "-P",
        PASSWORD,
        "-w",
        "--local-networks",
        "none",
    ];
    let settings = [
        [
            "masquerade-address 203.0.113.1",
            "passive-ports 20000-20009",
        ],
        [
            "masquerade-address 203.0.113.2",
            "passive-ports 20010-20019",
        ],
    ];
    let configured = Configured::new(&flags, &settings[0]);
    let address = configured.server.address;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..SESSIONS {
            let bytes = noise(50_000 + number);
            let name = format!("file{number}");
            configured.server.write(&name, &bytes);
            let over = &over;
            scope.spawn(move || {
                let mut client = Client::logged_in(address);
                while !over.load(Ordering::Relaxed) {
                    let port = client.passive();
                    assert!(
                        (1..=2).any(|last| port.ip() == Ipv4Addr::new(203, 0, 113, last)),
                        "{port}"
                    );
                    let in_range = |&(first, last)| (first..=last).contains(&port.port());
                    assert!(RANGES.iter().any(in_range), "{port}");
                    let mut data = connect(SocketAddr::new(address.ip(), port.port()));
                    client.command(format!("RETR {name}"), 150);
                    assert!(read_all(&mut data) == bytes, "another file");
                    client.expect(226);
                }
                client.command("QUIT", 221);
            });
        }
        for swap in 0..SWAPS {
            configured.reload(&settings[swap % 2]);
            // A new client is served after the reload that was requested before it connected.
            drop(Client::greeted(address));
        }
        over.store(true, Ordering::Relaxed);
    });
    // The last swap left the second range in force, and all of it is free.
    let mut clients: Vec<Client> = (0..10).map(|_| configured.server.client()).collect();
    let mut ports: Vec<u16> = clients
        .iter_mut()
        .map(|client| client.passive().port())
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, (20010..=20019).collect::<Vec<u16>>());
}
