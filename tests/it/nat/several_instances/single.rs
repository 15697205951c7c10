//! The page `docs/balancer.md`: HAProxy before one server, as it is printed there.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;

use super::site::{Balancer, wait_for_greeting};
use crate::support::client::{Client, Origin};
use crate::support::client_program::path;
use crate::support::file_contents::noise;
use crate::support::lab::Lab;
use crate::support::page;
use crate::support::process;
use crate::support::server::{self, Program};
use crate::support::wait::{pass_time, wait_until};

/// A server, its balancer, and the network of the page.
struct Scene {
    lab: Lab,
    _balancer: Balancer,
    server: Program,
    _directory: TempDir,
}

impl Scene {
    /// With this in place of the printed time limit.
    fn new(time_limit: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        fs::create_dir(directory.path().join("share")).expect("the share");
        let lab = network();
        let command = block("sh").replace("\\\n", " ");
        let words = command.split_whitespace().skip(1);
        let share = directory.path().join("share");
        let words = words.map(|word| word.replace("/srv/ftp", path(&share)));
        let command = server::command(&words.collect::<Vec<_>>());
        let server = Program::start(&mut lab.command_on("server", &command), Stdio::null());
        let config = block("text");
        assert_eq!(config.matches(" 12h\n").count(), 2, "{config}");
        let file = directory.path().join("haproxy.cfg");
        let config = config.replace(" 12h\n", &format!(" {time_limit}\n"));
        fs::write(&file, config).expect("the configuration");
        let balancer = Balancer::start(&lab, "haproxy", &["-db", "-q", "-f", path(&file)]);
        wait_for_greeting(&lab, PUBLIC);
        Self {
            lab,
            _balancer: balancer,
            server,
            _directory: directory,
        }
    }

    fn client(&self) -> Client {
        let origin = Origin {
            host: Some(self.lab.namespace_of("client")),
            ..Origin::default()
        };
        let mut client = Client::from_origin(origin, PUBLIC);
        client.expect(220);
        assert_eq!(client.log_in_as("ann", "secret").code, 230);
        client.command("TYPE I", 200);
        client
    }
}

#[test]
fn long_haproxy_before_one_server() {
    let scene = Scene::new("12h");
    let mut client = scene.client();
    let bytes = noise(1 << 20);
    client.store("STOR file", &bytes);
    assert!(client.fetch("RETR file") == bytes, "another file");
    let announced = client.passive();
    assert_eq!(announced.ip(), PUBLIC.ip());
    scene.server.log_with(&format!("ann@{CLIENT} STOR /file"));
    // Routers of clients forget what is silent, and the server's own keepalive ends at the
    // balancer.
    let mut list = scene.lab.on("balancer", "ss");
    list.args([
        "-H",
        "-t",
        "-n",
        "-o",
        "state",
        "established",
        "dst",
        CLIENT,
    ]);
    wait_until("HAProxy's keepalive within a minute", || {
        let text = process::run(&mut list, 20).expect_success().text();
        text.contains("timer:(keepalive,") && !text.contains("min")
    });
}

/// Why the time limits are as long as the longest transfer: the control connection is silent then.
/// The server goes on, but the client does not get its reply.
#[test]
fn long_a_time_limit_of_the_balancer_ends_control_connections() {
    let scene = Scene::new("3s");
    let mut client = scene.client();
    let mut data = client.data();
    client.command("STOR file", 150);
    for _ in 0..50 {
        data.write_all(b"text").expect("sending data");
        pass_time(
            Duration::from_millis(100),
            "HAProxy's time limit is what is tested",
        );
    }
    client.expect_closed();
    drop(data);
    let line = format!("ann@{CLIENT} STOR /file: 200 bytes");
    scene.server.log_with(&line);
    scene.server.log_with("during a transfer");
}

/// The client outside, the balancer, and the server behind it.
fn network() -> Lab {
    let mut lab = Lab::new();
    lab.host("balancer");
    lab.network("balancer", "wan", "203.0.113.1/24");
    lab.network("balancer", "lan", "192.168.77.5/24");
    lab.host("client");
    lab.plug("client", "eth0", &format!("{CLIENT}/24"), "balancer", "wan");
    lab.host("server");
    lab.plug("server", "eth0", "192.168.77.2/24", "balancer", "lan");
    lab
}

/// The first block of this kind.
fn block(kind: &str) -> String {
    let page = page::read("ftp-server-sync/docs/balancer.md");
    let mut blocks = page::blocks(&page).into_iter();
    let block = blocks.find(|block| block.kind == kind);
    block.unwrap_or_else(|| panic!("no block {kind}")).text
}

const CLIENT: &str = "203.0.113.9";
const PUBLIC: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 21);
