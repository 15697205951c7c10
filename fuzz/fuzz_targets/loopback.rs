//! Clients of the real server, over loopback.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::loopback(data));
