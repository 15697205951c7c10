//! What a balancer may send before the bytes of a client.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::proxy_header(data));
