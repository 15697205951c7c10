//! A hundred honest clients with everything at random, over TLS and in clear text, beside hostile
//! ones and under reloads: every file is right, and nothing is left at the end.
//!
//! It runs for a minute, or for as many seconds as `FTP_TEST_SOAK_SECONDS` says, and needs a
//! machine to itself: a reply that takes longer than any other test waits is a failure. The seed is
//! in the output, with the honest clients' worst reply time.

mod honest;
mod hostile;

use std::fs;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustls::version::{TLS12, TLS13};

use crate::support::figures;
use crate::support::random::Random;
use crate::support::server::{Program, SecureServer, Setup, THREADS_IDLE, TestServer};
use crate::support::wait::{is_so_within, pass_time, wait_until};
use honest::{Honest, Totals};
use hostile::HOSTILE;

#[test]
fn long_soak() {
    let seconds = std::env::var("FTP_TEST_SOAK_SECONDS");
    let seconds = seconds.map_or(60, |value| value.parse().expect("a number of seconds"));
    let flags = ["-r", "20000-20299", "--login-timeout", "5"];
    let setup = Setup::new().on_own_address().flags(&flags);
    let server = SecureServer::program_from(setup);
    server.server.write_sparse("big", 64 << 20);
    for number in 0..CLIENTS {
        fs::create_dir(server.server.path(&format!("c{number}"))).expect("a directory");
    }

    let seed = u64::from(std::process::id());
    // Also what is made once, at the first use, is there before and after.
    let totals = Mutex::new(Totals::default());
    let now = Instant::now();
    run(&server, &totals, seed, now + Duration::from_secs(WARM_UP));
    let before = settled(&server, None);
    let begun = Instant::now();
    run(
        &server,
        &totals,
        seed + 1,
        begun + Duration::from_secs(seconds),
    );
    let took = begun.elapsed();
    let after = settled(&server, Some(before));
    let totals = totals.into_inner().expect("the totals");
    figures::show(format_args!(
        "{} s of soak (seed {seed}): {totals}; memory {} KiB before and {} KiB after, at most {} KiB",
        took.as_secs(),
        before.1,
        after.1,
        server.server.peak_kib(),
    ));
    assert!(totals.stored > 0 && totals.received > 0 && totals.listed > 0);
    assert!(totals.aborted > 0 && totals.lost > 0 && totals.renamed > 0);
    let grown = after.1.saturating_sub(before.1);
    assert!(grown < MEMORY_KIB_MAX, "{grown} KiB are not given back");
    assert_no_temporaries(&server);
    server.server.finish();
}

/// All clients at once, until then.
fn run(server: &SecureServer<Program>, totals: &Mutex<Totals>, seed: u64, end: Instant) {
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            // No two are neighbours.
            let address = Ipv4Addr::new(127, 1, number, 2);
            let random = Random::new(seed << 16 | u64::from(number) << 1 | 1);
            let config = match number % 4 {
                0 => Some(server.config(&TLS13)),
                1 => Some(server.config(&TLS12)),
                _ => None,
            };
            scope.spawn(move || {
                let mut client = Honest::new(server, number, address, config, random);
                client.run(end);
                totals.lock().expect("the totals").add(&client.totals);
            });
        }
        for (number, act) in (0_u8..).zip(HOSTILE) {
            let address = Ipv4Addr::new(127, 9, number, 5);
            let mut random = Random::new(seed << 24 | u64::from(number) << 1 | 1);
            let server = server.server.address;
            scope.spawn(move || {
                while Instant::now() < end {
                    act(server, address, &mut random);
                }
            });
        }
        scope.spawn(move || {
            while Instant::now() < end {
                for _ in 0..20 {
                    server.server.signal(Signal::HUP);
                }
                pass_time(Duration::from_millis(700), "between two storms");
            }
        });
    });
}

/// Waits until all sessions have ended. Returns descriptors and threads, and the memory.
fn settled(
    server: &SecureServer<Program>,
    expected: Option<((usize, usize), u64)>,
) -> ((usize, usize), u64) {
    let mut last = expected.map_or((0, 0), |(counts, _)| counts);
    wait_until("all sessions have ended, and hold nothing", || {
        let counts = counts_after_a_listing(&server.server);
        let is_settled = counts == last && counts.1 == THREADS;
        if expected.is_none() {
            last = counts;
        }
        is_settled
    });
    (last, server.server.resident_kib())
}

/// After a reload, the first listing opens what the server then holds until the next one.
fn counts_after_a_listing(server: &TestServer<Program>) -> (usize, usize) {
    let mut client = server.client();
    client.fetch("NLST");
    client.command("QUIT", 221);
    client.expect_closed();
    let second = Duration::from_secs(1);
    is_so_within(second, || server.counts().1 == THREADS);
    server.counts()
}

/// Uploads that were lost leave no file that no client sees.
fn assert_no_temporaries(server: &SecureServer<Program>) {
    for number in 0..CLIENTS {
        let directory = fs::read_dir(server.server.path(&format!("c{number}")));
        for entry in directory.expect("a directory") {
            let name = entry.expect("an entry").file_name();
            assert!(!name.to_string_lossy().starts_with('.'), "{name:?} is left");
        }
    }
}

const CLIENTS: u8 = 100;

/// One looks at the files of the certificate.
const THREADS: usize = THREADS_IDLE + 1;

/// Seconds before the measurement begins.
const WARM_UP: u64 = 5;

const MEMORY_KIB_MAX: u64 = 8192;
