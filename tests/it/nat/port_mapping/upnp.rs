//! A router with UPnP of the test's own, which answers what few or no routers do.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{HomeServer, Lab, sealed_lab};

/// Threads on the router's host: one answers the search for it, the other one HTTP.
pub(super) struct ScriptedIgd {
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl ScriptedIgd {
    /// `answer` gets a request, and writes what it likes.
    pub(super) fn start(
        lab: &Lab,
        location: &'static str,
        mut answer: impl FnMut(&str, &mut TcpStream) + Send + 'static,
    ) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (search, http) = lab.namespace_of("router").enter(|| {
            let search = UdpSocket::bind("192.168.77.1:1900").expect("a socket of the router");
            let http = TcpListener::bind("192.168.77.1:5000").expect("a listener of the router");
            (search, http)
        });
        let wait = Duration::from_millis(50);
        search.set_read_timeout(Some(wait)).expect("a timeout");
        http.set_nonblocking(true).expect("a listener");
        let (search_ends, http_ends) = (Arc::clone(&ends), Arc::clone(&ends));
        let searching = thread::spawn(move || {
            let mut buffer = [0; 2000];
            let reply = format!("HTTP/1.1 200 OK\r\nST: x\r\nLOCATION: {location}\r\n\r\n");
            while !search_ends.load(Ordering::Relaxed) {
                if let Ok((_, client)) = search.recv_from(&mut buffer) {
                    search
                        .send_to(reply.as_bytes(), client)
                        .expect("a datagram");
                }
            }
        });
        let serving = thread::spawn(move || {
            while !http_ends.load(Ordering::Relaxed) {
                match http.accept() {
                    Ok((mut stream, _)) => {
                        stream.set_nonblocking(false).expect("a stream");
                        let request = read_request(&mut stream);
                        answer(&request, &mut stream);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        crate::support::wait::pause();
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        });
        Self {
            ends,
            threads: vec![searching, serving],
        }
    }
}

impl Drop for ScriptedIgd {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(thread::panicking() || ended.is_ok());
        }
    }
}

/// The head of a request and its body.
fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "));
            let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
            if body.len() >= length {
                return text;
            }
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            _ => return text,
        }
    }
}

fn send(stream: &mut TcpStream, status: &str, body: &str) {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).expect("a response");
}

pub(super) fn send_values(stream: &mut TcpStream, status: &str, values: &str) {
    let body = format!("<s:Envelope xmlns:s=\"e\"><s:Body>{values}</s:Body></s:Envelope>");
    send(stream, status, &body);
}

/// Answers as an honest router of version 1 does, but for the parts in `lies`.
pub(super) fn honest(request: &str, address: &str, stream: &mut TcpStream) {
    if request.starts_with("GET ") {
        send(stream, "200 OK", DESCRIPTION);
    } else if request.contains("#GetExternalIPAddress") {
        let value = format!("<NewExternalIPAddress>{address}</NewExternalIPAddress>");
        send_values(stream, "200 OK", &value);
    } else {
        send_values(stream, "200 OK", "");
    }
}

pub(super) fn fault(stream: &mut TcpStream, code: u16) {
    let values = format!("<s:Fault><errorCode>{code}</errorCode></s:Fault>");
    send_values(stream, "500 Internal Server Error", &values);
}

/// Some routers forward until they are asked for the end, and say so with 725.
#[test]
fn a_router_with_permanent_mappings_only_forwards() {
    let lab = sealed_lab();
    let router = ScriptedIgd::start(&lab, LOCATION, |request, stream| {
        let for_ever = request.contains("<NewLeaseDuration>0</NewLeaseDuration>");
        if request.contains("#AddPortMapping") && !for_ever {
            fault(stream, 725);
        } else if request.contains("<NewInternalPort>60001<") && for_ever {
            fault(stream, 718);
        } else {
            honest(request, "11.22.33.1", stream);
        }
    });
    let home = HomeServer::within(lab, &["-r", "60000-60002", "--port-mapping", "upnp"]);
    home.server
        .log_with("(UPnP) forwards from 11.22.33.1 to 192.168.77.2: port 21 to the control port");
    home.server
        .log_with("the router 192.168.77.1 forwards ports until it is asked for the end");
    home.server.log_with(
        "passive ports that the router does not forward are left out: 60001; the router has given \
         that number to another machine",
    );
    home.finish();
    drop(router);
}

/// Checks that the server believes nothing of what such a router answers.
#[track_caller]
fn check_lie(
    location: &'static str,
    line: &str,
    answer: impl FnMut(&str, &mut TcpStream) + Send + 'static,
) {
    let lab = sealed_lab();
    let router = ScriptedIgd::start(&lab, location, answer);
    let home = HomeServer::within(lab, &["-r", "60000", "--port-mapping", "upnp"]);
    home.server.log_with(&format!(
        "--port-mapping: the router 192.168.77.1 forwards nothing (UPnP: it {line}"
    ));
    home.finish_with(|log| assert!(!log.contains("forwards from"), "{log}"));
    drop(router);
}

#[test]
fn descriptions_elsewhere_are_not_read() {
    let elsewhere = "http://192.168.77.3:5000/root.xml";
    check_lie(elsewhere, "does not answer", |request, stream| {
        honest(request, "11.22.33.1", stream);
    });
}

#[test]
fn redirects_are_not_followed() {
    let line = "answers its description with the HTTP status 302, which is ignored";
    check_lie(LOCATION, line, |_, stream| {
        let text = "HTTP/1.1 302 Found\r\nLocation: http://192.168.77.1:5000/x\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(text.as_bytes()).expect("a response");
    });
}

#[test]
fn a_description_without_end_is_not_read() {
    check_lie(LOCATION, "does not answer", |_, stream| {
        let head = "HTTP/1.1 200 OK\r\n\r\n<root>";
        let mut sent = stream.write_all(head.as_bytes());
        // Until the server closes the connection.
        while sent.is_ok() {
            sent = stream.write_all("<a>".repeat(1000).as_bytes());
        }
    });
}

#[test]
fn a_router_without_the_service_forwards_nothing() {
    check_lie(LOCATION, "has no service for it", |_, stream| {
        send(stream, "200 OK", "<root><device/></root>");
    });
}

#[test]
fn garbage_and_loopback_addresses_are_not_believed() {
    let line = "answers something as its public address, which is ignored";
    check_lie(LOCATION, line, |request, stream| {
        honest(request, "garbage", stream);
    });
    let line = "answers 127.0.0.1, a loopback address, as its public address, which is ignored";
    check_lie(LOCATION, line, |request, stream| {
        honest(request, "127.0.0.1", stream);
    });
}

pub(super) const LOCATION: &str = "http://192.168.77.1:5000/root.xml";

const DESCRIPTION: &str = "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\">\
    <device><serviceList><service>\
    <serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\
    <controlURL>/ctl</controlURL></service></serviceList></device></root>";
