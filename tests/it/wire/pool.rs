//! A small range of passive ports and many clients: all are served, and all within the range.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use rustls::version;

use crate::support::client::Client;
use crate::support::client::tls::Protected;
use crate::support::data::{connect, connect_from, drain, read_all, read_some, wait_until_closed};
use crate::support::file_contents::noise;
use crate::support::server::{SecureServer, Setup};
use crate::support::wait::pass_time;

#[test]
fn eight_clients_share_one_port() {
    check_rush(20_000, 20_000, 8, 5);
}

#[test]
fn twenty_clients_share_two_ports() {
    check_rush(20_000, 20_001, 20, 3);
}

/// All clients at the same time, all in several rounds; each gets its own file.
fn check_rush(first: u16, last: u16, clients: usize, rounds: usize) {
    let server = Setup::new()
        .on_own_address()
        .flags(&["-r", &format!("{first}-{last}")])
        .in_process();
    let address = server.address;
    thread::scope(|scope| {
        for number in 0..clients {
            let bytes = noise(1000 * (number + 1));
            let name = format!("file{number}");
            server.write(&name, &bytes);
            scope.spawn(move || {
                let mut client = Client::logged_in(address);
                for round in 0..rounds {
                    let port = match round % 2 {
                        0 => client.passive(),
                        _ => client.extended_passive(),
                    };
                    assert!((first..=last).contains(&port.port()), "{port}");
                    let mut data = connect(port);
                    client.command(format!("RETR {name}"), 150);
                    assert!(read_all(&mut data) == bytes, "another client's file");
                    client.expect(226);
                }
                client.command("QUIT", 221);
            });
        }
    });
}

/// The first client has connected but sent no transfer command yet: another session gets the port
/// at once, not only when the first one's time is over.
#[test]
fn a_port_is_free_once_its_client_has_connected() {
    let server = Setup::new()
        .on_own_address()
        .flags(&["-r", "20000"])
        .in_process();
    server.write("first", "first");
    server.write("second", "second");
    let (mut first, mut second) = (server.client(), server.client());
    let port = first.extended_passive();
    let mut first_data = connect(port);
    let patience = Duration::from_secs(4);
    let timeout = second.stream.set_read_timeout(Some(patience));
    timeout.expect("a timeout");
    assert_eq!(second.extended_passive(), port);
    let mut second_data = connect(port);
    second.command("RETR second", 150);
    assert_eq!(read_all(&mut second_data), b"second");
    second.expect(226);
    first.command("RETR first", 150);
    assert_eq!(read_all(&mut first_data), b"first");
    first.expect(226);
}

/// It connects while others wait for the port, and sends its command after its time is over.
#[test]
fn a_late_client_is_served_although_others_wait() {
    let setup = Setup::new().on_own_address().flags(&["-r", "20000"]);
    let server = setup.program();
    server.write("first", "first");
    let (mut first, mut second) = (server.client(), server.client());
    let port = first.extended_passive();
    second.send("EPSV");
    server.session_log_with(2, " waits for a passive port");
    // With its reply the first session has looked, and found no connection.
    first.command("NOOP", 200);
    let mut data = connect(port);
    let reply = second.expect(229);
    assert_eq!(second.announced(&reply), port);
    first.command("RETR first", 150);
    assert_eq!(read_all(&mut data), b"first");
    first.expect(226);
}

/// A client connects and then asks for a port again, while another client holds the port open.
#[test]
fn an_abandoned_connection_serves_no_other_transfer() {
    let server = Setup::new()
        .on_own_address()
        .flags(&["-r", "20000"])
        .in_process();
    // No neighbour of the client, so that both may have the port.
    let mut other = client_at(Ipv4Addr::new(127, 1, 0, 1), server.address);
    other.extended_passive();
    let mut client = server.client();
    let port = client.extended_passive();
    let given_up = connect(port);
    assert_eq!(client.extended_passive(), port);
    drop(given_up);
    let mut data = connect(port);
    client.command("STOR new", 150);
    data.write_all(b"contents").expect("sending data");
    drop(data);
    client.expect(226);
    assert_eq!(server.read("new"), b"contents");
}

