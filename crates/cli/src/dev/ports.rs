//! Where everything listens: loopback, on the usual ports or on free ones.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use tokio::net::TcpListener;

use crate::printer::Printer;

/// The bound sockets.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) orderer: TcpListener,
    pub(crate) peer: TcpListener,
    pub(crate) chaincode: TcpListener,
    pub(crate) operations: TcpListener,
}

impl Ports {
    /// Binds the usual ports, or those from `base` on; a taken one is replaced by a free one, and said so.
    pub(crate) async fn bind(base: Option<u16>, printer: &Printer) -> anyhow::Result<Self> {
        let wanted = match base {
            None => [7050, 7051, 7052, 9443],
            Some(base) => {
                let last = base.checked_add(3).context("--port-base: expected at most 65532, so that four ports fit")?;
                [base, last - 2, last - 1, last]
            }
        };
        Ok(Self {
            orderer: bind("orderer", wanted[0], printer).await?,
            peer: bind("peer", wanted[1], printer).await?,
            chaincode: bind("chaincode", wanted[2], printer).await?,
            operations: bind("operations", wanted[3], printer).await?,
        })
    }
}

/// The port of a bound socket.
pub(crate) fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().map_or(0, |address| address.port())
}

async fn bind(what: &str, port: u16, printer: &Printer) -> anyhow::Result<TcpListener> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if let Ok(listener) = TcpListener::bind(at(port)).await {
        return Ok(listener);
    }
    let listener = TcpListener::bind(at(0)).await.context("no port is free")?;
    printer.warn(format_args!("port {port} is taken; the {what} uses {} instead", port_of(&listener)));
    Ok(listener)
}
