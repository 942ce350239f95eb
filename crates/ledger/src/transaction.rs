//! What a block's entry is, as far as the ledger cares.

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;
use windlass_proto::{
    common::{ChannelHeader, Envelope, HeaderType, Payload},
    envelope::{unpack_response_payload, unpack_transaction},
    protos::TxValidationCode,
};

use crate::rwset::{self, TransactionWrites};

/// An entry of a block.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    /// The header's transaction ID; may be empty, and means nothing before the transaction is validated.
    pub(crate) tx_id: String,
    /// The client's time.
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) content: Content,
}

/// What it would do to state.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// The results of a chaincode, endorsed.
    Endorsed(TransactionWrites),
    /// A channel configuration: the serialized `ConfigEnvelope`.
    Config(Bytes),
    /// Nothing.
    Other,
}

impl Transaction {
    /// Takes an entry apart. On failure, the code for it; whatever could be read of the header is in
    /// [`header`](Self::header).
    pub(crate) fn parse(entry: &Bytes) -> Result<Self, TxValidationCode> {
        let (header, payload) = read_header(entry).ok_or(TxValidationCode::BadPayload)?;
        let content = match HeaderType::try_from(header.r#type) {
            Ok(HeaderType::EndorserTransaction) => {
                // Fabric: ledger §4, after MVCC
                let action = unpack_transaction(&payload.data).ok().flatten().and_then(|(_, payload)| payload.action);
                let action = action.ok_or(TxValidationCode::NilTxaction)?;
                let (_, action) = unpack_response_payload(&action.proposal_response_payload)
                    .map_err(|_| TxValidationCode::BadResponsePayload)?;
                Content::Endorsed(rwset::decode(&action.results).map_err(|_| TxValidationCode::BadRwset)?)
            }
            Ok(HeaderType::Config) => Content::Config(payload.data),
            _ => Content::Other,
        };
        Ok(Self { tx_id: header.tx_id, timestamp: header.timestamp, content })
    }

    /// The channel header of an entry, if it can be read.
    pub(crate) fn header(entry: &Bytes) -> Option<ChannelHeader> {
        Some(read_header(entry)?.0)
    }
}

fn read_header(entry: &Bytes) -> Option<(ChannelHeader, Payload)> {
    let envelope = Envelope::decode(entry.clone()).ok()?;
    let payload = Payload::decode(envelope.payload).ok()?;
    let header = ChannelHeader::decode(payload.header.as_ref()?.channel_header.clone()).ok()?;
    Some((header, payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn gives_the_code_for_what_cannot_be_read() {
        let code = |entry: Bytes| Transaction::parse(&entry).expect_err("unreadable");
        assert_eq!(code(Bytes::from_static(&[0xff])), TxValidationCode::BadPayload);
        assert_eq!(code(Bytes::new()), TxValidationCode::BadPayload);
        let endorser = HeaderType::EndorserTransaction;
        assert_eq!(code(testing::envelope(endorser, "tx", Bytes::new())), TxValidationCode::NilTxaction);
        assert_eq!(code(testing::envelope(endorser, "tx", Bytes::from_static(&[0xff]))), TxValidationCode::NilTxaction);
        assert_eq!(code(testing::endorsed("tx", Bytes::from_static(&[0xff]))), TxValidationCode::BadRwset);
    }

    #[test]
    fn reads_endorsed_results_and_configurations() {
        let parsed = Transaction::parse(&testing::endorsed("tx", Bytes::new())).expect("a transaction");
        assert_eq!(parsed.tx_id, "tx");
        assert!(matches!(parsed.content, Content::Endorsed(writes) if !writes.is_written()));
        let config = testing::envelope(HeaderType::Config, "", Bytes::from_static(b"config"));
        assert!(
            matches!(Transaction::parse(&config).expect("a config").content, Content::Config(data) if data == "config")
        );
        let other = testing::envelope(HeaderType::Message, "m", Bytes::new());
        assert!(matches!(Transaction::parse(&other).expect("a message").content, Content::Other));
    }
}
