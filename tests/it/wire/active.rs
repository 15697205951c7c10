//! Active mode: where the server connects to, and from where.

use std::net::{SocketAddr, TcpListener};

use crate::support::client::{Client, Origin};
use crate::support::data::{STRANGER, port_command, read_all};
use crate::support::server::{InProcess, Setup, TestServer, own_address};

#[test]
fn port_may_name_another_host_when_permitted() {
    let server = TestServer::in_process(&["--permit-foreign-addresses"]);
    check_fetch(
        &server,
        TcpListener::bind((STRANGER, 0)).expect("a listener"),
    );
    server.client().command("PORT 127,0,0,2,0,80", 504);
}

#[test]
fn port_may_name_a_low_port_when_permitted() {
    let server = TestServer::in_process(&["--permit-privileged-ports"]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    check_fetch(&server, listener);
    let mut free = (600..1024).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    check_fetch(
        &server,
        free.next()
            .expect("a free port below 1024; do the tests run as root?"),
    );
    server.client().command("PORT 127,0,0,2,0,80", 501);
}

/// The address of a gateway does not show which of its clients listens there.
#[test]
fn active_mode_leads_to_no_trusted_gateway() {
    let server = TestServer::in_process(&["--trust-gateway", "127.0.0.2/31"]);
    server.write("file", "text");
    let refusal = "501 Active mode does not work through a gateway that clients share; use passive \
                   mode (PASV or EPSV).";
    let mut client = server.client();
    let origin = Origin {
        address: Some(STRANGER.into()),
        ..Origin::default()
    };
    let mut behind = Client::logged_in_from(origin, server.address);
    let refused = |client: &mut Client, lines: &[&str]| {
        for line in lines {
            assert_eq!(client.command(line, 501).text(), refusal, "{line}");
        }
    };
    refused(
        &mut client,
        &["PORT 127,0,0,2,100,0", "EPRT |1|127.0.0.3|25600|"],
    );
    refused(
        &mut behind,
        &[
            "PORT 127,0,0,2,100,0",
            "EPRT |1|127.0.0.2|25600|",
            "PORT 127,0,0,1,100,0",
        ],
    );
    // Other addresses are judged as ever, and the gateway's clients have passive mode.
    client.command("PORT 127,0,0,4,100,0", 501);
    assert_eq!(client.fetch_active("RETR file").0, b"text");
    assert_eq!(behind.fetch_passive("RETR file"), b"text");
}

fn check_fetch(server: &TestServer<InProcess>, listener: TcpListener) {
    server.write("file", "text");
    let mut client = server.client();
    client.command(port_of(&listener), 200);
    client.command("RETR file", 150);
    let (mut data, _) = listener.accept().expect("a data connection");
    assert_eq!(read_all(&mut data), b"text");
    client.expect(226);
}

/// RFC 959's default data port, where firewalls look for it; another one where it is taken.
#[test]
fn the_server_connects_from_the_port_below_its_own() {
    let host = own_address();
    let server = Setup::new()
        .host(host.to_string())
        .flags(&["-p", "2121"])
        .in_process();
    server.write("file", "text");
    let mut client = server.client();
    let mut source = || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        client.command(port_of(&listener), 200);
        client.command("RETR file", 150);
        let (mut data, from) = listener.accept().expect("a data connection");
        assert_eq!(read_all(&mut data), b"text");
        client.expect(226);
        from
    };
    let expected = SocketAddr::from((host, 2120));
    assert_eq!([source(), source(), source()], [expected; 3]);
    let taken = TcpListener::bind(expected).expect("a listener");
    let other = source();
    assert_eq!((other.ip(), other.port() == 2120), (expected.ip(), false));
    drop(taken);
}

/// Several sessions at the same time, all from the one port.
#[test]
fn several_sessions_connect_from_the_port_below() {
    let host = own_address();
    let server = Setup::new()
        .host(host.to_string())
        .flags(&["-p", "2121"])
        .in_process();
    server.write_sparse("large", 1 << 28);
    let mut busy: Vec<(Client, _)> = Vec::new();
    for _ in 0..4 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let mut client = server.client();
        client.command(port_of(&listener), 200);
        client.command("RETR large", 150);
        let (data, from) = listener.accept().expect("a data connection");
        assert_eq!(from, SocketAddr::from((host, 2120)));
        busy.push((client, data));
    }
    for (mut client, data) in busy {
        drop(data);
        client.expect(426);
        client.expect_in_step();
    }
}

fn port_of(listener: &TcpListener) -> String {
    port_command(listener.local_addr().expect("its address"))
}
