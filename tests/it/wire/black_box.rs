//! Tests that any FTP server can be put through: they know its address, its directory and one user,
//! nothing else.
//!
//! `tests/run --server COMMAND wire` runs them against `COMMAND -p 0 -d DIRECTORY -u USER -P
//! PASSWORD -w`, those in `tls` with `--tls`; `--skip black_box::tls` leaves these out. Without a
//! command they run against our server in this process. The type of the server,
//! `TestServer<BlackBox>`, has nothing that another server would lack.

mod abort;
mod active;
mod attributes;
mod control;
mod files;
mod listings;
mod login;
mod names;
mod rfc;
mod strangers;
mod test_kit;
mod tls;
mod transfers;
