//! Ten thousand sessions at once, behind one public address: each logs in and answers, some
//! transfer files, more can come, and those for whom there is no place get a clear reply.
//!
//! One instance serves all of them where the machine allows a process as many open files as that
//! takes. Elsewhere several do, behind the rules of `docs/several-instances.md`. A machine that has
//! not enough of anything fails the test, with the name of what is missing.

mod machine;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::support::client::{Client, Origin};
use crate::support::figures;
use crate::support::file_contents::noise;
use crate::support::lab::{Lab, Namespace};
use crate::support::server::{Program, Setup, THREADS_IDLE, TestServer};
use crate::support::wait::wait_at_most;
use machine::{kernel_kib, require_conntrack, require_machine};

#[test]
fn long_ten_thousand_sessions() {
    let instances = require_machine(SESSIONS);
    let site = Site::new(instances);
    require_conntrack(&site.lab, "balancer", SESSIONS);
    let before = site.usage();
    let mut logins = Vec::new();
    let mut clients: Vec<Client> = (0..SESSIONS)
        .map(|_| timed(&mut logins, || site.client()))
        .collect();
    site.show_costs(&before, &logins);
    assert_all_answer(&mut clients, "with 10,000 sessions");
    assert_transfers(&mut clients);
    site.assert_full_at_last(&mut clients);
    // Those inside notice nothing of those who were refused.
    assert_all_answer(&mut clients, "and once more");
    site.assert_all_is_released(clients);
}

/// The instances, and the balancer before them.
struct Site {
    /// Dropped before the network that they are in.
    instances: Vec<TestServer<Program>>,
    /// Sessions that each of them admits.
    each: usize,
    /// Where clients are. Each handle of it would be one more descriptor.
    outside: Namespace,
    lab: Lab,
}

/// What all instances together take, and the kernel.
struct Usage {
    memory_kib: u64,
    kernel_kib: u64,
    maps: usize,
    descriptors: usize,
    threads: usize,
}

impl Site {
    fn new(instances: usize) -> Self {
        let lab = network(instances);
        // One more each than they need.
        let each = SESSIONS.div_ceil(instances) + 1;
        let instances = (0..instances)
            .map(|number| instance(&lab, number, each))
            .collect();
        Self {
            instances,
            each,
            outside: lab.namespace_of("client"),
            lab,
        }
    }

    fn connect(&self) -> Client {
        let origin = Origin {
            host: Some(self.outside.clone()),
            ..Origin::default()
        };
        Client::from_origin(origin, PUBLIC)
    }

    /// One that is logged in.
    fn client(&self) -> Client {
        let mut client = self.connect();
        client.expect(220);
        client.log_in();
        client
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage {
            memory_kib: 0,
            kernel_kib: kernel_kib(),
            maps: 0,
            descriptors: 0,
            threads: 0,
        };
        for instance in &self.instances {
            let (descriptors, threads) = instance.counts();
            usage.memory_kib += instance.proportional_kib();
            usage.maps += instance.maps();
            usage.descriptors += descriptors;
            usage.threads += threads;
        }
        usage
    }

    /// Prints what the sessions cost, and checks what does not depend on the machine's speed.
    fn show_costs(&self, before: &Usage, logins: &[Duration]) {
        let now = self.usage();
        let each = |total: u64| total as f64 / SESSIONS as f64;
        let threads = now.threads - before.threads;
        let maps = now.maps - before.maps;
        let memory_kib = now.memory_kib - before.memory_kib;
        figures::show(format_args!(
            "{SESSIONS} sessions on {} instances, each: {:.1} KiB of the servers, {:.1} KiB of the \
             kernel with the clients' sockets, {:.2} maps, {:.2} descriptors, {:.2} threads",
            self.instances.len(),
            each(memory_kib),
            each(now.kernel_kib.saturating_sub(before.kernel_kib)),
            each(maps as u64),
            each((now.descriptors - before.descriptors) as u64),
            each(threads as u64),
        ));
        let (first, last) = (&logins[..PART], &logins[SESSIONS - PART..]);
        figures::show(format_args!(
            "a login: {} at first, {} at last",
            times(first),
            times(last)
        ));
        assert_eq!(threads, SESSIONS, "a thread for each session");
        assert!(memory_kib < MEMORY_KIB_MAX, "{memory_kib} KiB");
        // By this the server computes how many sessions `vm.max_map_count` is enough for.
        for instance in &self.instances {
            let (maps, sessions) = (instance.maps(), instance.counts().1);
            let reserved = sessions * MAPS_OF_SESSION + MAPS_OF_SERVER;
            assert!(maps < reserved, "{maps} maps, {sessions} threads");
        }
    }

    /// Clients are served until each instance has as many as it admits, and then refused.
    fn assert_full_at_last(&self, clients: &mut Vec<Client>) {
        let places = self.instances.len() * self.each;
        while clients.len() < places {
            clients.push(self.client());
        }
        for _ in &self.instances {
            let mut refused = self.connect();
            let reply = refused.expect(421);
            assert_eq!(reply.text(), "421 Too many connections; try again later.");
            refused.expect_closed();
        }
        for instance in &self.instances {
            instance.log_with(&format!("the server is full (--max-cons {})", self.each));
        }
    }