/// A transfer needs its port only until it begins.
#[test]
fn a_port_is_free_while_its_transfer_runs() {
    let server = Setup::new()
        .on_own_address()
        .flags(&["-r", "20000"])
        .in_process();
    server.write_sparse("large", 1 << 27);
    server.write("small", "text");
    let mut busy: Vec<_> = (0..5)
        .map(|_| {
            let mut client = server.client();
            let mut data = client.data();
            client.command("RETR large", 150);
            read_some(&mut data, 1000);
            (client, data)
        })
        .collect();
    assert_eq!(server.client().fetch("RETR small"), b"text");
    let (mut client, data) = busy.swap_remove(2);
    assert_eq!(drain(data), (1 << 27) - 1000);
    client.expect(226);
    for (mut client, data) in busy {
        drop(data);
        client.expect(426);
    }
}

/// Clients that never connect block no other client for long, and get 425 when they start a
/// transfer.
#[test]
fn clients_that_never_connect_give_up_their_port() {
    let server = Setup::new()
        .on_own_address()
        .flags(&["-r", "20000-20001"])
        .in_process();
    server.write("file", "text");
    let (mut one, mut other) = (server.client(), server.client());
    let ports = BTreeSet::from([one.extended_passive(), other.extended_passive()]);
    assert_eq!(ports.len(), 2);
    let mut client = server.client();
    assert_eq!(client.fetch("RETR file"), b"text");
    assert_eq!(client.fetch("RETR file"), b"text");
    let mut next = server.client();
    assert_eq!(next.fetch("RETR file"), b"text");
    one.send("RETR file");
    other.send("RETR file");
    let codes = [one.reply().code, other.reply().code];
    assert!(codes.contains(&425), "{codes:?}");
}

/// A session waits for a port as long as a data connection may take.
#[test]
fn no_free_port_in_time_is_425() {
    let setup = Setup::new().on_own_address();
    let setup = setup.flags(&["-r", "20000-20001"]).settings(|settings| {
        settings.timeouts.data_open = Some(Duration::from_millis(100));
    });
    let server = setup.in_process();
    let held = [20_000, 20_001].map(|port| {
        TcpListener::bind(SocketAddr::new(server.address.ip(), port)).expect("a listener")
    });
    let mut client = server.client();
    client.command("EPSV", 425);
    client.command("PASV", 425);
    drop(held);
    client.expect_in_step();
}

#[test]
fn a_port_in_use_by_another_program_is_passed_over() {
    let server = Setup::new()
        .on_own_address()
        .flags(&["-r", "20000-20002"])
        .in_process();
    let held = SocketAddr::new(server.address.ip(), 20_001);
    let _listener = TcpListener::bind(held).expect("a listener");
    let mut client = server.client();
    for _ in 0..10 {
        let port = client.extended_passive().port();
        assert!([20_000, 20_002].contains(&port), "{port}");
    }
}

/// After hundreds of passive ports with every kind of end, all ports of the range can be used at
/// once.
#[test]
fn every_port_is_released() {
    let server = Setup::new()
        .on_own_address()
        .flags(&["-r", "20000-20009"])
        .in_process();
    server.write("file", "text");
    let mut sessions = BTreeSet::new();
    let mut client = server.client();
    for round in 0..400 {
        let port = match round % 2 {
            0 => client.passive(),
            _ => client.extended_passive(),
        };
        assert!((20_000..=20_009).contains(&port.port()), "{port}");
        sessions.insert(port.port());
        match round % 8 {
            0 => client.command("ABOR", 226).code,
            1 => {
                drop(connect(port));
                client.command("ABOR", 226).code
            }
            2 => {
                let data = connect(port);
                client.command("RETR file", 150);
                assert_eq!(drain(data), 4);
                client.expect(226).code
            }
            3 => {
                client.command("STOR new", 150);
                client.command("ABOR", 426);
                client.expect(226).code
            }
            4 => client.command("RETR missing", 550).code,
            5 => {
                drop(connect(port));
                client.command("RETR missing", 550).code
            }
            // The session ends, with and without a connection.
            6 => {
                drop(connect(port));
                std::mem::replace(&mut client, server.client())
                    .command("QUIT", 221)
                    .code
            }
            _ => {
                drop(std::mem::replace(&mut client, server.client()));
                wait_until_closed(port);
                0
            }
        };
    }
    assert_eq!(sessions.len(), 10, "some ports were never used");
    client.command("ABOR", 226);
    let mut all: Vec<(Client, SocketAddr)> = Vec::new();
    for _ in 0..10 {
        let mut client = server.client();
        let port = client.extended_passive();
        all.push((client, port));
    }
    let ports: BTreeSet<_> = all.iter().map(|(_, port)| port.port()).collect();
    assert_eq!(ports, (20_000..=20_009).collect());
    for (client, port) in &mut all {
        let data = connect(*port);
        client.command("RETR file", 150);
        assert_eq!(drain(data), 4);
        client.expect(226);
    }
}

