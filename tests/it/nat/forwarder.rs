//! vsftpd behind the router, as a server that cannot be changed, and the forwarder of
//! `ftp-proto/examples/alg` before it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command};

use tempfile::TempDir;

use super::announcements::{addresses, assert_announced};
use super::home_network::{INNER, OUTER, OUTSIDE, Router, home_network};
use super::home_server::{SIZE, TIMEOUT_SECONDS};
use crate::support::client::{Client, Origin};
use crate::support::client_program::{SECONDS_MAX, curl, path};
use crate::support::file_contents::{assert_same_files, noise};
use crate::support::forwarder::{Forwarder, command};
use crate::support::lab::Lab;
use crate::support::process::{self, Finished};
use crate::support::wait::wait_until;

/// The private address in its 227 leads nowhere.
#[test]
fn vsftpd_alone_fails_clients_outside() {
    let lab = home_network(&Router::default());
    let vsftpd = Vsftpd::start(&lab, "server", 2121, &RANGE);
    let output = vsftpd.curl_list(&lab, TRUSTING).expect_failure();
    assert_eq!(addresses(&output), [INNER], "{}", output.text());
    let code = output.status.and_then(|status| status.code());
    assert_eq!(code, Some(CURL_TIMED_OUT), "{}", output.text());
}

#[test]
fn data_through_the_forwarder_serves_clients_outside() {
    let lab = home_network(&Router::default());
    // On another host than the forwarder; the router forwards nothing to it.
    let vsftpd = Vsftpd::start(&lab, "neighbour", 21, &[]);
    let forwarder = forwarder(&lab, "192.168.77.3:21", &["--passive-ports", "60000-60009"]);
    for output in vsftpd.curl(&lab, TRUSTING) {
        assert_announced(&output, 227, OUTER);
    }
    for output in vsftpd.curl(&lab, &[]) {
        assert_announced(&output, 229, OUTER);
    }
    vsftpd.curl(&lab, &["--ftp-port", "-"]);
    vsftpd.lftp(&lab);

    let mut client = anonymous(&lab);
    for _ in 0..3 {
        assert!(client.fetch_passive("RETR from-server.bin") == noise(SIZE));
        assert!(client.fetch("RETR from-server.bin") == noise(SIZE));
        let (bytes, from) = client.fetch_active("RETR from-server.bin");
        assert!(bytes == noise(SIZE));
        assert_eq!(from, OUTER);
    }
    let bytes = noise(1000);
    let port = client.passive();
    let data = client.connect_data(port);
    client.store_over(data, "STOR incoming/own.bin", &bytes);
    assert!(fs::read(vsftpd.root().join("incoming/own.bin")).expect("the upload") == bytes);
    client.command("QUIT", 221);
    client.expect_closed();
    forwarder.log_with(" is now 227 Entering Passive Mode (203,0,113,1,234,");
    forwarder.finish();
}

/// Then the router forwards the range to the server, which must accept data from others than the
/// forwarder.
#[test]
fn the_address_alone_serves_clients_outside() {
    let lab = home_network(&Router::default());
    let settings = [&RANGE[..], &["pasv_promiscuous=YES"]].concat();
    let vsftpd = Vsftpd::start(&lab, "server", 2122, &settings);
    let forwarder = forwarder(&lab, "192.168.77.2:2122", &[]);
    for output in vsftpd.curl(&lab, TRUSTING) {
        assert_announced(&output, 227, OUTER);
    }
    for output in vsftpd.curl(&lab, &[]) {
        assert_announced(&output, 229, OUTER);
    }
    forwarder.finish();
}

#[test]
fn the_address_alone_fails_where_the_server_expects_the_forwarder() {
    let lab = home_network(&Router::default());
    let vsftpd = Vsftpd::start(&lab, "server", 2122, &RANGE);
    let forwarder = forwarder(&lab, "192.168.77.2:2122", &[]);
    let output = vsftpd.curl_list(&lab, TRUSTING).expect_failure();
    assert_announced(&output, 227, OUTER);
    assert!(output.text().contains("< 425 "), "{}", output.text());
    forwarder.finish();
}

/// It serves everyone, and takes uploads into one directory.
pub(super) struct Vsftpd {
    child: Child,
    directory: TempDir,
}

