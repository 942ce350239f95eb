//! The checks of messages and of the dispatcher, in the order in which they are made.
// Fabric: ledger §4

use windlass_proto::{
    common::HeaderType,
    protos::{ChaincodeEvent, ChaincodeHeaderExtension, ChaincodeId, Endorsement},
    txid::transaction_id,
};

use super::*;
use crate::testing::{Draft, Edits};

use TxValidationCode as Code;

type Change = Box<dyn for<'a> Fn(&'a World, &mut Draft<'a>)>;

/// A change to the parts of a draft.
fn edits(make: impl Fn() -> Edits + 'static) -> Change {
    Box::new(move |_, draft| draft.edits = make())
}

fn change(apply: impl for<'a> Fn(&'a World, &mut Draft<'a>) + 'static) -> Change {
    Box::new(apply)
}

const GARBAGE: &[u8] = &[0xff];

fn extension(id: Option<&str>) -> Bytes {
    let id = id.map(|name| ChaincodeId { name: name.into(), ..Default::default() });
    ChaincodeHeaderExtension { chaincode_id: id }.encode_to_vec().into()
}

/// Every way in which a single transaction goes wrong, with the code that it gets.
fn table() -> Vec<(&'static str, Code, Change)> {
    let none = Edits::default;
    vec![
        ("nothing is wrong", Code::Valid, change(|_, _| {})),
        (
            "the payload is empty",
            Code::BadPayload,
            edits(move || Edits { signed: Box::new(|envelope| envelope.payload.clear()), ..none() }),
        ),
        (
            "the payload is garbage",
            Code::BadPayload,
            edits(move || Edits { signed: Box::new(|envelope| envelope.payload = GARBAGE.into()), ..none() }),
        ),
        (
            "there is no header",
            Code::BadCommonHeader,
            edits(move || Edits { envelope_payload: Box::new(|payload| payload.header = None), ..none() }),
        ),
        (
            "the channel header is garbage",
            Code::BadCommonHeader,
            edits(move || Edits {
                envelope_payload: Box::new(|payload| {
                    payload.header.as_mut().expect("a header").channel_header = GARBAGE.into();
                }),
                ..none()
            }),
        ),
        (
            "the signature header is garbage",
            Code::BadCommonHeader,
            edits(move || Edits {
                envelope_payload: Box::new(|payload| {
                    payload.header.as_mut().expect("a header").signature_header = GARBAGE.into();
                }),
                ..none()
            }),
        ),
        (
            "the type is one that no block should hold",
            Code::BadCommonHeader,
            edits(move || Edits {
                channel_header: Box::new(|header| header.r#type = HeaderType::Message as i32),
                ..none()
            }),
        ),
        (
            "the type is unheard of",
            Code::BadCommonHeader,
            edits(move || Edits { channel_header: Box::new(|header| header.r#type = 77), ..none() }),
        ),
        (
            "the epoch is not zero",
            Code::BadCommonHeader,
            edits(move || Edits { channel_header: Box::new(|header| header.epoch = 1), ..none() }),
        ),
        (
            "there is no nonce",
            Code::BadCommonHeader,
            edits(move || Edits { signature_header: Box::new(|header| header.nonce.clear()), ..none() }),
        ),
        (
            "there is no creator",
            Code::BadCommonHeader,
            edits(move || Edits { signature_header: Box::new(|header| header.creator.clear()), ..none() }),
        ),
        (
            "the creator is garbage",
            Code::BadCreatorSignature,
            edits(move || Edits { signature_header: Box::new(|header| header.creator = GARBAGE.into()), ..none() }),
        ),
        (
            "the creator is nobody of the channel",
            Code::BadCreatorSignature,
            change(|world, draft| draft.creator = &world.stranger),
        ),
        (
            "the signature is somebody else's",
            Code::BadCreatorSignature,
            change(|world, draft| {
                let other = world.admin1.clone();
                draft.edits.signed =
                    Box::new(move |envelope| envelope.signature = other.sign(&envelope.payload).into());
            }),
        ),
        (
            "there is no signature",
            Code::BadCreatorSignature,
            edits(move || Edits { signed: Box::new(|envelope| envelope.signature.clear()), ..none() }),
        ),
        (
            "the transaction ID is not of nonce and creator",
            Code::BadProposalTxid,
            edits(move || Edits { channel_header: Box::new(|header| header.tx_id = "00".into()), ..none() }),
        ),
        (
            "the transaction is garbage",
            Code::InvalidEndorserTransaction,
            edits(move || Edits { envelope_payload: Box::new(|payload| payload.data = GARBAGE.into()), ..none() }),
        ),
        (
            "there is no action",
            Code::InvalidEndorserTransaction,
            edits(move || Edits { transaction: Box::new(|transaction| transaction.actions.clear()), ..none() }),
        ),
        (
            "there are two actions",
            Code::InvalidEndorserTransaction,
            edits(move || Edits {
                transaction: Box::new(|transaction| transaction.actions.push(transaction.actions[0].clone())),
                ..none()
            }),
        ),
        (
            "the action's header is garbage",
            Code::InvalidEndorserTransaction,
            edits(move || Edits {
                transaction: Box::new(|transaction| transaction.actions[0].header = GARBAGE.into()),
                ..none()
            }),
        ),
        (
            "the action's header is empty",
            Code::InvalidEndorserTransaction,
            edits(move || Edits {
                transaction: Box::new(|transaction| transaction.actions[0].header.clear()),
                ..none()
            }),
        ),
        (
            "the action's payload is garbage",
            Code::InvalidEndorserTransaction,
            edits(move || Edits {
                transaction: Box::new(|transaction| transaction.actions[0].payload = GARBAGE.into()),
                ..none()
            }),
        ),
        (
            "nothing was endorsed",
            Code::InvalidEndorserTransaction,
            edits(move || Edits { payload: Box::new(|payload| payload.action = None), ..none() }),
        ),
        (
            "the response payload is garbage",
            Code::InvalidEndorserTransaction,
            edits(move || Edits {
                payload: Box::new(|payload| {
                    payload.action.as_mut().expect("an action").proposal_response_payload = GARBAGE.into();
                }),
                ..none()
            }),
        ),
        (
            "the proposal is another one",
            Code::InvalidEndorserTransaction,
            edits(move || Edits {
                payload: Box::new(|payload| payload.chaincode_proposal_payload = "another".into()),
                ..none()
            }),
        ),
        (
            "the proposal's hash is missing",
            Code::InvalidEndorserTransaction,
            edits(move || Edits { response: Box::new(|response| response.proposal_hash.clear()), ..none() }),
        ),
        (
            "the action's header is not the one endorsed",
            Code::InvalidEndorserTransaction,
            edits(move || Edits {
                transaction: Box::new(|transaction| {
                    let header = windlass_proto::common::SignatureHeader { creator: "c".into(), nonce: "n".into() };
                    transaction.actions[0].header = header.encode_to_vec().into();
                }),
                ..none()
            }),
        ),
        (
            "a configuration without content",
            Code::InvalidConfigTransaction,
            edits(move || Edits {
                channel_header: Box::new(|header| header.r#type = HeaderType::Config as i32),
                envelope_payload: Box::new(|payload| payload.data.clear()),
                ..none()
            }),
        ),
        (
            "a configuration update",
            Code::UnsupportedTxPayload,
            edits(move || Edits {
                channel_header: Box::new(|header| header.r#type = HeaderType::ConfigUpdate as i32),
                ..none()
            }),
        ),
        (
            "another channel",
            Code::TargetChainNotFound,
            edits(move || Edits { channel_header: Box::new(|header| header.channel_id = "other".into()), ..none() }),
        ),
        (
            "the header's extension is garbage",
            Code::BadHeaderExtension,
            edits(move || Edits { channel_header: Box::new(|header| header.extension = GARBAGE.into()), ..none() }),
        ),
        (
            "the response payload has no extension",
            Code::BadResponsePayload,
            edits(move || Edits { response: Box::new(|response| response.extension.clear()), ..none() }),
        ),
        (
            "the chaincode action is garbage",
            Code::BadResponsePayload,
            edits(move || Edits { response: Box::new(|response| response.extension = GARBAGE.into()), ..none() }),
        ),
        (
            "the read-write set is garbage",
            Code::BadRwset,
            edits(move || Edits { action: Box::new(|action| action.results = GARBAGE.into()), ..none() }),
        ),
        (
            "a namespace's read-write set is garbage",
            Code::BadRwset,
            change(|_, draft| {
                let mut results = Results::new().write("basic", "k");
                results.0.ns_rwset[0].rwset = GARBAGE.into();
                draft.results = results.encode();
            }),
        ),
        (
            "the header names no chaincode",
            Code::InvalidOtherReason,
            edits(move || Edits { channel_header: Box::new(|header| header.extension = extension(None)), ..none() }),
        ),
        (
            "the action names no chaincode",
            Code::InvalidOtherReason,
            edits(move || Edits { action: Box::new(|action| action.chaincode_id = None), ..none() }),
        ),
        (
            "the chaincode's name is empty",
            Code::InvalidChaincode,
            edits(move || Edits {
                channel_header: Box::new(|header| header.extension = extension(Some(""))),
                ..none()
            }),
        ),
        (
            "header and action name different chaincodes",
            Code::InvalidChaincode,
            edits(move || Edits {
                channel_header: Box::new(|header| header.extension = extension(Some("other"))),
                ..none()
            }),
        ),
        (
            "the chaincode's version is empty",
            Code::InvalidChaincode,
            edits(move || Edits {
                action: Box::new(|action| action.chaincode_id.as_mut().expect("an ID").version.clear()),
                ..none()
            }),
        ),
        (
            "the event is garbage",
            Code::InvalidOtherReason,
            edits(move || Edits { action: Box::new(|action| action.events = GARBAGE.into()), ..none() }),
        ),
        (
            "the event is another chaincode's",
            Code::InvalidOtherReason,
            edits(move || Edits {
                action: Box::new(|action| {
                    let event = ChaincodeEvent { chaincode_id: "other".into(), ..Default::default() };
                    action.events = event.encode_to_vec().into();
                }),
                ..none()
            }),
        ),
        (
            "the same namespace comes twice",
            Code::IllegalWriteset,
            change(|_, draft| draft.results = Results::new().write("basic", "a").write("basic", "b").encode()),
        ),
        ("the chaincode is not defined", Code::InvalidChaincode, change(|_, draft| draft.chaincode = "nothing".into())),
        ("a system chaincode is called", Code::InvalidChaincode, change(|_, draft| draft.chaincode = "qscc".into())),
        (
            "a chaincode that is written is not defined",
            Code::InvalidChaincode,
            change(|_, draft| draft.results = Results::new().write("nothing", "k").encode()),
        ),
        (
            "one organization is missing, though nothing was written",
            Code::EndorsementPolicyFailure,
            change(|world, draft| draft.endorsers = vec![&world.peer1]),
        ),
        ("nobody endorsed", Code::EndorsementPolicyFailure, change(|_, draft| draft.endorsers.clear())),
        (
            "the same peer endorsed twice",
            Code::EndorsementPolicyFailure,
            change(|world, draft| draft.endorsers = vec![&world.peer1, &world.peer1]),
        ),
        (
            "a client endorsed",
            Code::EndorsementPolicyFailure,
            change(|world, draft| draft.endorsers = vec![&world.user1, &world.peer2]),
        ),
        (
            "a stranger endorsed",
            Code::EndorsementPolicyFailure,
            change(|world, draft| draft.endorsers = vec![&world.stranger, &world.peer2]),
        ),
        (
            "an endorsement is of something else",
            Code::EndorsementPolicyFailure,
            edits(move || Edits {
                endorsements: Box::new(|endorsements: &mut Vec<Endorsement>| {
                    endorsements[1].signature = endorsements[0].signature.clone();
                }),
                ..none()
            }),
        ),
        (
            "a bad endorsement beside good ones",
            Code::Valid,
            edits(move || Edits {
                endorsements: Box::new(|endorsements: &mut Vec<Endorsement>| {
                    endorsements.insert(0, Endorsement { endorser: GARBAGE.into(), signature: GARBAGE.into() });
                    let forged = Endorsement { signature: GARBAGE.into(), ..endorsements[1].clone() };
                    endorsements.insert(1, forged);
                }),
                ..none()
            }),
        ),
    ]
}

#[test]
fn gives_every_fault_its_code() {
    let world = World::new();
    let state = MemoryState::default();
    for (what, expected, change) in table() {
        let mut draft = world.draft();
        change(&world, &mut draft);
        assert_eq!(code(&world, &state, draft.build()), expected, "{what}");
    }
    assert_eq!(code(&world, &state, Bytes::new()), Code::NilEnvelope);
    assert_eq!(code(&world, &state, GARBAGE.into()), Code::InvalidOtherReason);
}

#[test]
fn judges_a_whole_block_as_it_judges_each_alone_and_in_their_order() {
    let world = World::new();
    let state = MemoryState::default();
    let (mut entries, mut expected) = (Vec::new(), Vec::new());
    for (index, (_, code, change)) in table().into_iter().enumerate() {
        let mut draft = world.draft();
        draft.nonce = index.to_string().into();
        change(&world, &mut draft);
        entries.push(draft.build());
        expected.push(code);
    }
    for _ in 0..3 {
        assert_eq!(judge(&world, &state, entries.clone()), Ok(expected.clone()));
    }
    assert_eq!(judge(&world, &state, Vec::new()), Ok(vec![]));
}

#[test]
fn refuses_what_is_on_the_ledger_already() {
    let world = World::new();
    let mut state = MemoryState::default();
    state.transactions.insert(transaction_id(b"nonce", world.user1.serialized()));
    assert_eq!(code(&world, &state, world.draft().build()), Code::DuplicateTxid);
}

#[test]
fn the_first_valid_one_of_the_same_id_wins() {
    let world = World::new();
    let state = MemoryState::default();
    let good = world.draft().build();
    let mut bad = world.draft();
    bad.endorsers.clear();
    let codes = judge(&world, &state, vec![bad.build(), good.clone(), good.clone(), bad.build()]);
    use Code::{DuplicateTxid, EndorsementPolicyFailure, Valid};
    assert_eq!(codes, Ok(vec![EndorsementPolicyFailure, Valid, DuplicateTxid, EndorsementPolicyFailure]));
}

#[test]
fn halts_when_it_cannot_know() {
    let world = World::new();
    let broken = MemoryState { broken: true, ..Default::default() };
    let mut invalid = world.draft();
    invalid.edits.channel_header = Box::new(|header| header.epoch = 1);
    assert_eq!(
        judge(&world, &broken, vec![invalid.build(), world.draft().build(), world.draft().build()])
            .expect_err("no verdict")
            .to_string(),
        "transaction 1: cannot read the index of transactions: the disk is gone"
    );
    let mut state = MemoryState::default();
    state.definitions.get_mut("basic").expect("defined").plugin = "mine".into();
    assert_eq!(
        judge(&world, &state, vec![world.draft().build()]).expect_err("no verdict").to_string(),
        "transaction 0: chaincode basic is validated by plugin mine, which does not exist here"
    );
}

#[test]
fn halts_at_a_configuration_that_does_not_follow() {
    let world = World::new();
    let mut draft = world.draft();
    draft.creator = &world.orderer;
    draft.edits.channel_header = Box::new(|header| header.r#type = HeaderType::Config as i32);
    let current =
        windlass_proto::common::ConfigEnvelope { config: Some(world.config.config().clone()), last_update: None };
    draft.edits.envelope_payload = Box::new(move |payload| payload.data = current.encode_to_vec().into());
    assert_eq!(
        judge(&world, &MemoryState::default(), vec![draft.build()]).expect_err("no verdict").to_string(),
        "transaction 0: the new channel configuration is invalid: config currently at sequence 0, cannot validate config at sequence 0"
    );
}

#[test]
fn accepts_a_configuration_that_follows() {
    use windlass_orderer::configtx::{compute_update, propose, sign_update};

    let world = World::new();
    let mut wanted = world.config.config().clone();
    let group = wanted.channel_group.as_mut().expect("a group").groups.get_mut("Orderer").expect("a group");
    let timeout = windlass_proto::orderer::BatchTimeout { timeout: "3s".into() };
    group.values.get_mut("BatchTimeout").expect("a value").value = timeout.encode_to_vec().into();
    let update = compute_update(crate::testing::CHANNEL, world.config.config(), &wanted).expect("an update");
    let update = sign_update(&update, &[&world.orderer_admin]).expect("signed");
    let proposal = propose(&world.config, &update).expect("a new configuration");
    let mut draft = world.draft();
    draft.creator = &world.orderer;
    draft.edits.channel_header = Box::new(|header| header.r#type = HeaderType::Config as i32);
    draft.edits.envelope_payload = Box::new(move |payload| payload.data = proposal.envelope.encode_to_vec().into());
    assert_eq!(code(&world, &MemoryState::default(), draft.build()), Code::Valid);
}
