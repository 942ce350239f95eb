use prost::Message;
use windlass_chaincode::{
    build::{Builds, BuildsConfig},
    install::PackageStore,
    lifecycle::{CollectionPolicyError, Lifecycle, ValidationInfo, implicit_collection},
};
use windlass_identity::policy::{members_policy, role_policy};
use windlass_proto::{
    common::{SignaturePolicyEnvelope, msp_role::MspRoleType},
    lifecycle::ApproveChaincodeDefinitionForMyOrgArgs,
    protos::{ApplicationPolicy, StaticCollectionConfig, application_policy},
};

use crate::{
    collections::{collection, package},
    config::Spec,
    network::{APPROVE, CHANNEL, COMMIT, Peer, approval, commit_of, local_package},
};

fn define(peer: &Peer, name: &str) {
    peer.must(APPROVE, &approval(name, 1));
    peer.must(COMMIT, &commit_of(&approval(name, 1)));
}

fn refusal(peer: &Peer, name: &str) -> String {
    let simulation = peer.ledger.simulate(&peer.msp_id);
    peer.lifecycle.endorsement_info(CHANNEL, name, simulation.as_ref()).expect_err("a refusal").to_string()
}

// Fabric: lifecycle §6.5
#[test]
fn an_unknown_chaincode_costs_two_reads() {
    let peer = Peer::new();
    let simulation = peer.ledger.simulate(&peer.msp_id);
    let error = peer.lifecycle.endorsement_info(CHANNEL, "cc", simulation.as_ref()).expect_err("a refusal");
    assert_eq!(error.to_string(), "chaincode cc not found");
    assert_eq!(simulation.reads(), ["_lifecycle namespaces/fields/cc/Sequence", "lscc cc"]);
}

#[test]
fn a_defined_chaincode_costs_one_read() {
    let peer = Peer::new();
    define(&peer, "cc");
    let simulation = peer.ledger.simulate(&peer.msp_id);
    let error = peer.lifecycle.endorsement_info(CHANNEL, "cc", simulation.as_ref()).expect_err("a refusal");
    assert_eq!(error.to_string(), "chaincode definition for 'cc' exists, but chaincode is not installed");
    assert_eq!(simulation.reads(), ["_lifecycle namespaces/fields/cc/Sequence +"]);
    assert!(simulation.hashed_reads().is_empty());
}

// Fabric: lifecycle §8
#[test]
fn in_development_mode_what_is_not_installed_runs_under_name_and_version() {
    let peer = Peer::new();
    let approval = ApproveChaincodeDefinitionForMyOrgArgs { source: local_package("anything"), ..approval("cc", 1) };
    peer.must(APPROVE, &approval);
    peer.must(COMMIT, &commit_of(&approval));
    let packages = PackageStore::open(&peer.folder.path().join("packages")).expect("a package store");
    let builds = Builds::new(BuildsConfig::below(peer.folder.path(), Vec::new()), packages.clone());
    let by_hand = Lifecycle::for_development(&peer.msp_id, packages, builds, peer.channels.clone());
    let simulation = peer.ledger.simulate(&peer.msp_id);
    let info = by_hand.endorsement_info(CHANNEL, "cc", simulation.as_ref()).expect("what to run");
    assert_eq!(info.package_id, "cc:1.0");
    // What goes into the endorsement is the same as at any other peer.
    assert_eq!(simulation.reads(), ["_lifecycle namespaces/fields/cc/Sequence +"]);
    assert_eq!(by_hand.endorsable(CHANNEL).len(), 1);
    assert!(peer.lifecycle.endorsable(CHANNEL).is_empty());
}

#[test]
fn a_legacy_chaincode_runs_until_a_definition_replaces_it() {
    let peer = Peer::new();
    peer.ledger.set("lscc", "cc", b"\x0a\x02cc\x12\x031.4\x1a\x04escc\x22\x04vscc\x2a\x02\x08\x01".to_vec());
    let simulation = peer.ledger.simulate(&peer.msp_id);
    let info = peer.lifecycle.endorsement_info(CHANNEL, "cc", simulation.as_ref()).expect("a legacy chaincode");
    assert_eq!((info.version.as_str(), info.package_id.as_str()), ("1.4", "cc:1.4"));
    assert!(!info.init_required);
    let validation = peer.lifecycle.validation_info(peer.config(), "cc", simulation.as_ref()).expect("a record");
    assert_eq!(validation.map(|info| info.parameter), Some(vec![0x08, 0x01].into()));
    define(&peer, "cc");
    assert!(refusal(&peer, "cc").contains("not installed"));
}

#[test]
fn channels_without_the_capability_know_legacy_chaincode_only() {
    let peer = Peer::on(&Spec { capability: "V1_4_2", ..Spec::default() });
    let simulation = peer.ledger.simulate(&peer.msp_id);
    let error = peer.lifecycle.endorsement_info(CHANNEL, "cc", simulation.as_ref()).expect_err("a refusal");
    assert_eq!(error.to_string(), "chaincode cc not found");
    assert_eq!(simulation.reads(), ["lscc cc"]);
}

