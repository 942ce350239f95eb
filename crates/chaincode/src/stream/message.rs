//! Making messages.

use bytes::Bytes;
use prost::Message;
use windlass_proto::protos::{ChaincodeMessage, chaincode_message::Type};

/// A request's return address. Shims match answers by these two alone, so they are repeated exactly as they
/// came, an empty channel included.
// Fabric: chaincode-protocol §5
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReturnAddress {
    pub(crate) channel: String,
    pub(crate) tx_id: String,
}

impl ReturnAddress {
    pub(crate) fn of(message: &ChaincodeMessage) -> Self {
        Self { channel: message.channel_id.clone(), tx_id: message.txid.clone() }
    }

    pub(crate) fn response(&self, payload: Bytes) -> ChaincodeMessage {
        self.answer(Type::Response, payload)
    }

    pub(crate) fn error(&self, text: String) -> ChaincodeMessage {
        self.answer(Type::Error, text.into())
    }

    fn answer(&self, kind: Type, payload: Bytes) -> ChaincodeMessage {
        ChaincodeMessage {
            r#type: kind as i32,
            payload,
            txid: self.tx_id.clone(),
            channel_id: self.channel.clone(),
            ..Default::default()
        }
    }
}

/// A message with nothing but a type and a payload.
pub(crate) fn bare(kind: Type, payload: Bytes) -> ChaincodeMessage {
    ChaincodeMessage { r#type: kind as i32, payload, ..Default::default() }
}

/// The name of a message's type; a number where there is no name.
pub(crate) fn type_name(message: &ChaincodeMessage) -> String {
    match Type::try_from(message.r#type) {
        Ok(kind) => kind.as_str_name().to_owned(),
        Err(_) => message.r#type.to_string(),
    }
}

/// A message as payload.
pub(crate) fn encode(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}
