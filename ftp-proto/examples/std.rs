//! A server with a thread for each client, on blocking sockets of the standard library.

mod shared;

use std::net::{Ipv6Addr, TcpListener};

use shared::Flags;

fn main() -> std::io::Result<()> {
    let flags = Flags::parse();
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, flags.port))?;
    eprintln!("listening on {}", listener.local_addr()?);
    Ok(())
}
