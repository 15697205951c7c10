//! Datagrams that a router with PCP may send.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::pcp(data));
