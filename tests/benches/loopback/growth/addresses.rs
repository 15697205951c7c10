//! Clients of ever more addresses that give wrong passwords: what the counts for each of them cost.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;

use socket2::{Domain, Socket, Type};

use super::{Curve, Growth, flat_verdict, memory_verdict};
use crate::client::Client;
use crate::meter::{Measurement, Units};
use crate::processor::OneProcessor;
use crate::scale::Scale;
use crate::server::{Programs, Server, Start, USER};
use crate::share::{MEMORY, temporary};
use crate::table::digits;

struct Cost {
    addresses: usize,
    attempt: Measurement,
    peak_kib: f64,
}

pub(super) fn growth(programs: &Programs, scale: &Scale) -> io::Result<Growth> {
    let mut costs = Vec::new();
    let mut addresses = SMALLEST;
    while addresses <= scale.growth_addresses_max {
        let cost = cost(programs, addresses)?;
        eprintln!("{}", cost.line());
        costs.push(cost);
        addresses *= 10;
    }
    let mut lines = vec![
        "| addresses | a wrong password, µs of the server | memory at most, KiB |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    lines.extend(costs.iter().map(Cost::line));
    lines.push(String::new());
    let points = costs
        .iter()
        .map(|cost| (cost.addresses, cost.attempt.value));
    let curves = vec![Curve {
        title: "A wrong password",
        size: "addresses",
        unit: "µs",
        points: points.collect(),
    }];
    lines.extend(curves.iter().map(flat_verdict));
    let peaks: Vec<f64> = costs.iter().map(|cost| cost.peak_kib).collect();
    lines.push(memory_verdict("Memory of the counts", &peaks));
    Ok(Growth { lines, curves })
}

/// Of a server of its own: the most memory is that since its start.
fn cost(programs: &Programs, addresses: usize) -> io::Result<Cost> {
    let top = temporary(Path::new(MEMORY))?;
    let _pinned = OneProcessor::new()?;
    let server = Server::start(&Start {
        flags: &["--login-delay", "0"],
        ..Start::ours(programs, top.path())
    })?;
    let attempt = Measurement::of(&server, Units::Microseconds(addresses), || {
        (0..addresses).try_for_each(|number| fail(server.address, number))
    })?;
    Ok(Cost {
        addresses,
        attempt,
        peak_kib: server.memory_peak()?,
    })
}

/// A client of its own address, which leaves when its password is wrong.
fn fail(server: SocketAddr, number: usize) -> io::Result<()> {
    let number = u32::try_from(number).map_err(io::Error::other)?;
    let own = Ipv4Addr::from(u32::from(FIRST) + number);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((own, 0)).into())?;
    socket.connect(&server.into())?;
    let mut client = Client::connected(TcpStream::from(socket))?;
    client.command(&format!("USER {USER}"), 331)?;
    client.command("PASS wrong", 530)?;
    client.quit()
}

impl Cost {
    fn line(&self) -> String {
        let attempt = digits(self.attempt.value);
        format!("| {} | {attempt} | {:.0} |", self.addresses, self.peak_kib)
    }
}

const SMALLEST: usize = 10;
/// More than enough others of 127.0.0.0/8 follow it.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);
