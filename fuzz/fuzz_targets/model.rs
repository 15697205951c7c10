//! Any steps: the session does what the reference model predicts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::model(data));
