//! A client with files of its own, which compares all that it receives with what it has sent.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use crate::support::client::tls::{Ending, Protected};
use crate::support::client::{Client, Reply, sorted_names};
use crate::support::data::{read_all, read_some, reset};
use crate::support::file_contents::noise;
use crate::support::random::Random;
use crate::support::server::{Program, SecureServer};

pub(super) struct Honest<'a> {
    server: &'a SecureServer<Program>,
    number: u8,
    address: Ipv4Addr,
    /// It uses TLS.
    config: Option<Arc<ClientConfig>>,
    random: Random,
    /// What its directory contains, but for an upload that was lost.
    files: BTreeMap<String, Vec<u8>>,
    pub(super) totals: Totals,
}

/// What clients have done.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) stored: u64,
    pub(super) received: u64,
    pub(super) listed: u64,
    pub(super) renamed: u64,
    pub(super) aborted: u64,
    pub(super) lost: u64,
    sessions: u64,
    worst: Duration,
    worst_command: String,
}

/// A data connection of one of both kinds.
enum Data {
    Clear(TcpStream),
    Protected(Box<Protected>),
}

impl<'a> Honest<'a> {
    pub(super) fn new(
        server: &'a SecureServer<Program>,
        number: u8,
        address: Ipv4Addr,
        config: Option<Arc<ClientConfig>>,
        random: Random,
    ) -> Self {
        let mut files = BTreeMap::new();
        let directory = server.server.path(&format!("c{number}"));
        for entry in directory.read_dir().expect("its directory") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_str().expect("UTF-8").to_owned();
            if name != LOST {
                let contents = server.server.read(&format!("c{number}/{name}"));
                files.insert(name, contents);
            }
        }
        Self {
            server,
            number,
            address,
            config,
            random,
            files,
            totals: Totals::default(),
        }
    }

    pub(super) fn run(&mut self, end: Instant) {
        while Instant::now() < end {
            let mut client = self.connect();
            self.totals.sessions += 1;
            let mut is_open = true;
            for _ in 0..self.random.below(10) + 1 {
                if is_open && Instant::now() < end {
                    is_open = self.act(&mut client);
                }
            }
            if is_open && !self.random.one_in(4) {
                self.command(&mut client, "QUIT", 221);
            }
        }
    }

    fn connect(&mut self) -> Client {
        let begun = Instant::now();
        let mut client = match &self.config {
            Some(config) => self.server.client_from(self.address, config),
            None => {
                let mut client = Client::connect_from(self.address, self.server.server.address);
                client.expect(220);
                client.log_in();
                client
            }
        };
        // Several replies: a bound for each.
        self.totals.measure("login", begun);
        self.command(&mut client, &format!("CWD c{}", self.number), 250);
        client
    }

    /// Does something. False: the session has ended.
    fn act(&mut self, client: &mut Client) -> bool {
        match self.random.below(12) {
            0..=2 => self.store(client),
            3..=5 => self.receive(client),
            6 | 7 => self.list(client),
            8 => self.rename(client),
            9 => self.abort(client),
            10 => self.digest(client),
            _ => {
                self.lose(client);
                return false;
            }
        }
        true
    }

    fn store(&mut self, client: &mut Client) {
        let name = format!("f{}", self.random.below(4));
        let most = if self.random.one_in(10) {
            2 << 20
        } else {
            100_000
        };
        let size = usize::try_from(self.random.below(most)).expect("a size");
        let contents = noise(size);
        let socket = self.socket(client);
        self.command(client, &format!("STOR {name}"), 150);
        match self.protect(socket) {
            Data::Clear(mut data) => data.write_all(&contents).expect("sending data"),
            Data::Protected(mut data) => {
                data.write(&contents);
                data.close();
            }
        }
        let begun = Instant::now();
        client.expect(226);
        self.totals.measure("the end of STOR", begun);
        let path = format!("c{}/{name}", self.number);
        assert!(
            self.server.server.read(&path) == contents,
            "{path} is wrong"
        );
        self.files.insert(name, contents);
        self.totals.stored += 1;
    }

    fn receive(&mut self, client: &mut Client) {
        let Some(name) = self.any_name() else {
            return;
        };
        let received = self.fetch(client, &format!("RETR {name}"));
        let contents = &self.files[&name];
        assert!(received == *contents, "c{}/{name} is wrong", self.number);
        self.totals.received += 1;
    }

    fn list(&mut self, client: &mut Client) {
        let mut names = sorted_names(self.fetch(client, "NLST"));
        names.retain(|name| name != LOST);
        let own: Vec<_> = self.files.keys().cloned().collect();
        assert_eq!(names, own, "client {}", self.number);
        let command = if self.random.one_in(2) {
            "LIST -t"
        } else {
            "MLSD"
        };
        self.fetch(client, command);
        self.totals.listed += 1;
    }

    fn rename(&mut self, client: &mut Client) {
        let Some(name) = self.any_name() else {
            return;
        };
        let contents = self.files.remove(&name).expect("its contents");
        if self.random.one_in(3) {
            self.command(client, &format!("DELE {name}"), 250);
            return;
        }
        let next = format!("f{}", self.random.below(4));
        self.command(client, &format!("RNFR {name}"), 350);
        // Renaming replaces no file.
        if self.files.contains_key(&next) {
            self.command(client, &format!("DELE {next}"), 250);
            self.command(client, &format!("RNFR {name}"), 350);
        }
        self.command(client, &format!("RNTO {next}"), 250);
        self.files.insert(next, contents);
        self.totals.renamed += 1;
    }

    fn abort(&mut self, client: &mut Client) {
        let socket = self.socket(client);
        self.command(client, "RETR /big", 150);
        let mut data = self.protect(socket);
        match &mut data {
            Data::Clear(data) => read_some(data, 1000),
            Data::Protected(data) => data.read_some(1000),
        }
        self.command(client, "ABOR", 426);
        client.expect(226);
        self.totals.aborted += 1;
    }

    fn digest(&mut self, client: &mut Client) {
        if let Some(name) = self.any_name() {
            let begun = Instant::now();
            client.send(format!("HASH {name}"));
            // A few digests at a time are computed, of all clients.
            let code = client.reply().code;
            assert!(matches!(code, 213 | 450), "HASH: {code}");
            self.totals.measure("HASH", begun);
        }
    }

    /// Ends in the middle of an upload.
    fn lose(&mut self, client: &mut Client) {
        let socket = self.socket(client);
        self.command(client, &format!("STOR {LOST}"), 150);
        let mut data = self.protect(socket);
        let part = noise(usize::try_from(self.random.below(100_000)).expect("a size"));
        match &mut data {
            Data::Clear(data) => data.write_all(&part).expect("sending data"),
            Data::Protected(data) => data.write(&part),
        }
        let own = client.stream.try_clone().expect("its socket");
        let data = match data {
            Data::Clear(data) => data,
            Data::Protected(data) => data.socket,
        };
        match self.random.below(3) {
            0 => reset(own),
            1 => reset(data),
            _ => {}
        }
        self.totals.lost += 1;
    }

    fn fetch(&mut self, client: &mut Client, command: &str) -> Vec<u8> {
        let socket = self.socket(client);
        self.command(client, command, 150);
        let bytes = match self.protect(socket) {
            Data::Clear(mut data) => read_all(&mut data),
            Data::Protected(data) => {
                let (bytes, ending) = data.read_to_end();
                assert_eq!(ending, Ending::CloseNotify, "{command}");
                bytes
            }
        };
        let begun = Instant::now();
        client.expect(226);
        self.totals.measure("the end of a download", begun);
        bytes
    }

    fn socket(&mut self, client: &mut Client) -> TcpStream {
        let reply = self.command(client, "EPSV", 229);
        client.connect_data(client.announced(&reply))
    }

    fn protect(&self, socket: TcpStream) -> Data {
        match &self.config {
            None => Data::Clear(socket),
            Some(config) => Data::Protected(Protected::over(socket, config).into()),
        }
    }

    fn command(&mut self, client: &mut Client, line: &str, code: u16) -> Reply {
        let begun = Instant::now();
        let reply = client.command(line, code);
        self.totals.measure(line, begun);
        reply
    }

    fn any_name(&mut self) -> Option<String> {
        let count = self.files.len() as u64;
        let index = usize::try_from(self.random.below(count.max(1))).expect("an index");
        self.files.keys().nth(index).cloned()
    }
}

impl Totals {
    fn measure(&mut self, command: &str, begun: Instant) {
        let took = begun.elapsed();
        if took > self.worst {
            self.worst = took;
            command.clone_into(&mut self.worst_command);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.stored += other.stored;
        self.received += other.received;
        self.listed += other.listed;
        self.renamed += other.renamed;
        self.aborted += other.aborted;
        self.lost += other.lost;
        self.sessions += other.sessions;
        if other.worst > self.worst {
            self.worst = other.worst;
            self.worst_command.clone_from(&other.worst_command);
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sessions, {} files stored, {} received, {} listings, {} renames, {} aborts, \
             {} lost connections; the worst reply came after {} ms ({})",
            self.sessions,
            self.stored,
            self.received,
            self.listed,
            self.renamed,
            self.aborted,
            self.lost,
            self.worst.as_millis(),
            self.worst_command,
        )
    }
}

/// The upload that is lost.
const LOST: &str = "lost";
