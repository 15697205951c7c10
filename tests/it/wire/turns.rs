//! However much a client gives the server to do: its next command, its end, and the orders of the
//! server are soon seen.

use std::fs::File;
use std::net::TcpStream;

use crate::support::client::Client;
use crate::support::fault::KernelTrace;
use crate::support::server::TestServer;

/// A place in it is searched for minutes.
const SPARSE_BYTES: u64 = 400 << 30;

/// Begins a search that does not end in the time of the test. Returns the data connection.
fn begin_search(server: &TestServer<impl Sized>, client: &mut Client) -> TcpStream {
    let file = File::create(server.path("sparse")).expect("a file");
    file.set_len(SPARSE_BYTES).expect("its size");
    client.command("TYPE A", 200);
    let data = client.data();
    client.command(format!("REST {}", SPARSE_BYTES - 1), 350);
    client.command("RETR sparse", 150);
    data
}

#[test]
fn a_search_in_a_text_can_be_aborted() {
    let server = TestServer::in_process(&[]);
    let mut client = server.client();
    let data = begin_search(&server, &mut client);
    client.command("STAT", 211);
    client.send("ABOR");
    client.expect_all(&[426, 226]);
    drop(data);
    client.expect_in_step();
}

#[test]
fn a_search_in_a_text_ends_with_its_client() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    let data = begin_search(&server, &mut client);
    drop((client, data));
    server.log_with("closed");
    server.finish();
}

/// Between two looks at its orders a session executes 64 commands at most.
#[test]
fn pipelined_commands_are_executed_in_turns() {
    const COMMANDS: usize = 6400;
    let server = TestServer::program(&[]);
    let mut client = server.client();
    let trace = KernelTrace::start(server.id(), "epoll_wait,epoll_pwait");
    client.send_bytes("NOOP\r\n".repeat(COMMANDS));
    client.expect_all(&[200; COMMANDS]);
    let looks = trace.end_with_any();
    assert!(looks >= COMMANDS / 64, "{looks} looks");
    server.finish();
}
