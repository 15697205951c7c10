//! Datagrams that a router with NAT-PMP may send.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::nat_pmp(data));
