//! May a block be looked at all? Its entries must be envelopes, signed, and written in the one canonical way:
//! hashes and signatures are over bytes, and the same transaction must not have two spellings.
// Fabric: ledger §5

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Buf, Bytes};
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use windlass_proto::{
    common::{Block, Envelope, HeaderType},
    envelope::{decode, unpack_envelope},
};

/// Why a whole block is refused.
// Fabric: ledger §5
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// No transactions.
    #[error("empty block")]
    Empty,
    /// An entry is not an envelope.
    #[error("transaction {transaction} is invalid: {reason}")]
    NotAnEnvelope {
        /// Its index.
        transaction: usize,
        /// What protobuf says.
        reason: String,
    },
    /// An envelope without payload.
    #[error("transaction {0} has no payload")]
    NoPayload(usize),
    /// An envelope without signature.
    #[error("transaction {0} has no signature")]
    NoSignature(usize),
    /// More bytes than the envelope needs.
    #[error("transaction {transaction} has {count} trailing bytes")]
    TrailingBytes {
        /// Its index.
        transaction: usize,
        /// How many.
        count: usize,
    },
    /// An envelope written in another way than the canonical one.
    #[error("transaction {transaction} ({canonical}) does not match its raw form ({raw})")]
    NotCanonical {
        /// Its index.
        transaction: usize,
        /// How it should be written, in base64.
        canonical: String,
        /// How it is written, in base64.
        raw: String,
    },
}

/// Checks the form of every entry of a block. A block of nothing but one configuration is exempt: genesis
/// blocks are not signed.
///
/// # Errors
/// The block must not be committed.
pub fn check_block_form(block: &Block) -> Result<(), FormError> {
    let entries = block.data.as_ref().map(|data| data.data.as_slice()).unwrap_or_default();
    match entries {
        [] => Err(FormError::Empty),
        [entry] if is_config(entry) => Ok(()),
        _ => entries.iter().enumerate().try_for_each(|(index, entry)| check_entry(index, entry)),
    }
}

fn is_config(entry: &Bytes) -> bool {
    let header = decode::<Envelope>("Envelope", entry).and_then(|envelope| unpack_envelope(&envelope));
    header.is_ok_and(|unpacked| unpacked.channel_header.r#type == HeaderType::Config as i32)
}

fn check_entry(transaction: usize, raw: &Bytes) -> Result<(), FormError> {
    let envelope =
        Spelled::parse(raw).map_err(|error| FormError::NotAnEnvelope { transaction, reason: error.to_string() })?;
    if envelope.payload.is_empty() {
        return Err(FormError::NoPayload(transaction));
    }
    if envelope.signature.is_empty() {
        return Err(FormError::NoSignature(transaction));
    }
    let canonical = envelope.canonical();
    if canonical.len() < raw.len() {
        return Err(FormError::TrailingBytes { transaction, count: raw.len() - canonical.len() });
    }
    if canonical != raw.as_ref() {
        let (canonical, raw) = (STANDARD.encode(&canonical), STANDARD.encode(raw));
        return Err(FormError::NotCanonical { transaction, canonical, raw });
    }
    Ok(())
}

/// An envelope with the fields that this version does not know, which Fabric keeps when it writes.
struct Spelled {
    payload: Bytes,
    signature: Bytes,
    unknown: Vec<u8>,
}

const PAYLOAD: u32 = 1;
const SIGNATURE: u32 = 2;

impl Spelled {
    fn parse(raw: &Bytes) -> Result<Self, prost::DecodeError> {
        // The generated type decides what is malformed.
        <Envelope as prost::Message>::decode(raw.clone())?;
        let mut spelled = Self { payload: Bytes::new(), signature: Bytes::new(), unknown: Vec::new() };
        let mut rest = raw.clone();
        while rest.has_remaining() {
            let field = rest.clone();
            let (tag, wire_type) = decode_key(&mut rest)?;
            match (tag, wire_type) {
                (PAYLOAD, WireType::LengthDelimited) => spelled.payload = take(&mut rest)?,
                (SIGNATURE, WireType::LengthDelimited) => spelled.signature = take(&mut rest)?,
                _ => {
                    let context = prost::encoding::DecodeContext::default();
                    prost::encoding::skip_field(wire_type, tag, &mut rest, context)?;
                    spelled.unknown.extend_from_slice(&field[..field.len() - rest.len()]);
                }
            }
        }
        Ok(spelled)
    }

    fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.payload.len() + self.signature.len() + 16);
        for (tag, content) in [(PAYLOAD, &self.payload), (SIGNATURE, &self.signature)] {
            encode_key(tag, WireType::LengthDelimited, &mut out);
            encode_varint(content.len() as u64, &mut out);
            out.extend_from_slice(content);
        }
        out.extend_from_slice(&self.unknown);
        out
    }
}

