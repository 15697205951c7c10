//! miniupnpd on the router of a lab; dropping it ends it.

use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::lab::Lab;
use crate::support::process;
use crate::support::wait::wait_until;

/// A running router.
pub(super) struct Miniupnpd {
    child: Child,
    log: Arc<Mutex<String>>,
    _directory: TempDir,
}

/// How it differs from the usual one.
#[derive(Default)]
pub(super) struct Options {
    /// The longest time that it forwards a port for, in seconds.
    pub(super) lifetime_max: Option<u32>,
    /// The ports of a machine that it forwards, if not all: numbers or ranges, by comma.
    pub(super) allowed: Option<&'static str>,
}

impl Miniupnpd {
    pub(super) fn start(lab: &Lab, options: &Options) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let file = directory.path().join("miniupnpd.conf");
        fs::write(&file, configuration(options)).expect("its configuration");
        let mut command = lab.on("router", "miniupnpd");
        // In the foreground, with a log on stderr.
        command.args(["-d", "-f"]).arg(&file);
        command.arg("-P").arg(directory.path().join("pid"));
        let mut child = process::start(&mut command);
        let log = Arc::new(Mutex::new(String::new()));
        drop(child.stdout.take().map(process::drain));
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let shared = log.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = stderr.read(&mut buffer)
                && count > 0
            {
                let text = String::from_utf8_lossy(&buffer[..count]);
                shared.lock().expect("the log").push_str(&text);
            }
        });
        let router = Self {
            child,
            log,
            _directory: directory,
        };
        wait_until("miniupnpd listens", || {
            router.log().contains("Listening for NAT-PMP/PCP traffic")
        });
        router
    }

    pub(super) fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// The rules that forward ports, one a line.
    pub(super) fn mapped(&self, lab: &Lab) -> Vec<String> {
        let mut command = lab.on("router", "nft");
        command.args(["list", "chain", "inet", "miniupnpd", "upnp_prerouting"]);
        let listed = process::run(&mut command, 20).expect_success().text();
        let mut rules: Vec<String> = listed
            .lines()
            .filter(|line| line.contains("dnat"))
            .map(|line| line.trim().to_owned())
            .collect();
        rules.sort();
        rules
    }

    /// The rules that let clients in over IPv6, one a line.
    pub(super) fn opened(&self, lab: &Lab) -> Vec<String> {
        let mut command = lab.on("router", "nft");
        command.args(["list", "chain", "inet", "miniupnpd", "upnp_forward"]);
        let listed = process::run(&mut command, 20).expect_success().text();
        let rules = listed.lines().filter(|line| line.contains(SERVER_V6));
        rules.map(|line| line.trim().to_owned()).collect()
    }

    /// Stops it, so that it answers nothing, or lets it continue.
    pub(super) fn pause(&self, pause: bool) {
        let signal = if pause { Signal::STOP } else { Signal::CONT };
        kill_process(Pid::from_child(&self.child), signal).expect("a signal to miniupnpd");
    }

    /// Another host has these ports of the router.
    pub(super) fn map_for_neighbour(&self, lab: &Lab, ports: &[u16]) {
        for port in ports {
            let request = format!(
                "import socket, struct\n\
                 s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
                 s.settimeout(10)\n\
                 s.connect(('192.168.77.1', 5351))\n\
                 s.send(struct.pack('>BBHHHI', 0, 2, 0, {port}, {port}, 3600))\n\
                 assert struct.unpack('>H', s.recv(16)[2:4])[0] == 0\n"
            );
            let mut command = lab.on("neighbour", "python3");
            process::run(command.args(["-c", &request]), 20).expect_success();
        }
    }
}

impl Drop for Miniupnpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(options: &Options) -> String {
    let mut text = COMMON.to_owned();
    for ports in options.allowed.unwrap_or("1-65535").split(',') {
        writeln!(text, "allow 1-65535 192.168.77.0/24 {ports}").expect("text");
    }
    text.push_str("deny 0-65535 0.0.0.0/0 0-65535\n");
    if let Some(seconds) = options.lifetime_max {
        writeln!(text, "min_lifetime=1\nmax_lifetime={seconds}").expect("text");
    }
    text
}

/// How nft shows the destination 2001:db8:77::2.
const SERVER_V6: &str = "@nh,192,128 0x20010db8007700000000000000000002 ";

const COMMON: &str = "
ext_ifname=wan
listening_ip=lan
http_port=5000
enable_natpmp=yes
enable_upnp=yes
secure_mode=yes
system_uptime=no
upnp_table_name=miniupnpd
upnp_nat_table_name=miniupnpd
upnp_forward_chain=upnp_forward
upnp_nat_chain=upnp_prerouting
upnp_nat_postrouting_chain=upnp_postrouting
uuid=6e5b1c7a-0000-4000-8000-000000000001
";

/// A home router that forwards nothing by itself. miniupnpd wants its chains to be there.
pub(super) const TABLE: &str = "
table inet miniupnpd {
    chain upnp_forward { }
    chain upnp_prerouting { }
    chain upnp_postrouting { }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname lan oifname wan accept
        jump upnp_forward
    }
    chain prerouting {
        type nat hook prerouting priority dstnat;
        jump upnp_prerouting
    }
    chain postrouting {
        type nat hook postrouting priority srcnat;
        jump upnp_postrouting
        oifname wan masquerade
    }
}";

/// The rules after a restart.
pub(super) fn forgetting() -> String {
    format!("delete table inet miniupnpd\n{TABLE}")
}
