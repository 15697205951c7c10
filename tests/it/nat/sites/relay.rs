//! A program on a host that passes one connection on, as proxies and tunnels do.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};

use crate::support::lab::Namespace;

/// Passes the first connection to `from` on to `to`, which is reached from the same host.
pub(super) fn relay(host: &Namespace, from: SocketAddr, to: SocketAddr) -> JoinHandle<()> {
    let listener = host.listen(from).expect("a port for the relay");
    let host = host.clone();
    thread::spawn(move || {
        let (client, _) = listener.accept().expect("a connection to the relay");
        let own: Option<IpAddr> = None;
        let server = host.connect(own, to).expect("the server");
        pass_on(&client, &server);
    })
}

/// Until both sides have ended.
fn pass_on(client: &TcpStream, server: &TcpStream) {
    let one_way = |mut from: &TcpStream, mut to: &TcpStream| {
        // A reset ends it too.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    thread::scope(|scope| {
        scope.spawn(|| one_way(client, server));
        one_way(server, client);
    });
}
