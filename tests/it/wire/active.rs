//! Active mode: where the server connects to, and from where.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use crate::support::client::Client;
use crate::support::data::{STRANGER, connect, connect_stranger, drain, port_command, read_all};
use crate::support::server::{InProcess, PASSWORD, Setup, TestServer, USER, own_address};

#[test]
fn foreign_addresses() {
    let server = TestServer::in_process(&[]);
    let mut client = server.client();
    for (line, code) in [
        ("PORT 127,0,0,2,100,0", 501),
        ("EPRT |1|127.0.0.2|25600|", 501),
        ("PORT 8,8,8,8,100,0", 501),
        ("PORT 0,0,0,0,100,0", 501),
        ("PORT 127,0,0,1,0,0", 501),
        ("PORT 127,0,0,1,0,80", 504),
        ("PORT 127,0,0,1,3,255", 504),
        ("EPRT |1|127.0.0.1|1023|", 504),
        ("EPRT |2|::1|25600|", 522),
        ("PORT 127,0,0,1,4,0", 200),
        ("EPRT |1|127.0.0.1|1024|", 200),
    ] {
        client.command(line, code);
    }
}

#[test]
fn permitted_foreign_addresses() {
    let server = TestServer::in_process(&["--permit-foreign-addresses"]);
    check_fetch(
        &server,
        TcpListener::bind((STRANGER, 0)).expect("a listener"),
    );
    server.client().command("PORT 127,0,0,2,0,80", 504);
}

#[test]
fn permitted_privileged_ports() {
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

fn check_fetch(server: &TestServer<InProcess>, listener: TcpListener) {
    server.write("file", "text");
    let mut client = server.client();
    client.command(port_of(&listener), 200);
    client.command("RETR file", 150);
    let (mut data, _) = listener.accept().expect("a data connection");
    assert_eq!(read_all(&mut data), b"text");
    client.expect(226);
}

/// A listener that the client does not have: nothing hangs.
#[test]
fn nobody_listens() {
    let server = TestServer::in_process(&[]);
    server.write("file", "text");
    let mut client = server.client();
    // Bound, so that nobody else can listen there meanwhile.
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    bound.bind(&any.into()).expect("a port");
    let address = bound.local_addr().expect("its address").as_socket();
    let closed = port_command(address.expect("an IP address"));
    for command in ["RETR file", "STOR file", "STOR new"] {
        client.command(&closed, 200);
        client.command(command, 150);
        client.expect(425);
    }
    assert_eq!(server.read("file"), b"text");
    assert!(!server.path("new").exists());
    client.expect_in_step();
}

/// RFC 959's default data port, where firewalls look for it; another one where it is taken.
#[test]
fn the_port_below_the_control_port() {
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
fn the_port_below_is_shared() {
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

/// The client's address is its control connection's, also when that is not the usual one.
#[test]
fn the_peer_is_who_connected() {
    let server = TestServer::in_process(&[]);
    let mut client = Client::connect_from(STRANGER, server.address);
    client.expect(220);
    client.command(format!("USER {}", USER), 331);
    client.command(format!("PASS {}", PASSWORD), 230);
    client.command("PORT 127,0,0,1,100,0", 501);
    client.command("PORT 127,0,0,2,100,0", 200);
    let port = client.extended_passive();
    client.command("NLST", 150);
    drain(connect(port));
    let mut data = connect_stranger(port).expect("a data connection");
    assert_eq!(read_all(&mut data), b"");
    client.expect(226);
}

fn port_of(listener: &TcpListener) -> String {
    port_command(listener.local_addr().expect("its address"))
}
