//! The same over a real ledger, with what `_lifecycle` has on it.
// Fabric: lifecycle §6.1, §6.4

use windlass_chaincode::{
    build::{Builds, BuildsConfig},
    install::PackageStore,
    lifecycle::Lifecycle,
};
use windlass_identity::SigningIdentity;
use windlass_proto::{
    lifecycle::{ChaincodeEndorsementInfo, ChaincodeValidationInfo, StateData, StateMetadata, state_data::Type},
    protos::{
        CollectionConfig, CollectionConfigPackage, StaticCollectionConfig, TxValidationCode, collection_config::Payload,
    },
    txid::transaction_id,
};

use super::*;
use crate::{
    testing::CHANNEL,
    validate::{Context, validate_block},
};

use TxValidationCode::{DuplicateTxid, EndorsementPolicyFailure as Refused, InvalidChaincode as Undefined, Valid};

/// The writes that define `basic` under the channel's default policy, with a collection that is Org1's.
fn definition() -> Vec<KvWrite> {
    let policy = |bytes: Bytes| ApplicationPolicy::decode(bytes).expect("a policy");
    let collection = StaticCollectionConfig {
        name: "own".into(),
        endorsement_policy: Some(policy(super::policy("OR('Org1MSP.peer')"))),
        ..Default::default()
    };
    let plain = StaticCollectionConfig { name: "plain".into(), ..Default::default() };
    let package = CollectionConfigPackage {
        config: [collection, plain]
            .map(|collection| CollectionConfig { payload: Some(Payload::StaticCollectionConfig(collection)) })
            .to_vec(),
    };
    let endorsement =
        ChaincodeEndorsementInfo { version: "1.0".into(), init_required: false, endorsement_plugin: "escc".into() };
    let validation = ChaincodeValidationInfo {
        validation_plugin: "vscc".into(),
        validation_parameter: reference("/Channel/Application/Endorsement"),
    };
    let metadata = StateMetadata {
        datatype: "ChaincodeDefinition".into(),
        fields: ["Sequence", "EndorsementInfo", "ValidationInfo", "Collections"].map(str::to_owned).to_vec(),
    };
    let field = |name: &str, value: Type| {
        (format!("namespaces/fields/basic/{name}"), StateData { r#type: Some(value) }.encode_to_vec())
    };
    let entries = [
        ("namespaces/metadata/basic".to_owned(), metadata.encode_to_vec()),
        field("Sequence", Type::Int64(1)),
        field("EndorsementInfo", Type::Bytes(endorsement.encode_to_vec().into())),
        field("ValidationInfo", Type::Bytes(validation.encode_to_vec().into())),
        field("Collections", Type::Bytes(package.encode_to_vec().into())),
    ];
    entries.map(|(key, value)| KvWrite { key, value: value.into(), is_delete: false }).to_vec()
}

fn entry_of(world: &World, nonce: &str, chaincode: &str, results: Results, endorsers: &[&SigningIdentity]) -> Bytes {
    let mut draft = world.draft();
    draft.nonce = nonce.to_owned().into();
    draft.chaincode = chaincode.into();
    draft.results = results.encode();
    draft.endorsers = endorsers.to_vec();
    draft.build()
}

#[tokio::test]
async fn judges_by_what_is_on_the_ledger() {
    let world = World::new();
    let guarded = KvWrite { key: "guarded".into(), value: "v".into(), ..Default::default() };
    let committed =
        Results::new().namespace("_lifecycle", KvrwSet { writes: definition(), ..Default::default() }).namespace(
            "basic",
            KvrwSet {
                writes: vec![guarded],
                metadata_writes: vec![KvMetadataWrite { key: "guarded".into(), entries: vec![entry()] }],
                ..Default::default()
            },
        );
    let first = entry_of(&world, "first", "_lifecycle", committed, &[]);
    let joined = world.joined(vec![(first, Valid)]);

    let folder = tempfile::tempdir().expect("a folder");
    let packages = PackageStore::open(&folder.path().join("packages")).expect("a store");
    let builds = Builds::new(BuildsConfig::below(folder.path(), Vec::new()), packages.clone());
    let lifecycle = Lifecycle::new("Org1MSP", packages, builds, std::sync::Arc::new(joined.channels.clone()));
    let channel = joined.channels.get(CHANNEL).expect("joined");

    let (one, two, both): (&[_], &[_], &[_]) = (&[&world.peer1], &[&world.peer2], &[&world.peer1, &world.peer2]);
    let cases = [
        ("basic", Results::new().write("basic", "k"), both, Valid),
        ("basic", Results::new().write("basic", "k"), one, Refused),
        ("basic", Results::new(), one, Refused),
        ("basic", Results::new().write("basic", "guarded"), one, Valid),
        ("basic", Results::new().write("basic", "guarded"), two, Refused),
        ("basic", Results::new().write_private("basic", "own", b"h"), one, Valid),
        ("basic", Results::new().write_private("basic", "own", b"h"), two, Refused),
        ("basic", Results::new().write_private("basic", "plain", b"h"), one, Refused),
        ("basic", Results::new().write_private("basic", "plain", b"h"), both, Valid),
        ("basic", Results::new().write_private("basic", "nowhere", b"h"), both, Refused),
        ("basic", Results::new().write_private("basic", "_implicit_org_Org1MSP", b"h"), one, Valid),
        ("basic", Results::new().write_private("basic", "_implicit_org_Org2MSP", b"h"), one, Refused),
        ("nothing", Results::new(), both, Undefined),
        ("qscc", Results::new(), both, Undefined),
        ("lscc", Results::new(), both, Undefined),
        // A commit of a definition, and approvals of one.
        ("_lifecycle", Results::new().write("_lifecycle", "k"), both, Valid),
        ("_lifecycle", Results::new().write("_lifecycle", "k"), one, Refused),
        ("_lifecycle", Results::new().write_private("_lifecycle", "_implicit_org_Org1MSP", b"h"), one, Valid),
        ("_lifecycle", Results::new().write_private("_lifecycle", "_implicit_org_Org2MSP", b"h"), one, Refused),
        ("_lifecycle", Results::new().write_private("_lifecycle", "_implicit_org_Org2MSP", b"h"), two, Valid),
        ("_lifecycle", Results::new().write_private("_lifecycle", "_implicit_org_Other", b"h"), both, Refused),
    ];
    let (mut entries, mut expected) = (Vec::new(), Vec::new());
    for (index, (chaincode, results, endorsers, code)) in cases.into_iter().enumerate() {
        entries.push(entry_of(&world, &index.to_string(), chaincode, results, endorsers));
        expected.push(code);
    }
    entries.push(entry_of(&world, "first", "basic", Results::new(), both));
    expected.push(DuplicateTxid);
    assert!(channel.ledger().has_transaction(&transaction_id(b"first", world.user1.serialized())).expect("readable"));

    let block = block_of(joined.blocks.last(), entries);
    let context = Context::new(&channel, &world.config, &lifecycle);
    let found = validate_block(&context, &block).expect("verdicts");
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found, expected, "transaction {index}");
    }
    assert_eq!(found.len(), expected.len());
}
