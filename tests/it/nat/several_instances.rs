//! The page `docs/several-instances.md`: three instances with one shared directory, and the
//! balancer before them, with the configuration and the commands as they are printed there.
//!
//! Only the program's name, `/srv/ftp`, the files of the certificate, and the place of the
//! balancer's configuration are replaced.

mod limits;
mod resets;
mod single;
mod site;
mod tls;
mod uploads;

use std::fs;
use std::io::Read;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::file_contents::noise;
use crate::support::wait::pass_time;
use site::{CLIENT, HOSTS, Site, TRIES, instance_of};

#[test]
fn long_haproxy() {
    let site = Site::new("HAProxy");
    let _balancer = site.haproxy();
    site.assert_balanced();
    site.assert_an_end_takes_its_own_sessions_only();
}

#[test]
fn long_nginx() {
    let site = Site::new("HAProxy");
    let _balancer = site.nginx();
    site.assert_balanced();
}

#[test]
fn long_nftables() {
    let site = Site::new("nftables");
    site.nftables();
    site.assert_balanced();
}

impl Site {
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
        pass_time(Duration::from_secs(3), "HAProxy sees an end by two checks");
        // A drained instance takes no new client, and keeps those that it has.
        self.instances[1].signal(Signal::USR2);
        self.instances[1].log_with("drain");
        for _ in 0..TRIES {
            assert_eq!(instance_of(self.client().passive()), 2);
        }
        assert_eq!(clients[1].fetch("RETR large"), bytes);
    }
}

fn read_some(mut data: impl Read, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    data.read_exact(&mut bytes).expect("half of the file");
    bytes
}

/// More than all buffers on the way.
const LARGE: usize = 64 << 20;
