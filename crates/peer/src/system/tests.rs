use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use windlass_chaincode::{
    system::{SystemCall, SystemChaincode},
    transaction::Transaction,
};
use windlass_identity::SigningIdentity;
use windlass_ledger::LedgerError;
use windlass_proto::{
    common::{Block, BlockchainInfo, Config},
    hash::block_header_hash,
    protos::{ChannelQueryResponse, JoinBySnapshotStatus, ProcessedTransaction, Response, TxValidationCode},
    txid::transaction_id,
};

use super::{Cscc, Qscc};
use crate::{
    channel::JoinError,
    testing::{CHANNEL, Joined, World, block_of, signed_proposal},
};

/// A call with these arguments, from chaincode `caller` if any.
fn call(chaincode: &str, signer: &SigningIdentity, caller: Option<&str>, args: &[&[u8]]) -> SystemCall {
    let transaction = Transaction {
        channel: String::new(),
        tx_id: "tx".into(),
        proposal: Some(Arc::new(signed_proposal(signer, "", chaincode))),
        called: caller.unwrap_or(chaincode).to_owned(),
        simulation: None,
    };
    let args = args.iter().map(|arg| Bytes::copy_from_slice(arg)).collect();
    SystemCall { transaction: Arc::new(transaction), args, caller: caller.map(str::to_owned) }
}

fn qscc(joined: &Joined) -> Qscc {
    Qscc::new(joined.channels.clone(), joined.acl.clone())
}

/// A peer with one valid transaction, and its ID.
fn peer(world: &World) -> (Joined, String) {
    let joined = world.joined(vec![(world.draft().build(), TxValidationCode::Valid)]);
    (joined, transaction_id(b"nonce", world.user1.serialized()))
}

fn payload<M: Message + Default>(response: Response) -> M {
    assert_eq!((response.status, response.message.as_str()), (200, ""));
    M::decode(response.payload).expect("the message expected")
}

#[tokio::test]
async fn qscc_finds_blocks_and_transactions() {
    let world = World::new();
    let (joined, tx_id) = peer(&world);
    let qscc = qscc(&joined);
    assert_eq!(qscc.name(), "qscc");
    let ask = async |function: &str, argument: &[u8]| {
        qscc.invoke(call("qscc", &world.user1, None, &[function.as_bytes(), CHANNEL.as_bytes(), argument])).await
    };
    let last = &joined.blocks[1];
    let hash = block_header_hash(last.header.as_ref().expect("a header"));
    let info: BlockchainInfo =
        payload(qscc.invoke(call("qscc", &world.user1, None, &[b"GetChainInfo", CHANNEL.as_bytes()])).await);
    assert_eq!((info.height, info.current_block_hash.as_ref()), (2, &hash[..]));
    assert_eq!(payload::<Block>(ask("GetBlockByNumber", b"0").await), joined.blocks[0]);
    assert_eq!(payload::<Block>(ask("GetBlockByNumber", b"18446744073709551615").await), *last);
    assert_eq!(payload::<Block>(ask("GetBlockByHash", &hash).await), *last);
    assert_eq!(payload::<Block>(ask("GetBlockByTxID", tx_id.as_bytes()).await), *last);
    let found: ProcessedTransaction = payload(ask("GetTransactionByID", tx_id.as_bytes()).await);
    assert_eq!(found.validation_code, 0);
    let envelope = found.transaction_envelope.expect("an envelope").encode_to_vec();
    assert_eq!(envelope, last.data.as_ref().expect("data").data[0]);
    let filter = &last.metadata.as_ref().expect("metadata").metadata[2];
    assert_eq!(filter.as_ref(), [TxValidationCode::Valid as u8]);
}