impl Vsftpd {
    pub(super) fn start(lab: &Lab, host: &str, port: u16, more: &[&str]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let root = directory.path().join("root");
        let incoming = root.join("incoming");
        fs::create_dir_all(&incoming).expect("directories");
        fs::create_dir(directory.path().join("empty")).expect("a directory");
        // It serves as another user, who may write into one directory.
        for (path, mode) in [
            (directory.path(), 0o755),
            (&root, 0o755),
            (&incoming, 0o777),
        ] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
        }
        fs::write(root.join("from-server.bin"), noise(SIZE)).expect("a file to serve");
        let settings = format!(
            "listen_port={port}\nanon_root={}\nsecure_chroot_dir={}\n{VSFTPD}{}\n",
            path(&root),
            path(&directory.path().join("empty")),
            more.join("\n")
        );
        let file = directory.path().join("vsftpd.conf");
        fs::write(&file, settings).expect("its settings");
        let child = process::start(lab.on(host, "vsftpd").arg(&file));
        let vsftpd = Self { child, directory };
        wait_until("vsftpd listens", || {
            let host = lab.namespace_of(host);
            host.connect(None, SocketAddr::from(([127, 0, 0, 1], port)))
                .is_ok()
        });
        vsftpd
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn curl_list(&self, lab: &Lab, flags: &[&str]) -> Finished {
        let mut command = curl();
        let timeout = TIMEOUT_SECONDS.to_string();
        command
            .args(["--verbose", "--connect-timeout", &timeout])
            .args(flags);
        command.arg(format!("ftp://{OUTSIDE}/"));
        process::run(&mut lab.command_on("client", &command), SECONDS_MAX)
    }

    /// List, download and upload; returns what curl printed.
    fn curl(&self, lab: &Lab, flags: &[&str]) -> Vec<Finished> {
        let run = |arguments: &[&str]| {
            let mut command = curl();
            command.arg("--verbose").args(flags).args(arguments);
            process::run(&mut lab.command_on("client", &command), SECONDS_MAX).expect_success()
        };
        let list = self.curl_list(lab, flags).expect_success();
        assert!(list.text().contains(" from-server.bin"), "{}", list.text());
        let (wanted, got) = (
            self.root().join("from-server.bin"),
            self.directory.path().join("got"),
        );
        let download = run(&[
            "-o",
            path(&got),
            &format!("ftp://{OUTSIDE}/from-server.bin"),
        ]);
        assert_same_files(&wanted, &got);
        let upload = run(&[
            "-T",
            path(&wanted),
            &format!("ftp://{OUTSIDE}/incoming/from-curl.bin"),
        ]);
        let uploaded = self.root().join("incoming/from-curl.bin");
        assert_same_files(&wanted, &uploaded);
        fs::remove_file(uploaded).expect("the upload");
        vec![list, download, upload]
    }

    fn lftp(&self, lab: &Lab) {
        let script = format!(
            "set net:timeout {TIMEOUT_SECONDS}; set net:max-retries 2; set cmd:fail-exit true; \
             set ftp:prefer-epsv false; set ftp:fix-pasv-address false; \
             open ftp://{OUTSIDE}; cls; cat from-server.bin"
        );
        let mut command = Command::new("lftp");
        command.env("HOME", self.directory.path());
        command.args(["--norc", "-c", &script]);
        let output = process::run(&mut lab.command_on("client", &command), SECONDS_MAX);
        let output = output.expect_success();
        assert!(
            output.stdout.ends_with(&noise(SIZE)),
            "{} bytes",
            output.stdout.len()
        );
    }
}

impl Drop for Vsftpd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The forwarder on the host that the router forwards to.
pub(super) fn forwarder(lab: &Lab, server: &str, more: &[&str]) -> Forwarder {
    let listen = "192.168.77.2:2121".parse().expect("an address");
    let mut command = command(listen, server.parse().expect("an address"), "203.0.113.1");
    Forwarder::start(&mut lab.command_on("server", command.args(more)))
}

fn anonymous(lab: &Lab) -> Client {
    let origin = Origin {
        host: Some(lab.namespace_of("client")),
        address: None,
    };
    let mut client = Client::from_origin(origin, OUTSIDE.parse().expect("an address"));
    client.expect(220);
    client.command("USER anonymous", 331);
    client.command("PASS any", 230);
    client.command("TYPE I", 200);
    client
}

/// A client that asks with PASV, and connects to the address in the reply.
const TRUSTING: &[&str] = &["--disable-epsv", "--no-ftp-skip-pasv-ip"];
/// Of the connection to the private address: the login has succeeded before.
const CURL_TIMED_OUT: i32 = 28;
pub(super) const RANGE: [&str; 2] = ["pasv_min_port=60000", "pasv_max_port=60009"];
const VSFTPD: &str = "
listen=YES
listen_ipv6=NO
background=NO
anonymous_enable=YES
no_anon_password=NO
write_enable=YES
anon_upload_enable=YES
anon_world_readable_only=NO
anon_umask=022
seccomp_sandbox=NO
";