#[test]
fn refuses_what_the_own_organization_did_not_approve() {
    let org1 = Peer::new();
    let org2 = org1.of("Org2MSP");
    define(&org1, "cc");
    org2.lifecycle.refresh(CHANNEL).expect("a readable ledger");
    let text =
        "chaincode definition for 'cc' at sequence 1 on channel 'mychannel' has not yet been approved by this org";
    assert_eq!(refusal(&org2, "cc"), text);
    // Agreement to something else is no agreement.
    let mut other = approval("cc2", 1);
    org2.must(APPROVE, &other);
    other.version = "2".to_owned();
    org1.must(APPROVE, &other);
    org1.must(COMMIT, &commit_of(&other));
    org2.lifecycle.refresh(CHANNEL).expect("a readable ledger");
    assert_eq!(refusal(&org2, "cc2"), text.replace("'cc'", "'cc2'"));
}

#[test]
fn a_commit_is_noticed_even_before_the_refresh() {
    let peer = Peer::new();
    let (_, approve) = peer.call(APPROVE, &approval("cc", 1));
    peer.ledger.commit(&approve);
    let (_, commit) = peer.call(COMMIT, &commit_of(&approval("cc", 1)));
    peer.ledger.commit(&commit);
    assert!(refusal(&peer, "cc").contains("not installed"));
}

#[test]
fn a_transaction_on_an_older_state_is_refused() {
    let peer = Peer::new();
    define(&peer, "cc");
    let old = peer.ledger.simulate(&peer.msp_id);
    peer.must(APPROVE, &approval("cc", 2));
    peer.must(COMMIT, &commit_of(&approval("cc", 2)));
    let error = peer.lifecycle.endorsement_info(CHANNEL, "cc", old.as_ref()).expect_err("a refusal");
    assert_eq!(
        error.to_string(),
        "chaincode cache at sequence 2 but current sequence is 1, chaincode definition for 'cc' changed during invoke"
    );
}

#[test]
fn names_what_it_could_not_get() {
    let peer = Peer::new();
    let simulation = peer.ledger.simulate(&peer.msp_id);
    let error = peer.lifecycle.endorsement_info("nowhere", "cc", simulation.as_ref()).expect_err("a refusal");
    assert_eq!(error.to_string(), "could not get channel config for channel 'nowhere'");
    // Sequence without any definition around it.
    peer.ledger.set("_lifecycle", "namespaces/fields/cc/Sequence", vec![0x08, 0x01]);
    let text = refusal(&peer, "cc");
    assert!(text.starts_with("could not get approved chaincode info from cache"), "{text}");
    peer.ledger.break_key("namespaces/fields/cc/Sequence");
    assert_eq!(
        refusal(&peer, "cc"),
        "could not get current sequence for chaincode 'cc' on channel 'mychannel': could not get state for key namespaces/fields/cc/Sequence: the disk is on fire"
    );
}

#[test]
fn one_malformed_record_hides_no_other() {
    let peer = Peer::new();
    define(&peer, "cc");
    peer.ledger.set("_lifecycle", "namespaces/metadata/aa", b"\x0a\x13ChaincodeDefinition".to_vec());
    peer.ledger.set("_lifecycle", "namespaces/fields/aa/EndorsementInfo", vec![0x08, 0x01]);
    peer.lifecycle.refresh(CHANNEL).expect("a readable ledger");
    let names: Vec<_> = peer.lifecycle.definitions(CHANNEL).into_iter().map(|definition| definition.name).collect();
    assert_eq!(names, ["cc"]);
}

#[test]
fn knows_nothing_of_channels_it_has_not_joined() {
    let peer = Peer::new();
    define(&peer, "cc");
    peer.lifecycle.refresh("nowhere").expect("nothing to read");
    assert!(peer.lifecycle.definitions("nowhere").is_empty());
    assert_eq!(peer.lifecycle.definitions(CHANNEL).len(), 1);
    assert!(peer.lifecycle.endorsable(CHANNEL).is_empty());
    assert!(peer.lifecycle.runnable().borrow().is_empty());
}

fn validation(peer: &Peer, name: &str) -> Option<ValidationInfo> {
    let simulation = peer.ledger.simulate(&peer.msp_id);
    peer.lifecycle.validation_info(peer.config(), name, simulation.as_ref()).expect("a readable ledger")
}

