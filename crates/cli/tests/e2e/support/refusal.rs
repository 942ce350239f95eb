//! What a client is told when it is refused.

use std::fmt;

use prost::Message;
use tonic::Code;
use windlass_proto::{
    gateway::ErrorDetail,
    protos::{Response, TxValidationCode},
};

/// Why a call did not do what was asked.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// A gRPC error, with the messages of its details.
    Status { code: Code, message: String, details: Vec<String> },
    /// A response that is none of success.
    Response { status: i32, message: String },
    /// On the ledger, but invalid.
    Invalid(TxValidationCode),
}

impl Refusal {
    /// The text, whichever kind it is.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Status { message, details, .. } if details.is_empty() => message.clone(),
            Self::Status { details, .. } => details.join("; "),
            Self::Response { message, .. } => message.clone(),
            Self::Invalid(code) => code.as_str_name().to_owned(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl From<tonic::Status> for Refusal {
    fn from(status: tonic::Status) -> Self {
        let details = tonic_types::Status::decode(status.details()).map(|status| status.details).unwrap_or_default();
        let details = details
            .iter()
            .map(|detail| {
                assert_eq!(detail.type_url, "type.googleapis.com/gateway.ErrorDetail");
                ErrorDetail::decode(detail.value.as_slice()).expect("an error detail").message
            })
            .collect();
        Self::Status { code: status.code(), message: status.message().to_owned(), details }
    }
}

impl From<Response> for Refusal {
    fn from(response: Response) -> Self {
        Self::Response { status: response.status, message: response.message }
    }
}
