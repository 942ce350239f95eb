//! What a proposal must pass before it is simulated.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use windlass_identity::{Certificate, policy::SignedData};
use windlass_proto::{
    Bytes,
    common::{ChannelHeader, Header, HeaderType, SignatureHeader},
    duration,
    envelope::{UnpackedProposal, decode},
    msp::SerializedIdentity,
    protos::{Proposal, SignedProposal},
    txid::transaction_id,
};

use super::Refused;
use crate::{acl::Acl, channel::Channel, telemetry::Metrics};

/// The checks, with what they need.
pub(super) struct Checks<'a> {
    pub(super) acl: &'a Acl,
    pub(super) metrics: &'a Metrics,
    pub(super) time_window: Duration,
}

impl Checks<'_> {
    /// Expired identities and stale timestamps are turned away before anything else is looked at.
    // Fabric: endorsement-and-gateway §2
    pub(super) fn filter(&self, signed: &SignedProposal) -> Result<(), Refused> {
        let Ok((channel_header, signature_header)) = headers(signed) else {
            // Malformed headers get their own text from the next step.
            return Ok(());
        };
        // Whose identity it is does not matter yet, nor whether it is one.
        if let Ok(creator) = decode::<SerializedIdentity>("SerializedIdentity", &signature_header.creator)
            && let Ok(certificate) = Certificate::from_pem(&creator.id_bytes)
            && certificate.expires_at() < SystemTime::now()
        {
            return Err(Refused("proposal client identity expired".to_owned()));
        }
        let timestamp = channel_header.timestamp.unwrap_or_default();
        let then = SystemTime::try_from(timestamp).unwrap_or(UNIX_EPOCH);
        let now = SystemTime::now();
        let apart = now.duration_since(then).unwrap_or_else(|ahead| ahead.duration());
        if apart > self.time_window {
            return Err(Refused(format!(
                "request unauthorized due to incorrect timestamp {}, peer time {}, peer.authentication.timewindow {}",
                rfc3339(then),
                rfc3339(now),
                duration::format(self.time_window)
            )));
        }
        Ok(())
    }

    /// The checks on a proposal's own consistency, its creator, and the creator's rights.
    // Fabric: endorsement-and-gateway §2 "Preprocess, in order"
    pub(super) fn preprocess(
        &self,
        signed: &SignedProposal,
        proposal: &UnpackedProposal,
        channel: Option<&Channel>,
        system: bool,
    ) -> Result<(), Refused> {
        if let Err(text) = self.validate(signed, proposal, channel) {
            self.metrics.proposal_invalid();
            return Err(Refused(format!("error validating proposal: {text}")));
        }
        let Some(channel) = channel else { return Ok(()) };
        let (id, name) = (channel.id(), proposal.chaincode_id.name.as_str());
        let tx_id = &proposal.channel_header.tx_id;
        if channel.ledger().has_transaction(tx_id).map_err(|error| Refused(error.to_string()))? {
            self.metrics.proposal_duplicate(id, name);
            let creator = hex::encode(&proposal.signature_header.creator);
            return Err(Refused(format!("duplicate transaction found [{tx_id}]. Creator [{creator}]")));
        }
        if !system {
            self.acl.check_proposal("peer/Propose", Some(&channel.config()), signed).map_err(|error| {
                self.metrics.proposal_acl_failed(id, name);
                Refused(error.to_string())
            })?;
        }
        Ok(())
    }

    fn validate(
        &self,
        signed: &SignedProposal,
        proposal: &UnpackedProposal,
        channel: Option<&Channel>,
    ) -> Result<(), String> {
        let header = &proposal.channel_header;
        let kind = HeaderType::try_from(header.r#type);
        if !matches!(kind, Ok(HeaderType::EndorserTransaction | HeaderType::Config)) {
            let name = kind.map_or_else(|_| header.r#type.to_string(), |kind| kind.as_str_name().to_owned());
            return Err(format!("invalid header type {name}"));
        }
        if header.epoch != 0 {
            return Err("epoch is non-zero".to_owned());
        }
        let SignatureHeader { creator, nonce } = &proposal.signature_header;
        if nonce.is_empty() {
            return Err("nonce is empty".to_owned());
        }
        if creator.is_empty() {
            return Err("creator is empty".to_owned());
        }
        let expected = transaction_id(nonce, creator);
        if header.tx_id != expected {
            return Err(format!("incorrectly computed txid '{}' -- expected '{expected}'", header.tx_id));
        }
        if signed.proposal_bytes.is_empty() {
            return Err("empty proposal bytes".to_owned());
        }
        if signed.signature.is_empty() {
            return Err("empty signature bytes".to_owned());
        }
        self.authenticate(signed, creator, channel)
    }

    /// The cause of a denial is logged and not told: it would help whoever probes.
    fn authenticate(&self, signed: &SignedProposal, creator: &Bytes, channel: Option<&Channel>) -> Result<(), String> {
        let config = channel.map(Channel::config);
        let msps = config.as_ref().map_or_else(|| self.acl.local(), |config| config.msps());
        let name = channel.map_or("", Channel::id);
        let identity = msps.deserialize(creator).map_err(|error| {
            tracing::warn!(channel = name, %error, "access denied: the creator cannot be read");
            format!("access denied: channel [{name}] creator org unknown, creator is malformed")
        })?;
        let data = SignedData {
            data: signed.proposal_bytes.clone(),
            identity: creator.clone(),
            signature: signed.signature.clone(),
        };
        let valid = msps
            .validate(&identity)
            .map_err(|error| error.to_string())
            .and_then(|()| identity.verify(&data.data, &data.signature).map_err(|error| error.to_string()));
        valid.map_err(|error| {
            tracing::warn!(channel = name, msp = identity.msp_id(), %error, "access denied");
            format!("access denied: channel [{name}] creator org [{}]", identity.msp_id())
        })
    }
}

fn headers(signed: &SignedProposal) -> Result<(ChannelHeader, SignatureHeader), windlass_proto::envelope::UnpackError> {
    let proposal: Proposal = decode("Proposal", &signed.proposal_bytes)?;
    let header: Header = decode("Header", &proposal.header)?;
    Ok((decode("ChannelHeader", &header.channel_header)?, decode("SignatureHeader", &header.signature_header)?))
}

/// In whole seconds, as Go has it. A client may send any timestamp, also one that no calendar reaches.
fn rfc3339(time: SystemTime) -> String {
    let seconds = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()),
        Err(before) => i64::try_from(before.duration().as_secs()).map(i64::wrapping_neg),
    };
    seconds
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| "out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;
    use crate::testing::World;

    #[test]
    fn turns_away_timestamps_outside_the_window_however_far() {
        let world = World::new();
        let acl = Acl::new(std::sync::Arc::new(world.local_msp()), "Org1MSP");
        let metrics = Metrics::new("1");
        let checks = Checks { acl: &acl, metrics: &metrics, time_window: Duration::from_secs(900) };
        for (seconds, shown) in [
            (0, "1970-01-01T00:00:00Z"),
            (-86_400, "1969-12-31T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (253_402_300_800, "out of range"),
            (i64::MAX / 2, "out of range"),
            (i64::MIN / 2, "out of range"),
        ] {
            let now = Timestamp { seconds, nanos: 0 };
            let call = windlass_proto::envelope::Call::default();
            let (proposal_bytes, _) =
                windlass_proto::envelope::build_proposal(&call, world.user1.serialized(), b"n", now);
            let signed = SignedProposal { proposal_bytes, signature: Bytes::new() };
            let Refused(text) = checks.filter(&signed).expect_err("refused");
            let expected = format!("request unauthorized due to incorrect timestamp {shown}, peer time ");
            assert!(text.starts_with(&expected), "{text}");
            assert!(text.ends_with("Z, peer.authentication.timewindow 15m0s"), "{text}");
        }
    }
}
