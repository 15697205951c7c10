//! A name server on a host of the lab, which that host then asks, and no other.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::Lab;
use crate::support::process;
use crate::support::wait::wait_until;

/// dnsmasq with names of the test's own; dropping it ends it.
pub(crate) struct Resolver {
    child: Child,
    directory: TempDir,
}

impl Lab {
    /// Starts a name server that knows these names and addresses. Commands that start on `host`
    /// from now on ask it, and wait far longer for its answers than any test lasts.
    pub(crate) fn resolver(&self, host: &str, names: &[(&str, &str)]) -> Resolver {
        // `ip netns exec` puts these files in the place of those in /etc.
        let etc = self.etc(host);
        fs::create_dir_all(&etc).expect("the host's own /etc");
        for (file, text) in [
            ("resolv.conf", RESOLV_CONF),
            ("nsswitch.conf", "hosts: files dns\n"),
        ] {
            fs::write(etc.join(file), text).expect("a file of the host's own /etc");
        }
        let directory = TempDir::new().expect("a temporary directory");
        write_names(directory.path(), names);
        let mut command = self.on(host, "dnsmasq");
        command.args(DNSMASQ).arg(format!(
            "--addn-hosts={}",
            directory.path().join(HOSTS).display()
        ));
        let mut child = process::start(&mut command);
        for output in [
            child.stdout.take().map(process::drain),
            child.stderr.take().map(process::drain),
        ] {
            drop(output);
        }
        let resolver = Resolver { child, directory };
        let address = SocketAddr::from(([127, 0, 0, 1], 53));
        let namespace = self.namespace_of(host);
        wait_until("dnsmasq listens", || {
            namespace.connect(None, address).is_ok()
        });
        resolver
    }

    /// What `ip netns exec` puts over /etc.
    fn etc(&self, host: &str) -> PathBuf {
        etc_of(&self.namespace(host))
    }
}

impl Resolver {
    /// From now on these are the names and addresses.
    pub(crate) fn lead(&self, names: &[(&str, &str)]) {
        write_names(self.directory.path(), names);
        self.signal(Signal::HUP);
    }

    /// Stops it, so that it answers nothing, or lets it continue.
    pub(crate) fn pause(&self, pause: bool) {
        self.signal(if pause { Signal::STOP } else { Signal::CONT });
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a signal to dnsmasq");
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Removes what [`Lab::resolver`] has put there. The directory above stays: other labs may be about
/// to use it.
pub(super) fn remove_etc(namespace: &str) {
    let _ = fs::remove_dir_all(etc_of(namespace));
}

fn etc_of(namespace: &str) -> PathBuf {
    Path::new("/etc/netns").join(namespace)
}

fn write_names(directory: &Path, names: &[(&str, &str)]) {
    let mut text = String::new();
    for (name, address) in names {
        writeln!(text, "{address} {name}").expect("text");
    }
    // As a whole: dnsmasq may be reading.
    fs::write(directory.join("new"), text).expect("names");
    fs::rename(directory.join("new"), directory.join(HOSTS)).expect("names");
}

const HOSTS: &str = "hosts";

/// Two and a half minutes for each question: a server that waits for the answer fails every test.
const RESOLV_CONF: &str = "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n";

/// Names of the test's file alone, with a time to live of zero; questions about `silent.example` go
/// to a server that is not there, so it gets no answer at all.
const DNSMASQ: [&str; 10] = [
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--user=root",
    "--pid-file=",
    "--no-resolv",
    "--no-hosts",
    "--listen-address=127.0.0.1",
    "--bind-interfaces",
    "--local=/home.example/",
    "--server=/silent.example/192.0.2.53",
];
