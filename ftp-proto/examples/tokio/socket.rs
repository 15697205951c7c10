//! A TCP connection, alone or below TLS, that is read to its end whatever its client sends.

use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop;

/// A [`Socket`], or TLS on it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A socket that does not stop at urgent data.
///
/// A read ends in front of a byte that the client has marked as urgent, although this byte can be
/// read too. tokio's own `poll_read` takes a read that did not fill the buffer for the last one,
/// and waits for an event that does not come: the end of an urgent `ABOR` would be read with the
/// next command. `readable` and `try_read` have no such shortcut, so this reads in their way: until
/// the kernel says `WouldBlock`. (`EPOLLPRI`, tokio's `Interest::PRIORITY`, is not needed: with
/// `SO_OOBINLINE`, urgent bytes are readable like others.)
#[derive(Clone)]
pub(crate) struct Socket {
    tcp: Arc<TcpStream>,
    record: Option<Record>,
}

impl Socket {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        let tcp = Arc::new(tcp);
        Self { tcp, record: None }
    }

    /// The same socket for TLS: its end is an error unless it comes between two records. A
    /// connection that ends inside one, and without close_notify, is cut; rustls does not say
    /// where the end was.
    pub(crate) fn below_tls(&self) -> Self {
        Self {
            tcp: Arc::clone(&self.tcp),
            record: Some(Record::default()),
        }
    }

    /// Returns when the client has closed the connection, even if there are unread bytes before the
    /// end.
    pub(crate) async fn closed(&self) -> io::Result<()> {
        while !self.tcp.ready(Interest::READABLE).await?.is_read_closed() {
            // There are bytes. tokio forgets that here, so that it waits for the next event: more
            // bytes, or the end.
            let unread = || Err::<(), _>(ErrorKind::WouldBlock.into());
            let _ = self.tcp.try_io(Interest::READABLE, unread);
        }
        self.tcp.take_error()?.map_or(Ok(()), Err)
    }

    /// Returns when the connection is lost after the client has closed its side: reading does not
    /// show it any more.
    pub(crate) async fn lost(&self) -> io::Error {
        match self.tcp.ready(Interest::ERROR).await {
            Ok(_) => self.tcp.take_error().ok().flatten(),
            Err(error) => Some(error),
        }
        .unwrap_or_else(|| ErrorKind::ConnectionReset.into())
    }

    /// Reads until the client has closed its side.
    pub(crate) async fn discard(&mut self) -> io::Result<()> {
        tokio::io::copy(self, &mut tokio::io::sink()).await?;
        Ok(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A peer that sends without end must not keep the task from its other branches.
        let turn = ready!(coop::poll_proceed(context));
        let unfilled = buffer.initialize_unfilled();
        let mut read = || (&*SockRef::from(&*self.tcp)).read(unfilled);
        // The first attempt does not ask tokio, which has forgotten in `closed` that there are
        // bytes.
        let mut result = read();
        while let Err(error) = &result
            && error.kind() == ErrorKind::WouldBlock
        {
            ready!(self.tcp.poll_read_ready(context))?;
            result = self.tcp.try_io(Interest::READABLE, &mut read);
        }
        let count = result?;
        if let Some(record) = &mut self.record {
            record.advance(&unfilled[..count])?;
        }
        buffer.advance(count);
        turn.made_progress();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.tcp.poll_write_ready(context))?;
            match self.tcp.try_write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.tcp).shutdown(Shutdown::Write))
    }
}

/// How much of the current TLS record has been received.
#[derive(Clone, Default)]
struct Record {
    header: Vec<u8>,
    bytes_left: usize,
}

impl Record {
    /// Takes the next bytes; none at the end, which is an error inside a record.
    fn advance(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() && (self.bytes_left > 0 || !self.header.is_empty()) {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        while !bytes.is_empty() {
            let wanted = match self.bytes_left {
                0 => HEADER_BYTES - self.header.len(),
                left => left,
            };
            let (taken, rest) = bytes.split_at(wanted.min(bytes.len()));
            bytes = rest;
            if self.bytes_left > 0 {
                self.bytes_left -= taken.len();
                continue;
            }
            self.header.extend_from_slice(taken);
            if let [_, _, _, high, low] = self.header[..] {
                self.bytes_left = u16::from_be_bytes([high, low]).into();
                self.header.clear();
            }
        }
        Ok(())
    }
}

/// Type, version, length of the content.
const HEADER_BYTES: usize = 5;
