//! Lines of listings, patterns, flags.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::listing(data));
