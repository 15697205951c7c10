//! What the RFCs demand, one test for each requirement that no other test has, named after its
//! section. `tests/RFC.md` is the list of them all.

mod rfc1123;
mod rfc2389;
mod rfc2640;
mod rfc3659;
mod rfc7151;
mod rfc959;