#[tokio::test]
async fn qscc_refuses_in_fabrics_words() {
    let world = World::new();
    let (joined, _) = peer(&world);
    let qscc = qscc(&joined);
    for (args, text) in [
        (vec![], "Incorrect number of arguments, 0"),
        (vec!["GetChainInfo"], "Incorrect number of arguments, 1"),
        (vec!["GetChainInfo", "other"], "Invalid chain ID, other"),
        (vec!["GetBlockByNumber", "ch"], "missing 3rd argument for GetBlockByNumber"),
        (vec!["Nope", "ch", "x"], "access denied for [Nope][ch]: [Unmapped policy for qscc/Nope]"),
        (vec!["GetBlockByNumber", "ch", "7"], "Failed to get block number 7, error no such block number [7] in index"),
        (
            vec!["GetBlockByNumber", "ch", "x1"],
            "Failed to parse block number with error strconv.ParseUint: parsing \"x1\": invalid syntax",
        ),
        (
            vec!["GetBlockByNumber", "ch", "18446744073709551616"],
            "Failed to parse block number with error strconv.ParseUint: parsing \"18446744073709551616\": value out of range",
        ),
        (vec!["GetBlockByHash", "ch", "ab"], "Failed to get block hash ab, error no such block hash [6162] in index"),
        (
            vec!["GetTransactionByID", "ch", "x"],
            "Failed to get transaction with id x, error no such transaction ID [x] in index",
        ),
        (
            vec!["GetBlockByTxID", "ch", "x"],
            "Failed to get block for txID x, error no such transaction ID [x] in index",
        ),
    ] {
        let args: Vec<_> = args.into_iter().map(str::as_bytes).collect();
        let response = qscc.invoke(call("qscc", &world.user1, None, &args)).await;
        assert_eq!((response.status, response.message.as_str()), (500, text));
    }
    let response = qscc.invoke(call("qscc", &world.user1, Some("basic"), &[b"GetChainInfo", b"ch"])).await;
    assert_eq!(
        response.message,
        "Rejecting invoke of QSCC from another chaincode because of potential for deadlocks, original invocation for 'basic'"
    );
    let response = qscc.invoke(call("qscc", &world.stranger, None, &[b"GetChainInfo", b"ch"])).await;
    assert!(
        response.message.starts_with(
            "access denied for [GetChainInfo][ch]: [Failed evaluating policy on signed data during check policy on channel [ch] with policy [/Channel/Application/Readers]: [implicit policy evaluation failed - 0 "
        ),
        "{}",
        response.message
    );
}

/// A `cscc` whose joining is recorded, and ends like this.
fn cscc(joined: &Joined, outcome: fn() -> Result<(), JoinError>) -> (Cscc, Arc<Mutex<Vec<Block>>>) {
    let blocks = Arc::new(Mutex::new(Vec::new()));
    let seen = blocks.clone();
    let join = move |block: &Block| {
        seen.lock().push(block.clone());
        outcome()
    };
    (Cscc::new(joined.channels.clone(), joined.acl.clone(), Arc::new(join)), blocks)
}

#[tokio::test]
async fn cscc_tells_channels_and_their_configuration() {
    let world = World::new();
    let (joined, _) = peer(&world);
    let (cscc, _) = cscc(&joined, || Ok(()));
    assert_eq!(cscc.name(), "cscc");
    let ask = async |args: &[&[u8]]| cscc.invoke(call("cscc", &world.user1, None, args)).await;
    let channels: ChannelQueryResponse = payload(ask(&[b"GetChannels"]).await);
    assert_eq!(channels.channels.iter().map(|info| info.channel_id.as_str()).collect::<Vec<_>>(), [CHANNEL]);
    assert_eq!(payload::<Block>(ask(&[b"GetConfigBlock", b"ch"]).await), joined.blocks[0]);
    assert_eq!(payload::<Config>(ask(&[b"GetChannelConfig", b"ch"]).await), *world.config.config());
    let status = cscc.invoke(call("cscc", &world.admin1, None, &[b"JoinBySnapshotStatus"])).await;
    assert_eq!(payload::<JoinBySnapshotStatus>(status), JoinBySnapshotStatus::default());
}

