//! Three instances with one shared directory, and a network with a balancer before them.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::client::{Client, Origin};
use crate::support::client_program::path;
use crate::support::lab::Lab;
use crate::support::page;
use crate::support::process;
use crate::support::server::{self, Program};
use crate::support::wait::wait_until;

/// Three instances that run, and a balancer that does not yet.
pub(super) struct Site {
    pub(super) instances: Vec<Program>,
    directory: TempDir,
    pub(super) lab: Lab,
    /// Added to what is printed of the balancer.
    added: String,
}

impl Site {
    /// The instances are those of a section of the page.
    pub(super) fn new(section: &str) -> Self {
        Self::with(section, |_, _| Vec::new())
    }

    /// The same with more flags, which may depend on the directory of the test and on the number
    /// of the instance.
    pub(super) fn with(section: &str, flags: impl Fn(&Path, usize) -> Vec<String>) -> Self {
        let directory = TempDir::with_prefix(section).expect("a temporary directory");
        fs::create_dir(directory.path().join("share")).expect("the share");
        let mut site = Self {
            instances: Vec::new(),
            directory,
            lab: network(),
            added: String::new(),
        };
        for (number, host) in HOSTS.iter().enumerate() {
            let flags = flags(site.directory.path(), number);
            let instance = site.instance(&block(section, "sh", number), host, flags);
            site.instances.push(instance);
        }
        site
    }

    /// With this text at the end of the balancer's configuration, within the last block of it.
    pub(super) fn adding(mut self, text: String) -> Self {
        self.added = text;
        self
    }

    pub(super) fn place(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn share(&self) -> PathBuf {
        self.place().join("share")
    }

    fn instance(&self, command: &str, host: &str, more: Vec<String>) -> Program {
        let command = command.replace("\\\n", " ");
        let mut words = command.split_whitespace();
        assert_eq!(words.next(), Some("ftp-server-sync"), "{command}");
        let share = self.share();
        let place = self.place().join(host);
        fs::create_dir(&place).expect("the state directory");
        let words = words.map(|word| word.replace("/srv/ftp", path(&share)));
        let mut words: Vec<String> = words.collect();
        let socket = path(&place.join("socket")).to_owned();
        words.extend(["--status-socket".to_owned(), socket]);
        words.extend(more);
        let mut command = server::command(&words);
        command.env("STATE_DIRECTORY", &place);
        Program::start(&mut self.lab.command_on(host, &command), Stdio::null())
    }

    /// Starts HAProxy as printed, and waits for it.
    pub(super) fn haproxy(&self) -> Balancer {
        let config = self.write(
            "haproxy.cfg",
            &self.changed(block("HAProxy", "text", 0), ""),
        );
        let balancer = self.run("haproxy", &["-db", "-q", "-f", path(&config)]);
        self.wait();
        balancer
    }

    /// Starts nginx as printed, and waits for it.
    pub(super) fn nginx(&self) -> Balancer {
        let config = self.write(
            "nginx.conf",
            &self.changed(block("nginx", "text", 0), "}\n"),
        );
        let pid = format!("daemon off; pid {};", path(&self.place().join("pid")));
        let balancer = self.run("nginx", &["-e", "stderr", "-g", &pid, "-c", path(&config)]);
        self.wait();
        balancer
    }

    /// Gives the kernel the printed rules, and waits for it.
    pub(super) fn nftables(&self) {
        self.lab.forward("balancer");
        let rules = self.changed(block("nftables", "text", 0), "    }\n}\n");
        self.lab.nft("balancer", &rules);
        self.wait();
    }

    /// What is printed with the addition before this end.
    fn changed(&self, printed: String, end: &str) -> String {
        let printed = format!("{}\n", printed.trim_end());
        let whole = printed.strip_suffix(end).expect("its last block");
        format!("{whole}\n{}{end}", self.added)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.place().join(name);
        fs::write(&path, text).expect("the configuration");
        path
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Balancer {
        Balancer::start(&self.lab, program, arguments)
    }

    /// Until the balancer has found its instances.
    fn wait(&self) {
        wait_for_greeting(&self.lab, PUBLIC);
    }

    /// A client of the balancer that has not been greeted yet.
    pub(super) fn connect(&self, port: u16) -> Client {
        Client::from_origin(self.origin("client"), SocketAddr::new(PUBLIC.ip(), port))
    }

    pub(super) fn origin(&self, host: &str) -> Origin {
        Origin {
            host: Some(self.lab.namespace_of(host)),
            ..Origin::default()
        }
    }

    pub(super) fn client(&self) -> Client {
        self.client_of("ann")
    }

    pub(super) fn client_of(&self, user: &str) -> Client {
        let mut client = self.connect(PUBLIC.port());
        client.expect(220);
        assert_eq!(client.log_in_as(user, "secret").code, 230);
        client.command("TYPE I", 200);
        client
    }

    /// A client on each instance.
    pub(super) fn clients(&self) -> [Client; 3] {
        Self::on_each(|| self.client(), |client| client)
    }

    /// The same with clients that are made by `connect`; the port that PASV announces shows on
    /// which instance one is.
    pub(super) fn on_each<C>(
        connect: impl Fn() -> C,
        client_of: impl Fn(&mut C) -> &mut Client,
    ) -> [C; 3] {
        let mut found = [None, None, None];
        for _ in 0..TRIES {
            let mut client = connect();
            let announced = client_of(&mut client).passive();
            assert_eq!(announced.ip(), PUBLIC.ip());
            found[instance_of(announced)].get_or_insert(client);
            if found.iter().all(Option::is_some) {
                break;
            }
        }
        found.map(|client| client.expect("a client on each instance"))
    }

    /// What uploads that are not complete have received, of all instances.
    pub(super) fn unfinished_bytes(&self) -> u64 {
        let entries = fs::read_dir(self.share()).expect("the share");
        let entries = entries.map(|entry| entry.expect("an entry"));
        let pieces = entries.filter(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with(".ftp-upload.")
        });
        pieces
            .filter_map(|piece| Some(piece.metadata().ok()?.len()))
            .sum()
    }
}

/// A balancer's process, which ends with it.
pub(super) struct Balancer(Child);

impl Balancer {
    pub(super) fn start(lab: &Lab, program: &str, arguments: &[&str]) -> Self {
        let mut command = lab.on("balancer", program);
        command.args(arguments).stdin(Stdio::null());
        Self(command.spawn().expect("the balancer"))
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // nginx ends its workers only if it is asked. After an end of its own, this does nothing.
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        process::wait(&mut self.0, END_MAX);
    }
}

/// Until a client on its host is greeted there.
pub(super) fn wait_for_greeting(lab: &Lab, address: SocketAddr) {
    let client = lab.namespace_of("client");
    wait_until("the balancer leads to a server", || {
        let Ok(mut stream) = client.connect(None, address) else {
            return false;
        };
        let mut code = [0; 3];
        stream.read_exact(&mut code).is_ok() && &code == b"220"
    });
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
pub(super) fn block(section: &str, kind: &str, number: usize) -> String {
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
pub(super) fn instance_of(announced: SocketAddr) -> usize {
    usize::from(announced.port() - 50_000) / 100
}

const PAGE: &str = "ftp-server-sync/docs/several-instances.md";
pub(super) const HOSTS: [&str; 3] = ["a", "b", "c"];
pub(super) const CLIENT: &str = "203.0.113.9";
pub(super) const PUBLIC: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 21);
/// Enough clients for each instance to get one.
pub(super) const TRIES: usize = 12;
const END_MAX: Duration = Duration::from_secs(5);