/// Without a time limit, too, a client that does not connect gives its port up when others wait for
/// it. One port is kept from its neighbourhood for a while, and so from the other clients here; the
/// other port is used at once.
#[test]
fn ports_are_yielded_without_a_time_limit_too() {
    // Each takes the time after which a port is yielded.
    thread::scope(|scope| {
        for command in ["NOOP", "RETR file"] {
            scope.spawn(move || check_yield(command));
        }
    });
}

#[track_caller]
fn check_yield(command: &str) {
    let server = Setup::new()
        .on_own_address()
        .flags(&["-r", "20000-20001", "--passive-timeout", "0"])
        .in_process();
    server.write("file", "text");
    let [mut first, mut idle, mut second] = [(); 3].map(|()| server.client());
    first.extended_passive();
    idle.extended_passive();
    first.send(command);
    assert_eq!(second.fetch("RETR file"), b"text");
    match command {
        "NOOP" => first.expect_all(&[200]),
        _ => {
            first.expect(150);
            let text = first.expect(425).text();
            assert!(
                text.contains(" before other clients needed the port; "),
                "{text}"
            );
        }
    }
    first.expect_in_step();
}

/// A provider's NAT sends the first client's data connection from the address of the second one,
/// which may wait at the same port only if no one could mix them up.
#[test]
fn a_connection_from_a_neighbour_gets_no_other_sessions_file() {
    let setup = Setup::new().on_own_address().flags(&["-r", "20000"]);
    let server = setup.in_process();
    server.write("first", "first");
    server.write("second", "second");
    let [mut first, mut second] = NEIGHBOURS.map(|from| client_at(from, server.address));
    let port = first.extended_passive();
    // Sent to the port at once, the second one would wait for its client there.
    second.send_bytes("EPSV\r\nRETR second\r\n");
    first.command("RETR first", 150);
    let stray = connect_from(Some(NEIGHBOURS[1]), port).expect("an open port");
    assert_eq!(drain(stray), 0, "a file came over a stranger's connection");
    assert_eq!(read_all(&mut first.connect_data(port)), b"first");
    first.expect(226);
    let reply = second.expect(229);
    assert_eq!(second.announced(&reply), port);
    second.expect(150);
    assert_eq!(read_all(&mut second.connect_data(port)), b"second");
    second.expect(226);
}

#[test]
fn a_protected_connection_from_a_neighbour_gets_no_other_sessions_file() {
    let setup = Setup::new().on_own_address().flags(&["-r", "20000"]);
    let secure = SecureServer::in_process_from(setup);
    let server = &secure.server;
    server.write("first", "first");
    server.write("second", "second");
    let configs = [(); 2].map(|()| secure.config(&version::TLS13));
    let mut clients = [0, 1].map(|index| {
        let mut client = Client::connect_from(NEIGHBOURS[index], server.address);
        client.expect(220);
        client.auth_tls(&configs[index]);
        client.log_in();
        client.protect_data();
        client
    });
    let [first, second] = &mut clients;
    let port = first.extended_passive();
    second.send_bytes("EPSV\r\nRETR second\r\n");
    first.command("RETR first", 150);
    let stray = connect_from(Some(NEIGHBOURS[1]), port).expect("an open port");
    let handshake = Protected::try_over(stray, &configs[0]);
    assert!(handshake.is_err(), "a stranger's connection was served");
    let data = Protected::over(first.connect_data(port), &configs[0]);
    assert_eq!(data.read_to_end().0, b"first");
    first.expect(226);
    second.expect_all(&[229, 150]);
    let data = Protected::over(second.connect_data(port), &configs[1]);
    assert_eq!(data.read_to_end().0, b"second");
    second.expect(226);
}

