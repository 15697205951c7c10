use std::io::Write;
use std::net::{SocketAddrV6, TcpListener, TcpStream};

use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn records() -> (Arc<SessionRecords>, RecordEntry) {
    let all = Arc::new(SessionRecords::default());
    let (client, local) = (address("198.51.100.7:4711"), address("192.168.77.2:21"));
    let entry = all.add(17, client, local, Instant::now());
    (all, entry)
}

#[track_caller]
fn only(all: &SessionRecords) -> SessionStatus {
    let mut sessions = all.read();
    assert_eq!(sessions.len(), 1);
    sessions.remove(0)
}

fn download(offset: u64, size: Option<u64>) -> TransferRecord {
    TransferRecord {
        command: "RETR",
        path: b"/a \xff".to_vec(),
        direction: Direction::Download,
        is_protected: true,
        passive_port: Some(60000),
        offset,
        size,
        connected: None,
    }
}

#[test]
fn a_session_is_shown_until_its_entry_is_dropped() {
    let (all, entry) = records();
    let session = only(&all);
    assert_eq!(session.number, 17);
    assert_eq!(session.client, address("198.51.100.7:4711"));
    assert_eq!(session.local, address("192.168.77.2:21"));
    assert_eq!((session.user, session.tls), (None, None));
    assert_eq!(session.activity, Activity::Login);
    assert_eq!(session.announced, None);
    let first = all.add(3, session.client, session.local, Instant::now());
    let numbers = all.read().into_iter().map(|session| session.number);
    assert_eq!(numbers.collect::<Vec<_>>(), [3, 17]);
    drop(entry);
    assert_eq!(only(&all).number, 3);
    drop(first);
    assert_eq!(all.read(), []);
}

#[test]
fn what_it_does_follows_from_what_was_noted_last() {
    let (all, entry) = records();
    entry.set_user(Some(b"camera 2"));
    assert_eq!(only(&all).user.as_deref(), Some("camera 2"));
    entry.set_user(Some(b"b\xffb"));
    entry.set_tls("TLS 1.3");
    let session = only(&all);
    assert_eq!(session.user.as_deref(), Some("b\\xffb"));
    assert_eq!(session.tls.as_deref(), Some("TLS 1.3"));
    assert_eq!(session.activity, Activity::Idle);
    entry.set_doing(Doing::Listening { port: 60000 });
    let waiting = Activity::WaitingForConnection { port: 60000 };
    assert_eq!(only(&all).activity, waiting);
    entry.set_working("SIZE /a".to_owned());
    let command = "SIZE /a".to_owned();
    assert_eq!(only(&all).activity, Activity::Working { command });
    entry.set_doing(Doing::Connected);
    assert_eq!(only(&all).activity, Activity::Connected);
    entry.begin_transfer(download(0, None));
    assert!(matches!(only(&all).activity, Activity::Transfer(_)));
    // It may wait for its data connection.
    entry.set_doing(Doing::Listening { port: 60000 });
    assert!(matches!(only(&all).activity, Activity::Transfer(_)));
    entry.end_transfer();
    entry.set_doing(Doing::Nothing);
    assert_eq!(only(&all).activity, Activity::Idle);
    entry.set_user(None);
    assert_eq!(only(&all).activity, Activity::Login);
}

/// The lock of a session's thread is never held while it works.
#[test]
fn a_session_that_hangs_is_shown_with_what_it_does() {
    let (all, entry) = records();
    std::thread::scope(|scope| {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let entry = &entry;
        scope.spawn(move || {
            entry.set_working("SIZE /hung".to_owned());
            begun.send(()).unwrap();
            wait.recv().unwrap();
        });
        has_begun.recv().unwrap();
        let command = "SIZE /hung".to_owned();
        assert_eq!(only(&all).activity, Activity::Working { command });
        go.send(()).unwrap();
    });
}

#[test]
fn a_transfer_has_its_size_and_rate() {
    let now = Instant::now();
    let mut transfer = download(100, Some(1100));
    let status = transfer.status(0, now);
    assert!(!status.is_connected && status.is_protected);
    assert_eq!(
        (status.command.as_str(), &*status.path),
        ("RETR", "/a \\xff")
    );
    assert_eq!((status.seconds, status.rate), (0.0, 0.0));
    assert_eq!(status.seconds_left, None);
    transfer.connected = Some((now, None));
    let status = transfer.status(200, now + Duration::from_secs(2));
    assert!(status.is_connected);
    assert_eq!((status.offset, status.bytes), (100, 200));
    assert_eq!((status.seconds, status.rate), (2.0, 100.0));
    assert_eq!(status.seconds_left, Some(8.0));
    // The file has grown.
    let status = transfer.status(2000, now + Duration::from_secs(2));
    assert_eq!(status.seconds_left, Some(0.0));
    transfer.size = None;
    let status = transfer.status(200, now + Duration::from_secs(2));
    assert_eq!(status.seconds_left, None);
}

#[test]
fn the_kernel_is_asked_about_what_goes_out() {
    let peer = address("198.51.100.7:20000");
    let mut transfer = download(0, None);
    assert_eq!(transfer.ends(), None);
    transfer.connected = Some((Instant::now(), Some(peer)));
    let local_port = Some(60000);
    assert_eq!(transfer.ends(), Some(DataEnds { local_port, peer }));
    transfer.direction = Direction::Upload;
    assert_eq!(transfer.ends(), None);
}

#[test]
fn what_only_counts_does_not_ask_the_kernel() {
    let (all, entry) = records();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut data, peer) = listener.accept().unwrap();
    data.set_nonblocking(true).unwrap();
    let mut written = 0;
    while let Ok(count) = data.write(&[0; 65536]) {
        written += count as u64;
    }
    let mut transfer = download(0, None);
    transfer.passive_port = Some(listener.local_addr().unwrap().port());
    transfer.connected = Some((Instant::now(), Some(peer)));
    entry.begin_transfer(transfer);
    entry.set_bytes(written);
    let bytes = |activity: &Activity| match activity {
        Activity::Transfer(transfer) => transfer.bytes,
        other => panic!("{other:?}"),
    };
    assert!(bytes(&only(&all).activity) < written);
    assert_eq!(bytes(&all.activities()[0]), written);
}

/// The kernel's table does not say through which interface a link-local address is reached.
#[test]
fn link_local_clients_are_found_in_the_table_of_the_kernel() {
    let mut transfer = download(0, None);
    let peer = SocketAddr::V6(SocketAddrV6::new("fe80::1".parse().unwrap(), 20000, 0, 3));
    transfer.connected = Some((Instant::now(), Some(peer)));
    let ends = transfer.ends().map(|ends| ends.peer);
    assert_eq!(ends, Some(address("[fe80::1]:20000")));
}
