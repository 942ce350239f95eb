//! The commit loop of one channel: block by block, verify, validate, commit, tell.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use prost::Message;
use windlass_identity::{channel::ChannelConfig, policy::SignedData};
use windlass_proto::{
    Bytes,
    common::{
        Block, BlockMetadataIndex, Envelope, HeaderType, IdentifierHeader, Metadata, MetadataSignature, SignatureHeader,
    },
    envelope::{decode, unpack_envelope, unpack_response_payload, unpack_transaction},
    hash::{block_data_hash, block_header_der},
    msp::SerializedIdentity,
    protos::TxValidationCode,
    rwset::TxReadWriteSet,
};

use super::{Channel, Committing};
use crate::validate::{Context, check_block_form, validate_block};

/// How long to wait before asking the ordering service again after a fault; every further fault makes it longer.
// Fabric: ledger §11
const RETRY: Duration = Duration::from_millis(100);
const RETRY_GROWTH: f64 = 1.2;
/// The ordering service is in this process or near: there is no point in waiting for long.
const RETRY_MOST: Duration = Duration::from_secs(10);

/// How many metadata slots a block has at least.
// Fabric: ledger §5
const METADATA_SLOTS: usize = 5;

/// Commits blocks as they come. Returns only when the channel cannot go on: whoever continued on a block
/// that could not be judged would part from the other peers.
pub(super) async fn run(committing: &Committing, channel: Arc<Channel>) {
    let mut delay = RETRY;
    loop {
        let (config, from) = (channel.config(), channel.ledger().height());
        let mut blocks = match committing.ordering.blocks(&config, from).await {
            Ok(blocks) => blocks,
            Err(error) => {
                tracing::warn!(channel = channel.id(), %error, "the ordering service does not deliver");
                wait(&mut delay).await;
                continue;
            }
        };
        while let Some(delivered) = blocks.next().await {
            let block = match delivered {
                Ok(block) => block,
                Err(error) => {
                    tracing::warn!(channel = channel.id(), %error, "the ordering service broke off");
                    break;
                }
            };
            let (committing, committed) = (committing.clone(), channel.clone());
            let number = block.header.as_ref().map_or(0, |header| header.number);
            let id = channel.id().to_owned();
            // Verifying signatures and writing to disk would hold up the executor.
            let outcome = tokio::task::spawn_blocking(move || commit(&committing, &committed, &block)).await;
            match outcome {
                Ok(Ok(())) => {
                    delay = RETRY;
                    // Whoever orders by now is asked from here on.
                    if channel.config().orderer_endpoints() != config.orderer_endpoints() {
                        break;
                    }
                }
                // Another orderer may have the right one.
                Ok(Err(CommitError::Refused(error))) => {
                    tracing::error!(channel = id, block = number, %error, "the ordering service sent a block that is refused");
                    break;
                }
                Ok(Err(CommitError::Failed(error))) => {
                    tracing::error!(channel = id, block = number, %error, "the channel stops: a block cannot be committed");
                    return;
                }
                Err(error) => {
                    tracing::error!(channel = id, block = number, %error, "the channel stops: committing broke down");
                    return;
                }
            }
        }
        wait(&mut delay).await;
    }
}

async fn wait(delay: &mut Duration) {
    tokio::time::sleep(*delay).await;
    *delay = delay.mul_f64(RETRY_GROWTH).min(RETRY_MOST);
}

