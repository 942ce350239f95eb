//! A connection that is counted, and that ends with the server.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;
use windlass_transport::{ConnectionInfo, listen::Connection};

use crate::telemetry::OpenConnection;

/// The library serves each connection in a task of its own that outlives the server; reading the end of the stream is
/// what ends such a task.
pub(super) struct Tracked {
    connection: Connection,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
    _open: Option<OpenConnection>,
}

impl Tracked {
    pub(super) fn new(connection: Connection, shutdown: CancellationToken, open: Option<OpenConnection>) -> Self {
        Self { connection, shutdown: Box::pin(shutdown.cancelled_owned()), _open: open }
    }
}

impl Connected for Tracked {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.connection.connect_info()
    }
}

impl AsyncRead for Tracked {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.shutdown.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.connection).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tracked {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}