fn take(rest: &mut Bytes) -> Result<Bytes, prost::DecodeError> {
    let length = decode_varint(rest)? as usize;
    // The generated type has been through here before, so that this is only for the reader's peace.
    Ok(rest.split_to(length.min(rest.len())))
}

#[cfg(test)]
mod tests {
    use windlass_proto::common::{BlockData, ChannelHeader, Header, Payload};

    use super::*;

    fn block(entries: &[&[u8]]) -> Block {
        let data = entries.iter().map(|entry| Bytes::copy_from_slice(entry)).collect();
        Block { data: Some(BlockData { data }), ..Default::default() }
    }

    /// An envelope by hand: payload, signature, anything.
    fn envelope(payload: &[u8], signature: &[u8], more: &[u8]) -> Vec<u8> {
        let field = |tag: u8, content: &[u8]| match content {
            [] => Vec::new(),
            _ => [&[tag << 3 | 2, content.len() as u8], content].concat(),
        };
        [field(1, payload), field(2, signature), more.to_vec()].concat()
    }

    #[test]
    fn refuses_blocks_that_are_not_in_form() {
        let good = envelope(b"p", b"s", b"");
        let swapped = [&envelope(b"", b"s", b"")[..], &envelope(b"p", b"", b"")].concat();
        let long_varint = [&[0x0a, 0x81, 0x00, b'p'][..], &envelope(b"", b"s", b"")].concat();
        let twice = [&good[..], &good].concat();
        for (entry, text) in [
            (envelope(b"", b"s", b""), "transaction 1 has no payload".to_owned()),
            (envelope(b"p", b"", b""), "transaction 1 has no signature".to_owned()),
            (twice, format!("transaction 1 has {} trailing bytes", good.len())),
            (long_varint, "transaction 1 has 1 trailing bytes".to_owned()),
            (swapped, "transaction 1 (CgFwEgFz) does not match its raw form (EgFzCgFw)".to_owned()),
        ] {
            let error = check_block_form(&block(&[&good, &entry])).expect_err(&text);
            assert_eq!(error.to_string(), text);
        }
        assert_eq!(check_block_form(&block(&[])), Err(FormError::Empty));
        assert_eq!(check_block_form(&Block::default()), Err(FormError::Empty));
        let error = check_block_form(&block(&[&good, b"\xff"])).expect_err("garbage");
        assert!(error.to_string().starts_with("transaction 1 is invalid: "), "{error}");
    }

    #[test]
    fn accepts_what_fabric_accepts() {
        let unknown = [0x18, 0x05, 0x22, 0x01, b'x'];
        let entries = [envelope(b"p", b"s", b""), envelope(b"p", b"s", &unknown)];
        assert_eq!(check_block_form(&block(&[&entries[0], &entries[1]])), Ok(()));
        assert!(check_block_form(&block(&[&[&unknown[..], &entries[0]].concat()])).is_err(), "unknown fields go last");
    }

    #[test]
    fn exempts_a_single_configuration() {
        use prost::Message;

        let header = ChannelHeader { r#type: HeaderType::Config as i32, ..Default::default() };
        let header = Header { channel_header: header.encode_to_vec().into(), ..Default::default() };
        let payload = Payload { header: Some(header), data: Bytes::new() }.encode_to_vec();
        let unsigned = Envelope { payload: payload.into(), ..Default::default() }.encode_to_vec();
        assert_eq!(check_block_form(&block(&[&unsigned])), Ok(()));
        assert_eq!(check_block_form(&block(&[&unsigned, &unsigned])), Err(FormError::NoSignature(0)));
    }
}
