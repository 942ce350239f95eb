//! Policies of chaincodes, collections and keys.
// Fabric: ledger §4 "Per-key and collection policies"

use windlass_identity::SigningIdentity;

use super::*;

use TxValidationCode::{EndorsementPolicyFailure as Refused, Valid};

const BOTH: &str = "AND('Org1MSP.peer', 'Org2MSP.peer')";
const ONE: &str = "OR('Org1MSP.peer')";
const TWO: &str = "OR('Org2MSP.peer')";

/// What becomes of a transaction with these results and endorsers.
fn outcome(world: &World, state: &MemoryState, results: Results, endorsers: &[&SigningIdentity]) -> TxValidationCode {
    let mut draft = world.draft();
    draft.results = results.encode();
    draft.endorsers = endorsers.to_vec();
    code(world, state, draft.build())
}

#[test]
fn understands_every_form_of_policy() {
    let world = World::new();
    let (one, both): (&[_], &[_]) = (&[&world.peer1], &[&world.peer1, &world.peer2]);
    for (parameter, endorsers, expected) in [
        (policy(BOTH), both, Valid),
        (policy(BOTH), one, Refused),
        (policy(ONE), one, Valid),
        (reference("/Channel/Application/Endorsement"), both, Valid),
        (reference("/Channel/Application/Endorsement"), one, Refused),
        (reference("Endorsement"), both, Valid),
        (reference("Group1/Endorsement"), one, Valid),
        (reference("Group2/Endorsement"), one, Refused),
        (reference("/Channel/Application/Missing"), both, Refused),
        // The bare signature policy of definitions from before `_lifecycle`.
        (key_policy(ONE), one, Valid),
        (key_policy(BOTH), one, Refused),
        (Bytes::new(), both, Refused),
        (Bytes::from_static(&[0xff]), both, Refused),
    ] {
        let state = MemoryState::default().define("basic", parameter.clone());
        assert_eq!(outcome(&world, &state, Results::new().write("basic", "k"), endorsers), expected, "{parameter:?}");
    }
}

#[test]
fn takes_identities_greedily() {
    let world = World::new();
    let state = MemoryState::default().define("basic", policy("AND('Org1MSP.member', 'Org1MSP.peer')"));
    let results = || Results::new().write("basic", "k");
    // The member's rule takes the first endorser; if that is the peer, none is left for the peer's rule.
    assert_eq!(outcome(&world, &state, results(), &[&world.peer1, &world.admin1]), Refused);
    assert_eq!(outcome(&world, &state, results(), &[&world.admin1, &world.peer1]), Valid);
}

#[test]
fn asks_every_chaincode_that_is_written_for_its_policy() {
    let world = World::new();
    let state = MemoryState::default().define("basic", policy(ONE)).define("other", policy(TWO));
    let both_written = || Results::new().write("basic", "k").write("other", "k");
    let other_read = || Results::new().write("basic", "k").namespace("other", KvrwSet::default());
    for (results, endorsers, expected) in [
        (both_written(), vec![&world.peer1, &world.peer2], Valid),
        (both_written(), vec![&world.peer1], Refused),
        (both_written(), vec![&world.peer2], Refused),
        (other_read(), vec![&world.peer1], Valid),
        // The chaincode called counts even if it wrote nothing.
        (Results::new().write("other", "k"), vec![&world.peer2], Refused),
        (Results::new().guard("other", "k"), vec![&world.peer1], Refused),
        (Results::new().write_private("other", "c", b"h"), vec![&world.peer1], Refused),
    ] {
        assert_eq!(outcome(&world, &state, results, &endorsers), expected);
    }
}

#[test]
fn a_keys_own_policy_replaces_the_chaincodes() {
    let world = World::new();
    let state = MemoryState::default().guard("basic", "", b"mine", key_policy(ONE)).guard(
        "basic",
        "",
        b"broken",
        Bytes::from_static(&[0xff]),
    );
    let one = [&world.peer1];
    for (results, expected) in [
        (Results::new().write("basic", "mine"), Valid),
        (Results::new().guard("basic", "mine"), Valid),
        (Results::new().write("basic", "other"), Refused),
        (Results::new().write("basic", "broken"), Refused),
    ] {
        assert_eq!(outcome(&world, &state, results, &one), expected);
    }
    // Both keys: the chaincode's policy still counts for the other one.
    let write = |key: &str| KvWrite { key: key.into(), value: "v".into(), ..Default::default() };
    let set = || KvrwSet { writes: vec![write("mine"), write("other")], ..Default::default() };
    assert_eq!(outcome(&world, &state, Results::new().namespace("basic", set()), &one), Refused);
    let both = [&world.peer1, &world.peer2];
    assert_eq!(outcome(&world, &state, Results::new().namespace("basic", set()), &both), Valid);
    // The chaincode's policy does not help where the key's own fails.
    let state = MemoryState::default().define("basic", policy(ONE)).guard("basic", "", b"k", key_policy(TWO));
    assert_eq!(outcome(&world, &state, Results::new().write("basic", "k"), &one), Refused);
}

