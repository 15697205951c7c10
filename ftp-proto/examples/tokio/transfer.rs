//! The bytes of one transfer. The future may be dropped at any `await`: that aborts the transfer.
//!
//! The disk is used inside `block_in_place`: tokio moves the other tasks of this thread to another
//! one meanwhile. With `spawn_blocking` the file would have to move to another thread and back for
//! each block, and an abort could leave a thread behind that still writes to the file.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use ftp_proto::{DataConnection, DataEvent, TransferError, TransferId, TransferStart};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::block_in_place;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::shared::{Download, Transfer, Upload};
use crate::socket::{Socket, Stream};

/// A transfer, from `StartTransfer` on.
pub(crate) struct Running {
    pub(crate) start: TransferStart,
    pub(crate) is_upload: bool,
    /// The last event of the data connection: each one implies those before it.
    event: watch::Receiver<Option<DataEvent>>,
    result: Pin<Box<dyn Future<Output = Transferred> + Send>>,
}

/// With an upload that has arrived as a whole, and must be finished.
pub(crate) type Transferred = Result<Option<Upload>, TransferError>;

pub(crate) enum TransferStep {
    /// There is an event.
    Moved,
    Ended(TransferId, Transferred),
}

impl Running {
    /// `passive`: where the client's connection comes from in passive mode.
    pub(crate) fn new(
        start: TransferStart,
        local: SocketAddr,
        passive: Option<oneshot::Receiver<TcpStream>>,
        transfer: Transfer,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let (events, event) = watch::channel(None);
        Self {
            start,
            is_upload: matches!(transfer, Transfer::Upload(_)),
            event,
            result: Box::pin(async move {
                let socket = establish(start.connection, local, passive, &events).await?;
                run(transfer, socket, tls, &events).await
            }),
        }
    }

    pub(crate) fn event(&self) -> Option<DataEvent> {
        *self.event.borrow()
    }

    pub(crate) async fn advance(running: &mut Option<Self>) -> TransferStep {
        let Some(running) = running else {
            return pending().await;
        };
        tokio::select! {
            biased;
            Ok(()) = running.event.changed() => TransferStep::Moved,
            result = &mut running.result => TransferStep::Ended(running.start.transfer, result),
        }
    }
}

type Events = watch::Sender<Option<DataEvent>>;

/// The data connection: the client's through the passive port, or in active mode ours to the
/// client.
async fn establish(
    connection: DataConnection,
    local: SocketAddr,
    passive: Option<oneshot::Receiver<TcpStream>>,
    events: &Events,
) -> Result<TcpStream, TransferError> {
    match (connection, passive) {
        (DataConnection::Active(address), _) => {
            let connected = connect(local, address).await;
            let socket = connected.map_err(|_| TransferError::NotConnected)?;
            report(events, DataEvent::Connected(address.ip()));
            Ok(socket)
        }
        // Reported when it was accepted.
        (DataConnection::Passive, Some(socket)) => {
            socket.await.map_err(|_| TransferError::NotConnected)
        }
        (DataConnection::Passive, None) => Err(TransferError::NotConnected),
    }
}

async fn connect(local: SocketAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // From the address that the client knows, and any port.
    let mut from = local;
    from.set_port(0);
    socket.bind(from)?;
    socket.connect(address).await
}

/// Moves the bytes, and closes the data connection.
async fn run(
    transfer: Transfer,
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    events: &Events,
) -> Transferred {
    let socket = Socket::new(socket);
    let mut stream: Box<dyn Stream> = Box::new(socket.clone());
    if let Some(acceptor) = tls {
        let handshake = acceptor.accept(socket.below_tls()).await;
        stream = Box::new(handshake.map_err(|_| TransferError::NotProtected)?);
        report(events, DataEvent::Protected);
    }
    let result = match transfer {
        Transfer::Upload(upload) => receive(upload, &mut stream, events).await.map(Some),
        Transfer::Download(download) => {
            let sent = send(download, &mut stream, events).await;
            sent.map(|()| None)
        }
    };
    drop(stream);
    linger(socket).await;
    result
}

async fn send(
    mut download: Download,
    stream: &mut Box<dyn Stream>,
    events: &Events,
) -> Result<(), TransferError> {
    let lost = |_| TransferError::ConnectionLost;
    let mut chunk = Vec::new();
    let mut total = 0;
    while block_in_place(|| download.read(&mut chunk))? {
        let mut unsent = &chunk[..];
        while !unsent.is_empty() {
            let count = stream.write(unsent).await.map_err(lost)?;
            unsent = &unsent[count..];
            total += count as u64;
            report(events, DataEvent::Progress(total));
        }
        chunk.clear();
    }
    // With TLS a close_notify, which no aborted download has: so the client knows that it has all
    // bytes.
    stream.shutdown().await.map_err(lost)
}

async fn receive(
    mut upload: Upload,
    stream: &mut Box<dyn Stream>,
    events: &Events,
) -> Result<Upload, TransferError> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => break,
            Ok(count) => {
                block_in_place(|| upload.write(&buffer[..count]))?;
                total += count as u64;
                report(events, DataEvent::Progress(total));
            }
            // Without a close_notify, as many clients end: the socket has checked that no TLS
            // record is cut.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(_) => return Err(TransferError::ConnectionLost),
        }
    }
    // The client has sent all; it may be gone.
    let _ = stream.shutdown().await;
    Ok(upload)
}

/// Closes our side, and the socket once the client has closed its side: a socket that is closed
/// with unread bytes, such as the client's close_notify, resets the connection, and the client may
/// lose the end of a file. The reply does not wait for that.
async fn linger(mut socket: Socket) {
    let _ = socket.shutdown().await;
    tokio::spawn(async move {
        let _ = timeout(LINGERING_MAX, socket.discard()).await;
    });
}

fn report(events: &Events, event: DataEvent) {
    events.send_replace(Some(event));
}

const CHUNK_BYTES: usize = 64 * 1024;

/// How long the client may take to close its side.
const LINGERING_MAX: Duration = Duration::from_secs(5);
