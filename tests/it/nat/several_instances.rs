//! The page `docs/several-instances.md`: three instances with one shared directory, and the
//! balancer before them, with the configuration and the commands as they are printed there.
//!
//! Only the program's name, `/srv/ftp` and the place of the balancer's configuration are replaced.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::client::{Client, Origin};
use crate::support::client_program::path;
use crate::support::file_contents::noise;
use crate::support::lab::Lab;
use crate::support::page;
use crate::support::server::{self, Program};
use crate::support::wait::wait_until;

#[test]
fn long_haproxy() {
    let site = Site::new("HAProxy", "HAProxy");
    let config = site.write("haproxy.cfg", "HAProxy");
    let _balancer = site.run("haproxy", &["-db", "-q", "-f", path(&config)]);
    site.wait();
    site.assert_balanced();
    site.assert_an_end_takes_its_own_sessions_only();
}

#[test]
fn long_nginx() {
    let site = Site::new("nginx", "HAProxy");
    let config = site.write("nginx.conf", "nginx");
    let pid = format!(
        "daemon off; pid {};",
        path(&site.directory.path().join("pid"))
    );
    let _balancer = site.run("nginx", &["-e", "stderr", "-g", &pid, "-c", path(&config)]);
    site.wait();
    site.assert_balanced();
}

#[test]
fn long_nftables() {
    let site = Site::new("nftables", "nftables");
    site.lab.forward("balancer");
    site.lab.nft("balancer", &block("nftables", "text", 0));
    site.wait();
    site.assert_balanced();
}

/// Three instances that run, and a balancer that does not yet.
struct Site {
    instances: Vec<Program>,
    directory: TempDir,
    lab: Lab,
}

impl Site {
    /// The instances are those of a section of the page.
    fn new(name: &str, instances: &str) -> Self {
        let directory = TempDir::with_prefix(name).expect("a temporary directory");
        fs::create_dir(directory.path().join("share")).expect("the share");
        let lab = network();
        let mut site = Self {
            instances: Vec::new(),
            directory,
            lab,
        };
        for (number, host) in HOSTS.iter().enumerate() {
            let instance = site.instance(&block(instances, "sh", number), host);
            site.instances.push(instance);
        }
        site
    }

    fn share(&self) -> PathBuf {
        self.directory.path().join("share")
    }

    fn instance(&self, command: &str, host: &str) -> Program {
        let command = command.replace("\\\n", " ");
        let mut words = command.split_whitespace();
        assert_eq!(words.next(), Some("ftp-server-sync"), "{command}");
        let share = self.share();
        let socket = self.directory.path().join(host);
        let words = words.map(|word| word.replace("/srv/ftp", path(&share)));
        let mut words: Vec<String> = words.collect();
        words.extend(["--status-socket".to_owned(), path(&socket).to_owned()]);
        let command = server::command(&words);
        Program::start(&mut self.lab.command_on(host, &command), Stdio::null())
    }

    fn write(&self, name: &str, section: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, block(section, "text", 0)).expect("the configuration");
        path
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Balancer {
        let mut command = self.lab.on("balancer", program);
        command.args(arguments).stdin(Stdio::null());
        Balancer(command.spawn().expect("the balancer"))
    }

    /// Until the balancer has found its instances.
    fn wait(&self) {
        let client = self.lab.namespace_of("client");
        wait_until("the balancer leads to an instance", || {
            let Ok(mut stream) = client.connect(None, PUBLIC) else {
                return false;
            };
            let mut code = [0; 3];
            stream.read_exact(&mut code).is_ok() && &code == b"220"
        });
    }

    fn client(&self) -> Client {
        let origin = Origin {
            host: Some(self.lab.namespace_of("client")),
            ..Origin::default()
        };
        let mut client = Client::from_origin(origin, PUBLIC);
        client.expect(220);
        client.log_in_as("ann", "secret");
        client.command("TYPE I", 200);
        client
    }

    /// A client on each instance, by the port that PASV announces.
    fn clients(&self) -> [Client; 3] {
        let mut found = [None, None, None];
        for _ in 0..TRIES {
            let mut client = self.client();
            let announced = client.passive();
            assert_eq!(announced.ip(), PUBLIC.ip());
            found[instance_of(announced)].get_or_insert(client);
            if found.iter().all(Option::is_some) {
                break;
            }
        }
        found.map(|client| client.expect("a client on each instance"))
    }

