//! Texts that an operator, or another program, may have written as a password hash.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::hash_text(data));
