//! Statuses with details: which endpoint said what.

use prost::Message;
use tonic::{Code, Status};
use windlass_proto::{Bytes, gateway::ErrorDetail, protos::ProposalResponse};

use crate::services::endorser::Refused;

/// How the simulation ends when the chaincode has gone.
// Fabric: endorsement-and-gateway §2 "Simulation errors"
const STREAM_TERMINATED: &str = "chaincode stream terminated";

/// What an endorser's failure means for the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EndpointError {
    pub(super) code: Code,
    pub(super) message: String,
    /// Whether another endpoint might do better.
    pub(super) retry: bool,
    /// Whether the connection is of no more use.
    pub(super) drop: bool,
    /// Whether nothing came in time.
    pub(super) timeout: bool,
}

/// An endorser that gave no response.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// This peer itself refused the proposal.
    Refused(Refused),
    /// Another peer refused, or cannot be reached; the two are not told apart.
    Status(Box<Status>),
    /// Nothing came in time.
    Timeout,
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// The response of an endorser that is worth going on with.
// Fabric: endorsement-and-gateway §7 "Endpoint error classification"
pub(super) fn classify(outcome: Result<ProposalResponse, Failure>) -> Result<ProposalResponse, EndpointError> {
    let unavailable =
        |message: String| EndpointError { code: Code::Unavailable, message, retry: true, drop: true, timeout: false };
    let answer = outcome.map_err(|failure| match failure {
        Failure::Refused(Refused(message)) => {
            EndpointError { code: Code::FailedPrecondition, message, retry: false, drop: false, timeout: false }
        }
        Failure::Status(status) => {
            unavailable(format!("rpc error: code = {:?} desc = {}", status.code(), status.message()))
        }
        Failure::Timeout => EndpointError {
            timeout: true,
            ..unavailable("rpc error: code = DeadlineExceeded desc = context deadline exceeded".to_owned())
        },
    })?;
    let (status, message) = match &answer.response {
        Some(response) => (response.status, response.message.clone()),
        None => (0, String::new()),
    };
    match status {
        200..400 => Ok(answer),
        500 if answer.payload.is_empty() => {
            let drop = message.ends_with(STREAM_TERMINATED);
            Err(EndpointError { code: Code::Aborted, message, retry: true, drop, timeout: false })
        }
        _ => Err(EndpointError {
            code: Code::Unknown,
            message: format!("chaincode response {status}, {message}"),
            retry: false,
            drop: false,
            timeout: false,
        }),
    }
}

/// A status that carries `details` as clients look for them.
pub(super) fn with_details(code: Code, message: impl Into<String>, details: &[ErrorDetail]) -> Status {
    let message = message.into();
    if details.is_empty() {
        return Status::new(code, message);
    }
    let details = details
        .iter()
        .map(|detail| prost_types::Any {
            type_url: "type.googleapis.com/gateway.ErrorDetail".to_owned(),
            value: detail.encode_to_vec(),
        })
        .collect();
    let status = tonic_types::Status { code: code as i32, message: message.clone(), details };
    Status::with_details(code, message, Bytes::from(status.encode_to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_proto::protos::Response;

    fn answer(status: i32, message: &str, payload: &'static [u8]) -> Result<ProposalResponse, Failure> {
        let response = Response { status, message: message.into(), payload: Bytes::new() };
        Ok(ProposalResponse { response: Some(response), payload: payload.into(), ..Default::default() })
    }

    #[test]
    fn tells_a_peer_that_failed_from_a_chaincode_that_refused() {
        let peer = classify(answer(500, "because", b"")).expect_err("no payload");
        assert_eq!((peer.code, peer.message.as_str(), peer.retry, peer.drop), (Code::Aborted, "because", true, false));
        for status in [500, 400, 404, 0] {
            let chaincode = classify(answer(status, "because", b"results")).expect_err("refused");
            assert_eq!(chaincode.code, Code::Unknown);
            assert_eq!(chaincode.message, format!("chaincode response {status}, because"));
        }
        assert!(classify(answer(399, "", b"")).is_ok());
        let refused = classify(Err(Refused("bad".into()).into())).expect_err("refused");
        assert_eq!((refused.code, refused.retry), (Code::FailedPrecondition, false));
    }

    #[test]
    fn gives_up_on_a_peer_that_does_not_answer() {
        let status = Failure::Status(Box::new(Status::unknown("bad")));
        let refused = classify(Err(status)).expect_err("refused");
        assert_eq!((refused.code, refused.retry, refused.drop), (Code::Unavailable, true, true));
        assert_eq!(refused.message, "rpc error: code = Unknown desc = bad");
        let timeout = classify(Err(Failure::Timeout)).expect_err("too late");
        assert_eq!(timeout.message, "rpc error: code = DeadlineExceeded desc = context deadline exceeded");
        let gone = "error in simulation: failed to execute transaction 1: error sending: chaincode stream terminated";
        let gone = classify(answer(500, gone, b"")).expect_err("crashed");
        assert_eq!((gone.code, gone.retry, gone.drop), (Code::Aborted, true, true));
    }

    #[test]
    fn carries_details_under_their_type() {
        let detail = ErrorDetail { address: "a".into(), msp_id: "Org1MSP".into(), message: "m".into() };
        let status = with_details(Code::Aborted, "failed", std::slice::from_ref(&detail));
        let decoded = tonic_types::Status::decode(status.details()).expect("a status");
        assert_eq!(decoded.code, 10);
        assert_eq!(decoded.details[0].type_url, "type.googleapis.com/gateway.ErrorDetail");
        assert_eq!(ErrorDetail::decode(decoded.details[0].value.as_slice()), Ok(detail));
    }
}
