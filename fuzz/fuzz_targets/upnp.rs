//! What a router may send in UPnP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ftp_tests::fuzz::upnp(data));
