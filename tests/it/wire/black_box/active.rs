//! Active mode: where the server connects to.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

use crate::support::client::Client;
use crate::support::data::{STRANGER, connect, connect_stranger, drain, port_command, read_all};
use crate::support::server::{PASSWORD, TestServer, USER};

#[test]
fn port_must_name_the_client() {
    let server = TestServer::black_box();
    let mut client = server.client();
    for (line, code) in [
        ("PORT 127,0,0,2,100,0", 501),
        ("EPRT |1|127.0.0.2|25600|", 501),
        ("PORT 8,8,8,8,100,0", 501),
        ("PORT 192,168,1,5,100,0", 501),
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

/// A listener that the client does not have: nothing hangs.
#[test]
fn a_closed_port_of_the_client_is_425() {
    let server = TestServer::black_box();
    server.write("file", "text");
    let mut client = server.client();
    // Bound, so that no other program can listen there meanwhile.
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

/// The client's address is its control connection's, also when that is not the usual one.
#[test]
fn the_client_is_the_peer_of_the_control_connection() {
    let server = TestServer::black_box();
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

#[test]
fn the_425_names_the_address_that_was_not_reached() {
    let server = TestServer::black_box();
    let mut client = server.client();
    // No one listens there: it is below the ports that the kernel assigns.
    client.command("EPRT |1|127.0.0.1|1025|", 200);
    client.command("NLST", 150);
    let reply = client.expect(425).text();
    assert_eq!(reply, "425 Cannot connect to 127.0.0.1:1025.");
    let text = client.command("STAT", 211).text();
    assert!(!text.contains(" Passive mode: "), "{text}");
}
