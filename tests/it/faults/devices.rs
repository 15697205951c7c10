//! Cameras and scanners, whose FTP is short: no TYPE, a session for each picture, no QUIT. They
//! overwrite one name while others fetch it, and each fetch brings a whole picture.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{SetAtEnd, expect_no_leftovers, wait_until_received};
use crate::support::client::Client;
use crate::support::data::{accept, active_listener, reset};
use crate::support::file_contents::noise;
use crate::support::server::{PASSWORD, Program, TestServer, USER};
use crate::support::wait::{pass_time, pause};

/// How a device sends one picture; `PASV` and `PORT` stand for the way of its data connection.
struct Device {
    name: &'static str,
    /// After USER and PASS, before STOR.
    commands: &'static [(&'static str, u16)],
    is_bytewise: bool,
    end: fn(TcpStream),
}

/// In the directory `cam`, which exists.
const DEVICES: [Device; 5] = [
    Device {
        name: "a camera that sends nothing more than it must",
        commands: &[("CWD cam", 250), ("PASV", 227)],
        is_bytewise: false,
        end: drop,
    },
    Device {
        name: "the same, which sends each byte alone",
        commands: &[("CWD cam", 250), ("PASV", 227)],
        is_bytewise: true,
        end: drop,
    },
    Device {
        name: "a camera in active mode that makes its directory first",
        commands: &[("MKD cam", 550), ("CWD cam", 250), ("PORT", 200)],
        is_bytewise: false,
        end: drop,
    },
    Device {
        name: "a scanner that names the size",
        commands: &[("CWD /cam", 250), ("ALLO 100000", 200), ("PASV", 227)],
        is_bytewise: false,
        end: reset,
    },
    Device {
        name: "a camera that sends TYPE I late, and resets its connection",
        commands: &[
            ("PWD", 257),
            ("CWD cam/", 250),
            ("PORT", 200),
            ("TYPE I", 200),
        ],
        is_bytewise: true,
        end: reset,
    },
];

#[test]
fn every_picture_that_is_fetched_is_whole() {
    for device in &DEVICES {
        let server = TestServer::program(&[]);
        check(&server, device, false);
        server.finish();
    }
}

/// A piece would be fetched with `keep`: that is what it is for.
#[test]
fn broken_pictures_are_not_fetched_either() {
    for device in &DEVICES[..2] {
        let server = TestServer::program(&["--broken-uploads", "discard"]);
        check(&server, device, true);
        server.finish();
    }
}

#[track_caller]
fn check(server: &TestServer<Program>, device: &Device, breaks_some: bool) {
    std::fs::create_dir(server.path("cam")).expect("a directory");
    server.write(LATEST, picture(0));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let end = SetAtEnd(&is_over);
        let read = || {
            let mut client = server.client();
            let mut seen = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let number = check_whole(&client.fetch(format!("RETR {LATEST}")), device.name);
                seen.push(number);
                pause();
            }
            seen.dedup();
            assert!(
                seen.is_sorted(),
                "{}: an older picture came back",
                device.name
            );
            assert!(seen.len() > 2, "{}: the reader saw {seen:?}", device.name);
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        for number in 1..=PICTURES {
            let is_broken = breaks_some && number % 3 == 0;
            send(server, device, number, is_broken);
            if !is_broken {
                let found = check_whole(&server.read(LATEST), device.name);
                assert_eq!(found, number, "{}", device.name);
            }
            pass_time(PAUSE, "a camera makes pictures at intervals");
        }
        drop(end);
        for reader in readers {
            reader.join().expect("a reader");
        }
    });
    expect_no_leftovers(&server.path("cam"));
}

/// A session for one picture.
#[track_caller]
fn send(server: &TestServer<Program>, device: &Device, number: u64, is_broken: bool) {
    let mut client = Client::greeted(server.address);
    let say = |client: &mut Client, line: &str, code: u16| {
        if device.is_bytewise {
            for byte in [line.as_bytes(), b"\r\n"].concat() {
                client.send_bytes([byte]);
            }
            let reply = client.reply();
            assert_eq!(reply.code, code, "{line}: {}", reply.text());
            reply
        } else {
            client.command(line, code)
        }
    };
    say(&mut client, &format!("USER {USER}"), 331);
    say(&mut client, &format!("PASS {PASSWORD}"), 230);
    let (listener, port) = active_listener();
    let mut passive = None;
    for (line, code) in device.commands {
        match *line {
            "PORT" => drop(say(&mut client, &port, *code)),
            "PASV" => {
                let reply = say(&mut client, line, *code);
                passive = Some(client.announced(&reply));
            }
            _ => drop(say(&mut client, line, *code)),
        }
    }
    let passive = passive.map(|address| client.connect_data(address));
    say(&mut client, "STOR latest.jpg", 150);
    let mut data = passive.unwrap_or_else(|| accept(&listener).0);
    let bytes = picture(number);
    if is_broken {
        data.write_all(&bytes[..BODY / 2]).expect("sending data");
        wait_until_received(&mut client, BODY / 2);
        reset(data);
        client.expect(426);
    } else {
        data.write_all(&bytes).expect("sending data");
        drop(data);
        client.expect(226);
    }
    (device.end)(client.stream);
}

/// A number, noise, and a checksum of both.
fn picture(number: u64) -> Vec<u8> {
    // No two pictures have one size, so that a mix would have a wrong one too.
    let size = BODY + usize::try_from(number).expect("a small number") * 1001;
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend((size as u64).to_be_bytes());
    bytes.extend(noise(size));
    let sum = checksum(&bytes);
    bytes.extend(sum.to_be_bytes());
    bytes
}

/// The picture's number.
#[track_caller]
fn check_whole(bytes: &[u8], device: &str) -> u64 {
    let fields = bytes
        .split_first_chunk::<8>()
        .zip(bytes.split_last_chunk::<8>());
    let is_whole = fields.is_some_and(|(_, (body, sum))| checksum(body).to_be_bytes() == *sum);
    assert!(
        is_whole,
        "{device}: {} bytes that are no picture",
        bytes.len()
    );
    let number: [u8; 8] = bytes[..8].try_into().expect("eight bytes");
    let number = u64::from_be_bytes(number);
    assert!(
        bytes == picture(number),
        "{device}: picture {number} is damaged"
    );
    number
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

const LATEST: &str = "cam/latest.jpg";
const PICTURES: u64 = 10;
const BODY: usize = 150_000;
const PAUSE: Duration = Duration::from_millis(40);
