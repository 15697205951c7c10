//! The public address from a file that other programs write, and from a STUN server.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::client::Client;
use crate::support::data::accept;
use crate::support::process;
use crate::support::server::{Program, Setup, TestServer};
use crate::support::wait::{GUARD, wait_until};

const FIRST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

/// A server to whose clients all addresses are public ones.
fn start(setup: Setup<'_>, source: &str) -> TestServer<Program> {
    let flags = [
        "--local-networks",
        "none",
        "-n",
        source,
        "--masquerade-refresh",
        "1",
    ];
    setup.flags(&flags).program()
}

/// The file's name as a value of `-n`.
fn value(file: &Path) -> String {
    format!("@{}", file.display())
}

/// Replaces the file as a careful program does.
fn replace(file: &Path, text: &str) {
    let draft = file.with_extension("draft");
    fs::write(&draft, text).expect("a draft");
    fs::rename(draft, file).expect("the file");
}

fn announced(client: &mut Client) -> IpAddr {
    client.passive().ip()
}

#[test]
fn the_address_follows_a_file() {
    let setup = Setup::new();
    let file = setup.directory().join("public-ip");
    fs::write(&file, "# by a test\n203.0.113.1\n").expect("a file");
    let server = start(setup, &value(&file));
    let source = value(&file);
    server.log_with(&format!("the address in {source} is {FIRST}"));
    let mut client = server.client();
    // Known from the first client on.
    assert_eq!(announced(&mut client), FIRST);
    replace(&file, "2001:db8::1\n203.0.113.2 # wan\n");
    server.log_with(&format!(
        "the address in {source} is now {SECOND}, it was {FIRST}"
    ));
    assert_eq!(announced(&mut client), SECOND);
    server.finish();
}

/// The server waits a while before it says so: a program may still be writing the file.
#[test]
fn long_a_file_without_an_address_changes_nothing() {
    let setup = Setup::new();
    let file = setup.directory().join("public-ip");
    fs::write(&file, "203.0.113.2\n").expect("a file");
    let server = start(setup, &value(&file));
    let source = value(&file);
    let mut client = server.client();
    fs::write(&file, "").expect("an empty file");
    server.log_with(&format!(
        "cannot take an address from {source}: it is empty; write the router's public IPv4 address \
         into it; clients are still given {SECOND}"
    ));
    assert_eq!(announced(&mut client), SECOND);
    // No client outside could reach it.
    replace(&file, "192.168.1.5\n");
    server.log_with(&format!(
        "{source} contains 192.168.1.5, a private address: clients outside the local network cannot \
         reach it; write the router's public address into it; clients are still given {SECOND}"
    ));
    assert_eq!(announced(&mut client), SECOND);
    replace(&file, "203.0.113.1");
    server.log_with(&format!("is now {FIRST}, it was {SECOND}"));
    assert_eq!(announced(&mut client), FIRST);
    let log = server.finish();
    assert_eq!(log.matches("are still given").count(), 2, "{log}");
}

/// Until it is there, clients are given the address that they connected to.
#[test]
fn a_file_may_be_missing_at_first() {
    let setup = Setup::new();
    let file = setup.directory().join("public-ip");
    let server = start(setup, &value(&file));
    let log = server.log_with("listening on");
    assert!(
        log.contains(&format!(
            "cannot take an address from {}: cannot be read: no such file or directory; give a file \
             with the router's public IPv4 address; until it contains one, clients are given the \
             address that they connected to",
            value(&file)
        )),
        "{log}"
    );
    let mut client = server.client();
    assert_eq!(announced(&mut client), server.address.ip());
    fs::write(&file, "203.0.113.1").expect("a file");
    wait_until("the address of the file", || {
        announced(&mut client) == FIRST
    });
    server.finish();
}

/// A client that may write cannot lead others to another server.
#[test]
fn clients_neither_see_nor_replace_the_file() {
    let setup = Setup::new();
    let file = setup.root().join("public-ip");
    fs::write(&file, "203.0.113.1").expect("a file");
    let server = start(setup, &value(&file));
    let mut client = server.client();
    assert_eq!(client.command("SIZE public-ip", 550).code, 550);
    assert_eq!(client.command("DELE public-ip", 550).code, 550);
    assert_eq!(announced(&mut client), FIRST);
    server.finish();
}

