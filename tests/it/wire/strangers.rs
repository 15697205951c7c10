//! Connections from other addresses to a passive port, where the operator permits them.

use crate::support::data::{connect_stranger, read_all};
use crate::support::server::TestServer;

#[test]
fn strangers_may_be_permitted() {
    let server = TestServer::in_process(&["--permit-foreign-addresses"]);
    server.write("file", "text");
    let mut client = server.client();
    let port = client.extended_passive();
    client.command("RETR file", 150);
    let mut data = connect_stranger(port).expect("a connection");
    assert_eq!(read_all(&mut data), b"text");
    client.expect(226);
}
