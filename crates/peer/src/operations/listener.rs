//! Connections for the HTTP server, with or without TLS.

use std::{io, net::SocketAddr, pin::Pin, sync::Arc};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use futures::{Stream, StreamExt};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tonic::transport::server::Connected as _;
use windlass_transport::{ConnectionInfo, incoming, listen::Connection};

/// Accepts connections.
pub(super) struct Incoming {
    connections: Pin<Box<dyn Stream<Item = io::Result<Connection>> + Send>>,
    address: SocketAddr,
}

impl Incoming {
    pub(super) fn new(listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        // The configuration is made for gRPC; here the protocol is HTTP/1.1.
        let tls = tls.map(|mut tls| {
            Arc::make_mut(&mut tls).alpn_protocols = vec![b"http/1.1".to_vec()];
            tls
        });
        Ok(Self { connections: Box::pin(incoming(listener, tls)), address })
    }
}

impl axum::serve::Listener for Incoming {
    type Io = Connection;
    type Addr = ConnectionInfo;

    async fn accept(&mut self) -> (Connection, ConnectionInfo) {
        loop {
            match self.connections.next().await {
                Some(Ok(connection)) => {
                    let info = connection.connect_info();
                    return (connection, info);
                }
                Some(Err(error)) => tracing::debug!(%error, "cannot accept a connection"),
                // Only a listener that is being dropped ends; its server ends with it.
                None => futures::future::pending().await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<ConnectionInfo> {
        Ok(ConnectionInfo { remote: self.address, certificate: None })
    }
}

/// What is known of the client of a request.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) has_certificate: bool,
}

impl Connected<IncomingStream<'_, Incoming>> for Client {
    fn connect_info(stream: IncomingStream<'_, Incoming>) -> Self {
        Self { has_certificate: stream.remote_addr().certificate.is_some() }
    }
}