#[test]
fn collections_have_policies_of_their_own() {
    let world = World::new();
    let state = MemoryState::default()
        .collect("basic", "own", policy(ONE))
        .collect("basic", "plain", policy(BOTH))
        .guard("basic", "plain", b"guarded", key_policy(TWO));
    for (results, endorser, expected) in [
        (Results::new().write_private("basic", "own", b"h"), &world.peer1, Valid),
        (Results::new().guard_private("basic", "own", b"h"), &world.peer1, Valid),
        (Results::new().write_private("basic", "own", b"h"), &world.peer2, Refused),
        (Results::new().write_private("basic", "plain", b"h"), &world.peer1, Refused),
        (Results::new().write_private("basic", "plain", b"guarded"), &world.peer2, Valid),
        (Results::new().write_private("basic", "plain", b"guarded"), &world.peer1, Refused),
        (Results::new().write_private("basic", "nowhere", b"h"), &world.peer1, Refused),
    ] {
        assert_eq!(outcome(&world, &state, results, &[endorser]), expected);
    }
}

/// What becomes of transactions with these results, in one block, all endorsed by the first organization.
fn outcomes(world: &World, state: &MemoryState, results: Vec<Results>) -> Vec<TxValidationCode> {
    let entries = results.into_iter().enumerate().map(|(index, results)| {
        let mut draft = world.draft();
        draft.nonce = index.to_string().into();
        draft.results = results.encode();
        draft.endorsers = vec![&world.peer1];
        draft.build()
    });
    judge(world, state, entries.collect()).expect("verdicts")
}

#[test]
fn a_key_whose_policy_changes_cannot_be_written_later_in_the_block() {
    let world = World::new();
    let state = || MemoryState::default().define("basic", policy(ONE)).define("other", policy(ONE));
    let codes = outcomes(
        &world,
        &state(),
        vec![
            Results::new().write("basic", "k"),
            Results::new().guard("basic", "k"),
            Results::new().write("basic", "k"),
            Results::new().guard("basic", "k"),
            Results::new().write("basic", "l"),
            Results::new().write("other", "k"),
        ],
    );
    assert_eq!(codes, [Valid, Valid, Refused, Refused, Valid, Valid]);

    let state = state().collect("basic", "c", policy(ONE)).collect("basic", "d", policy(ONE));
    let codes = outcomes(
        &world,
        &state,
        vec![
            Results::new().guard_private("basic", "c", b"h"),
            Results::new().write_private("basic", "c", b"h"),
            Results::new().write_private("basic", "d", b"h"),
            Results::new().write("basic", "h"),
        ],
    );
    assert_eq!(codes, [Valid, Refused, Valid, Valid]);
}

#[test]
fn an_invalid_transaction_changes_no_policy() {
    let world = World::new();
    let state = MemoryState::default().define("basic", policy(ONE)).guard("basic", "", b"k", key_policy(TWO));
    let codes = outcomes(
        &world,
        &state,
        vec![
            // Refused, for the key is the second organization's.
            Results::new().guard("basic", "k"),
            Results::new().guard("basic", "l"),
            Results::new().write("basic", "l"),
            // Refused because of the transaction before, so that it does not touch this key.
            Results::new().namespace(
                "basic",
                KvrwSet {
                    writes: vec![KvWrite { key: "l".into(), value: "v".into(), ..Default::default() }],
                    metadata_writes: vec![KvMetadataWrite { key: "m".into(), entries: vec![entry()] }],
                    ..Default::default()
                },
            ),
            Results::new().write("basic", "m"),
        ],
    );
    assert_eq!(codes, [Refused, Valid, Refused, Refused, Valid]);
}
