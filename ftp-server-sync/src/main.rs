//! The command line's door to the server.
fn main() {}
