//! A client of the status socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use ftp_server_sync::status::reply::{StatusAnswer, StatusReply};
use ftp_server_sync::status::snapshot::Activity;
use ftp_server_sync::status::snapshot::{SessionStatus, Snapshot, TransferStatus};

use super::server::{Program, TestServer};
use super::wait::GUARD;

/// A connection to a status socket.
pub(crate) struct StatusClient(BufReader<UnixStream>);

impl StatusClient {
    #[track_caller]
    pub(crate) fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket);
        let stream = stream.unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
        stream.set_read_timeout(Some(GUARD)).expect("a timeout");
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, line: &str) {
        let stream = self.0.get_mut();
        stream.write_all(line.as_bytes()).expect("sending");
        stream.write_all(b"\n").expect("sending");
    }

    #[track_caller]
    pub(crate) fn answer(&mut self) -> StatusAnswer {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        let reply = line.parse::<StatusReply>();
        let reply = reply.unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert_eq!(reply.protocol, 1);
        reply.answer
    }

    #[track_caller]
    pub(crate) fn who(&mut self) -> Snapshot {
        self.send("who");
        match self.answer() {
            StatusAnswer::Snapshot(snapshot) => *snapshot,
            other => panic!("no snapshot: {other:?}"),
        }
    }

    /// What the only session does.
    #[track_caller]
    pub(crate) fn session(&mut self) -> SessionStatus {
        let mut sessions = self.who().sessions;
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        sessions.remove(0)
    }

    /// The transfer of the only session.
    #[track_caller]
    pub(crate) fn transfer(&mut self) -> TransferStatus {
        match self.session().activity {
            Activity::Transfer(transfer) => transfer,
            other => panic!("no transfer: {other:?}"),
        }
    }

    /// What has been done.
    #[track_caller]
    pub(crate) fn done(&mut self, line: &str) -> String {
        self.send(line);
        match self.answer() {
            StatusAnswer::Done(text) => text,
            other => panic!("{line} is not done: {other:?}"),
        }
    }

    /// Why nothing has been done.
    #[track_caller]
    pub(crate) fn error(&mut self, line: &str) -> String {
        self.send(line);
        match self.answer() {
            StatusAnswer::Error(text) => text,
            other => panic!("{line} is done: {other:?}"),
        }
    }
}

impl TestServer<Program> {
    /// A client of its status socket.
    #[track_caller]
    pub(crate) fn status_client(&self) -> StatusClient {
        StatusClient::connect(&self.status_socket())
    }
}
