//! Where everything listens: loopback, on the usual ports or on free ones.
//!
//! | | orderer | peer | chaincode | operations |
//! |---|---|---|---|---|
//! | organization 1 | 7050 | 7051 | 7052 | 9443 |
//! | organization 2 | | 8051 | 8052 | 9444 |
//! | organization 3 | | 9051 | 9052 | 9445 |
//! | … | | 1000 more each | 1000 more each | one more each |
//! | organization 1, from base N | N | N+1 | N+2 | N+3 |
//! | organization 2, from base N | | N+4 | N+5 | N+6 |
//! | … | | three more each | three more each | three more each |

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use tokio::net::TcpListener;

use crate::printer::Printer;

/// The orderer's usual port.
const ORDERER: u16 = 7050;

/// The bound sockets of one organization.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) peer: TcpListener,
    pub(crate) chaincode: TcpListener,
    pub(crate) operations: TcpListener,
}

impl Ports {
    /// Binds the ports of an organization, counted from 0; a taken one is replaced by a free one, and said so.
    pub(crate) async fn bind(organization: usize, base: Option<u16>, printer: &Printer) -> anyhow::Result<Self> {
        let [peer, chaincode, operations] = wanted(organization, base).with_context(|| {
            format!("--port-base: expected a lower number, so that the ports of organization {} fit", organization + 1)
        })?;
        let of = |what: &str| match organization {
            0 => what.to_owned(),
            _ => format!("{what} of organization {}", organization + 1),
        };
        Ok(Self {
            peer: bind(&of("peer"), peer, printer).await?,
            chaincode: bind(&of("chaincode"), chaincode, printer).await?,
            operations: bind(&of("operations"), operations, printer).await?,
        })
    }
}

/// Binds the orderer's port.
pub(crate) async fn bind_orderer(base: Option<u16>, printer: &Printer) -> anyhow::Result<TcpListener> {
    bind("orderer", base.unwrap_or(ORDERER), printer).await
}

/// The ports that a network of so many organizations listens at unless it is told otherwise.
pub(crate) fn usual(organizations: usize) -> Vec<u16> {
    let peers = (0..organizations).filter_map(|organization| wanted(organization, None)).flatten();
    std::iter::once(ORDERER).chain(peers).collect()
}

/// The ports of peer, chaincode and operations; `None` if there are no such numbers.
fn wanted(organization: usize, base: Option<u16>) -> Option<[u16; 3]> {
    let organization = u16::try_from(organization).ok()?;
    let further = |first: u16, step: u16| first.checked_add(organization.checked_mul(step)?);
    Some(match base {
        None => [further(7051, 1000)?, further(7052, 1000)?, further(9443, 1)?],
        Some(base) => {
            let first = further(base, 3)?;
            [first.checked_add(1)?, first.checked_add(2)?, first.checked_add(3)?]
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_every_organization_its_ports() {
        assert_eq!(wanted(0, None), Some([7051, 7052, 9443]));
        assert_eq!(wanted(2, None), Some([9051, 9052, 9445]));
        assert_eq!(wanted(0, Some(17050)), Some([17051, 17052, 17053]));
        assert_eq!(wanted(2, Some(17050)), Some([17057, 17058, 17059]));
        assert_eq!(wanted(0, Some(65533)), None);
        assert_eq!(usual(2), [7050, 7051, 7052, 9443, 8051, 8052, 9444]);
    }
}
