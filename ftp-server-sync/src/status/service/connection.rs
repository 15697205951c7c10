//! One client of the status socket: lines in, lines out, and a bound on both.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::UnixStream;

use crate::status::reply::{StatusAnswer, StatusReply};

/// A connection that requests come on.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    /// How much of the output is sent.
    sent: usize,
    /// True from an edge-triggered event until the socket would block.
    is_readable: bool,
    is_writable: bool,
    /// Nothing more is read.
    has_ended: bool,
    /// The main thread has the last request.
    awaits_answer: bool,
    /// The last progress: a byte sent, the first byte of a line, or a whole line.
    progress: Instant,
}

/// What comes next on a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is over.
    Ended,
    /// An event has to come first, or this time.
    Wait(Option<Instant>),
    /// A request, without its line end.
    Line(String),
}

impl Connection {
    pub(super) fn new(stream: UnixStream, now: Instant) -> Self {
        Self {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            is_readable: true,
            is_writable: true,
            has_ended: false,
            awaits_answer: false,
            progress: now,
        }
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        self.is_readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.is_writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    #[cfg(test)]
    pub(super) fn expect_input(&mut self) {
        self.is_readable = true;
    }

    /// The answer to the last line comes later.
    pub(super) fn expect_answer(&mut self) {
        self.awaits_answer = true;
    }

    /// The answer to the last line.
    pub(super) fn answer(&mut self, answer: StatusAnswer, now: Instant) {
        self.awaits_answer = false;
        self.output = StatusReply::new(answer).line();
        self.sent = 0;
        self.progress = now;
    }

    /// Goes on until it has to wait, or a request is there.
    pub(super) fn advance(&mut self, now: Instant) -> Step {
        loop {
            if !self.send(now) {
                return Step::Ended;
            }
            // One reply at a time: a client that does not read gets no second one.
            if !self.output.is_empty() {
                return self.wait(STALL_MAX, now);
            }
            if self.awaits_answer {
                return Step::Wait(None);
            }
            if let Some(line) = self.take_line(now) {
                return Step::Line(line);
            }
            if self.input.len() > REQUEST_BYTES_MAX {
                self.has_ended = true;
                self.input.clear();
                let text = format!("a line has {REQUEST_BYTES_MAX} bytes at most");
                self.answer(StatusAnswer::Error(text), now);
                continue;
            }
            if self.has_ended {
                return Step::Ended;
            }
            if !self.is_readable {
                let limit = if self.input.is_empty() {
                    IDLE_MAX
                } else {
                    STALL_MAX
                };
                return self.wait(limit, now);
            }
            self.read(now);
        }
    }

    fn wait(&self, limit: Duration, now: Instant) -> Step {
        let due = self.progress + limit;
        if now >= due {
            return Step::Ended;
        }
        Step::Wait(Some(due))
    }

    /// False if the connection is lost.
    fn send(&mut self, now: Instant) -> bool {
        while self.is_writable && !self.output.is_empty() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(count) => {
                    self.sent += count;
                    self.progress = now;
                    if self.sent == self.output.len() {
                        self.output = Vec::new();
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.is_writable = false,
                    ErrorKind::Interrupted => {}
                    _ => return false,
                },
            }
        }
        true
    }

    fn take_line(&mut self, now: Instant) -> Option<String> {
        let end = match self.input.iter().position(|&byte| byte == b'\n') {
            Some(end) => end,
            // The last line may lack its end.
            None if self.has_ended && !self.input.is_empty() => self.input.len(),
            None => return None,
        };
        if end > REQUEST_BYTES_MAX {
            return None;
        }
        let line = String::from_utf8_lossy(&self.input[..end]).into_owned();
        self.input.drain(..self.input.len().min(end + 1));
        self.progress = now;
        Some(line)
    }

    fn read(&mut self, now: Instant) {
        let mut buffer = [0; REQUEST_BYTES_MAX + 1];
        let room = buffer.len() - self.input.len();
        match self.stream.read(&mut buffer[..room]) {
            Ok(0) => self.has_ended = true,
            Ok(count) => {
                if self.input.is_empty() {
                    self.progress = now;
                }
                self.input.extend_from_slice(&buffer[..count]);
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => self.is_readable = false,
                ErrorKind::Interrupted => {}
                _ => self.has_ended = true,
            },
        }
    }
}

/// Of one line: the longest request has less than 30.
const REQUEST_BYTES_MAX: usize = 256;

/// How long a client may not read a reply, or not end a line.
const STALL_MAX: Duration = Duration::from_secs(10);

/// How long a client may send nothing: its place may be needed.
const IDLE_MAX: Duration = Duration::from_secs(600);
