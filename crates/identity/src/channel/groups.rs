//! The groups of a channel's configuration, read into types.

use std::{collections::BTreeMap, time::Duration};

use prost::Message;
use windlass_proto::{
    common::{
        BlockDataHashingStructure, Capabilities, ConfigGroup, ConfigValue, HashingAlgorithm, OrdererAddresses, Orderers,
    },
    duration::{self, DurationError},
    msp::{FabricMspConfig, MspConfig},
    orderer::{BatchSize, BatchTimeout, ConsensusType, consensus_type::State},
    protos::{AcLs, AnchorPeers},
};

use super::{
    Batch, ChannelConfigError, OrdererOrganization, Organization,
    capabilities::{Enabled, Section, msp_version},
};
use crate::msp::{Msp, MspManager, MspVersion};

pub(super) const APPLICATION: &str = "Application";
pub(super) const ORDERER: &str = "Orderer";
const CONSORTIUMS: &str = "Consortiums";
const CAPABILITIES: &str = "Capabilities";

/// Everything that the groups say.
#[derive(Debug)]
pub(super) struct Sections {
    pub(super) capabilities: Enabled,
    pub(super) orderer_addresses: Vec<String>,
    pub(super) orderers: Orderers,
    pub(super) application: Option<Application>,
    pub(super) orderer: Option<Orderer>,
    pub(super) msps: MspManager,
}

#[derive(Debug)]
pub(super) struct Application {
    pub(super) capabilities: Enabled,
    pub(super) acls: BTreeMap<String, String>,
    pub(super) organizations: Vec<Organization>,
}

#[derive(Debug)]
pub(super) struct Orderer {
    pub(super) capabilities: Enabled,
    pub(super) consensus_type: String,
    pub(super) consensus_metadata: bytes::Bytes,
    pub(super) maintenance: bool,
    pub(super) batch: Batch,
    pub(super) organizations: Vec<OrdererOrganization>,
}

/// Reads and checks the groups of a channel.
// Fabric: ledger §7
pub(super) fn read(channel: &ConfigGroup) -> Result<Sections, ChannelConfigError> {
    check_orderer_support(channel)?;
    for name in channel.groups.keys() {
        if ![APPLICATION, ORDERER, CONSORTIUMS].contains(&name.as_str()) {
            return Err(ChannelConfigError::DisallowedGroup(name.clone()));
        }
    }
    let mut values = Values::new(channel);
    let algorithm: HashingAlgorithm = values.take("HashingAlgorithm")?;
    let structure: BlockDataHashingStructure = values.take("BlockDataHashingStructure")?;
    let addresses: OrdererAddresses = values.take("OrdererAddresses")?;
    let orderers: Orderers = values.take("Orderers")?;
    values.skip("Consortium");
    let capabilities = Enabled::new(Section::Channel, &values.take::<Capabilities>(CAPABILITIES)?)?;
    values.end()?;
    if algorithm.name != "SHA256" {
        return Err(ChannelConfigError::HashingAlgorithm(algorithm.name));
    }
    if structure.width != u32::MAX {
        return Err(ChannelConfigError::Width);
    }
    let mut msps = Msps { version: msp_version(&capabilities), configs: BTreeMap::new(), msps: Vec::new() };
    let mut orderers_of_section = Orderers::default();
    let application = section(channel, Section::Application, |group| application(group, &mut msps))?;
    let orderer = section(channel, Section::Orderer, |group| orderer(group, &mut msps, &mut orderers_of_section))?;
    check_addresses(&capabilities, &addresses.addresses, orderer.as_ref())?;
    // The mapping of consenters has lived in either place.
    let orderers = if orderers.consenter_mapping.is_empty() { orderers_of_section } else { orderers };
    let orderer_addresses = addresses.addresses;
    Ok(Sections { capabilities, orderer_addresses, orderers, application, orderer, msps: MspManager::new(msps.msps) })
}