/// Its port is given up after 5 s because another session of its address waits. Until its repeated
/// attempts are over, that session does not listen there.
#[test]
fn long_a_slow_clients_connection_gets_no_other_sessions_file() {
    thread::scope(|scope| {
        // With a transfer that waits for its connection, and without.
        for command in ["RETR first", "NOOP"] {
            scope.spawn(move || slow_client(command));
        }
    });
}

fn slow_client(command: &str) {
    let setup = Setup::new().on_own_address().flags(&["-r", "20000"]);
    let server = setup.in_process();
    server.write("first", "first");
    server.write("second", "second");
    let (mut slow, mut next) = (server.client(), server.client());
    let port = slow.extended_passive();
    next.send_bytes("EPSV\r\nRETR second\r\n");
    slow.send(command);
    let asked = Instant::now();
    pass_time(
        Duration::from_millis(5500),
        "how the server treats slow clients is what is tested",
    );
    let mut attempts = 0;
    while asked.elapsed() < Duration::from_secs(14) {
        attempts += 1;
        match connect_from(None::<Ipv4Addr>, port) {
            Ok(data) => assert_eq!(drain(data), 0, "another session's file"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
        }
        pass_time(
            Duration::from_millis(100),
            "between the attempts of a client",
        );
    }
    assert!(attempts > 10, "{attempts} attempts");
    let line = next.line_within(Duration::from_secs(15)).expect("a port");
    assert!(line.starts_with("229 "), "{line}");
    let waited = asked.elapsed().as_secs_f64();
    assert!((19.5..23.0).contains(&waited), "{waited:.1} s");
    next.expect(150);
    assert_eq!(read_all(&mut next.connect_data(port)), b"second");
    next.expect(226);
    match command {
        "NOOP" => slow.expect_all(&[200]),
        _ => slow.expect_all(&[150, 425]),
    }
    // It is served like any other when it asks again.
    assert_eq!(slow.fetch("RETR first"), b"first");
}

/// A client that was given up may still connect. When another session ends in the middle of its
/// upload, the next one gets the port of that session.
#[test]
fn long_a_session_that_ends_gives_no_awaited_port_away() {
    let setup = Setup::new().on_own_address().flags(&["-r", "20000-20001"]);
    let server = setup.in_process();
    server.write("file", "text");
    let [one, two] = NEIGHBOURS;
    let [mut late, mut leaving, mut next] = [one, two, one].map(|at| client_at(at, server.address));
    late.extended_passive();
    late.command("RETR file", 150);
    pass_time(Duration::from_secs(3), "only this port is given up below");
    let port = leaving.extended_passive();
    leaving.command("STOR new", 150);
    next.send("EPSV");
    late.expect(425);
    drop(leaving);
    let reply = next.expect(229);
    assert_eq!(next.announced(&reply), port);
}

/// A client that waits for a port need not wait for its ABOR, its QUIT, or its end.
#[test]
fn abor_quit_and_a_lost_connection_leave_the_queue() {
    let server = Setup::new()
        .on_own_address()
        .flags(&["-r", "20000"])
        .in_process();
    let mut owner = server.client();
    let port = owner.extended_passive();

    let mut waiting = server.client();
    waiting.send_bytes("EPSV\r\nABOR\r\n");
    waiting.expect(425);
    waiting.expect(226);
    waiting.expect_in_step();
    waiting.send_bytes("PASV\r\nNOOP\r\nABOR\r\nABOR\r\n");
    waiting.expect_all(&[425, 200, 226, 226]);
    waiting.send_bytes("EPSV\r\nQUIT\r\n");
    waiting.expect(425);
    waiting.expect(221);
    waiting.expect_closed();
    let mut gone = server.client();
    gone.send("EPSV");
    drop(gone);

    let mut next = server.client();
    next.send("EPSV");
    let data = connect(port);
    let reply = next.expect(229);
    assert_eq!(next.announced(&reply), port);
    owner.command("LIST", 150);
    drain(data);
    owner.expect(226);
}

fn client_at(address: Ipv4Addr, server: SocketAddr) -> Client {
    let mut client = Client::connect_from(address, server);
    client.expect(220);
    client.log_in();
    client
}

/// Two addresses of one network, as a provider's NAT has them.
const NEIGHBOURS: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];