    /// Each instance serves, knows its client, and sees what the others have stored.
    fn assert_balanced(&self) {
        let mut clients = self.clients();
        for (number, client) in clients.iter_mut().enumerate() {
            client.store(format!("STOR file{number}"), format!("text {number}"));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            for other in 0..HOSTS.len() {
                let text = format!("text {other}");
                assert_eq!(client.fetch(format!("RETR file{other}")), text.as_bytes());
                let fetched = client.fetch_passive(format!("RETR file{other}"));
                assert_eq!(fetched, text.as_bytes());
            }
            self.instances[number].log_with(&format!("ann@{CLIENT} STOR /file{number}"));
        }
    }

    /// The others go on, and a client that has lost its instance resumes with another one.
    fn assert_an_end_takes_its_own_sessions_only(&self) {
        let bytes = noise(LARGE);
        fs::write(self.share().join("large"), &bytes).expect("a file");
        let mut clients = self.clients();
        let data = clients[0].data();
        clients[0].send("RETR large");
        clients[0].expect(150);
        let half = read_some(data, LARGE / 2);
        self.instances[0].signal(Signal::KILL);
        clients[0].expect_closed();
        for client in &mut clients[1..] {
            client.command("NOOP", 200);
            assert_eq!(client.fetch("RETR large"), bytes);
        }
        let mut client = self.client();
        client.command(format!("REST {}", half.len()), 350);
        let rest = client.fetch("RETR large");
        assert!([half, rest].concat() == bytes, "the file is another one");
        // A drained instance takes no new client, and keeps those that it has.
        self.instances[1].signal(Signal::USR2);
        self.instances[1].log_with("drain");
        for _ in 0..TRIES {
            assert_eq!(instance_of(self.client().passive()), 2);
        }
        assert_eq!(clients[1].fetch("RETR large"), bytes);
    }
}

/// A balancer's process, which ends with it.
struct Balancer(Child);

impl Drop for Balancer {
    fn drop(&mut self) {
        // After an end of its own, both do nothing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The client outside, the balancer, and the instances behind it.
fn network() -> Lab {
    let mut lab = Lab::new();
    lab.host("balancer");
    lab.network("balancer", "wan", "203.0.113.1/24");
    lab.network("balancer", "lan", "10.21.0.1/24");
    lab.host("client");
    lab.plug("client", "eth0", &format!("{CLIENT}/24"), "balancer", "wan");
    for (number, host) in HOSTS.iter().enumerate() {
        lab.host(host);
        let address = format!("10.21.0.{}/24", 11 + number);
        lab.plug(host, "eth0", &address, "balancer", "lan");
        lab.default_route(host, "10.21.0.1");
    }
    lab
}

/// The fenced block of a section, the first of which is number 0 of its kind.
fn block(section: &str, kind: &str, number: usize) -> String {
    let page = page::read(PAGE);
    let sections = page::sections(&page);
    let found = sections.iter().find(|(heading, _)| *heading == section);
    let (_, text) = found.unwrap_or_else(|| panic!("no section {section}"));
    let blocks = page::blocks(text).into_iter();
    let mut blocks = blocks.filter(|block| block.kind == kind);
    let block = blocks.nth(number);
    block
        .unwrap_or_else(|| panic!("{section}: no block {number}"))
        .text
}

/// Which instance has this passive port.
fn instance_of(announced: SocketAddr) -> usize {
    usize::from(announced.port() - 50_000) / 100
}

fn read_some(mut data: impl Read, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    data.read_exact(&mut bytes).expect("half of the file");
    bytes
}

const PAGE: &str = "ftp-server-sync/docs/several-instances.md";
const HOSTS: [&str; 3] = ["a", "b", "c"];
const CLIENT: &str = "203.0.113.9";
const PUBLIC: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 21);
/// Enough clients for each instance to get one.
const TRIES: usize = 12;
/// More than all buffers on the way.
const LARGE: usize = 64 << 20;
