//! The hosts, cables and router rules of the lab.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use crate::support::lab::Lab;

/// What the router does beyond masquerading its LAN.
#[derive(Clone, Debug)]
pub(super) struct Router {
    /// Forwards are its own; without, it has none until a test loads some.
    pub(super) forwards: bool,
    /// Passive ports that it forwards, beside port 21.
    pub(super) forwarded: Option<RangeInclusive<u16>>,
    /// Where its own numbers for these ports begin, if they are others.
    pub(super) outer_first: Option<u16>,
    /// Clients in the LAN reach the public address too, and arrive from the router's own one.
    pub(super) hairpin: bool,
    /// It reads the control connection, rewrites private addresses and opens ports by itself.
    pub(super) helper: bool,
    /// The provider has given it another public address, 203.0.113.2, and the server is now behind
    /// that.
    pub(super) moved: bool,
}

impl Default for Router {
    fn default() -> Self {
        Self {
            forwards: true,
            forwarded: Some(FORWARDED),
            outer_first: None,
            hairpin: false,
            helper: false,
            moved: false,
        }
    }
}

/// A server at home: the seed of this project.
pub(super) fn home_network(router: &Router) -> Lab {
    let mut lab = Lab::new();
    for host in [
        "isp",
        "client",
        "router",
        "server",
        "neighbour",
        "far",
        "guest",
    ] {
        lab.host(host);
    }
    provider(&lab);
    home(&lab);
    far_site(&lab);
    for host in ["isp", "router", "far"] {
        lab.forward(host);
    }
    lab.nft("isp", ISP);
    lab.nft("router", &router_rules(router));
    lab.nft("far", FAR);
    lab
}

/// Changes the router. Established connections continue as far as the new rules permit.
pub(super) fn change_router(lab: &Lab, router: &Router) {
    let rules = router_rules(router);
    lab.nft("router", &format!("delete table ip lab\n{rules}"));
}

/// The provider with its customers.
fn provider(lab: &Lab) {
    lab.network("isp", "wan", "203.0.113.254/24");
    lab.address("isp", "wan", "2001:db8:1::fe/64");
    lab.plug("client", "wan", "203.0.113.9/24", "isp", "wan");
    for last in MORE_CLIENTS {
        lab.address("client", "wan", &format!("203.0.113.{last}/24"));
    }
    lab.address("client", "wan", "2001:db8:1::9/64");
    lab.local_network("client", FAR_APART);
    lab.route("isp", FAR_APART, "203.0.113.9");
    lab.plug("router", "wan", "203.0.113.1/24", "isp", "wan");
    lab.address("router", "wan", "203.0.113.2/24");
    lab.address("router", "wan", "2001:db8:1::1/64");
    lab.plug("far", "wan", "203.0.113.77/24", "isp", "wan");
    for host in ["client", "router", "far"] {
        lab.default_route(host, "203.0.113.254");
    }
    for host in ["client", "router"] {
        lab.default_route(host, "2001:db8:1::fe");
    }
    lab.route("isp", "2001:db8:77::/64", "2001:db8:1::1");
}

/// The network that the server stands in.
fn home(lab: &Lab) {
    lab.network("router", "lan", "192.168.77.1/24");
    lab.address("router", "lan", "2001:db8:77::1/64");
    lab.plug("server", "lan", "192.168.77.2/24", "router", "lan");
    lab.address("server", "lan", "192.168.77.12/24");
    lab.address("server", "lan", "2001:db8:77::2/64");
    lab.plug("neighbour", "lan", "192.168.77.3/24", "router", "lan");
    lab.address("neighbour", "lan", "2001:db8:77::3/64");
    for host in ["server", "neighbour"] {
        lab.default_route(host, "192.168.77.1");
        lab.default_route(host, "2001:db8:77::1");
    }
}

/// A client behind a NAT router of its own.
fn far_site(lab: &Lab) {
    lab.network("far", "lan", "10.9.0.1/24");
    lab.plug("guest", "lan", "10.9.0.5/24", "far", "lan");
    lab.default_route("guest", "10.9.0.1");
}

