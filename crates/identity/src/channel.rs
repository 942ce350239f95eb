//! A channel's configuration, checked and compiled: its MSPs, its policies, its limits.
//!
//! A [`ChannelConfig`] never changes; a configuration block makes another one.
// Fabric: ledger §7

use std::{fmt, time::Duration};

use prost::Message;
use windlass_proto::{
    common::{Block, Config, ConfigEnvelope, ConfigGroup, Envelope, HeaderType, Orderers},
    envelope::unpack_envelope,
    ids::ChannelId,
};

use crate::{msp::MspManager, policy::PolicyTree};

mod capabilities;
mod error;
mod groups;

pub use capabilities::Section;
pub use error::ChannelConfigError;

use groups::Sections;

/// What orderers assume when a channel's configuration has no Orderer group, as in tests of policies.
const NO_ORDERER_BATCH: Batch = Batch {
    max_messages: 500,
    absolute_max_bytes: 10 * 1024 * 1024,
    preferred_max_bytes: 2 * 1024 * 1024,
    timeout: Duration::from_secs(2),
};

/// A channel's configuration, checked and compiled.
pub struct ChannelConfig {
    channel_id: String,
    config: Config,
    sections: Sections,
    policies: PolicyTree,
}

/// An organization that runs peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its group's name in the configuration.
    pub group: String,
    /// Its MSP.
    pub msp_id: String,
    /// Host and port of the peers that others find it by.
    pub anchor_peers: Vec<(String, u16)>,
}

/// An organization that orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrdererOrganization {
    /// Its group's name in the configuration.
    pub group: String,
    /// Its MSP.
    pub msp_id: String,
    /// Its orderers, as `host:port`.
    pub endpoints: Vec<String>,
}

/// When a block is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Most transactions in a block.
    pub max_messages: u32,
    /// Largest transaction taken, in bytes.
    pub absolute_max_bytes: u32,
    /// Size from which a block is cut, in bytes.
    pub preferred_max_bytes: u32,
    /// How long the first transaction of a block waits for others.
    pub timeout: Duration,
}

impl ChannelConfig {
    /// The configuration that a configuration block holds. It need not have an Application group.
    pub fn from_block(block: &Block) -> Result<Self, ChannelConfigError> {
        let (channel, config) = config_of_block(block)?;
        Self::from_config(&channel, &config)
    }

    /// The configuration of the block that a peer is to join a channel with, checked as `cscc` does.
    // Fabric: endorsement-and-gateway §6.1
    pub fn from_join_block(block: &Block) -> Result<Self, ChannelConfigError> {
        let (channel, config) = config_of_block(block)?;
        let group = config.channel_group.as_ref().ok_or(ChannelConfigError::NilChannelGroup)?;
        if group.groups.is_empty() {
            return Err(ChannelConfigError::NoGroups);
        }
        if !group.groups.contains_key(groups::APPLICATION) {
            return Err(ChannelConfigError::MissingApplication);
        }
        Self::from_config(&channel, &config).map_err(|error| ChannelConfigError::Capabilities(Box::new(error)))
    }

    /// Checks and compiles a configuration.
    pub fn from_config(channel: &str, config: &Config) -> Result<Self, ChannelConfigError> {
        channel.parse::<ChannelId>()?;
        let group = config.channel_group.as_ref().ok_or(ChannelConfigError::NilChannelGroup)?;
        let sections = groups::read(group)?;
        let policies = PolicyTree::compile(group)?;
        Ok(Self { channel_id: channel.to_owned(), config: config.clone(), sections, policies })
    }

    /// The channel's name.
    pub fn channel_id(&self) -> &str {
        &self.channel_id
    }

    /// How many times the configuration has changed.
    pub fn sequence(&self) -> u64 {
        self.config.sequence
    }

    /// The configuration as it was.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The configuration's top group.
    pub fn group(&self) -> &ConfigGroup {
        self.config.channel_group.as_ref().expect("checked when the configuration was compiled")
    }

    /// The MSPs of all organizations.
    pub fn msps(&self) -> &MspManager {
        &self.sections.msps
    }

    /// All policies.
    pub fn policies(&self) -> &PolicyTree {
        &self.policies
    }

    /// The organizations that run peers, sorted by the name of their group.
    pub fn application_orgs(&self) -> &[Organization] {
        self.sections.application.as_ref().map_or(&[], |application| &application.organizations)
    }

    /// The organizations that order, sorted by the name of their group.
    pub fn orderer_orgs(&self) -> &[OrdererOrganization] {
        self.sections.orderer.as_ref().map_or(&[], |orderer| &orderer.organizations)
    }

    /// Whether chaincode can run on this channel.
    pub fn has_application(&self) -> bool {
        self.sections.application.is_some()
    }

    /// Whether the application capability of this name, or a later version of it, is enabled.
    pub fn application_capability(&self, name: &str) -> bool {
        self.sections.application.as_ref().is_some_and(|application| application.capabilities.includes(name))
    }

