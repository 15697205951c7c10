//! The protocol core without a driver: transcripts, properties, corpora of the fuzz targets, and tables.

mod corpora;
mod masquerade;
mod properties;
mod rate_limit;
mod transcripts;