/// A home router: masquerading to the outside, closed from outside but for what is forwarded.
fn router_rules(router: &Router) -> String {
    let forwards = forwards(router);
    let hairpin = if router.hairpin {
        "iifname lan oifname lan ct status dnat masquerade"
    } else {
        ""
    };
    let helper = if router.helper { HELPER } else { "" };
    format!(
        "
table ip lab {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        {forwards}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname wan ip saddr 192.168.77.12 snat to 203.0.113.2
        oifname wan masquerade
        {hairpin}
    }}
    chain input {{
        type filter hook input priority filter; policy accept;
        iifname wan ct state new drop
    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ct status dnat accept
        iifname lan oifname wan accept
    }}
}}
{helper}"
    )
}

/// The lines that pass the router's ports on to the server.
fn forwards(router: &Router) -> String {
    if !router.forwards {
        return String::new();
    }
    // No one listens on port 9.
    let inner = router.forwarded.clone().unwrap_or(9..=9);
    let outer_first = router.outer_first.unwrap_or(*inner.start());
    let outer_last = outer_first + (inner.end() - inner.start());
    let ports = format!("{outer_first}-{outer_last}");
    let shift = match router.outer_first {
        Some(_) => {
            let pairs = (outer_first..=outer_last).zip(inner);
            let pairs = pairs.map(|(outer, inner)| format!("{outer} : {inner}"));
            let pairs: Vec<String> = pairs.collect();
            format!(" : tcp dport map {{ {} }}", pairs.join(", "))
        }
        None => String::new(),
    };
    let from = if router.hairpin {
        "iifname { wan, lan }"
    } else {
        "iifname wan"
    };
    let addresses = if router.moved {
        &[(OUTER_SECOND, "192.168.77.2")]
    } else {
        &[(OUTER, "192.168.77.2"), (OUTER_SECOND, "192.168.77.12")][..]
    };
    let lines = |(outer, inner): &(Ipv4Addr, &str)| {
        format!(
            "{from} ip daddr {outer} tcp dport 21 dnat to {inner}:2121
        {from} ip daddr {outer} tcp dport {ports} dnat to {inner}{shift}
        "
        )
    };
    addresses.iter().map(lines).collect()
}

/// Real providers carry nothing to private addresses; the trusting client's SYN just vanishes.
const ISP: &str = "
table ip lab {
    chain prerouting {
        type filter hook prerouting priority raw; policy accept;
        ip daddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 } drop
    }
}";

/// The other router forwards nothing at all.
const FAR: &str = "
table ip lab {
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname wan masquerade
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established accept
        iifname lan oifname wan accept
    }
}";

/// The kernel's own reader of FTP; since Linux 6 routers must ask for it by name.
const HELPER: &str = "
table ip helper {
    ct helper ftp {
        type \"ftp\" protocol tcp
    }
    chain prerouting {
        type filter hook prerouting priority -150;
        tcp dport 21 ct helper set \"ftp\"
    }
}";

/// One of the client's addresses that are no neighbours: each is in a network of its own.
pub(super) fn far_apart(number: u8) -> String {
    format!("198.18.{number}.9")
}

/// All of the client's own, for clients that are far apart.
const FAR_APART: &str = "198.18.0.0/16";
/// The last numbers of the client's further addresses, which are neighbours.
const MORE_CLIENTS: RangeInclusive<u8> = 10..=29;
pub(super) const OUTSIDE: &str = "203.0.113.1:21";
pub(super) const OUTSIDE_SECOND: &str = "203.0.113.2:21";
pub(super) const INSIDE: &str = "192.168.77.2:2121";
pub(super) const OUTSIDE_V6: &str = "[2001:db8:77::2]:2121";
pub(super) const OUTER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub(super) const OUTER_SECOND: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
pub(super) const INNER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 2);
pub(super) const INNER_SECOND: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 12);
pub(super) const FORWARDED: RangeInclusive<u16> = 60_000..=60_009;
/// Masquerade and range: what the server needs behind this router.
pub(super) const ROUTED: [&str; 4] = ["-n", "203.0.113.1", "-r", "60000-60009"];
