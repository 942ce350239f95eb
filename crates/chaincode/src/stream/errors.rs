//! Every exact text of the stream. Shims, clients and the Gateway compare and forward them.

use std::error::Error;

use prost::DecodeError;
use tonic::{Code, Status};
use windlass_proto::hash::Digest;
use windlass_transport::DialError;

use crate::{channels::AccessDenied, simulation::SimulationError};

/// Why a request of a chaincode failed: what follows `<TYPE> failed: transaction ID: <txid>: `.
// Fabric: chaincode-protocol §8, §10-§12
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("no ledger context")]
    NoContext,
    #[error("could not get valid transaction")]
    NoTransaction,
    #[error("unmarshal failed: {0}")]
    Malformed(#[from] DecodeError),
    #[error("panic during execution")]
    Panic,
    #[error("private data APIs are not allowed in chaincode Init()")]
    PrivateDuringInit,
    #[error("collection {channel}/{namespace}/{collection} could not be found")]
    UnknownCollection { channel: String, namespace: String, collection: String },
    #[error(
        "collection config not defined for chaincode [{0}], pass the collection configuration upon chaincode \
         definition/instantiation"
    )]
    NoCollections(String),
    #[error(
        "collection {channel}/{namespace}/{collection} is defined, but chaincode cannot use private data here: this \
         version keeps the definitions of collections only"
    )]
    NoPrivateData { channel: String, namespace: String, collection: String },
    #[error("application config does not exist for {0}")]
    NoApplicationConfig(String),
    #[error("key level endorsement is not enabled, channel application capability of V1_3 or later is required")]
    KeyLevelEndorsementDisabled,
    #[error("purge private data is not enabled, channel application capability of V2_5 or later is required")]
    PurgeDisabled,
    #[error("only applicable for private data")]
    PurgeWithoutCollection,
    #[error("unknown operation type")]
    UnknownWrite,
    #[error("query iterator not found")]
    UnknownCursor,
    #[error("signed proposal must not be nil from caller [{channel}.{name}#{version}]")]
    NoProposal { channel: String, name: String, version: String },
    #[error(transparent)]
    Denied(#[from] AccessDenied),
    #[error("failed to find ledger for channel: {0}")]
    UnknownChannel(String),
    #[error("execute failed: {0}")]
    Execute(String),
    #[error(transparent)]
    Ledger(#[from] SimulationError),
    /// Fabric tears the whole stream down here, and every other transaction on it.
    #[error("the answer has {size} bytes, more than the {limit} that a message may have")]
    AnswerTooLarge { size: usize, limit: usize },
}

/// Why no result came back from a chaincode: what follows `error sending: `.
// Fabric: chaincode-protocol §9
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    #[error("txid: {tx_id}({channel}) exists")]
    Exists { tx_id: String, channel: String },
    #[error("timeout expired while executing transaction")]
    Timeout,
    // The Gateway looks for this ending, whatever stands before it.
    #[error("{}chaincode stream terminated", .0.as_ref().map(|cause| format!("{cause}: ")).unwrap_or_default())]
    StreamTerminated(Option<StreamEnd>),
}

/// Why a REGISTER is not accepted. Nothing of it reaches the chaincode.
// Fabric: chaincode-protocol §6
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegistrationError {
    #[error("duplicate chaincodeID: {0}")]
    Duplicate(String),
    #[error("peer will not accept external chaincode connection {0} (except in dev mode)")]
    Unsolicited(String),
    /// Of our own: Fabric lets the launch run into its timeout.
    #[error("chaincode launched as '{expected}' registered as '{found}'; give it the package ID as its chaincode ID")]
    WrongId { expected: String, found: String },
}

/// Why a stream of a TLS client ends before its REGISTER is looked at: the text of status `Unknown`.
// Fabric: chaincode-protocol §3
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AccessError {
    #[error("Recv() error: {0}, closing connection")]
    Receive(String),
    #[error("First message needs to be a register")]
    NotRegister,
    #[error("{0}")]
    Malformed(DecodeError),
    #[error("TLS is active but chaincode {0} didn't send certificate")]
    NoCertificate(String),
    #[error("Chaincode {name} with given certificate hash {} not found in registry", decimal(hash))]
    UnknownCertificate { name: String, hash: Digest },
    #[error("Chaincode {name} with given certificate hash {} belongs to a different chaincode", decimal(hash))]
    ForeignCertificate { name: String, hash: Digest },
}

