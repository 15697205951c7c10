//! Any bytes as what a server sends to a client, or a client to a server.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::client(data));
