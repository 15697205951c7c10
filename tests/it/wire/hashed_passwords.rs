//! Passwords that are stored as hashes: who gets in, in which order they are compared, and what the
//! comparisons cost others.

use std::env;
use std::fs;
use std::io::Read;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ftp_server_sync::settings::{PasswordHash, Users, hash_password};

use crate::support::client::Client;
use crate::support::figures;
use crate::support::log;
use crate::support::server::{InProcess, PASSWORD, Setup, TestServer, USER, own_address};
use crate::support::wait::pause;

#[test]
fn each_scheme_lets_in_who_has_the_password() {
    for hash in [
        "$argon2id$v=19$m=8192,t=3,p=1$c2FsdHNhbHRzYWx0\
         $3Og61Xxj0nm8y7CwI3znnUJKlGmN13p8hnyTPJNR5sA",
        "$2y$05$SY8W7YRvnaxvf1s0AmgjkO/jsztx9sYsdgvURF4wTqhj.2PPkiWF2",
        "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq\
         .H91p5hVO1",
        "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
        "$y$j9T$XyuT/xrwNJHOXjB1muKLE.$Ip3yAP6siqXro6FkyZCu5.rhdmCREO6kCXBTHZAgTU8",
    ] {
        let server = with_hash(Setup::new(), hash).in_process();
        let mut client = Client::greeted(server.address);
        for (name, password, code) in [
            (USER, "Secret", 530),
            ("eve", "secret", 530),
            (USER, "secret", 230),
            ("anonymous", "secret", 230),
        ] {
            client.command(format!("USER {name}"), 331);
            client.command(format!("PASS {password}"), code);
        }
    }
}

/// Whatever is under way at the same time: not one more guess than may be.
#[test]
fn the_passwords_of_one_address_are_compared_one_after_another() {
    let server = with_hash(Setup::new().flags(&["--block-after", "3"]), QUICK).in_process();
    let own = own_address();
    let mut clients: Vec<Client> = (0..10).map(|_| named(&server, own)).collect();
    for client in &mut clients {
        client.send("PASS wrong");
    }
    let codes = clients.iter_mut().map(|client| client.reply().code);
    let mut codes: Vec<u16> = codes.collect();
    codes.sort_unstable();
    assert_eq!(codes, [[421; 7].as_slice(), &[530; 3]].concat());
    let failed = log::lines_with(&format!("login failed from {own} as \"{USER}\""));
    assert_eq!(failed.len(), 3, "{failed:?}");
    let blocked = log::lines_with(&format!("blocked {own} "));
    assert_eq!(blocked.len(), 1, "{blocked:?}");
}

#[test]
fn after_a_failure_passwords_wait_for_their_turns() {
    let server = with_hash(Setup::new(), QUICK)
        .settings(|settings| {
            settings.users = users(QUICK);
            settings.login_delay = Duration::from_millis(1);
        })
        .in_process();
    let own = own_address();
    let mut clients = [(); 5].map(|()| named(&server, own));
    clients[0].command("PASS wrong", 530);
    let since = Instant::now();
    for client in &mut clients[1..] {
        client.send("PASS wrong");
    }
    for client in &mut clients[1..] {
        client.expect(530);
    }
    // Five in a second: the first of these waits for the rest of its 0.2 s.
    let waited = since.elapsed();
    assert!(waited >= Duration::from_millis(600), "{waited:?}");
}

/// It takes less than a second, and six of one address wait for each other.
#[test]
fn the_end_of_the_server_does_not_wait_for_comparisons() {
    let server = with_hash(Setup::new(), SLOW).in_process();
    let own = own_address();
    let mut clients: Vec<Client> = (0..6).map(|_| named(&server, own)).collect();
    let mut inside = Client::greeted(server.address);
    inside.command("USER anonymous", 331);
    inside.command("PASS x", 230);
    for client in &mut clients {
        client.send("PASS wrong");
    }
    // Their sessions do what others ask meanwhile, and so do they.
    inside.expect_in_step();
    server.shut_down();
    let last = clients.last_mut().expect("six");
    assert_eq!(last.reply().code, 421);
}

