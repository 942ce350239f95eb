//! Statuses with details: which endpoint said what.

use prost::Message;
use tonic::{Code, Status};
use windlass_proto::{Bytes, gateway::ErrorDetail, protos::ProposalResponse};

use crate::services::endorser::Refused;

/// What an endorser's failure means for the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EndpointError {
    pub(super) code: Code,
    pub(super) message: String,
    /// Whether another endpoint might do better.
    pub(super) retry: bool,
}

/// The response of an endorser that is worth going on with.
// Fabric: endorsement-and-gateway §7 "Endpoint error classification"
pub(super) fn classify(outcome: Result<ProposalResponse, Refused>) -> Result<ProposalResponse, EndpointError> {
    let answer = outcome.map_err(|Refused(message)| EndpointError {
        code: Code::FailedPrecondition,
        message,
        retry: false,
    })?;
    let (status, message) = match &answer.response {
        Some(response) => (response.status, response.message.clone()),
        None => (0, String::new()),
    };
    match status {
        200..400 => Ok(answer),
        500 if answer.payload.is_empty() => Err(EndpointError { code: Code::Aborted, message, retry: true }),
        _ => Err(EndpointError {
            code: Code::Unknown,
            message: format!("chaincode response {status}, {message}"),
            retry: false,
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

    fn answer(status: i32, payload: &'static [u8]) -> Result<ProposalResponse, Refused> {
        let response = Response { status, message: "because".into(), payload: Bytes::new() };
        Ok(ProposalResponse { response: Some(response), payload: payload.into(), ..Default::default() })
    }

    #[test]
    fn tells_a_peer_that_failed_from_a_chaincode_that_refused() {
        let peer = classify(answer(500, b"")).expect_err("no payload");
        assert_eq!((peer.code, peer.message.as_str(), peer.retry), (Code::Aborted, "because", true));
        for status in [500, 400, 404, 0] {
            let chaincode = classify(answer(status, b"results")).expect_err("refused");
            assert_eq!(chaincode.code, Code::Unknown);
            assert_eq!(chaincode.message, format!("chaincode response {status}, because"));
        }
        assert!(classify(answer(399, b"")).is_ok());
        let refused = classify(Err(Refused("bad".into()))).expect_err("refused");
        assert_eq!((refused.code, refused.retry), (Code::FailedPrecondition, false));
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