    /// Whether the channel capability of this name, or a later version of it, is enabled.
    pub fn channel_capability(&self, name: &str) -> bool {
        self.sections.capabilities.includes(name)
    }

    /// Whether the orderer capability of this name, or a later version of it, is enabled.
    pub fn orderer_capability(&self, name: &str) -> bool {
        self.sections.orderer.as_ref().is_some_and(|orderer| orderer.capabilities.includes(name))
    }

    /// The capabilities that a section lists.
    pub fn capabilities(&self, section: Section) -> &[String] {
        match section {
            Section::Channel => self.sections.capabilities.names(),
            Section::Orderer => self.sections.orderer.as_ref().map_or(&[], |orderer| orderer.capabilities.names()),
            Section::Application => {
                self.sections.application.as_ref().map_or(&[], |application| application.capabilities.names())
            }
        }
    }

    /// The absolute path of the policy that the configuration sets for a resource. Before the application
    /// capability V1_2 it sets none.
    // Fabric: endorsement-and-gateway §5
    pub fn acl(&self, resource: &str) -> Option<&str> {
        let application = self.sections.application.as_ref()?;
        application.acls.get(resource).filter(|_| application.capabilities.includes("V1_2")).map(String::as_str)
    }

    /// When a block is full.
    pub fn batch(&self) -> &Batch {
        self.sections.orderer.as_ref().map_or(&NO_ORDERER_BATCH, |orderer| &orderer.batch)
    }

    /// How blocks are agreed on: `etcdraft`, `BFT`, `solo`, or anything else.
    pub fn consensus_type(&self) -> Option<&str> {
        self.sections.orderer.as_ref().map(|orderer| orderer.consensus_type.as_str())
    }

    /// What the consensus type keeps in the configuration.
    pub fn consensus_metadata(&self) -> Option<&bytes::Bytes> {
        self.sections.orderer.as_ref().map(|orderer| &orderer.consensus_metadata)
    }

    /// Whether orderers take nothing but changes of the configuration.
    pub fn in_maintenance(&self) -> bool {
        self.sections.orderer.as_ref().is_some_and(|orderer| orderer.maintenance)
    }

    /// Who signs blocks, on channels of consensus type BFT.
    pub fn consenters(&self) -> &Orderers {
        &self.sections.orderers
    }

    /// Where the orderers are, as `host:port`: the organizations' own addresses if there are any, else those of
    /// the channel.
    // Fabric: ledger §11
    pub fn orderer_endpoints(&self) -> Vec<String> {
        let own: Vec<String> =
            self.orderer_orgs().iter().flat_map(|organization| organization.endpoints.iter().cloned()).collect();
        if own.is_empty() { self.sections.orderer_addresses.clone() } else { own }
    }

    /// The organization that runs peers under this MSP.
    pub fn application_org(&self, msp_id: &str) -> Option<&Organization> {
        self.application_orgs().iter().find(|organization| organization.msp_id == msp_id)
    }

    /// A policy reference as absolute path: as it is, or below `/Channel/Application/`.
    pub fn absolute_policy(reference: &str) -> String {
        groups::absolute(reference)
    }
}

impl fmt::Debug for ChannelConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelConfig")
            .field("channel_id", &self.channel_id)
            .field("sequence", &self.sequence())
            .finish_non_exhaustive()
    }
}

/// The channel and the configuration of a configuration block.
pub fn config_of_block(block: &Block) -> Result<(String, Config), ChannelConfigError> {
    let (channel, envelope) = config_envelope_of_block(block)?;
    Ok((channel, envelope.config.ok_or(ChannelConfigError::NilConfig)?))
}

/// The channel and the whole configuration envelope of a configuration block.
pub fn config_envelope_of_block(block: &Block) -> Result<(String, ConfigEnvelope), ChannelConfigError> {
    let data = block.data.as_ref().and_then(|data| data.data.first()).ok_or(ChannelConfigError::NoEnvelope)?;
    let bad = |reason: String| ChannelConfigError::BadEnvelope(reason);
    let envelope =
        Envelope::decode(data.clone()).map_err(|error| bad(format!("error unmarshalling Envelope: {error}")))?;
    let unpacked = unpack_envelope(&envelope).map_err(|error| bad(error.to_string()))?;
    if unpacked.payload.header.is_none() {
        return Err(bad("envelope must have a Header".to_owned()));
    }
    let kind = unpacked.channel_header.r#type;
    if kind != HeaderType::Config as i32 {
        let kind = HeaderType::try_from(kind).map_or_else(|_| kind.to_string(), |kind| kind.as_str_name().to_owned());
        return Err(bad(format!("invalid type {kind}, expected CONFIG")));
    }
    let config = ConfigEnvelope::decode(unpacked.payload.data.clone())
        .map_err(|error| bad(format!("error unmarshalling message for type CONFIG: {error}")))?;
    Ok((unpacked.channel_header.channel_id, config))
}

#[cfg(test)]
mod tests;