/// A server of STUN that answers with this address, or not at all.
struct StunServer {
    address: SocketAddr,
    answer: Arc<Mutex<Option<Ipv4Addr>>>,
}

impl StunServer {
    fn start(answer: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("its address");
        let answer = Arc::new(Mutex::new(Some(answer)));
        let shown = answer.clone();
        thread::spawn(move || {
            let mut request = [0; 1500];
            while let Ok((length, peer)) = socket.recv_from(&mut request) {
                assert_eq!((length, &request[..4]), (20, &b"\0\x01\0\0"[..]));
                let Some(address) = *shown.lock().expect("the answer") else {
                    continue;
                };
                // XOR-MAPPED-ADDRESS, with a port that does not matter.
                let cookie: [u8; 4] = request[4..8].try_into().expect("four bytes");
                let address = u32::from(address) ^ u32::from_be_bytes(cookie);
                let header = [b"\x01\x01\0\x0c", &request[4..20]].concat();
                let attribute = [&b"\0\x20\0\x08\0\x01\0\0"[..], &address.to_be_bytes()].concat();
                let _ = socket.send_to(&[header, attribute].concat(), peer);
            }
        });
        Self { address, answer }
    }

    /// What it answers from now on.
    fn set(&self, answer: Option<Ipv4Addr>) {
        *self.answer.lock().expect("the answer") = answer;
    }
}

/// A server that inetd starts is as young as its client.
#[test]
fn the_address_is_known_before_a_client_of_inetd_is_greeted() {
    let stun = StunServer::start(FIRST);
    stun.set(None);
    let source = format!("stun:{}", stun.address);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let mut client = Client::connect(listener.local_addr().expect("an address"));
    let (connection, _) = accept(&listener);
    let flags = ["--inetd", "--local-networks", "none", "-n", &source];
    let mut setup = Setup::new().on_all_addresses().flags(&flags);
    let mut command = setup.command();
    let mut child = process::start_reading(&mut command, OwnedFd::from(connection).into());
    let pause = Duration::from_millis(200);
    client.expect_silence(pause);
    stun.set(Some(FIRST));
    client.expect(220);
    client.log_in();
    assert_eq!(announced(&mut client), FIRST);
    client.command("QUIT", 221);
    let status = process::wait(&mut child, GUARD);
    assert!(status.is_some_and(|status| status.success()));
}

#[test]
fn the_address_follows_a_stun_server() {
    let stun = StunServer::start(FIRST);
    let source = format!("stun:{}", stun.address);
    let server = start(Setup::new(), &source);
    server.log_with(&format!("the address from {source} is {FIRST}"));
    let mut client = server.client();
    assert_eq!(announced(&mut client), FIRST);
    stun.set(Some(SECOND));
    server.log_with(&format!(
        "the address from {source} is now {SECOND}, it was {FIRST}"
    ));
    assert_eq!(announced(&mut client), SECOND);
    stun.set(Some(Ipv4Addr::LOCALHOST));
    server.log_with(&format!(
        "{source} answers 127.0.0.1, a loopback address: each client will connect to itself; give a \
         STUN server on the Internet; clients are still given {SECOND}"
    ));
    assert_eq!(announced(&mut client), SECOND);
    server.finish();
}

#[test]
fn long_a_stun_server_may_be_silent_for_a_while() {
    let stun = StunServer::start(SECOND);
    let source = format!("stun:{}", stun.address);
    let server = start(Setup::new(), &source);
    server.log_with(&format!("the address from {source} is {SECOND}"));
    let mut client = server.client();
    stun.set(None);
    server.log_with(&format!(
        "cannot learn an address from {source}: {} does not answer within 4.5 s; let UDP to its port \
         out of this network, or give another server; clients are still given {SECOND}",
        stun.address
    ));
    assert_eq!(announced(&mut client), SECOND);
    stun.set(Some(SECOND));
    server.log_with(&format!("{source} answers again, it is still {SECOND}"));
    server.finish();
}
