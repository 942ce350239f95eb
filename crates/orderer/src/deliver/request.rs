//! Checks on a request before it is served. Their order is part of the contract.
// Fabric: endorsement-and-gateway §8, the table of statuses

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;
use prost_types::Timestamp;
use windlass_identity::SignedData;
use windlass_proto::{
    common::{ChannelHeader, Envelope, Header, Payload, SignatureHeader, Status},
    orderer::{SeekInfo, seek_info::SeekErrorResponse},
};

use super::{BlockSource, DeliverOptions, DeliverRequest, DeliverService, TlsBinding, cursor::Cursor};

/// Checks the request in `envelope` and positions a cursor, or says which status refuses it.
pub(super) fn open<S: DeliverService>(
    service: &S,
    envelope: &Envelope,
    options: &DeliverOptions,
) -> Result<Cursor<S::Source>, Status> {
    let payload = Payload::decode(envelope.payload.clone()).map_err(|_| Status::BadRequest)?;
    let header = payload.header.ok_or(Status::BadRequest)?;
    let channel_header = checked_header(&header, options)?;
    let source = service.channel(&channel_header.channel_id).ok_or(Status::NotFound)?;
    let seek = SeekInfo::decode(payload.data).map_err(|_| Status::BadRequest)?;
    if seek.error_response != SeekErrorResponse::BestEffort as i32 && !source.is_available() {
        return Err(Status::ServiceUnavailable);
    }
    let signer = SignatureHeader::decode(header.signature_header).map_err(|_| Status::BadRequest)?;
    let signed =
        SignedData { data: envelope.payload.clone(), identity: signer.creator, signature: envelope.signature.clone() };
    let request = DeliverRequest { channel: channel_header.channel_id, seek, signed };
    Cursor::open(service, source, request)
}

fn checked_header(header: &Header, options: &DeliverOptions) -> Result<ChannelHeader, Status> {
    if header.channel_header.is_empty() {
        return Err(Status::BadRequest);
    }
    let channel_header = ChannelHeader::decode(header.channel_header.clone()).map_err(|_| Status::BadRequest)?;
    let timestamp = channel_header.timestamp.as_ref().ok_or(Status::BadRequest)?;
    if distance(timestamp, SystemTime::now()) > options.authentication_window {
        return Err(Status::BadRequest);
    }
    if let TlsBinding::Certificate(certificate) = options.binding {
        let bound = certificate.is_some_and(|digest| channel_header.tls_cert_hash == digest.as_slice());
        if !bound {
            return Err(Status::BadRequest);
        }
    }
    Ok(channel_header)
}

/// How far a timestamp is from `now`, in either direction.
fn distance(timestamp: &Timestamp, now: SystemTime) -> Duration {
    const NANOS: i128 = 1_000_000_000;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as i128;
    let then = i128::from(timestamp.seconds) * NANOS + i128::from(timestamp.nanos);
    let nanos = now.abs_diff(then);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_distance_both_ways() {
        let now = UNIX_EPOCH + Duration::from_secs(100);
        for (seconds, nanos, expected) in [
            (100, 0, Duration::ZERO),
            (99, 500_000_000, Duration::from_millis(500)),
            (101, 0, Duration::from_secs(1)),
            (i64::MAX, 0, Duration::from_nanos(u64::MAX)),
            (i64::MIN, i32::MIN, Duration::from_nanos(u64::MAX)),
        ] {
            assert_eq!(distance(&Timestamp { seconds, nanos }, now), expected);
        }
    }
}
