//! Datagrams that a STUN server may send.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::stun(data));
