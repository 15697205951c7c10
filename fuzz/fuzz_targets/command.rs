//! Command lines in pieces and as a whole.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::command(data));
