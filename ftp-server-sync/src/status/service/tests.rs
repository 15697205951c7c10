use std::io::{BufRead, BufReader, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Mutex;

use super::*;
use crate::locks::lock;
use crate::status::snapshot::{Overview, ServerPhase, ServerStatus, Snapshot, Totals};

struct Source(usize);

impl SnapshotSource for Source {
    fn overview(&self) -> Overview {
        self.snapshot().into()
    }

    fn phase(&self) -> ServerPhase {
        ServerPhase::Serving
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            server: ServerStatus {
                version: "0.0.0".to_owned(),
                pid: 1,
                unix_seconds: 2,
                uptime_seconds: 3,
                phase: ServerPhase::Serving,
                listen: Vec::new(),
                // As large as that of many sessions.
                directory: "x".repeat(self.0),
                sessions_max: 4,
                passive_ports: None,
                masquerade_address: None,
                blocked_addresses: 0,
            },
            totals: Totals::default(),
            sessions: Vec::new(),
        }
    }
}

/// What was ordered, and its answers that are due.
#[derive(Clone, Default)]
struct Orders(Arc<Mutex<Vec<(StatusOrder, PendingAnswer)>>>);

impl StatusOrders for Orders {
    fn order(&self, order: StatusOrder, answer: PendingAnswer) {
        match order {
            StatusOrder::Kick(17) => answer.done("session 17 ends"),
            StatusOrder::Kick(number) => {
                answer.error(format!("no session has the number {number}"));
            }
            _ => lock(&self.0).push((order, answer)),
        }
    }
}

struct Scene {
    orders: Orders,
    path: PathBuf,
    service: StatusService,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn new(bytes: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let socket = StatusSocket::bind(&path).unwrap();
        let orders = Orders::default();
        let source = Arc::new(Source(bytes));
        let service = StatusService::start(socket, source, Box::new(orders.clone())).unwrap();
        Self {
            orders,
            path,
            service,
            _directory: directory,
        }
    }

    fn client(&self) -> Client {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(BufReader::new(stream))
    }
}

struct Client(BufReader<UnixStream>);

impl Client {
    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn reply(&mut self) -> StatusAnswer {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let reply: StatusReply = serde_json::from_str(&line).unwrap();
        assert_eq!(reply.protocol, 1);
        reply.answer
    }

    fn done(text: &str) -> StatusAnswer {
        StatusAnswer::Done(text.to_owned())
    }

    fn error(text: &str) -> StatusAnswer {
        StatusAnswer::Error(text.to_owned())
    }

    fn expect_end(&mut self) {
        assert_eq!(self.0.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn each_line_has_one_reply_and_the_connection_stays() {
    let scene = Scene::new(1);
    let mut client = scene.client();
    client.send("who\nkick 17\nkick 18\r\nwh");
    let StatusAnswer::Snapshot(snapshot) = client.reply() else {
        panic!("no snapshot");
    };
    assert_eq!(*snapshot, Source(1).snapshot());
    assert_eq!(client.reply(), Client::done("session 17 ends"));
    let none = Client::error("no session has the number 18");
    assert_eq!(client.reply(), none);
    client.send("at\n");
    assert!(matches!(client.reply(), StatusAnswer::Error(text) if text.contains("unknown")));
    // The end of the last line may be missing.
    client.send("kick 17");
    client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.reply(), Client::done("session 17 ends"));
    client.expect_end();
}

#[test]
fn an_answer_that_comes_later_keeps_no_other_client_waiting() {
    let scene = Scene::new(1);
    let (mut first, mut second) = (scene.client(), scene.client());
    first.send("reload\nkick 17\n");
    second.send("kick 17\n");
    assert_eq!(second.reply(), Client::done("session 17 ends"));
    second.send("drain\n");
    let ordered = loop {
        let mut ordered = lock(&scene.orders.0);
        if ordered.len() == 2 {
            break std::mem::take(&mut *ordered);
        }
        drop(ordered);
        thread::yield_now();
    };
    for (order, answer) in ordered {
        match order {
            StatusOrder::Reload => answer.done("reloaded"),
            // The server ends before it does that.
            _ => drop(answer),
        }
    }
    assert_eq!(first.reply(), Client::done("reloaded"));
    assert_eq!(first.reply(), Client::done("session 17 ends"));
    assert!(matches!(second.reply(), StatusAnswer::Error(_)));
}

#[test]
fn a_line_has_a_limit() {
    let scene = Scene::new(1);
    let mut client = scene.client();
    client.send(&format!("kick{}17\n", " ".repeat(250)));
    assert_eq!(client.reply(), Client::done("session 17 ends"));
    client.send(&format!("{}\nwho\n", "x".repeat(257)));
    assert_eq!(
        client.reply(),
        Client::error("a line has 256 bytes at most")
    );
    // A reset, if bytes were left unread.
    assert!(!matches!(client.0.read(&mut [0]), Ok(1)));
}

#[test]
fn a_client_that_does_not_read_keeps_no_one_waiting() {
    let scene = Scene::new(4 << 20);
    let mut deaf = scene.client();
    deaf.send("who\nwho\n");
    let mut other = scene.client();
    other.send("kick 17\n");
    assert_eq!(other.reply(), Client::done("session 17 ends"));
    // It reads after all.
    for _ in 0..2 {
        assert!(matches!(deaf.reply(), StatusAnswer::Snapshot(_)));
    }
    drop(scene.service);
    assert!(!scene.path.exists());
    other.expect_end();
}

#[test]
fn there_are_places_for_sixteen() {
    let scene = Scene::new(1);
    let mut clients: Vec<_> = (0..CLIENTS_MAX).map(|_| scene.client()).collect();
    for client in &mut clients {
        client.send("kick 17\n");
        assert_eq!(client.reply(), Client::done("session 17 ends"));
    }
    let mut further = scene.client();
    let full = Client::error("16 programs are connected already");
    assert_eq!(further.reply(), full);
    further.expect_end();
}

/// Times come as arguments.
#[test]
fn a_connection_has_time_limits() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let now = Instant::now();
    let mut connection = Connection::new(mio::net::UnixStream::from_std(ours), now);
    let after = |seconds| now + Duration::from_secs(seconds);
    assert_eq!(connection.advance(now), Step::Wait(Some(after(600))));
    assert_eq!(connection.advance(after(599)), Step::Wait(Some(after(600))));
    let mut theirs = theirs;
    theirs.write_all(b"wh").unwrap();
    connection.expect_input();
    assert_eq!(connection.advance(after(599)), Step::Wait(Some(after(609))));
    theirs.write_all(b"o").unwrap();
    connection.expect_input();
    // A byte now and then does not prolong it.
    assert_eq!(connection.advance(after(605)), Step::Wait(Some(after(609))));
    assert_eq!(connection.advance(after(609)), Step::Ended);
    theirs.write_all(b"\n").unwrap();
    connection.expect_input();
    assert_eq!(connection.advance(after(608)), Step::Line("who".to_owned()));
    connection.answer(StatusAnswer::Done("x".repeat(4 << 20)), after(608));
    assert_eq!(connection.advance(after(608)), Step::Wait(Some(after(618))));
    assert_eq!(connection.advance(after(618)), Step::Ended);
}

const PATIENCE: Duration = Duration::from_secs(30);
