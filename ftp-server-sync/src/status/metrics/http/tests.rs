//! Readers of metrics, and clients that are none.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;

use super::*;
use crate::status::snapshot::{Overview, Snapshot};

/// A server in one state.
struct FixedSource(Mutex<Snapshot>);

impl SnapshotSource for FixedSource {
    /// Everyone who reaches the port may ask at any time.
    fn snapshot(&self) -> Snapshot {
        panic!("names and the kernel's table are for --who");
    }

    fn overview(&self) -> Overview {
        self.0.lock().unwrap().clone().into()
    }

    fn phase(&self) -> ServerPhase {
        self.0.lock().unwrap().server.phase
    }
}

fn serving() -> (MetricsServer, Arc<FixedSource>) {
    serving_for(TIME_MAX)
}

/// Each connection may last so long.
fn serving_for(time_max: Duration) -> (MetricsServer, Arc<FixedSource>) {
    let snapshot = include_str!("../../../../tests/status/snapshot.json");
    let snapshot = serde_json::from_str(snapshot).unwrap();
    let source = Arc::new(FixedSource(Mutex::new(snapshot)));
    let mut server = MetricsServer::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    server.time_max = time_max;
    server.start(source.clone()).unwrap();
    (server, source)
}

fn connect(server: &MetricsServer) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(GUARD)).unwrap();
    stream
}

fn ask(server: &MetricsServer, request: &str) -> String {
    let mut stream = connect(server);
    stream.write_all(request.as_bytes()).unwrap();
    answer(stream)
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[track_caller]
fn check(server: &MetricsServer, request: &str, status: &str, body: &str) {
    let answer = ask(server, request);
    let (head, found) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(head.lines().next(), Some(&*format!("HTTP/1.1 {status}")));
    assert!(head.contains("\r\nConnection: close"), "{head}");
    assert_eq!(found, body, "{request}");
}

#[test]
fn pages_and_methods() {
    let (server, source) = serving();
    let text = ask(&server, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
    assert!(
        body.contains("\nftp_server_sync_sessions{state=\"login\"} 1\n"),
        "{body}"
    );
    assert!(body.ends_with('\n'));
    let head = ask(&server, "HEAD /metrics?x=1 HTTP/1.0\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    check(&server, "GET /healthz HTTP/1.1\r\n\r\n", "200 OK", "ok\n");
    check(&server, "HEAD /healthz HTTP/1.1\r\n\r\n", "200 OK", "");
    for (phase, text) in [
        (ServerPhase::Draining, "draining\n"),
        (ServerPhase::ShuttingDown, "shutting down\n"),
    ] {
        source.0.lock().unwrap().server.phase = phase;
        check(
            &server,
            "GET /healthz HTTP/1.1\r\n\r\n",
            "503 Service Unavailable",
            text,
        );
    }
    for path in ["/", "/metrics/", "//metrics", "*", "/x?/metrics"] {
        let request = format!("GET {path} HTTP/1.1\r\n\r\n");
        let text = "not found; there are /metrics and /healthz\n";
        check(&server, &request, "404 Not Found", text);
    }
    let refused = "only GET and HEAD\n";
    let post = "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
    check(&server, post, "405 Method Not Allowed", refused);
    check(
        &server,
        "USER bob\r\n\r\n",
        "400 Bad Request",
        "bad request\n",
    );
}

#[test]
fn requests_have_a_bound() {
    let (server, _) = serving();
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(5000));
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(65));
    let (status, text) = (
        "431 Request Header Fields Too Large",
        "the request is too long\n",
    );
    check(&server, &long, status, text);
    check(&server, &many, status, text);
    let fits = format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(4000));
    check(&server, &fits, "200 OK", "ok\n");
}

#[test]
fn a_request_in_pieces() {
    let (server, _) = serving();
    let mut stream = connect(&server);
    stream.set_nodelay(true).unwrap();
    for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    assert!(answer(stream).ends_with("\r\n\r\nok\n"));
}

/// Connections that send nothing do not keep others out.
#[test]
fn silent_clients_give_way() {
    let (server, _) = serving();
    let silent: Vec<TcpStream> = (0..3 * CONNECTIONS_MAX).map(|_| connect(&server)).collect();
    check(&server, "GET /healthz HTTP/1.1\r\n\r\n", "200 OK", "ok\n");
    drop(silent);
}

/// Those that are connected have their turn, however many come meanwhile.
#[test]
fn a_flood_is_accepted_in_steps() {
    let (_, source) = serving();
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let poll = Poll::new().unwrap();
    (poll.registry())
        .register(&mut listener, LISTENER, Interest::READABLE)
        .unwrap();
    let mut service = MetricsService {
        answers: Answers {
            source,
            start_seconds: 0,
        },
        connections: Vec::new(),
        next_token: FIRST_CONNECTION,
        time_max: TIME_MAX,
        is_over: Arc::default(),
    };
    let flood = [(); 3 * CONNECTIONS_MAX].map(|()| TcpStream::connect(address).unwrap());
    let mut turns = 1;
    while service.accept(&listener, poll.registry()).unwrap() == Accepted::More {
        turns += 1;
        assert!(turns <= flood.len(), "it has no end");
    }
    let accepted = service.next_token - FIRST_CONNECTION;
    assert_eq!(accepted, flood.len());
    assert!(turns > flood.len() / CONNECTIONS_MAX, "{turns} turns");
}

/// More wait than one turn accepts, and nothing wakes the thread for them again.
#[test]
fn those_that_wait_are_not_forgotten() {
    let (server, _) = serving();
    for _ in 0..3 {
        let all = [(); CONNECTIONS_MAX].map(|()| connect(&server));
        for mut stream in all {
            stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").unwrap();
            assert!(answer(stream).ends_with("\r\n\r\nok\n"));
        }
    }
}

#[test]
fn silent_clients_do_not_stay() {
    let (server, _) = serving_for(Duration::from_millis(100));
    let mut half = connect(&server);
    half.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    for mut stream in [connect(&server), half] {
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }
}

#[test]
fn the_port_is_free_again_when_the_server_ends() {
    let (server, _) = serving();
    let address = server.address();
    let silent = connect(&server);
    let error = MetricsServer::bind(address).err().unwrap().to_string();
    assert_eq!(
        error,
        format!(
            "--metrics {address}: Address already in use; another program listens there; give \
             another port"
        )
    );
    drop(server);
    drop(silent);
    MetricsServer::bind(address).unwrap();
}

/// Longer than anything takes.
const GUARD: Duration = Duration::from_secs(30);
