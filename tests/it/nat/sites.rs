//! Sites where a client does not get through: the server's log, STAT and the 425 name the flag that
//! cures it, and with exactly that flag the site works.
//!
//! The flag with its value is read out of the server's own message. `tests/run` checks that it is
//! the right one, `tests/run --long` starts the server with it, too. The guide has a table of the
//! same rows; `SNAPSHOTS=overwrite` writes it. `FTP_TEST_SITE` is a part of the names of those to
//! run.

mod filezilla;
mod gateways;
mod ports;
mod private;
mod proxies;
mod relay;

use std::net::{IpAddr, SocketAddr};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;
use std::{env, fs, thread};

use socket2::SockRef;

use super::home_network::{self, OUTSIDE, Router, home_network};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::client::{Client, Origin};
use crate::support::data::read_all;
use crate::support::file_contents::noise;
use crate::support::lab::Lab;

/// A site, and what must happen there.
struct Site {
    name: &'static str,
    /// For the guide: what is seen.
    symptom: &'static str,
    router: Router,
    /// What differs from the usual lab.
    set_up: fn(&mut Lab),
    flags: &'static [&'static str],
    /// A client fails. Returns the reply to its transfer.
    fails: fn(&HomeServer) -> String,
    /// A part of the log line that says what has happened.
    message: &'static str,
    /// With the value; empty: no flag cures it.
    flag: &'static str,
    /// What only the operator knows, in the place of `PUBLIC`, or as the value of a flag without
    /// one.
    public: &'static str,
    /// The same client gets through. `None`: no flag cures it here.
    works: Option<fn(&HomeServer)>,
}

impl Site {
    /// Runs it, and checks what the server says.
    fn says(&self) -> Vec<String> {
        let home = self.home(&[self.flags, &IMPATIENT].concat());
        let reply = (self.fails)(&home);
        // Of several clients, the last one counts.
        let log = home.server.log_with(self.message);
        let mut lines = log.lines().filter(|line| line.contains(self.message));
        let line = lines.next_back().expect("the line");
        let (_, advice) = line.split_once(DID_NOT_CONNECT).expect("its reason");
        let words = flag_in(advice);
        assert_eq!(words.join(" "), self.flag, "{advice}");
        let is_hidden = reply.contains("log has it, for --trust-gateway");
        // A client does not read where the server is if it came by another way.
        let (before, _) = self.flag.split_once('=').unwrap_or((self.flag, ""));
        let is_shown = reply.contains(self.flag) || reply.contains(&format!("{before}=PUBLIC"));
        assert!(is_shown || is_hidden, "{reply}");
        // A flag that is named cures it.
        assert!(self.flag.is_empty() || self.works.is_some());
        home.finish();
        words
    }

    /// Runs it with the flag that the server has named.
    fn is_cured(&self) {
        let mut named = self.says();
        let Some(works) = self.works else {
            return;
        };
        for word in &mut named {
            *word = word.replace("PUBLIC", self.public);
        }
        if named.last().is_some_and(|word| word.starts_with('-')) {
            named.push(self.public.to_owned());
        }
        let mut flags: Vec<&str> = self.flags.to_vec();
        for (short, long) in SHORT {
            if named.iter().any(|word| word == long)
                && let Some(at) = flags.iter().position(|flag| flag == short)
            {
                flags.drain(at..at + 2);
            }
        }
        flags.extend(named.iter().map(String::as_str));
        let home = self.home(&flags);
        works(&home);
        home.finish_with(|log| assert!(!log.contains(DID_NOT_CONNECT), "{log}"));
    }

    fn home(&self, flags: &[&str]) -> HomeServer {
        let mut lab = home_network(&self.router);
        (self.set_up)(&mut lab);
        HomeServer::within(lab, flags)
    }

    /// The row of the guide.
    fn row(&self) -> String {
        let flag = match self.flag {
            "" => "-".to_owned(),
            flag => format!("`{flag}`"),
        };
        format!("| {} | {} | {flag} |\n", self.symptom, self.message)
    }
}

#[test]
fn the_server_names_the_cure() {
    scenario("sites::the_server_names_the_cure", || {
        on_each_site(|site| drop(site.says()));
        "each flag with its value"
    });
}

#[test]
fn long_every_cure_that_is_named_works() {
    on_each_site(Site::is_cured);
}

/// The guide's table is made from these sites.
#[test]
fn the_guide_has_a_row_for_each_site() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GUIDE);
    let page = fs::read_to_string(&path).expect("the guide");
    let (before, rest) = page.split_once(BEGIN).expect("the begin of the table");
    let (table, after) = rest.split_once(END).expect("the end of the table");
    let rows: String = sites().iter().map(Site::row).collect();
    let expected = format!("\n| site | the log says | flag |\n|---|---|---|\n{rows}\n");
    if table == expected {
        return;
    }
    let overwrite = env::var("SNAPSHOTS").is_ok_and(|action| action == "overwrite");
    assert!(overwrite, "{GUIDE} is outdated:\n{expected}");
    let new = [before, BEGIN, &expected, END, after].concat();
    fs::write(&path, new).expect("the guide");
}

