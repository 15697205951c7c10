//! TLS on the wire, by a client that does what others would not: it closes without a word, resumes what is not
//! its own, or says something else than TLS.

mod client_certificates;
mod control;
mod data;
mod hostile;
mod renewal;
mod resumption;

use std::net::TcpStream;

use crate::support::client::Client;
use crate::support::data::{accept, active_listener};

/// A data connection that the server has opened for this command.
#[track_caller]
fn accept_data(client: &mut Client, command: &str) -> TcpStream {
    let (listener, port) = active_listener();
    client.command(port, 200);
    client.command(command, 150);
    accept(&listener).0
}

/// Around the size of a record, and more than several of them.
const SIZES: [usize; 7] = [0, 1, 16_383, 16_384, 16_385, 200_000, 3_000_000];