#[tokio::test]
async fn cscc_joins_a_channel_for_an_admin() {
    let world = World::new();
    let (joined, _) = peer(&world);
    let genesis = world.genesis.encode_to_vec();
    let (joining, blocks) = cscc(&joined, || Ok(()));
    let response = joining.invoke(call("cscc", &world.admin1, None, &[b"JoinChain", &genesis])).await;
    assert_eq!((response.status, response.payload.len()), (200, 0), "{}", response.message);
    assert_eq!(*blocks.lock(), std::slice::from_ref(&world.genesis));

    let (again, _) = cscc(&joined, || Err(LedgerError::AlreadyExists("ch".into()).into()));
    let response = again.invoke(call("cscc", &world.admin1, None, &[b"JoinChain", &genesis])).await;
    assert_eq!(
        response.message,
        "cannot create ledger from genesis block: ledger [ch] already exists with state [ACTIVE]"
    );

    let response = joining.invoke(call("cscc", &world.user1, None, &[b"JoinChain", &genesis])).await;
    assert_eq!(
        response.message,
        "access denied for [JoinChain][ch]: [Failed verifying that proposal's creator satisfies local MSP principal during channelless check policy with policy [Admins]: [The identity is not an admin under this MSP [Org1MSP]: The identity does not contain OU [ADMIN], MSP: [Org1MSP]]]"
    );
    assert_eq!(blocks.lock().len(), 1, "a refused call joins nothing");
}

#[tokio::test]
async fn cscc_refuses_in_fabrics_words() {
    let world = World::new();
    let (joined, _) = peer(&world);
    let (cscc, blocks) = cscc(&joined, || Ok(()));
    let not_a_config = block_of(None, vec![world.draft().build()]).encode_to_vec();
    let empty = block_of(None, Vec::new()).encode_to_vec();
    for (args, text) in [
        (vec![], "Incorrect number of arguments, 0"),
        (vec![&b"JoinChain"[..]], "Incorrect number of arguments, 1"),
        (vec![b"Nope"], "Incorrect number of arguments, 1"),
        (vec![b"Nope", b"x"], "Requested function Nope not found."),
        (vec![b"JoinChain", b""], "Cannot join the channel <nil> configuration block provided"),
        (vec![b"JoinChain", b"\xff"], "Failed to reconstruct the genesis block, "),
        (
            vec![b"JoinChain", &empty],
            "\"JoinChain\" request failed to extract channel id from the block due to [failed to retrieve channel id - block is empty]",
        ),
        (
            vec![b"JoinChain", &not_a_config],
            "\"JoinChain\" for channelID = ch failed because of validation of configuration block, because of Bad configuration envelope: ",
        ),
        (vec![b"JoinChainBySnapshot", b""], "Cannot join the channel, no snapshot directory provided"),
        (vec![b"GetConfigBlock", b""], "ChannelID must not be nil."),
        (
            vec![b"GetConfigBlock", b"other"],
            "access denied for [GetConfigBlock][other]: Failed to get policy manager for channel [other]",
        ),
        (vec![b"GetChannelConfig", b""], "empty channel name provided"),
        (
            vec![b"GetChannelConfig", b"other"],
            "access denied for [GetChannelConfig][other]: Failed to get policy manager for channel [other]",
        ),
    ] {
        let response = cscc.invoke(call("cscc", &world.admin1, None, &args)).await;
        assert_eq!(response.status, 500);
        // What protobuf says at the end is its own matter.
        assert!(response.message.starts_with(text), "{} is not {text}", response.message);
    }
    let response = cscc.invoke(call("cscc", &world.admin1, Some("basic"), &[b"GetChannels"])).await;
    assert_eq!(response.message, "Rejecting invoke of CSCC from another chaincode, original invocation for 'basic'");
    for (args, prefix) in [
        (vec![&b"GetConfigBlock"[..], b"ch"], "access denied for [GetConfigBlock][ch]: Failed evaluating policy on "),
        (vec![b"GetChannelConfig", b"ch"], "access denied for [GetChannelConfig][ch]: Failed evaluating policy on "),
        (vec![b"GetChannels"], "access denied for [GetChannels]: "),
        (vec![b"JoinBySnapshotStatus"], "access denied for [JoinBySnapshotStatus]: "),
        (vec![b"JoinChainBySnapshot", b"/x"], "access denied for [JoinChainBySnapshot]: ["),
    ] {
        let response = cscc.invoke(call("cscc", &world.stranger, None, &args)).await;
        assert!(response.message.starts_with(prefix), "{}", response.message);
    }
    assert!(blocks.lock().is_empty());
}