/// Nothing is wrong with a site whose client was gone.
#[test]
fn a_client_that_is_gone_is_no_reason_for_a_warning() {
    let home = HomeServer::new(&PATIENT);
    let mut client = home.client("client", OUTSIDE);
    client.passive();
    client.command("RETR from-server.bin", 150);
    client.expect_silence(Duration::from_millis(4200));
    // The end is a reset.
    SockRef::from(&client.stream)
        .set_linger(Some(Duration::ZERO))
        .expect("an option of a socket");
    drop(client);
    home.server.log_with("the client is gone");
    home.finish_with(|log| assert!(!log.contains(DID_NOT_CONNECT), "{log}"));
}

fn sites() -> Vec<Site> {
    let mut sites = gateways::sites();
    sites.extend(ports::sites());
    sites.extend(private::sites());
    sites.extend(proxies::sites());
    sites
}

/// Some at a time: they mostly wait.
fn on_each_site(check: impl Fn(&Site) + Sync) {
    let wanted = env::var("FTP_TEST_SITE").unwrap_or_default();
    let mut sites = sites();
    sites.retain(|site| site.name.contains(&wanted));
    sites.reverse();
    let (queue, failed) = (Mutex::new(sites), Mutex::new(Vec::new()));
    let next = || queue.lock().expect("the sites").pop();
    let work = || {
        while let Some(site) = next() {
            let result = panic::catch_unwind(AssertUnwindSafe(|| check(&site)));
            if result.is_err() {
                failed.lock().expect("the names").push(site.name);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().expect("the names");
    assert!(failed.is_empty(), "{failed:?}");
}

/// The flags of a message with their values.
fn flag_in(advice: &str) -> Vec<String> {
    let words = advice.split_whitespace();
    let mut found = Vec::new();
    let mut is_value = false;
    for word in words {
        let bare = word.trim_end_matches([';', ',', '.']);
        let is_flag = bare.starts_with("--");
        let begins_value =
            bare.starts_with(|first: char| first.is_ascii_digit() || first.is_ascii_uppercase());
        if is_flag || (is_value && (begins_value || bare.contains('='))) {
            found.push(bare.to_owned());
        }
        is_value = is_flag;
    }
    found
}

/// The transfer gets no data connection: the 425.
fn without_data(client: &mut Client) -> String {
    client.command("RETR from-server.bin", 150);
    let reply = client.expect(425).text();
    let status = client.command("STAT", 211).text();
    let (_, remedy) = reply.split_once("; ").expect("a remedy");
    assert!(status.contains(remedy), "{status}");
    reply
}

/// The file comes over a data connection from this host.
fn fetches_from(client: &mut Client, origin: &Origin, to: SocketAddr) {
    let mut data = origin.connect(to).expect("a data connection");
    client.command("RETR from-server.bin", 150);
    assert!(read_all(&mut data) == noise(SIZE));
    client.expect(226);
}

/// A client that trusts the address of a 227.
fn fetches(client: &mut Client) {
    assert!(client.fetch_passive("RETR from-server.bin") == noise(SIZE));
}

/// Where further connections of a client come from.
fn origin(home: &HomeServer, host: &str, address: &str) -> Origin {
    Origin {
        host: Some(home.lab.namespace_of(host)),
        address: Some(address.parse::<IpAddr>().expect("an address")),
    }
}

fn nothing(_: &mut Lab) {}

/// A named flag takes the place of one that is given already.
const SHORT: &[(&str, &str)] = &[
    ("-n", "--masquerade-address"),
    ("-r", "--passive-ports"),
    ("--outer-ports", "--outer-ports"),
];
const AT_A_TIME: usize = 6;
const DID_NOT_CONNECT: &str = "did not connect";
/// Those that get through must not be too late on a busy machine.
const IMPATIENT: [&str; 2] = ["--passive-timeout", "3"];
/// The ports that the router forwards are others.
const PATIENT: [&str; 6] = [
    "-n",
    "203.0.113.1",
    "-r",
    "61000-61009",
    "--passive-timeout",
    "60",
];
const ROUTED: &[&str] = &home_network::ROUTED;
const GUIDE: &str = "../ftp-server-sync/docs/behind-a-router.md";
const BEGIN: &str = "<!-- The sites begin. -->\n";
const END: &str = "<!-- The sites end. -->\n";
