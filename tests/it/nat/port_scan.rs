//! Which ports of a public address lead where, seen by the packets that arrive at the server.
//!
//! A port that is forwarded to a closed port and one that is not forwarded must not look the same,
//! and a port that is forwarded to the wrong place must be noticed. So the client sends each SYN
//! from the same port number that it sends it to, and the server's kernel notes that number beside
//! the address and the port of arrival.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::home_server::HomeServer;
use crate::support::client_program::SECONDS_MAX;
use crate::support::process;
use crate::support::wait::{is_so_within, pass_time};

/// Where ports lead: the outer number to the inner address.
pub(super) type Leads = BTreeMap<u16, (Ipv4Addr, u16)>;

/// Checks that of all `ports` of `public` exactly these lead to the server, each to its place.
#[track_caller]
pub(super) fn assert_leads(
    home: &HomeServer,
    public: Ipv4Addr,
    ports: impl IntoIterator<Item = u16>,
    expected: &Leads,
) {
    let ports: Vec<u16> = ports.into_iter().collect();
    assert!(
        expected.keys().all(|port| ports.contains(port)),
        "not all are tried"
    );
    // From another address each time: a connection that the router remembers follows no new rule.
    let from = Ipv4Addr::new(
        203,
        0,
        113,
        FROM[NEXT.fetch_add(1, Ordering::Relaxed) % FROM.len()],
    );
    home.lab.nft("server", &watch(from));
    home.lab.namespace_of("client").enter(|| {
        for some in ports.chunks(SOCKETS_MAX) {
            let _open: Vec<Socket> = some
                .iter()
                .map(|&port| send_syn(from, public, port))
                .collect();
        }
    });
    is_so_within(ARRIVE_MAX, || seen(home) == *expected);
    pass_time(STRAY, "what must not arrive gets its time too");
    assert_eq!(seen(home), *expected, "ports of {public}");
}

/// The control port and the passive range, as `--rules` forwards them.
pub(super) fn leads(private: Ipv4Addr, outer_first: u16, count: u16) -> Leads {
    let mut leads = Leads::from([(21, (private, 2121))]);
    leads.extend((0..count).map(|index| (outer_first + index, (private, 60_000 + index))));
    leads
}

/// What a scan of a few seconds tries: beside what is forwarded, its neighbours and others that
/// matter.
pub(super) fn some_ports() -> impl Iterator<Item = u16> {
    let others = [
        1, 20, 22, 23, 80, 443, 990, 2021, 2120, 2121, 2122, 8080, 65_535,
    ];
    others
        .into_iter()
        .chain([21])
        .chain(49_990..=50_020)
        .chain(59_990..=60_020)
}

/// Sends a SYN and does not wait for the answer.
fn send_syn(from: Ipv4Addr, public: Ipv4Addr, port: u16) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket
        .set_reuse_address(true)
        .expect("reuse of the address");
    socket
        .set_nonblocking(true)
        .expect("a socket that does not wait");
    let from = SocketAddr::new(from.into(), port);
    socket
        .bind(&from.into())
        .expect("the port of the same number");
    let sent = socket.connect(&SocketAddr::new(public.into(), port).into());
    let error = sent.expect_err("an answer before it was waited for");
    assert_eq!(error.raw_os_error(), Some(EINPROGRESS), "{error}");
    socket
}

/// The kernel's notes: `elements = { 21 . 192.168.77.2 . 2121, … }`.
fn seen(home: &HomeServer) -> Leads {
    let mut list = home.lab.on("server", "nft");
    list.args(["--numeric", "list", "set", "ip", "watch", "seen"]);
    let listed = process::run(&mut list, SECONDS_MAX).expect_success();
    let text = String::from_utf8(listed.stdout).expect("text");
    let Some((_, elements)) = text.split_once("elements = {") else {
        return Leads::new();
    };
    let elements = elements.split('}').next().expect("elements");
    elements
        .split(',')
        .map(|element| {
            let fields: Vec<&str> = element.split(" . ").map(str::trim).collect();
            let [outer, address, inner] = fields[..] else {
                panic!("{element:?} in {text}");
            };
            let number = |text: &str| text.parse().expect("a port");
            (
                number(outer),
                (address.parse().expect("an address"), number(inner)),
            )
        })
        .collect()
}

/// After it is loaded again, the set is empty.
fn watch(from: Ipv4Addr) -> String {
    format!(
        "
table ip watch
delete table ip watch
table ip watch {{
    set seen {{
        type inet_service . ipv4_addr . inet_service
        flags dynamic
        size 65535
    }}
    chain prerouting {{
        type filter hook prerouting priority raw;
        ip saddr {from} tcp flags & (syn | ack) == syn add @seen {{ tcp sport . ip daddr . tcp dport }}
    }}
}}"
    )
}

static NEXT: AtomicUsize = AtomicUsize::new(0);
/// The last numbers of addresses of the client that real clients do not use.
const FROM: [u8; 16] = [
    14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
];
/// Fewer than this process may have open.
const SOCKETS_MAX: usize = 256;
const ARRIVE_MAX: Duration = Duration::from_secs(5);
const STRAY: Duration = Duration::from_millis(100);
/// Linux on every machine that this is for.
const EINPROGRESS: i32 = 115;
