//! The protocol core without a driver: transcripts, properties, corpora of the fuzz targets, and
//! tables; and the client's side of a conversation.

mod client;
mod client_replies;
mod corpora;
mod forwarder;
mod helpers;
mod masquerade;
mod properties;
mod rate_limit;
mod transcripts;
mod walk;
