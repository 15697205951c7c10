//! However much a client gives the server to do: its next command, its end, and the orders of the
//! server are soon seen.

use std::fs::File;
use std::net::TcpStream;

use crate::support::client::Client;
use crate::support::data::drain;
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

/// Between two looks at its orders a session executes 64 commands at most that look at a file, and
/// 1024 that are only answered.
#[test]
fn pipelined_commands_are_executed_in_turns() {
    const COMMANDS: usize = 6400;
    let server = TestServer::program(&[]);
    File::create(server.path("file")).expect("a file");
    let mut client = server.client();
    for (line, code, commands_per_look) in [
        ("SIZE file", 213, 64),
        ("SIZE x", 550, 64),
        ("NOOP", 200, 1024),
    ] {
        let trace = KernelTrace::start(server.id(), "epoll_wait,epoll_pwait");
        client.send_bytes(format!("{line}\r\n").repeat(COMMANDS));
        client.expect_all(&[code; COMMANDS]);
        // The session is in its first look when the trace begins.
        let looks = trace.end_with_any() + 1;
        assert!(
            looks >= COMMANDS / commands_per_look,
            "{line}: {looks} looks"
        );
    }
    server.finish();
}

/// Commands that have come together are answered together: 16 KiB of replies at a time.
#[test]
fn the_replies_to_pipelined_commands_are_sent_together() {
    const COMMANDS: usize = 1000;
    let server = TestServer::program(&[]);
    let mut client = server.client();
    let trace = KernelTrace::start(server.id(), "sendto");
    client.send_bytes("NOOP\r\n".repeat(COMMANDS));
    client.expect_all(&[200; COMMANDS]);
    let sends = trace.end_with_any();
    // A part of the commands may arrive later than the others.
    assert!(sends <= COMMANDS / 100, "{sends} sends");
    server.finish();
}

/// Between two looks at its orders a session looks at 1000 entries at most: names that are read, or
/// what they are.
#[test]
fn entries_are_listed_in_turns() {
    const FILES: usize = 10_000;
    let server = TestServer::program(&[]);
    for number in 0..FILES {
        File::create(server.path(&format!("f{number:05}"))).expect("a file");
    }
    let mut client = server.client();
    // What each entry costs: it is read, looked at for its time, and looked at for its line.
    for (command, looks_per_entry) in [
        ("LIST", 2),
        ("LIST -t", 3),
        ("NLST", 1),
        ("NLST -r", 1),
        ("NLST f*1", 1),
        ("MLSD", 2),
    ] {
        let data = client.data();
        let trace = KernelTrace::start(server.id(), "epoll_wait,epoll_pwait");
        client.command(command, 150);
        drain(data);
        client.expect(226);
        let looks = trace.end_with_any();
        let least = FILES * looks_per_entry / 1000;
        assert!(looks >= least, "{command}: {looks} looks");
    }
    // Before the transfer begins, too, and where none does.
    for (command, code) in [("NLST *x", 550), ("STAT .", 213)] {
        let data = client.data();
        let trace = KernelTrace::start(server.id(), "epoll_wait,epoll_pwait");
        client.command(command, code);
        let looks = trace.end_with_any();
        assert!(looks >= FILES / 1000, "{command}: {looks} looks");
        drop(data);
    }
    server.finish();
}

/// Between two looks at its orders a session moves 4 MiB at most.
#[test]
fn bytes_are_moved_in_turns() {
    const MIB: usize = 64;
    let server = TestServer::program(&[]);
    server.write_sparse("big", (MIB as u64) << 20);
    let mut client = server.client();
    for representation in ["I", "A"] {
        client.command(format!("TYPE {representation}"), 200);
        let data = client.data();
        let trace = KernelTrace::start(server.id(), "epoll_wait,epoll_pwait");
        client.command("RETR big", 150);
        assert_eq!(drain(data), MIB << 20);
        client.expect(226);
        let looks = trace.end_with_any();
        assert!(looks >= MIB / 4, "{looks} looks");
    }
    server.finish();
}
