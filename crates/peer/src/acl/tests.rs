use std::{collections::BTreeMap, sync::Arc};

use prost::Message;
use windlass_identity::{ChannelConfig, SignedData, SigningIdentity};
use windlass_proto::{
    common::{Config, ConfigValue},
    protos::{AcLs, ApiResource},
};

use super::Acl;
use crate::testing::{CHANNEL, World, signed_proposal};

fn acl(world: &World) -> Acl {
    Acl::new(Arc::new(world.local_msp()), "Org1MSP")
}

fn signed(signer: &SigningIdentity) -> SignedData {
    SignedData {
        data: "request".into(),
        identity: signer.serialized().clone(),
        signature: signer.sign(b"request").into(),
    }
}

/// The world's configuration with these ACLs.
fn with_acls(world: &World, acls: &[(&str, &str)]) -> ChannelConfig {
    let mut config: Config = world.config.config().clone();
    let acls: BTreeMap<_, _> = acls
        .iter()
        .map(|(resource, policy)| ((*resource).to_owned(), ApiResource { policy_ref: (*policy).to_owned() }))
        .collect();
    let value = ConfigValue { value: AcLs { acls }.encode_to_vec().into(), mod_policy: "Admins".into(), version: 0 };
    let group = config.channel_group.as_mut().expect("a group").groups.get_mut("Application").expect("a group");
    group.values.insert("ACLs".into(), value);
    ChannelConfig::from_config(CHANNEL, &config).expect("a configuration")
}

const TOO_FEW: &str = "implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires";

#[test]
fn lets_through_who_may_and_refuses_others_in_fabrics_words() {
    let world = World::new();
    let acl = acl(&world);
    let config = Some(&world.config);
    for (who, resource, refusal) in [
        (&world.user1, "qscc/GetChainInfo", None),
        (&world.user1, "peer/Propose", None),
        (&world.admin2, "event/Block", None),
        (&world.admin1, "_lifecycle/InstallChaincode", None),
        (&world.user1, "cscc/GetChannels", None),
        (
            &world.peer1,
            "peer/Propose",
            Some(format!(
                "Failed evaluating policy on signed data during check policy on channel [ch] with policy [/Channel/Application/Writers]: [{TOO_FEW} 1 of the 'Writers' sub-policies to be satisfied]"
            )),
        ),
        (
            &world.stranger,
            "qscc/GetChainInfo",
            Some(format!(
                "Failed evaluating policy on signed data during check policy on channel [ch] with policy [/Channel/Application/Readers]: [{TOO_FEW} 1 of the 'Readers' sub-policies to be satisfied]"
            )),
        ),
        (
            &world.user1,
            "_lifecycle/InstallChaincode",
            Some(
                "Failed verifying that proposal's creator satisfies local MSP principal during channelless check policy with policy [Admins]: [The identity is not an admin under this MSP [Org1MSP]: The identity does not contain OU [ADMIN], MSP: [Org1MSP]]"
                    .to_owned(),
            ),
        ),
        (&world.user1, "qscc/Nope", Some("Unmapped policy for qscc/Nope".to_owned())),
    ] {
        let outcome = acl.check_proposal(resource, config, &signed_proposal(who, CHANNEL, "cc"));
        assert_eq!(outcome.err().map(|error| error.to_string()), refusal, "{resource}");
    }
}

#[test]
fn knows_only_the_peers_own_organization_for_local_resources() {
    let world = World::new();
    let error = acl(&world)
        .check_proposal("cscc/JoinChain", None, &signed_proposal(&world.admin2, "", "cscc"))
        .expect_err("another organization's admin")
        .to_string();
    let prefix = "Failed deserializing proposal creator during channelless check policy with policy [Admins]: [";
    assert!(error.starts_with(prefix), "{error}");
    let error = acl(&world).check_signed("snapshot/listpending", None, &signed(&world.user1)).expect_err("no admin");
    let prefix = "failed verifying that the signed data identity satisfies local MSP principal during channelless check policy with policy [Admins]: [";
    assert!(error.to_string().starts_with(prefix), "{error}");
}

#[test]
fn refuses_a_signature_over_something_else() {
    let world = World::new();
    let acl = acl(&world);
    let mut proposal = signed_proposal(&world.admin1, CHANNEL, "cc");
    proposal.signature = world.admin1.sign(b"something else").into();
    for resource in ["cscc/GetChannels", "cscc/JoinChain", "peer/Propose"] {
        assert!(acl.check_proposal(resource, Some(&world.config), &proposal).is_err(), "{resource}");
    }
    let forged = SignedData { data: "another request".into(), ..signed(&world.user1) };
    assert!(acl.check_signed("event/Block", Some(&world.config), &forged).is_err());
    assert!(acl.check_signed("event/Block", Some(&world.config), &signed(&world.user1)).is_ok());
}

#[test]
fn the_configuration_replaces_policies_of_the_channel_class_only() {
    let world = World::new();
    let acl = acl(&world);
    let config = with_acls(
        &world,
        &[("event/Block", "Admins"), ("qscc/New", "/Channel/Application/Readers"), ("cscc/JoinChain", "Readers")],
    );
    let check = |resource: &str, who| acl.check_signed(resource, Some(&config), &signed(who));
    assert_eq!(
        check("event/Block", &world.user1).expect_err("no admin").to_string(),
        format!(
            "failed evaluating policy on signed data during check policy [/Channel/Application/Admins]: [{TOO_FEW} 2 of the 'Admins' sub-policies to be satisfied]"
        )
    );
    assert!(check("event/FilteredBlock", &world.user1).is_ok());
    assert!(check("qscc/New", &world.user1).is_ok());
    assert!(check("cscc/JoinChain", &world.user1).is_err());
    assert!(check("cscc/JoinChain", &world.admin1).is_ok());
}

#[test]
fn refuses_a_resource_of_the_channel_without_one() {
    let world = World::new();
    let error = acl(&world).check_signed("event/Block", None, &signed(&world.user1)).expect_err("no channel");
    assert_eq!(error.to_string(), "Failed to get policy manager for channel []");
}