/// Why a stream ended. Where chaincode dialed, it sees this as the text of status `Unknown`.
// Fabric: chaincode-protocol §6, §14
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StreamEnd {
    #[error("EOF")]
    Eof,
    #[error("receive from chaincode support stream failed: {0}")]
    Receive(String),
    /// A message that is too large, or none at all; or the chaincode said itself that it ends the stream, and why.
    #[error("receive from chaincode support stream failed: {0}")]
    Broken(String),
    #[error(
        "error handling message, ending stream: [{tx_id}] Fabric side handler cannot handle message ({kind}) while in \
         {state} state"
    )]
    Unexpected { tx_id: String, kind: String, state: &'static str },
    /// The engine let go of the stream.
    #[error("chaincode stream closed by the peer")]
    Closed,
}

impl StreamEnd {
    /// What came instead of a message. The source of a status is what happened to the connection; those without are
    /// about what was sent over it.
    pub(crate) fn receiving(status: &Status) -> Self {
        let text = go_status(status);
        match deepest(status) {
            Some(cause) => Self::Receive(format!("{text}: {cause}")),
            None => Self::Broken(text),
        }
    }

    /// Whether the chaincode did something that ended the stream, as opposed to going away.
    pub(crate) fn is_fault(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::Unexpected { .. })
    }
}

/// Why no stream to a serving chaincode came about: what follows `connection to <id> failed: `.
// Fabric: external-builders §8
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("error cannot create connection for {id}: error creating grpc connection to {address}: {}", dialing(.source))]
    Dial { id: String, address: String, source: DialError },
    #[error("error handling chaincode stream for {id}: {source}")]
    Stream { id: String, source: StreamEnd },
    #[error("error handling chaincode stream for {id}: {}", go_status(.status))]
    Refused { id: String, status: Status },
    /// Something accepted the connection that speaks no HTTP/2, or none without TLS.
    #[error(
        "error cannot create connection for {id}: error creating grpc connection to {address}: failed to create new \
         connection: context deadline exceeded\n{cause}"
    )]
    NotServing { id: String, address: String, cause: String },
}

/// `<TYPE> failed: transaction ID: <txid>: <detail>`: the payload of an ERROR that answers a request.
pub(crate) fn request_failed(kind: &str, tx_id: &str, error: &RequestError) -> String {
    format!("{kind} failed: transaction ID: {tx_id}: {error}")
}

/// What went wrong below gRPC, if a status stands for that.
pub(crate) fn deepest(status: &Status) -> Option<String> {
    let mut cause: &dyn Error = status.source()?;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Some(cause.to_string())
}

/// A status as Go programs print it.
pub(crate) fn go_status(status: &Status) -> String {
    let code = match status.code() {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    };
    // Go servers name the service; ours and others send no text.
    let unimplemented = code == "Unimplemented" && status.message().is_empty();
    let message = if unimplemented { "unknown service protos.Chaincode" } else { status.message() };
    format!("rpc error: code = {code} desc = {message}")
}

/// The first characters of a transaction ID, as texts quote it.
pub(crate) fn short(tx_id: &str) -> &str {
    tx_id.get(..8).unwrap_or(tx_id)
}

/// Bytes as Go prints them: `[12 250 7]`.
fn decimal(hash: &Digest) -> String {
    let numbers: Vec<String> = hash.iter().map(u8::to_string).collect();
    format!("[{}]", numbers.join(" "))
}

