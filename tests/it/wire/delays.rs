//! How long it takes until a session that works hard does something else: measured, for each kind
//! of work, on a machine that should have nothing else to do.
//!
//! The figures are in the output. No figure fails the test; what fails it is a session that does
//! not react at all.

use std::fs::{self, File};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::client::Client;
use crate::support::data::{drain, reset};
use crate::support::figures;
use crate::support::server::{Program, THREADS_IDLE, TestServer};
use crate::support::wait::{pass_time, wait_until};

/// A kind of work, and how a client makes a session do it.
struct Work {
    name: &'static str,
    /// Returns the data connection.
    begin: fn(&mut Client) -> Option<TcpStream>,
    /// Whether ABOR ends it.
    can_abort: bool,
}

const WORK: &[Work] = &[
    Work {
        name: "LIST -t of 100,000 names",
        begin: |client| Some(begin_transfer(client, "LIST -t many")),
        can_abort: true,
    },
    Work {
        name: "LIST -t of a pattern, in 100,000 names",
        begin: |client| {
            let data = client.data();
            client.send("LIST -t many/f*");
            Some(data)
        },
        can_abort: true,
    },
    Work {
        name: "a pattern that no name matches, in 100,000",
        begin: |client| {
            let data = client.data();
            client.send("NLST many/*a*b*c*d");
            Some(data)
        },
        can_abort: true,
    },
    Work {
        name: "REST in ASCII in a sparse file of 400 GiB",
        begin: |client| {
            client.command("TYPE A", 200);
            let data = client.data();
            client.command(format!("REST {}", SPARSE_BYTES - 1), 350);
            client.command("RETR sparse", 150);
            Some(data)
        },
        can_abort: true,
    },
    Work {
        name: "HASH of 400 GiB",
        begin: |client| {
            client.send("HASH sparse");
            None
        },
        can_abort: true,
    },
    Work {
        name: "10,000 pipelined STAT",
        begin: |client| {
            client.send_bytes("STAT\r\n".repeat(10_000));
            None
        },
        can_abort: false,
    },
    Work {
        name: "pipelined STAT with a path, of 100,000 names",
        begin: |client| {
            client.send_bytes("STAT many\r\n".repeat(1000));
            None
        },
        can_abort: false,
    },
];

#[test]
fn long_delays() {
    let server = planted(100_000);
    figures::show(format_args!(
        "worst delays in ms: until ABOR acts, a lost client is gone, another session replies"
    ));
    for work in WORK {
        let abort = work
            .can_abort
            .then(|| worst(|wait| until_aborted(&server, work, wait)));
        let lost = worst(|wait| until_gone(&server, work, wait));
        let other = worst(|_| until_other_replies(&server, work));
        let abort = abort.map_or("-".into(), shown);
        figures::show(format_args!(
            "{:50} {abort:>8} {:>8} {:>8}",
            work.name,
            shown(lost),
            shown(other)
        ));
    }
    server.finish();
    figures::show(format_args!(
        "worst delays in ms: until SIGTERM has ended the session"
    ));
    for work in WORK {
        let server = planted(20_000);
        let mut client = server.client();
        let data = (work.begin)(&mut client);
        pass_time(Duration::from_millis(30), "the work is going on");
        let begun = Instant::now();
        server.signal(Signal::TERM);
        while client.line().is_some() {}
        figures::show(format_args!(
            "{:50} {:>8}",
            work.name,
            shown(begun.elapsed())
        ));
        drop((client, data));
        let (code, log) = server.ended();
        assert_eq!(code, Some(0), "{log}");
    }
}

/// Running transfers get no time to end at SIGTERM.
fn planted(names: u32) -> TestServer<Program> {
    let server = TestServer::program(&["--shutdown-grace", "0"]);
    fs::create_dir(server.path("many")).expect("a directory");
    for number in 0..names {
        File::create(server.path(&format!("many/f{number:06}"))).expect("a file");
    }
    server.write_sparse("sparse", SPARSE_BYTES);
    server
}

fn begin_transfer(client: &mut Client, command: &str) -> TcpStream {
    let data = client.data();
    client.command(command, 150);
    data
}

/// The worst of several measurements, each made at another moment of the work.
fn worst(measure: impl Fn(Duration) -> Duration) -> Duration {
    let waits = [0, 10, 20, 50, 100, 200, 400].map(Duration::from_millis);
    waits.into_iter().map(measure).max().unwrap_or_default()
}

fn until_aborted(server: &TestServer<Program>, work: &Work, wait: Duration) -> Duration {
    let mut client = server.client();
    let data = (work.begin)(&mut client);
    pass_time(wait, "the moment of the measurement");
    let begun = Instant::now();
    client.send("ABOR");
    while !matches!(client.reply().code, 225 | 226) {}
    let took = begun.elapsed();
    drop(data);
    client.expect_in_step();
    took
}

fn until_gone(server: &TestServer<Program>, work: &Work, wait: Duration) -> Duration {
    wait_until("no session is left", || server.counts().1 == THREADS_IDLE);
    let idle = server.sockets();
    let mut client = server.client();
    let data = (work.begin)(&mut client);
    pass_time(wait, "the moment of the measurement");
    let begun = Instant::now();
    data.into_iter().for_each(reset);
    reset(client.stream);
    wait_until("its session has ended", || server.sockets() == idle);
    begun.elapsed()
}

/// Also the data is read meanwhile, so that the work does not wait for that.
fn until_other_replies(server: &TestServer<Program>, work: &Work) -> Duration {
    let mut other = server.client();
    let mut client = server.client();
    let data = (work.begin)(&mut client);
    let reader = data.map(|data| thread::spawn(|| drain(data)));
    let mut worst = Duration::ZERO;
    for _ in 0..50 {
        let begun = Instant::now();
        other.command("NOOP", 200);
        worst = worst.max(begun.elapsed());
        pass_time(Duration::from_millis(4), "spread over the work");
    }
    reset(client.stream);
    if let Some(reader) = reader {
        reader.join().expect("the data is read");
    }
    worst
}

fn shown(delay: Duration) -> String {
    format!("{:.1}", delay.as_secs_f64() * 1000.0)
}

const SPARSE_BYTES: u64 = 400 << 30;
