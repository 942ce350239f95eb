//! Streams that the peer opens to chaincode that serves.

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use windlass_proto::protos::{ChaincodeMessage, chaincode_client::ChaincodeClient};
use windlass_transport::{DialOptions, Keepalive, MAX_MESSAGE_SIZE, dial_at};

use crate::{
    build::Connection,
    launch::endpoints::Endpoint,
    stream::{
        driver::Driver,
        errors::{ConnectError, StreamEnd, deepest},
    },
};

/// Dials the chaincode, reads the stream to its end, and returns why it ended, or why there never was one.
/// The peer says nothing first: the chaincode registers here too. `leaving` is cancelled when the server says
/// that it will close; the stream goes on.
pub(crate) async fn connect(
    id: &str,
    connection: &Connection,
    endpoint: &Endpoint,
    ping: Keepalive,
    driver: Driver,
    queue: mpsc::Receiver<ChaincodeMessage>,
    leaving: &CancellationToken,
) -> ConnectError {
    let address = endpoint.address.clone();
    let tls = connection.client_tls();
    let options = DialOptions { timeout: connection.dial_timeout, keepalive: Some(ping) };
    let mut dialed = match dial_at(&address, endpoint.socket, tls.as_ref(), &options).await {
        Ok(dialed) => dialed,
        Err(source) => return ConnectError::Dial { id: id.to_owned(), address, source },
    };
    let mut client = ChaincodeClient::new(dialed.channel)
        .max_decoding_message_size(MAX_MESSAGE_SIZE)
        .max_encoding_message_size(MAX_MESSAGE_SIZE);
    let session = driver.session().clone();
    let token = session.closed_token();
    let outbound = ReceiverStream::new(queue).take_until(token.cancelled_owned());
    let opened = tokio::select! {
        () = session.closed() => return ConnectError::Stream { id: id.to_owned(), source: StreamEnd::Closed },
        opened = client.connect(outbound) => opened,
    };
    let goodbye = async {
        dialed.leaving.announced().await;
        leaving.cancel();
        std::future::pending().await
    };
    match opened {
        Ok(inbound) => {
            let source = tokio::select! {
                biased;
                end = driver.run(inbound.into_inner()) => end,
                never = goodbye => never,
            };
            ConnectError::Stream { id: id.to_owned(), source }
        }
        Err(status) => match deepest(&status) {
            Some(cause) => ConnectError::NotServing { id: id.to_owned(), address, cause },
            None => ConnectError::Refused { id: id.to_owned(), status },
        },
    }
}
