//! A small internet in network namespaces: hosts, networks, and commands run on a host.
//!
//! Every host is a namespace of its own, without any way to the machine's real network. A network
//! is a bridge that lives in one host (for example the switch of a router) and that others plug
//! into. Names hold the process id and a number, so that labs can run side by side; they vanish
//! with the lab, also when a test panics.

mod machine;
mod namespace;
mod resolver;

use std::fs;
use std::path::Path;
use std::process::{self as std_process, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::process::{self, Finished};

pub(crate) use machine::{Machines, Script};
pub(crate) use namespace::{Namespace, connect};
pub(crate) use resolver::Resolver;

/// Hosts and networks that exist as long as this value.
pub(crate) struct Lab {
    prefix: String,
    hosts: Vec<String>,
}

impl Lab {
    /// An empty lab. Fails when this user may not make namespaces.
    pub(crate) fn new() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "the tests in network namespaces need root: run `tests/run` as root"
        );
        sweep();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            prefix: format!("{PREFIX}{}-{number}-", std_process::id()),
            hosts: Vec::new(),
        }
    }

    /// A new host, with a loopback interface only.
    pub(crate) fn host(&mut self, host: &str) {
        ip(&["netns", "add", &self.namespace(host)]);
        self.hosts.push(host.to_owned());
        // A router on the way would send a client to the next router's link-local address, which
        // for a second or two does not work yet, as the kernel looks for duplicates of it.
        self.set(host, "net/ipv6/conf/default/accept_redirects", "0");
        self.set(host, "net/ipv6/conf/default/dad_transmits", "0");
        self.ip(host, &["link", "set", "lo", "up"]);
    }

    /// A network whose switch stands in `host`; `address` is that host's own in it.
    pub(crate) fn network(&self, host: &str, network: &str, address: &str) {
        self.ip(host, &["link", "add", network, "type", "bridge"]);
        self.address(host, network, address);
        // Otherwise kernels with br_netfilter apply the host's IP rules to frames that a switch
        // only forwards.
        let switch = Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables");
        self.namespace_of(host).enter(|| {
            if switch.exists() {
                fs::write(switch, "0").expect("a setting of the kernel");
            }
        });
    }

    /// A cable from `host`, where it becomes the interface `interface` with `address`, to `network`
    /// in `switch`.
    pub(crate) fn plug(
        &self,
        host: &str,
        interface: &str,
        address: &str,
        switch: &str,
        network: &str,
    ) {
        let (near, far) = (self.namespace(host), self.namespace(switch));
        // The far end is named after the host: unique in its network, and readable in `ip link`.
        let port = format!("p-{host}");
        let peer = ["peer", "name", &port, "netns", &far];
        ip(&[
            &["link", "add", interface, "netns", &near, "type", "veth"],
            &peer[..],
        ]
        .concat());
        self.ip(switch, &["link", "set", &port, "master", network, "up"]);
        self.address(host, interface, address);
    }

    /// One more address on an interface, which is then up.
    pub(crate) fn address(&self, host: &str, interface: &str, address: &str) {
        // Looking for duplicates takes a second, in which the address does not work.
        let how = if address.contains(':') { "nodad" } else { "" };
        let both =
            format!("address add {address} dev {interface} {how}\nlink set {interface} up\n");
        self.ip_batch(host, &both);
    }

    /// Makes every address of a network the host's own, at once.
    pub(crate) fn local_network(&self, host: &str, network: &str) {
        self.ip(host, &["route", "add", "local", network, "dev", "lo"]);
    }

    pub(crate) fn remove_address(&self, host: &str, interface: &str, address: &str) {
        self.ip(host, &["address", "delete", address, "dev", interface]);
    }

    pub(crate) fn default_route(&self, host: &str, gateway: &str) {
        self.route(host, "default", gateway);
    }

    /// A route; its family is the gateway's.
    pub(crate) fn route(&self, host: &str, to: &str, gateway: &str) {
        let family = if gateway.contains(':') { "-6" } else { "-4" };
        self.ip(host, &[family, "route", "add", to, "via", gateway]);
    }

    /// Another gateway in the place of the one that there is.
    pub(crate) fn replace_default_route(&self, host: &str, gateway: &str) {
        self.ip(host, &["-4", "route", "replace", "default", "via", gateway]);
    }

    /// A way to another host or network, over an interface whose network does not hold it.
    pub(crate) fn route_over(&self, host: &str, to: &str, interface: &str) {
        self.ip(host, &["-4", "route", "add", to, "dev", interface]);
    }

    pub(crate) fn remove_route_over(&self, host: &str, to: &str, interface: &str) {
        self.ip(host, &["-4", "route", "delete", to, "dev", interface]);
    }

    /// A way to one other host, as if it were a gateway to itself.
    pub(crate) fn route_by_itself(&self, host: &str, to: &str, interface: &str) {
        let by_itself = ["via", to, "dev", interface, "onlink"];
        self.ip(
            host,
            &[&["-4", "route", "add", to][..], &by_itself].concat(),
        );
    }

    /// Adds an address to an interface and removes it again, `times` times.
    pub(crate) fn flood(&self, host: &str, interface: &str, times: u32) {
        let line = |verb: &str| format!("address {verb} 192.0.2.1/32 dev {interface}\n");
        let both = line("add") + &line("delete");
        self.ip_batch(host, &both.repeat(times as usize));
    }

    /// Makes `host` forward packets, as a router does.
    pub(crate) fn forward(&self, host: &str) {
        self.set(host, "net/ipv4/ip_forward", "1");
        self.set(host, "net/ipv6/conf/all/forwarding", "1");
    }

    /// Writes a setting of the kernel for `host`, named by its path beneath `/proc/sys`.
    pub(crate) fn set(&self, host: &str, name: &str, value: &str) {
        let path = Path::new("/proc/sys").join(name);
        let written = self.namespace_of(host).enter(|| fs::write(&path, value));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// For sockets of the test itself on `host`.
    pub(crate) fn namespace_of(&self, host: &str) -> Namespace {
        Namespace::open(&self.namespace(host))
    }

    /// Loads an nftables ruleset on `host`.
    pub(crate) fn nft(&self, host: &str, rules: &str) {
        let mut command = Command::new("nft");
        command.args(["-f", "-"]);
        let run = || process::run_typing(&mut command, rules, SECONDS_MAX);
        let finished = self.namespace_of(host).enter(run);
        assert!(
            finished.succeeded(),
            "nft on {host}: {}\n{rules}",
            finished.text()
        );
    }

    /// From now on connections to these ports of the server's network come from the router.
    pub(crate) fn hide_clients(&self, ports: &str) {
        let rules = format!(
            "
table ip proxy {{
    chain postrouting {{
        type nat hook postrouting priority srcnat - 1;
        oifname lan tcp dport {ports} masquerade
    }}
}}"
        );
        self.nft("router", &rules);
    }

    /// A command that will run on `host`. It replaces `ip` in the same process, so its id is the
    /// child's.
    pub(crate) fn on(&self, host: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(host), program]);
        command
    }

    /// The same for a command made elsewhere; with the same arguments and environment.
    pub(crate) fn command_on(&self, host: &str, inner: &Command) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace(host)])
            .arg(inner.get_program())
            .args(inner.get_args());
        process::copy_environment(inner, &mut command);
        command
    }

    /// Runs the lines of a script on `host`.
    pub(crate) fn sh(&self, host: &str, script: &str) {
        process::run(self.on(host, "sh").args(["-c", script]), SECONDS_MAX).expect_success();
    }

    /// Not with `ip -n`: that mounts, for each command, what only some programs need.
    fn ip(&self, host: &str, arguments: &[&str]) -> Finished {
        self.namespace_of(host).enter(|| ip(arguments))
    }

    /// Several commands of `ip`, a line each.
    fn ip_batch(&self, host: &str, lines: &str) {
        let mut command = Command::new("ip");
        command.args(["-batch", "-"]);
        let run = || process::run_typing(&mut command, lines, SECONDS_MAX);
        self.namespace_of(host).enter(run).expect_success();
    }

    fn namespace(&self, host: &str) -> String {
        format!("{}{host}", self.prefix)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for host in &self.hosts {
            // No panic here: another one may be under way, and the next lab sweeps up what stayed.
            let _ = Command::new("ip")
                .args(["netns", "delete", &self.namespace(host)])
                .status();
            resolver::remove_etc(&self.namespace(host));
        }
    }
}

#[track_caller]
fn ip(arguments: &[&str]) -> Finished {
    process::run(Command::new("ip").args(arguments), SECONDS_MAX).expect_success()
}

/// Removes the namespaces of test runs that were killed.
fn sweep() {
    let Ok(names) = fs::read_dir("/run/netns") else {
        return;
    };
    for name in names
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
    {
        let owner = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Another run may sweep at the same time.
            let _ = Command::new("ip").args(["netns", "delete", &name]).status();
            resolver::remove_etc(&name);
        }
    }
}

static NEXT: AtomicU32 = AtomicU32::new(0);
const PREFIX: &str = "ftplab-";
const SECONDS_MAX: u64 = 20;