/// Orderers decide about capabilities first, or they would order what they do not understand.
fn check_orderer_support(channel: &ConfigGroup) -> Result<(), ChannelConfigError> {
    let enabled = |group: Option<&ConfigGroup>| group.is_some_and(|group| group.values.contains_key(CAPABILITIES));
    if enabled(channel.groups.get(ORDERER)) {
        return Ok(());
    }
    if enabled(Some(channel)) {
        return Err(ChannelConfigError::ChannelCapabilitiesAlone);
    }
    if enabled(channel.groups.get(APPLICATION)) {
        return Err(ChannelConfigError::ApplicationCapabilitiesAlone);
    }
    Ok(())
}

fn check_addresses(
    capabilities: &Enabled,
    global: &[String],
    orderer: Option<&Orderer>,
) -> Result<(), ChannelConfigError> {
    if capabilities.includes("V3_0") {
        if !global.is_empty() {
            return Err(ChannelConfigError::GlobalOrdererAddresses);
        }
        let organizations = orderer.map_or(&[][..], |orderer| &orderer.organizations);
        let empty = organizations.iter().filter(|organization| organization.endpoints.is_empty());
        let empty: Vec<&str> = empty.map(|organization| organization.group.as_str()).collect();
        if !empty.is_empty() {
            return Err(ChannelConfigError::EmptyEndpoints(format!("[{}]", empty.join(" "))));
        }
    } else if global.is_empty() && !capabilities.includes("V1_4_2") {
        return Err(ChannelConfigError::NoOrdererAddresses);
    }
    Ok(())
}

fn section<T>(
    channel: &ConfigGroup,
    section: Section,
    read: impl FnOnce(&ConfigGroup) -> Result<T, ChannelConfigError>,
) -> Result<Option<T>, ChannelConfigError> {
    let Some(group) = channel.groups.get(&section.to_string()) else { return Ok(None) };
    read(group).map(Some).map_err(|cause| match cause {
        ChannelConfigError::UnsupportedCapability { .. } => cause,
        cause => ChannelConfigError::In { section, cause: Box::new(cause) },
    })
}

fn application(group: &ConfigGroup, msps: &mut Msps) -> Result<Application, ChannelConfigError> {
    let mut values = Values::new(group);
    let capabilities = Enabled::new(Section::Application, &values.take::<Capabilities>(CAPABILITIES)?)?;
    let acls: AcLs = values.take("ACLs")?;
    values.end()?;
    let mut organizations = Vec::new();
    for (name, group) in &group.groups {
        let mut values = organization_values(name, group)?;
        let anchors: AnchorPeers = values.take("AnchorPeers")?;
        let msp_id = msps.add(name, &values.take("MSP")?)?;
        values.end()?;
        let anchors = anchors.anchor_peers.into_iter();
        let anchor_peers = anchors.filter_map(|peer| Some((peer.host, u16::try_from(peer.port).ok()?))).collect();
        organizations.push(Organization { group: name.clone(), msp_id, anchor_peers });
    }
    let acls = acls.acls.into_iter().map(|(resource, api)| (resource, absolute(&api.policy_ref))).collect();
    Ok(Application { capabilities, acls, organizations })
}

fn orderer(group: &ConfigGroup, msps: &mut Msps, orderers: &mut Orderers) -> Result<Orderer, ChannelConfigError> {
    let mut values = Values::new(group);
    let consensus: ConsensusType = values.take("ConsensusType")?;
    let size: BatchSize = values.take("BatchSize")?;
    let timeout: BatchTimeout = values.take("BatchTimeout")?;
    *orderers = values.take("Orderers")?;
    values.skip("ChannelRestrictions");
    values.skip("KafkaBrokers");
    let capabilities = Enabled::new(Section::Orderer, &values.take::<Capabilities>(CAPABILITIES)?)?;
    values.end()?;
    let batch = batch(&size, &timeout.timeout)?;
    let mut organizations = Vec::new();
    for (name, group) in &group.groups {
        let mut values = organization_values(name, group)?;
        let endpoints: OrdererAddresses = values.take("Endpoints")?;
        let msp_id = msps.add(name, &values.take("MSP")?)?;
        values.end()?;
        organizations.push(OrdererOrganization { group: name.clone(), msp_id, endpoints: endpoints.addresses });
    }
    let maintenance = consensus.state() == State::Maintenance;
    let (consensus_type, consensus_metadata) = (consensus.r#type, consensus.metadata);
    Ok(Orderer { capabilities, consensus_type, consensus_metadata, maintenance, batch, organizations })
}

fn organization_values<'a>(name: &str, group: &'a ConfigGroup) -> Result<Values<'a>, ChannelConfigError> {
    if !group.groups.is_empty() {
        return Err(ChannelConfigError::OrganizationGroups(name.to_owned()));
    }
    Ok(Values::new(group))
}