fn reference(path: &str) -> Vec<u8> {
    let reference = application_policy::Type::ChannelConfigPolicyReference(path.to_owned());
    ApplicationPolicy { r#type: Some(reference) }.encode_to_vec()
}

fn signatures(policy: SignaturePolicyEnvelope) -> Vec<u8> {
    ApplicationPolicy { r#type: Some(application_policy::Type::SignaturePolicy(policy)) }.encode_to_vec()
}

// Fabric: lifecycle §6.4
#[test]
fn lifecycle_itself_is_validated_by_its_policy_or_a_majority() {
    let info = validation(&Peer::new(), "_lifecycle").expect("always defined");
    assert_eq!(
        (info.plugin.as_str(), info.parameter.to_vec()),
        ("vscc", reference("/Channel/Application/LifecycleEndorsement"))
    );
    let orgs = ["OrgC", "OrgA", "OrgB"];
    let peer = Peer::on(&Spec { orgs: &orgs, policies: &["Endorsement"], ..Spec::default() });
    let info = validation(&peer, "_lifecycle").expect("always defined");
    let majority = members_policy(&["OrgAMSP", "OrgBMSP", "OrgCMSP"], 2);
    assert_eq!(info.parameter, signatures(majority));
}

#[test]
fn chaincode_is_validated_as_defined() {
    let peer = Peer::new();
    assert_eq!(validation(&peer, "cc"), None);
    define(&peer, "cc");
    let info = validation(&peer, "cc").expect("defined");
    assert_eq!(
        (info.plugin.as_str(), info.parameter.to_vec()),
        ("vscc", reference("/Channel/Application/Endorsement"))
    );
}

fn collection_policy(peer: &Peer, name: &str, collection: &str) -> Result<Vec<u8>, CollectionPolicyError> {
    let simulation = peer.ledger.simulate(&peer.msp_id);
    let policy = peer.lifecycle.collection_policy(peer.config(), name, collection, simulation.as_ref());
    policy.map(|policy| policy.to_vec())
}

#[test]
fn implicit_collections_are_governed_by_their_organization() {
    let peer = Peer::new();
    let policy = collection_policy(&peer, "_lifecycle", &implicit_collection("Org2MSP"));
    assert_eq!(policy, Ok(reference("/Channel/Application/Org2/Endorsement")));
    let plain = Peer::on(&Spec { org_policies: false, policies: &["LifecycleEndorsement"], ..Spec::default() });
    let policy = collection_policy(&plain, "_lifecycle", &implicit_collection("Org2MSP"));
    assert_eq!(policy, Ok(signatures(role_policy("Org2MSP", &[MspRoleType::Member]))));
    let error = collection_policy(&peer, "_lifecycle", &implicit_collection("Org9MSP")).expect_err("a stranger");
    assert_eq!(error.to_string(), "no org found in channel with MSPID 'Org9MSP'");
    assert!(error.is_invalid_transaction());
}

#[test]
fn declared_collections_have_their_own_policy_or_the_chaincodes() {
    let peer = Peer::new();
    let own = application_policy::Type::ChannelConfigPolicyReference("/mine".to_owned());
    let with_policy = StaticCollectionConfig {
        endorsement_policy: Some(ApplicationPolicy { r#type: Some(own) }),
        ..collection("own")
    };
    let mut args = approval("cc", 1);
    args.collections = Some(package(&[collection("plain"), with_policy.clone()]));
    peer.must(APPROVE, &args);
    peer.must(COMMIT, &commit_of(&args));
    assert_eq!(collection_policy(&peer, "cc", "plain"), Ok(reference("/Channel/Application/Endorsement")));
    assert_eq!(collection_policy(&peer, "cc", "own"), Ok(reference("/mine")));
    assert_eq!(
        collection_policy(&peer, "cc", "other"),
        Err(CollectionPolicyError::NoSuchCollection("other".to_owned()))
    );

    let simulation = peer.ledger.simulate(&peer.msp_id);
    let found = peer.lifecycle.collection(peer.config(), "cc", "own", simulation.as_ref());
    assert_eq!(found, Ok(Some(with_policy)));
    let implicit = implicit_collection("Org1MSP");
    let found = peer.lifecycle.collection(peer.config(), "cc", &implicit, simulation.as_ref()).expect("a config");
    let found = found.expect("an implicit collection");
    assert_eq!((found.required_peer_count, found.maximum_peer_count, found.block_to_live), (0, 1, 0));
    assert_eq!(peer.lifecycle.collection(peer.config(), "nobody", &implicit, simulation.as_ref()), Ok(None));
    let all = peer.lifecycle.collections(peer.config(), "cc", simulation.as_ref()).expect("collections");
    let names: Vec<_> = all.iter().map(|collection| collection.name.as_str()).collect();
    assert_eq!(names, ["plain", "own", "_implicit_org_Org1MSP", "_implicit_org_Org2MSP"]);
    assert_eq!(all[3].maximum_peer_count, 0);
}

// Fabric: lifecycle §6.5
#[test]
fn a_collection_lookup_reads_the_whole_definition() {
    let peer = Peer::new();
    define(&peer, "cc");
    let simulation = peer.ledger.simulate(&peer.msp_id);
    let implicit = implicit_collection("Org1MSP");
    let found = peer.lifecycle.collection(peer.config(), "cc", &implicit, simulation.as_ref());
    assert!(found.expect("a config").is_some());
    assert_eq!(simulation.reads().len(), 5);
    let simulation = peer.ledger.simulate(&peer.msp_id);
    let found = peer.lifecycle.collection(peer.config(), "_lifecycle", &implicit, simulation.as_ref());
    assert!(found.expect("a config").is_some());
    assert!(simulation.reads().is_empty());
}

#[test]
fn an_approved_package_that_is_not_installed_is_no_reason_to_fail_approval() {
    let peer = Peer::new();
    let mut args = approval("cc", 1);
    args.source = local_package("not even a package ID");
    peer.must(APPROVE, &args);
}