    /// All sessions end at once.
    fn assert_all_is_released(self, clients: Vec<Client>) {
        drop(clients);
        wait_at_most(RELEASE_MAX, "all sessions have ended", || {
            let mut instances = self.instances.iter();
            instances.all(|instance| instance.counts().1 == THREADS_IDLE)
        });
        for instance in self.instances {
            instance.finish();
        }
    }
}

fn instance(lab: &Lab, number: usize, sessions_max: usize) -> TestServer<Program> {
    let sessions_max = sessions_max.to_string();
    let flags = [
        "-p",
        "21",
        "--passive-ports",
        &ports(number),
        "--masquerade-address",
        &PUBLIC.ip().to_string(),
        "--max-cons",
        &sessions_max,
        "--max-cons-per-ip",
        "0",
        "--timeout",
        "0",
    ];
    let setup = Setup::new().host(address(number)).flags(&flags);
    let server = setup.on_host(lab, &host(number)).program();
    // What its machine allows is enough for all.
    let log = server.log();
    assert!(!log.contains(" is enough for "), "{log}");
    server
}

/// The client outside, the balancer, and the instances behind it.
fn network(instances: usize) -> Lab {
    let mut lab = Lab::new();
    lab.host("balancer");
    lab.network("balancer", "wan", "203.0.113.1/24");
    lab.network("balancer", "lan", "10.21.0.1/24");
    lab.host("client");
    lab.plug("client", "eth0", "203.0.113.9/24", "balancer", "wan");
    for number in 0..instances {
        let host = host(number);
        lab.host(&host);
        let address = format!("{}/24", address(number));
        lab.plug(&host, "eth0", &address, "balancer", "lan");
        lab.default_route(&host, "10.21.0.1");
    }
    lab.forward("balancer");
    lab.nft("balancer", &rules(instances));
    lab
}

/// As in `docs/several-instances.md`, for any number of instances.
fn rules(instances: usize) -> String {
    let map: Vec<String> = (0..instances)
        .map(|number| format!("{number} : {}", address(number)))
        .collect();
    let data: Vec<String> = (0..instances)
        .map(|number| {
            format!(
                "ip daddr {} tcp dport {} dnat to {}",
                PUBLIC.ip(),
                ports(number),
                address(number)
            )
        })
        .collect();
    format!(
        "table ip ftp {{
            chain prerouting {{
                type nat hook prerouting priority dstnat;
                ip daddr {} tcp dport 21 dnat to numgen inc mod {instances} map {{ {} }}
                {}
            }}
        }}",
        PUBLIC.ip(),
        map.join(", "),
        data.join("\n")
    )
}

fn host(number: usize) -> String {
    format!("server{number}")
}

fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 21, 0, 11 + u8::try_from(number).expect("few instances"))
}

/// The passive ports of an instance.
fn ports(number: usize) -> String {
    let first = 50_000 + number * 100;
    format!("{first}-{}", first + 99)
}

fn assert_all_answer(clients: &mut [Client], when: &str) {
    let mut noops = Vec::new();
    for client in clients {
        timed(&mut noops, || client.command("NOOP", 200));
    }
    figures::show(format_args!("a NOOP {when}: {}", times(&noops)));
}

/// Of a few of them, which are on all instances.
fn assert_transfers(clients: &mut [Client]) {
    let bytes = noise(200_000);
    for (number, client) in clients.iter_mut().step_by(TRANSFER_STEP).enumerate() {
        client.store(format!("STOR file{number}"), &bytes);
        assert!(client.fetch(format!("RETR file{number}")) == bytes);
        assert!(client.fetch_passive("MLSD").ends_with(b"\r\n"));
    }
}

fn timed<T>(all: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    all.push(begun.elapsed());
    result
}

/// The median and the worst, for those who read it. No test is about them.
fn times(all: &[Duration]) -> String {
    let mut sorted = all.to_vec();
    sorted.sort();
    let (median, worst) = (sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
    format!(
        "{:.2} ms in the median, {:.2} ms at worst",
        median.as_secs_f64() * 1000.0,
        worst.as_secs_f64() * 1000.0
    )
}

const PUBLIC: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 21);
const SESSIONS: usize = 10_000;
/// The first and the last logins.
const PART: usize = 1000;
/// Each of them is on another instance than the one before.
const TRANSFER_STEP: usize = 499;
/// What idle sessions may take of the servers.
const MEMORY_KIB_MAX: u64 = 400 << 10;
/// As the server computes.
const MAPS_OF_SESSION: usize = 4;
const MAPS_OF_SERVER: usize = 1530;
/// The threads of ten thousand sessions end.
const RELEASE_MAX: Duration = Duration::from_secs(120);
