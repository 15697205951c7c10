//! Bytes that are no TLS, and what the server must do with them: end the connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use proptest::prelude::*;

/// Bytes that sometimes begin as TLS does.
pub(crate) fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let begun = prop_oneof![
        Just(Vec::new()),
        Just(vec![22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]),
        Just(vec![22, 3, 1, 0xff, 0xff]),
        Just(vec![23, 3, 3, 0, 16]),
        Just(vec![21, 3, 3, 0, 2, 2, 40]),
        Just(b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ];
    let rest = prop::collection::vec(any::<u8>(), 1..600);
    (begun, rest).prop_map(|(begun, rest)| [begun, rest].concat())
}

/// Sends the bytes, closes the sending side, and reads until the server closes too.
#[track_caller]
pub(crate) fn spoil(stream: &mut TcpStream, bytes: &[u8]) {
    // The server may have had enough before the last byte.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_ne!(
            error.kind(),
            ErrorKind::WouldBlock,
            "the connection stays open"
        );
    }
}
