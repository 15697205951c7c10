//! The server as clients of our own see it through raw sockets: what exactly is on the wire, and when.

mod abort;
mod active;
mod attributes;
mod control;
mod descriptors;
mod files;
mod large_listings;
mod limits;
mod listings;
mod login;
mod names;
mod never_connected;
mod pool;
mod rates;
mod reload;
mod rfc;
mod signals;
mod strangers;
mod system_calls;
mod timeouts;
mod tls;
mod transfers;