/// The text of a failed dial. What Fabric only knows as a deadline is followed by its cause on a line of its own.
fn dialing(error: &DialError) -> String {
    let transport = |what: String| {
        format!(
            "failed to create new connection: connection error: desc = \"transport: error while dialing: dial tcp{what}\""
        )
    };
    match error {
        DialError::Connect { address, source } => {
            let cause = match source.kind() {
                std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                std::io::ErrorKind::HostUnreachable => "no route to host".to_owned(),
                std::io::ErrorKind::NetworkUnreachable => "network is unreachable".to_owned(),
                _ => source.to_string(),
            };
            transport(format!(" {address}: connect: {cause}"))
        }
        DialError::Resolve { host, .. } => transport(format!(": lookup {host}: no such host")),
        DialError::Address(address) if !address.contains(':') => {
            transport(format!(": address {address}: missing port in address"))
        }
        DialError::Address(address) => transport(format!(": address {address}: invalid port")),
        DialError::Material(cause) => format!("error adding root certificate\n{cause}"),
        DialError::Handshake { .. }
        | DialError::Protocol { .. }
        | DialError::Ended { .. }
        | DialError::Timeout { .. } => {
            format!("failed to create new connection: context deadline exceeded\n{error}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_fail_in_the_words_of_fabric() {
        let text = |text: &str| text.to_owned();
        for (error, expected) in [
            (RequestError::NoContext, "no ledger context"),
            (RequestError::NoTransaction, "could not get valid transaction"),
            (RequestError::Panic, "panic during execution"),
            (RequestError::PrivateDuringInit, "private data APIs are not allowed in chaincode Init()"),
            (
                RequestError::UnknownCollection { channel: text("ch"), namespace: text("cc"), collection: text("c") },
                "collection ch/cc/c could not be found",
            ),
            (
                RequestError::NoCollections(text("cc")),
                "collection config not defined for chaincode [cc], pass the collection configuration upon chaincode \
                 definition/instantiation",
            ),
            (RequestError::NoApplicationConfig(text("ch")), "application config does not exist for ch"),
            (
                RequestError::KeyLevelEndorsementDisabled,
                "key level endorsement is not enabled, channel application capability of V1_3 or later is required",
            ),
            (
                RequestError::PurgeDisabled,
                "purge private data is not enabled, channel application capability of V2_5 or later is required",
            ),
            (RequestError::PurgeWithoutCollection, "only applicable for private data"),
            (RequestError::UnknownWrite, "unknown operation type"),
            (RequestError::UnknownCursor, "query iterator not found"),
            (
                RequestError::NoProposal { channel: text("ch"), name: text("cc"), version: text("1") },
                "signed proposal must not be nil from caller [ch.cc#1]",
            ),
            (RequestError::UnknownChannel(text("ch")), "failed to find ledger for channel: ch"),
            (RequestError::Execute(text("e")), "execute failed: e"),
            (RequestError::Ledger(SimulationError(text("e"))), "e"),
        ] {
            let answer = request_failed("GET_STATE", "tx", &error);
            assert_eq!(answer, format!("GET_STATE failed: transaction ID: tx: {expected}"));
        }
    }

    #[test]
    fn streams_and_registrations_end_in_the_words_of_fabric() {
        let hash = {
            let mut hash = [0; 32];
            hash[..3].copy_from_slice(&[12, 250, 7]);
            hash
        };
        let printed = format!("[12 250 7{}]", " 0".repeat(29));
        let name = || String::from("cc:1");
        let cases: Vec<(String, String)> = vec![
            (RegistrationError::Duplicate(name()).to_string(), "duplicate chaincodeID: cc:1".into()),
            (
                RegistrationError::Unsolicited(name()).to_string(),
                "peer will not accept external chaincode connection cc:1 (except in dev mode)".into(),
            ),
            (AccessError::Receive("EOF".into()).to_string(), "Recv() error: EOF, closing connection".into()),
            (AccessError::NotRegister.to_string(), "First message needs to be a register".into()),
            (
                AccessError::NoCertificate(name()).to_string(),
                "TLS is active but chaincode cc:1 didn't send certificate".into(),
            ),
            (
                AccessError::UnknownCertificate { name: name(), hash }.to_string(),
                format!("Chaincode cc:1 with given certificate hash {printed} not found in registry"),
            ),
            (
                AccessError::ForeignCertificate { name: name(), hash }.to_string(),
                format!("Chaincode cc:1 with given certificate hash {printed} belongs to a different chaincode"),
            ),
            (StreamEnd::Eof.to_string(), "EOF".into()),
            (
                StreamEnd::Receive(go_status(&Status::cancelled("gone"))).to_string(),
                "receive from chaincode support stream failed: rpc error: code = Canceled desc = gone".into(),
            ),
            (SendError::Exists { tx_id: "t".into(), channel: "ch".into() }.to_string(), "txid: t(ch) exists".into()),
            (SendError::Timeout.to_string(), "timeout expired while executing transaction".into()),
            (SendError::StreamTerminated(None).to_string(), "chaincode stream terminated".into()),
            (
                SendError::StreamTerminated(Some(StreamEnd::receiving(&Status::out_of_range("too large")))).to_string(),
                "receive from chaincode support stream failed: rpc error: code = OutOfRange desc = too large: chaincode \
                 stream terminated"
                    .into(),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn transaction_ids_are_quoted_by_their_first_characters() {
        assert_eq!(short("0123456789"), "01234567");
        assert_eq!(short("0123"), "0123");
        assert_eq!(short("0123456\u{e9}"), "0123456\u{e9}");
    }
}
