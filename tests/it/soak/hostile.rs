//! Clients that want no file. What they get does not matter, as long as the others are served.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::data::{connect_from, reset};
use crate::support::file_contents::noise;
use crate::support::random::Random;
use crate::support::server::{PASSWORD, USER};
use crate::support::wait::pass_time;

type Act = fn(SocketAddr, Ipv4Addr, &mut Random);

/// What they do, again and again.
pub(super) const HOSTILE: [Act; 8] = [
    never_logs_in,
    never_logs_in,
    never_reads,
    leaves_a_download,
    sends_garbage,
    is_slow,
    scans_ports,
    guesses,
];

/// Takes places, and says nothing.
fn never_logs_in(server: SocketAddr, address: Ipv4Addr, random: &mut Random) {
    let sessions: Vec<_> = (0..40)
        .flat_map(|_| connect_from(Some(address), server))
        .collect();
    pass_time(Duration::from_millis(random.below(3000)), "it holds places");
    for session in sessions {
        end(session, random);
    }
}

/// Asks for much, and reads no reply.
fn never_reads(server: SocketAddr, address: Ipv4Addr, random: &mut Random) {
    if let Some(mut control) = logged_in(server, address) {
        let _ = control.set_write_timeout(Some(Duration::from_millis(500)));
        let _ = control.write_all(&b"STAT .\r\n".repeat(100_000));
        pass_time(Duration::from_millis(random.below(1000)), "it is silent");
        end(control, random);
    }
}

/// Has a download begin, and reads none of it.
fn leaves_a_download(server: SocketAddr, address: Ipv4Addr, random: &mut Random) {
    let Some(mut control) = logged_in(server, address) else {
        return;
    };
    let _ = control.write_all(b"EPSV\r\n");
    let reply = replies(&mut control);
    let port = reply
        .rsplit("|||")
        .next()
        .and_then(|rest| rest.split('|').next()?.parse().ok());
    let Some(port) = port else {
        return;
    };
    let data = connect_from(Some(address), SocketAddr::new(server.ip(), port));
    let _ = control.write_all(b"RETR /big\r\n");
    pass_time(
        Duration::from_millis(random.below(1000)),
        "it reads nothing",
    );
    end(control, random);
    if let Ok(data) = data {
        end(data, random);
    }
}

/// Sends what is no FTP, or words of it without an end.
fn sends_garbage(server: SocketAddr, address: Ipv4Addr, random: &mut Random) {
    let Ok(mut control) = connect_from(Some(address), server) else {
        return;
    };
    let bytes = match random.below(4) {
        0 => noise(50_000),
        1 => b"AUTH TLS\r\n".repeat(3),
        2 => vec![b'A'; 100_000],
        _ => [&[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &noise(500)].concat(),
    };
    let _ = control.write_all(&bytes);
    end(control, random);
}

/// Sends one byte after the other.
fn is_slow(server: SocketAddr, address: Ipv4Addr, random: &mut Random) {
    if let Ok(mut control) = connect_from(Some(address), server) {
        for byte in b"USER stranger\r\n" {
            let _ = control.write_all(&[*byte]);
            pass_time(Duration::from_millis(100), "it is slow");
        }
        end(control, random);
    }
}

/// Looks at the ports of data connections.
fn scans_ports(server: SocketAddr, address: Ipv4Addr, random: &mut Random) {
    for _ in 0..20 {
        let port = u16::try_from(20_000 + random.below(300)).expect("a port");
        if let Ok(mut data) = connect_from(Some(address), SocketAddr::new(server.ip(), port)) {
            let _ = data.write_all(b"what a stranger sends");
            end(data, random);
        }
    }
    pass_time(Duration::from_millis(20), "a scanner rests");
}

/// Tries passwords.
fn guesses(server: SocketAddr, address: Ipv4Addr, random: &mut Random) {
    if let Ok(mut control) = connect_from(Some(address), server) {
        let _ = control.write_all(format!("USER {USER}\r\nPASS 1234\r\n").as_bytes());
        replies(&mut control);
        end(control, random);
    }
}

fn logged_in(server: SocketAddr, address: Ipv4Addr) -> Option<TcpStream> {
    let mut control = connect_from(Some(address), server).ok()?;
    let lines = format!("USER {USER}\r\nPASS {PASSWORD}\r\nTYPE I\r\n");
    control.write_all(lines.as_bytes()).ok()?;
    replies(&mut control);
    Some(control)
}

/// What comes soon.
fn replies(control: &mut TcpStream) -> String {
    let _ = control.set_read_timeout(Some(Duration::from_millis(300)));
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = control.read(&mut buffer) {
        received.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&received).into_owned()
}

fn end(stream: TcpStream, random: &mut Random) {
    if random.one_in(2) {
        reset(stream);
    }
}
