//! The control connection over IPv6, and when the server ends.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::client::Client;
use crate::support::data::{drain, is_timeout, read_some};
use crate::support::server::{Setup, TestServer};

#[test]
fn ipv6_sessions_refuse_ipv4_commands() {
    let server = Setup::new().host("::1").in_process();
    server.write("file", "text");
    let mut client = server.client();
    client.command("PASV", 425);
    client.command("PORT 127,0,0,1,8,0", 522);
    client.command("EPSV 1", 522);
    client.command("EPSV 3", 522);
    client.command("EPSV x", 501);
    client.command("EPSV 2", 229);
    assert_eq!(client.fetch("RETR file"), b"text");
    client.command("EPSV ALL", 200);
    client.command("EPRT |2|::1|2000|", 501);
    assert_eq!(client.fetch("RETR file"), b"text");
}

/// Clients that arrive while the server ends are refused; the server still ends well.
#[test]
fn the_server_can_end_while_clients_arrive() {
    for _ in 0..20 {
        let server = TestServer::in_process(&["--max-cons-per-ip", "0"]);
        let address = server.address;
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !over.load(Ordering::SeqCst) {
                        // The kernel drops connections that find the queue full, and would try
                        // again for a second.
                        match TcpStream::connect_timeout(&address, CONNECT_MAX) {
                            Ok(_) => {}
                            Err(error) if is_timeout(&error) => {}
                            Err(_) => return,
                        }
                    }
                });
            }
            Client::greeted(address);
            drop(server);
            over.store(true, Ordering::SeqCst);
        });
    }
}

#[test]
fn a_shutdown_is_announced_by_421() {
    let server = TestServer::in_process(&[]);
    server.write_sparse("large", 1 << 30);
    let mut idle = server.client();
    let mut busy = server.client();
    let mut data = busy.data();
    busy.command("RETR large", 150);
    read_some(&mut data, 1000);
    server.shut_down();
    idle.expect(421);
    idle.expect_closed();
    drain(data);
    busy.expect(421);
    busy.expect_closed();
}

const CONNECT_MAX: Duration = Duration::from_millis(100);
