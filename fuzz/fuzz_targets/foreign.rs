//! What is not FTP as the first bytes of a client.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::foreign(data));