fn batch(size: &BatchSize, timeout: &str) -> Result<Batch, ChannelConfigError> {
    for (value, name) in [
        (size.max_message_count, "max message count"),
        (size.absolute_max_bytes, "absolute max bytes"),
        (size.preferred_max_bytes, "preferred max bytes"),
    ] {
        if value == 0 {
            return Err(ChannelConfigError::ZeroBatchSize(name));
        }
    }
    let (preferred, absolute) = (size.preferred_max_bytes, size.absolute_max_bytes);
    if preferred > absolute {
        return Err(ChannelConfigError::PreferredBeyondAbsolute { preferred, absolute });
    }
    let duration = match duration::parse(timeout) {
        Ok(Duration::ZERO) | Err(DurationError::Negative(_)) => {
            return Err(ChannelConfigError::NonPositiveBatchTimeout(timeout.to_owned()));
        }
        duration => duration?,
    };
    Ok(Batch {
        max_messages: size.max_message_count,
        absolute_max_bytes: absolute,
        preferred_max_bytes: preferred,
        timeout: duration,
    })
}

/// A policy reference as absolute path.
// Fabric: endorsement-and-gateway §5
pub(super) fn absolute(reference: &str) -> String {
    if reference.starts_with('/') { reference.to_owned() } else { format!("/Channel/Application/{reference}") }
}

/// The values of a group, of which every one has to be known.
struct Values<'a> {
    values: BTreeMap<&'a str, &'a ConfigValue>,
}

impl<'a> Values<'a> {
    fn new(group: &'a ConfigGroup) -> Self {
        Self { values: group.values.iter().map(|(name, value)| (name.as_str(), value)).collect() }
    }

    /// The value, or an empty one.
    fn take<M: Message + Default>(&mut self, key: &str) -> Result<M, ChannelConfigError> {
        let Some(value) = self.values.remove(key) else { return Ok(M::default()) };
        M::decode(value.value.clone())
            .map_err(|error| ChannelConfigError::Value { key: key.to_owned(), reason: error.to_string() })
    }

    fn skip(&mut self, key: &str) {
        self.values.remove(key);
    }

    fn end(mut self) -> Result<(), ChannelConfigError> {
        match self.values.pop_first() {
            Some((key, _)) => Err(ChannelConfigError::UnexpectedKey(key.to_owned())),
            None => Ok(()),
        }
    }
}

/// The MSPs met so far. An organization that both orders and runs chaincode appears twice, with one configuration.
struct Msps {
    version: MspVersion,
    configs: BTreeMap<String, MspConfig>,
    msps: Vec<Msp>,
}

impl Msps {
    fn add(&mut self, organization: &str, config: &MspConfig) -> Result<String, ChannelConfigError> {
        if config.r#type != 0 {
            return Err(ChannelConfigError::MspType(config.r#type));
        }
        let fabric = FabricMspConfig::decode(config.config.clone())
            .map_err(|error| ChannelConfigError::Value { key: "MSP".to_owned(), reason: error.to_string() })?;
        let id = fabric.name.clone();
        match self.configs.get(&id) {
            Some(known) if known == config => {}
            Some(_) => return Err(ChannelConfigError::TwoVersions(id)),
            None => {
                let msp = Msp::with_version(&fabric, self.version)?;
                if id.is_empty() {
                    return Err(ChannelConfigError::EmptyMspId(organization.to_owned()));
                }
                self.msps.push(msp);
                self.configs.insert(id.clone(), config.clone());
            }
        }
        Ok(id)
    }
}