/// Why a block is not committed.
#[derive(Debug, thiserror::Error)]
enum CommitError {
    /// It is not the next block of the channel: whoever sent it is at fault.
    #[error("{0}")]
    Refused(anyhow::Error),
    /// It is, and it cannot be judged or stored.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

fn commit(committing: &Committing, channel: &Channel, block: &Block) -> Result<(), CommitError> {
    let config = channel.config();
    verify(channel, &config, block).map_err(CommitError::Refused)?;
    Ok(apply(committing, channel, &config, block)?)
}

fn apply(committing: &Committing, channel: &Channel, config: &ChannelConfig, block: &Block) -> anyhow::Result<()> {
    let started = std::time::Instant::now();
    check_block_form(block)?;
    let codes = validate_block(&Context::new(channel, config, &committing.lifecycle), block)?;
    let committed = channel.ledger().commit(block.clone(), codes)?;

    let effects = Effects::of(&committed.block, &committed.codes);
    if let Some(config) = effects.config {
        channel.set_config(ChannelConfig::from_config(channel.id(), &config)?);
    }
    if effects.definitions
        && let Err(error) = committing.lifecycle.refresh(channel.id())
    {
        tracing::error!(channel = channel.id(), %error, "cannot read the chaincode definitions");
    }
    committing.metrics.block_committed(channel.id(), &committed, started.elapsed());
    committing.events.committed(channel.id(), &committed);
    channel.heights.send_replace(channel.ledger().height());
    Ok(())
}

/// Whether `block` comes next, is whole, and is signed by the ordering service.
// Fabric: ledger §11
pub(super) fn verify(channel: &Channel, config: &ChannelConfig, block: &Block) -> anyhow::Result<()> {
    let header = block.header.clone().unwrap_or_default();
    let height = channel.ledger().height();
    anyhow::ensure!(
        header.number == height,
        "expected block {height}, the ordering service sent block {}",
        header.number
    );
    let previous = channel.ledger().info().current_block_hash;
    anyhow::ensure!(
        header.previous_hash == previous,
        "block {height} does not follow: its previous hash is {}, the hash of the block before is {}",
        hex::encode(&header.previous_hash),
        hex::encode(&previous)
    );
    let data_hash = block_data_hash(&block.data.clone().unwrap_or_default());
    anyhow::ensure!(
        header.data_hash.as_ref() == data_hash,
        "the data of block {height} does not have the hash in its header"
    );

    let slots = block.metadata.clone().unwrap_or_default().metadata;
    anyhow::ensure!(
        slots.len() >= METADATA_SLOTS,
        "block {height} has {} metadata slots, expected {METADATA_SLOTS}",
        slots.len()
    );
    let slot = slots.get(BlockMetadataIndex::Signatures as usize).cloned().unwrap_or_default();
    let metadata: Metadata = decode("Metadata", &slot)?;
    let der = block_header_der(&header);
    let mut signatures = Vec::with_capacity(metadata.signatures.len());
    for signature in &metadata.signatures {
        let Some((identity, signed)) = signer(config, signature)? else { continue };
        let data: Bytes = [metadata.value.as_ref(), signed.as_ref(), &der].concat().into();
        signatures.push(SignedData { data, identity, signature: signature.signature.clone() });
    }
    config
        .policies()
        .evaluate("/Channel/Orderer/BlockValidation", config.msps(), &signatures)
        .map_err(|error| anyhow::anyhow!("block {height} is not signed by the ordering service: {error}"))?;
    Ok(())
}

/// Who made a signature of a block, and the header that it covers. Orderers of a BFT channel go by their numbers in its
/// configuration; one that is not there counts for nothing.
// Fabric: ledger §11
fn signer<'a>(config: &ChannelConfig, signature: &'a MetadataSignature) -> anyhow::Result<Option<(Bytes, &'a Bytes)>> {
    if !signature.signature_header.is_empty() || signature.identifier_header.is_empty() {
        let header: SignatureHeader = decode("SignatureHeader", &signature.signature_header)?;
        return Ok(Some((header.creator, &signature.signature_header)));
    }
    let header: IdentifierHeader = decode("IdentifierHeader", &signature.identifier_header)?;
    let consenter = config.consenters().consenter_mapping.iter().find(|consenter| consenter.id == header.identifier);
    let Some(consenter) = consenter.filter(|_| config.consensus_type() == Some("BFT")) else { return Ok(None) };
    let identity = SerializedIdentity { mspid: consenter.msp_id.clone(), id_bytes: consenter.identity.clone() };
    Ok(Some((identity.encode_to_vec().into(), &signature.identifier_header)))
}

/// What a committed block changes beyond the ledger.
#[derive(Default)]
struct Effects {
    config: Option<windlass_proto::common::Config>,
    definitions: bool,
}

impl Effects {
    fn of(block: &Block, codes: &[TxValidationCode]) -> Self {
        let mut effects = Self::default();
        let entries = block.data.iter().flat_map(|data| &data.data);
        for (entry, _) in entries.zip(codes).filter(|(_, code)| **code == TxValidationCode::Valid) {
            // A valid transaction decodes; whatever does not has no effects.
            let _ = effects.add(entry);
        }
        effects
    }

    fn add(&mut self, entry: &Bytes) -> anyhow::Result<()> {
        let envelope: Envelope = decode("Envelope", entry)?;
        let unpacked = unpack_envelope(&envelope)?;
        match HeaderType::try_from(unpacked.channel_header.r#type) {
            Ok(HeaderType::Config) => {
                let envelope: windlass_proto::common::ConfigEnvelope =
                    decode("ConfigEnvelope", &unpacked.payload.data)?;
                self.config = envelope.config;
            }
            Ok(HeaderType::EndorserTransaction) => {
                let Some((_, payload)) = unpack_transaction(&unpacked.payload.data)? else { return Ok(()) };
                let endorsed = payload.action.unwrap_or_default();
                let (_, action) = unpack_response_payload(&endorsed.proposal_response_payload)?;
                let results: TxReadWriteSet = decode("TxReadWriteSet", &action.results)?;
                self.definitions |= results.ns_rwset.iter().any(|set| set.namespace == "_lifecycle")
                    && action.chaincode_id.is_some_and(|id| id.name == "_lifecycle");
            }
            _ => {}
        }
        Ok(())
    }
}