/// In a process with the variables that the program sets for itself, so that its memory is that of
/// the program.
#[test]
fn long_many_logins_at_once() {
    if env::var_os("MALLOC_ARENA_MAX").is_none() {
        let name = "wire::hashed_passwords::long_many_logins_at_once";
        let mut command = Command::new(env::current_exe().expect("the test's own path"));
        command.args(["--exact", name, "--nocapture"]);
        command.env(
            "GLIBC_TUNABLES",
            "glibc.malloc.tcache_max=128:glibc.rtld.nns=1",
        );
        command.env("MALLOC_ARENA_MAX", "2");
        command.env("MALLOC_MMAP_THRESHOLD_", "131072");
        command.env("MALLOC_TRIM_THRESHOLD_", "131072");
        let status = command.status().expect("the test");
        return assert!(status.success(), "{status}");
    }
    let hash = hash_password(PASSWORD.as_bytes()).expect("a hash");
    let setup = Setup::new().flags(&["--max-cons-per-ip", "0", "--max-cons", "500"]);
    let server = with_hash(setup, &hash).in_process();
    server.write_sparse("large", LARGE_BYTES);
    let mut downloader = Client::logged_in(server.address);
    let (alone, alone_gap) = download(&mut downloader);
    let names = (0..LOGINS).map(|number| Ipv4Addr::new(127, 9, 1, number + 1));
    let mut clients: Vec<Client> = names.map(|from| named(&server, from)).collect();
    let before = resident_kib();
    let (is_over, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    let (logins, (busy, busy_gap)) = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                peak.fetch_max(resident_kib(), Ordering::Relaxed);
                pause();
            }
        });
        for client in &mut clients {
            client.send(format!("PASS {PASSWORD}"));
        }
        let meanwhile = scope.spawn(|| download(&mut downloader));
        for client in &mut clients {
            client.expect(230);
        }
        let logins = begun.elapsed();
        let busy = meanwhile.join().expect("a download");
        is_over.store(true, Ordering::Relaxed);
        (logins, busy)
    });
    let after = resident_kib();
    figures::show(format_args!(
        "{LOGINS} logins at once (argon2id, 8 MiB, t=3): {:.1} s; memory of the process: {} KiB before, \
         {} KiB at most, {} KiB after",
        logins.as_secs_f64(),
        before,
        peak.load(Ordering::Relaxed),
        after
    ));
    figures::show(format_args!(
        "a download of {} MiB: {:.2} s alone (longest pause {:.1} ms), {:.2} s beside them ({:.1} ms)",
        LARGE_BYTES >> 20,
        alone.as_secs_f64(),
        alone_gap.as_secs_f64() * 1000.0,
        busy.as_secs_f64(),
        busy_gap.as_secs_f64() * 1000.0
    ));
}

#[test]
fn long_unknown_names_take_as_long_as_wrong_passwords() {
    let hash = hash_password(PASSWORD.as_bytes()).expect("a hash");
    let server = with_hash(Setup::new().flags(&["--block-after", "0"]), &hash).in_process();
    let names = [USER, "eve"];
    let mut times = [Vec::new(), Vec::new()];
    // In turns, so that whatever else the machine does is in both.
    for _ in 0..200 {
        for (name, times) in names.iter().zip(&mut times) {
            times.push(time_of_failure(&server, name));
        }
    }
    let times = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1000.0
    });
    figures::show(format_args!(
        "median of 200 logins: wrong password {:.2} ms, unknown name {:.2} ms",
        times[0], times[1]
    ));
}

fn time_of_failure(server: &TestServer<InProcess>, name: &str) -> Duration {
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {name}"), 331);
    let begun = Instant::now();
    client.command("PASS wrong", 530);
    begun.elapsed()
}

/// How long it takes, and the longest time in which no byte comes.
fn download(client: &mut Client) -> (Duration, Duration) {
    let mut data = client.data();
    let begun = Instant::now();
    client.command("RETR large", 150);
    let mut buffer = vec![0; 1 << 16];
    let (mut last, mut gap) = (Instant::now(), Duration::ZERO);
    while data.read(&mut buffer).expect("data") > 0 {
        gap = gap.max(last.elapsed());
        last = Instant::now();
    }
    client.expect(226);
    (begun.elapsed(), gap)
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.expect("a number")
}

/// The only user has this hash.
fn with_hash<'a>(setup: Setup<'a>, hash: &str) -> Setup<'a> {
    let users = users(hash);
    setup.settings(move |settings| settings.users = users.clone())
}

fn users(hash: &str) -> Users {
    let hash = PasswordHash::parse(hash).unwrap_or_else(|problem| panic!("{hash}: {problem}"));
    Users::one(USER.to_owned(), hash, true, true)
}

/// A client that has sent its name.
fn named<B>(server: &TestServer<B>, from: Ipv4Addr) -> Client {
    let mut client = Client::connect_from(from, server.address);
    client.expect(220);
    client.command(format!("USER {USER}"), 331);
    client
}

/// Of "secret".
const QUICK: &str = "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA";

/// Of no known password: it takes as long as a hash may.
const SLOW: &str = "$6$rounds=1000000$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0\
                    S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1";

const LOGINS: u8 = 200;
const LARGE_BYTES: u64 = 1 << 30;
