//! The server to test, as its tester describes it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A server to test, and what is known about its settings.
///
/// ```no_run
/// use std::time::Duration;
/// use ftp_proto_testkit::black_box::BlackBox;
///
/// let address = "127.0.0.1:2121".parse().unwrap();
/// BlackBox::new(address)
///     .user("joe")
///     .password("secret")
///     .data_open_timeout(Duration::from_secs(1))
///     .data_stall_timeout(Duration::from_secs(1))
///     .run()
///     .assert_passed();
/// ```
#[derive(Clone, Debug)]
pub struct BlackBox {
    pub(super) address: SocketAddr,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) reply_within: Duration,
    pub(super) margin: Duration,
    pub(super) stranger: Option<IpAddr>,
    pub(super) login_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) data_open_timeout: Option<Duration>,
    pub(super) data_stall_timeout: Option<Duration>,
    pub(super) only: Vec<String>,
}

impl BlackBox {
    /// A server that listens here, in clear text.
    pub fn new(address: SocketAddr) -> Self {
        let is_loopback = address.ip().is_loopback() && address.is_ipv4();
        Self {
            address,
            user: "anonymous".into(),
            password: "testkit@example.com".into(),
            reply_within: Duration::from_secs(5),
            margin: Duration::from_millis(500),
            stranger: is_loopback.then_some(Ipv4Addr::new(127, 0, 0, 2).into()),
            login_timeout: None,
            idle_timeout: None,
            data_open_timeout: None,
            data_stall_timeout: None,
            only: Vec::new(),
        }
    }

    /// The name of the account; `anonymous` by default.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// The password of the account.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = password.into();
        self
    }

    /// How long the server may take for a reply that depends on nothing else; 5 s by default.
    #[must_use]
    pub fn reply_within(mut self, time: Duration) -> Self {
        self.reply_within = time;
        self
    }

    /// How late a timer of the server may be; 500 ms by default.
    #[must_use]
    pub fn margin(mut self, time: Duration) -> Self {
        self.margin = time;
        self
    }

    /// Another address of this machine, from which the server can be reached too: a stranger
    /// connects from there. By default it is 127.0.0.2 for a server on an IPv4 loopback
    /// address, and for other servers the check does not run.
    #[must_use]
    pub fn stranger(mut self, address: IpAddr) -> Self {
        self.stranger = Some(address);
        self
    }

    /// The server's [`Config::login_timeout`](ftp_proto::Config::login_timeout).
    #[must_use]
    pub fn login_timeout(mut self, time: Duration) -> Self {
        self.login_timeout = Some(time);
        self
    }

    /// The server's [`Config::idle_timeout`](ftp_proto::Config::idle_timeout).
    #[must_use]
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = Some(time);
        self
    }

    /// The server's [`Config::data_open_timeout`](ftp_proto::Config::data_open_timeout).
    #[must_use]
    pub fn data_open_timeout(mut self, time: Duration) -> Self {
        self.data_open_timeout = Some(time);
        self
    }

    /// The server's [`Config::data_stall_timeout`](ftp_proto::Config::data_stall_timeout).
    #[must_use]
    pub fn data_stall_timeout(mut self, time: Duration) -> Self {
        self.data_stall_timeout = Some(time);
        self
    }

    /// Runs only the checks whose names contain this text. Several calls add up.
    #[must_use]
    pub fn only(mut self, name: impl Into<String>) -> Self {
        self.only.push(name.into());
        self
    }
}
