//! What a client leaves that ends by a reset, or whose machine is gone: what its instance sees of
//! it through a balancer, and that the log names the client.

use std::fs;
use std::io::Write;
use std::net::TcpStream;

use rustls::version::TLS13;

use super::site::{CLIENT, PUBLIC, Site};
use super::tls::secure;
use crate::support::client::Client;
use crate::support::client::tls::Protected;
use crate::support::data::{read_some, reset};
use crate::support::file_contents::noise;
use crate::support::wait::wait_until;

#[test]
fn long_clients_are_gone_behind_haproxy() {
    let site = Site::with("HAProxy", |_, _| short_limits());
    let _balancer = site.haproxy();
    site.assert_resets(RESET, 426);
    site.assert_a_lost_machine_is_noticed();
}

#[test]
fn long_clients_are_gone_behind_nftables() {
    let site = Site::with("nftables", |_, _| short_limits());
    site.nftables();
    site.assert_resets(RESET, 426);
    site.assert_a_lost_machine_is_noticed();
}

/// It ends its own connection in order, so that a piece looks like a whole file.
#[test]
fn long_clients_are_gone_behind_nginx() {
    let site = Site::with("HAProxy", |_, _| short_limits());
    let _balancer = site.nginx();
    site.assert_resets("its control connection was closed ", 226);
    site.assert_a_lost_machine_is_noticed();
}

/// What the page gives against that.
#[test]
fn long_tls_shows_a_reset_behind_nginx() {
    let site = secure("HAProxy", &["--tls-require-close-notify"]);
    let _balancer = site.nginx();
    let config = site.trusting(0, &TLS13);
    let mut client = site.secure_client(PUBLIC.port(), &config);
    let socket = client.data();
    client.command("STOR piece", 150);
    let mut data = Protected::over(socket, &config);
    data.write(&noise(SENT));
    site.wait_for_upload(SENT);
    reset(data.socket);
    client.expect(426);
    site.log_with(&format!("ann@{CLIENT} STOR /piece "), "close_notify");
}

impl Site {
    /// `control` is what the log says about a control connection, and `code` the reply to an upload
    /// whose data connection alone is reset.
    fn assert_resets(&self, control: &str, code: u16) {
        fs::write(self.share().join("large"), noise(LARGE)).expect("a file");
        let mut client = self.client();
        reset(self.upload(&mut client, "piece"));
        client.expect(code);
        let line = format!("ann@{CLIENT} STOR /piece");
        let end = if code == 226 { ": " } else { " failed after " };
        self.log_with(&line, end);
        let mut data = client.data();
        client.command("RETR large", 150);
        read_some(&mut data, 1);
        reset(data);
        client.expect(426);
        self.log_with(&format!("ann@{CLIENT} RETR /large failed after "), "lost");
        client.expect_in_step();
        reset(client.stream);
        self.log_with(
            &format!("ann@{CLIENT} closed: the client is gone: "),
            control,
        );
    }

    /// Its network is gone: nothing comes any more, not even a reset.
    fn assert_a_lost_machine_is_noticed(&self) {
        let _idle = self.client();
        let mut uploading = self.client();
        let _upload = self.upload(&mut uploading, "upload");
        let mut downloading = self.client();
        let _download = downloading.data();
        downloading.command("RETR large", 150);
        self.lab.sh("client", "ip link set eth0 down");
        for (line, end) in [
            ("STOR /upload ended after ", "no byte moved for 3 s"),
            ("RETR /large ended after ", "no byte moved for 3 s"),
            ("closed: ", "no command came for 3 s"),
        ] {
            self.log_with(&format!("ann@{CLIENT} {line}"), end);
        }
    }

    /// The data connection of an upload of which a part is there.
    fn upload(&self, client: &mut Client, name: &str) -> TcpStream {
        let mut data = client.data();
        client.command(format!("STOR {name}"), 150);
        data.write_all(&noise(SENT)).expect("sending data");
        self.wait_for_upload(SENT);
        data
    }

    fn wait_for_upload(&self, bytes: usize) {
        wait_until("the bytes are at the instance", || {
            self.unfinished_bytes() == bytes as u64
        });
    }

    /// Waits for a line of any instance that holds both texts.
    #[track_caller]
    fn log_with(&self, one: &str, other: &str) {
        let is_it = |line: &str| line.contains(one) && line.contains(other);
        wait_until(&format!("{one}…{other} in a log"), || {
            let mut logs = self.instances.iter().map(|instance| instance.log());
            logs.any(|log| log.lines().any(is_it))
        });
    }
}

fn short_limits() -> Vec<String> {
    let flags = ["--timeout", "3", "--data-timeout", "3"];
    flags.map(str::to_owned).to_vec()
}

const RESET: &str = "its control connection was reset ";
const SENT: usize = 2 << 20;
/// More than all buffers on the way.
const LARGE: usize = 64 << 20;
