//! Channel configurations to run the lifecycle on.

use std::collections::BTreeMap;

use prost::Message;
use windlass_identity::{
    authority::CertificateAuthority,
    channel::ChannelConfig,
    policy::{members_policy, role_policy},
};
use windlass_proto::{
    common::{
        BlockDataHashingStructure, Capabilities, Capability, Config, ConfigGroup, ConfigPolicy, ConfigValue,
        HashingAlgorithm, ImplicitMetaPolicy, OrdererAddresses, Policy, implicit_meta_policy::Rule,
        msp_role::MspRoleType, policy::PolicyType,
    },
    msp::{FabricMspConfig, FabricNodeOUs, FabricOuIdentifier, MspConfig},
    orderer::{BatchSize, BatchTimeout, ConsensusType},
};

/// What differs between the channels of the tests.
pub(crate) struct Spec<'a> {
    pub(crate) name: &'a str,
    /// Group names; the MSP ID of `Org1` is `Org1MSP`.
    pub(crate) orgs: &'a [&'a str],
    /// The capability of the application section; there is no such section without one.
    pub(crate) capability: &'a str,
    /// Policies of the application section beside Readers, Writers and Admins.
    pub(crate) policies: &'a [&'a str],
    /// Whether organizations have an Endorsement policy.
    pub(crate) org_policies: bool,
}

impl Default for Spec<'_> {
    fn default() -> Self {
        Self {
            name: "mychannel",
            orgs: &["Org1", "Org2"],
            capability: "V2_5",
            policies: &["Endorsement", "LifecycleEndorsement"],
            org_policies: true,
        }
    }
}

impl Spec<'_> {
    pub(crate) fn config(&self) -> ChannelConfig {
        let mut application = ConfigGroup {
            groups: self.orgs.iter().map(|org| ((*org).to_owned(), self.org(org))).collect(),
            values: values([("Capabilities", capabilities(self.capability))]),
            policies: meta_policies(self.policies),
            mod_policy: "Admins".to_owned(),
            ..Default::default()
        };
        application.policies.extend(meta_policies(&["Readers", "Writers", "Admins"]));
        let orderer_org = org_group("OrdererMSP", &["Readers", "Writers", "Admins"]);
        let orderer = ConfigGroup {
            groups: BTreeMap::from([("OrdererOrg".to_owned(), orderer_org)]),
            values: values([
                (
                    "ConsensusType",
                    ConsensusType { r#type: "etcdraft".to_owned(), ..Default::default() }.encode_to_vec(),
                ),
                ("BatchSize", batch_size().encode_to_vec()),
                ("BatchTimeout", BatchTimeout { timeout: "2s".to_owned() }.encode_to_vec()),
                ("Capabilities", capabilities("V2_0")),
            ]),
            policies: meta_policies(&["Readers", "Writers", "Admins", "BlockValidation"]),
            mod_policy: "Admins".to_owned(),
            ..Default::default()
        };
        let mut groups = BTreeMap::from([("Orderer".to_owned(), orderer)]);
        if !self.capability.is_empty() {
            groups.insert("Application".to_owned(), application);
        }
        let channel = ConfigGroup {
            groups,
            values: values([
                ("HashingAlgorithm", HashingAlgorithm { name: "SHA256".to_owned() }.encode_to_vec()),
                ("BlockDataHashingStructure", BlockDataHashingStructure { width: u32::MAX }.encode_to_vec()),
                ("OrdererAddresses", OrdererAddresses { addresses: vec!["localhost:7050".to_owned()] }.encode_to_vec()),
                ("Capabilities", capabilities("V2_0")),
            ]),
            policies: meta_policies(&["Readers", "Writers", "Admins"]),
            mod_policy: "Admins".to_owned(),
            ..Default::default()
        };
        let config = Config { sequence: 0, channel_group: Some(channel) };
        ChannelConfig::from_config(self.name, &config).expect("a sound configuration")
    }

    fn org(&self, group: &str) -> ConfigGroup {
        let mut policies = vec!["Readers", "Writers", "Admins"];
        if self.org_policies {
            policies.push("Endorsement");
        }
        org_group(&format!("{group}MSP"), &policies)
    }
}

fn org_group(msp_id: &str, policies: &[&str]) -> ConfigGroup {
    let authority = CertificateAuthority::generate(&format!("ca.{msp_id}"), msp_id).expect("an authority");
    let unit =
        |name: &str| Some(FabricOuIdentifier { organizational_unit_identifier: name.to_owned(), ..Default::default() });
    let msp = FabricMspConfig {
        name: msp_id.to_owned(),
        root_certs: vec![authority.certificate_pem().to_owned().into()],
        fabric_node_ous: Some(FabricNodeOUs {
            enable: true,
            client_ou_identifier: unit("client"),
            peer_ou_identifier: unit("peer"),
            admin_ou_identifier: unit("admin"),
            orderer_ou_identifier: unit("orderer"),
        }),
        ..Default::default()
    };
    let msp = MspConfig { r#type: 0, config: msp.encode_to_vec().into() };
    let members = role_policy(msp_id, &[MspRoleType::Member]).encode_to_vec();
    let policies =
        policies.iter().map(|name| ((*name).to_owned(), policy(PolicyType::Signature, members.clone()))).collect();
    ConfigGroup {
        values: values([("MSP", msp.encode_to_vec())]),
        policies,
        mod_policy: "Admins".to_owned(),
        ..Default::default()
    }
}

/// The member policy of a collection of these organizations.
pub(crate) fn any_member(msp_ids: &[&str]) -> windlass_proto::common::SignaturePolicyEnvelope {
    members_policy(msp_ids, 1)
}

fn batch_size() -> BatchSize {
    BatchSize { max_message_count: 500, absolute_max_bytes: 10 << 20, preferred_max_bytes: 2 << 20 }
}

fn capabilities(name: &str) -> Vec<u8> {
    Capabilities { capabilities: BTreeMap::from([(name.to_owned(), Capability {})]) }.encode_to_vec()
}

fn values<const N: usize>(values: [(&str, Vec<u8>); N]) -> BTreeMap<String, ConfigValue> {
    values
        .into_iter()
        .map(|(name, value)| {
            let value = ConfigValue { version: 0, value: value.into(), mod_policy: "Admins".to_owned() };
            (name.to_owned(), value)
        })
        .collect()
}

fn meta_policies(names: &[&str]) -> BTreeMap<String, ConfigPolicy> {
    names
        .iter()
        .map(|name| {
            let sub_policy = match *name {
                "LifecycleEndorsement" => "Endorsement",
                "BlockValidation" => "Writers",
                name => name,
            };
            let meta = ImplicitMetaPolicy { sub_policy: sub_policy.to_owned(), rule: Rule::Majority.into() };
            ((*name).to_owned(), policy(PolicyType::ImplicitMeta, meta.encode_to_vec()))
        })
        .collect()
}

fn policy(kind: PolicyType, value: Vec<u8>) -> ConfigPolicy {
    let policy = Policy { r#type: kind.into(), value: value.into() };
    ConfigPolicy { version: 0, policy: Some(policy), mod_policy: "Admins".to_owned() }
}
