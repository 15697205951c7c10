//! Names in the charsets of clients.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::charset(data));
