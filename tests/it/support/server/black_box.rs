//! A server of which a test knows nothing but what clients see and what is in the directory.
//!
//! It is started as `COMMAND -p 0 -d DIRECTORY -u USER -P PASSWORD -w [--tls]`, with the command
//! that `FTP_TEST_SERVER` names, and must write a line to stderr that holds `listening on
//! ADDRESS:PORT`. Without that variable it is ours in this process. `--tls` asks for AUTH TLS with
//! any certificate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;

use super::{InProcess, Program, Setup, TestServer, program};

/// Where the server runs. Nothing but its address and its directory can be asked for.
pub(crate) enum BlackBox {
    InProcess { _server: InProcess },
    Command { program: Program },
}

impl Drop for BlackBox {
    fn drop(&mut self) {
        let Self::Command { program } = self else {
            return;
        };
        if thread::panicking() {
            eprintln!("the server's log:\n{}", program.log());
        } else {
            program.assert_running();
        }
    }
}

impl TestServer<BlackBox> {
    /// A server with a user who may write.
    pub(crate) fn black_box() -> Self {
        Self::black_box_from(Setup::new())
    }

    pub(super) fn black_box_from(setup: Setup<'_>) -> Self {
        if !program::is_replaced() {
            let server = setup.in_process();
            return server.map(|server| BlackBox::InProcess { _server: server });
        }
        let mut server = setup.on_all_addresses().program();
        server.address = reachable(server.address);
        server.map(|program| BlackBox::Command { program })
    }
}

impl<A> TestServer<A> {
    fn map<B>(self, change: impl FnOnce(A) -> B) -> TestServer<B> {
        TestServer {
            backend: change(self.backend),
            address: self.address,
            directory: self.directory,
        }
    }
}

/// A server that listens on all addresses is there on the loopback address too.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    let loopback: IpAddr = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        // Most such listeners serve IPv4 as well, which tests of PASV and PORT need.
        IpAddr::V6(ip) if ip == Ipv6Addr::UNSPECIFIED => Ipv4Addr::LOCALHOST.into(),
        other => other,
    };
    address.set_ip(loopback);
    address
}
