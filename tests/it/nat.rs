//! The server behind a NAT router, and clients on all sides of it, in network namespaces.
//!
//! ```text
//!  client ─────────┐                                       ┌──── server     192.168.77.2 and .12, port 2121
//!  203.0.113.9-29  │ wan                               lan │                2001:db8:77::2
//!  198.18.N.9      ├───────── isp ──────── router ─────────┤
//!  2001:db8:1::9   │  .254 (drops     203.0.113.1 and .2   └──── neighbour  192.168.77.3
//!  guest ── far ───┘  private         192.168.77.1                          2001:db8:77::3
//!  10.9.0.5 203.0.113.77  addresses)  2001:db8:1::1 (routes IPv6, no NAT)
//! ```
//!
//! The router forwards port 21 and ports 60000-60009, nothing else: .1 to 192.168.77.2, .2 to
//! 192.168.77.12. Each scenario that must work has a test beside it that must fail because one
//! thing is missing: a lab in which everything works would prove nothing. Where no flag removes the
//! thing, [`matrix`] names the place in the code.

mod active;
mod announcements;
mod check;
mod conntrack;
mod extended_passive;
mod forwarder;
mod fxp;
mod gateway;
mod guide;
mod home_network;
mod home_server;
mod host_names;
mod ipv6;
mod keepalive;
mod masquerade;
mod matrix;
mod networks;
mod never_connected;
mod outer_ports;
mod port_mapping;
mod port_queue;
mod port_scan;
mod ports;
mod printed_rules;
mod probe;
mod scarce_ports;
mod set_ups;
mod several_instances;
mod shared_port;
mod sites;
mod strangers;
mod stun;
mod ten_thousand;
mod tls;
mod two_addresses;
