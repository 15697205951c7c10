//! A certificate that is new with each start.

use std::error::Error;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

pub(crate) struct Tls {
    pub(crate) control: TlsAcceptor,
    pub(crate) data: TlsAcceptor,
}

impl Tls {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let control = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.into()], key.into())?;
        // A client that uploads does not read. If it closes with unread tickets, its kernel resets
        // the connection, and the end of the file may be lost.
        let mut data = control.clone();
        data.send_tls13_tickets = 0;
        Ok(Self {
            control: Arc::new(control).into(),
            data: Arc::new(data).into(),
        })
    }
}
