//! `qscc` and `cscc`, the chaincode inside the peer.
// Fabric: endorsement-and-gateway §6

use prost::Message;
use windlass_proto::{
    common::{Block, BlockchainInfo, Config},
    hash::block_header_hash,
    protos::{ChannelQueryResponse, ProcessedTransaction},
};

use crate::support::{chain, client::Client, place::Place};

#[tokio::test(flavor = "multi_thread")]
async fn answers_questions_about_the_ledger() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;
    let put = client.submit("basic", &["Put", "k", "v"]).await.expect("a transaction");
    let blocks = chain::of_peer(&client).await;
    let last = blocks.last().expect("a block").header.as_ref().expect("a header");
    let hash = block_header_hash(last);

    let info = client.query("qscc", &["GetChainInfo", "mychannel"]).await.expect("an answer");
    let info = BlockchainInfo::decode(info).expect("chain info");
    assert_eq!(info.height, blocks.len() as u64);
    assert_eq!((&info.current_block_hash[..], &info.previous_block_hash), (&hash[..], &last.previous_hash));

    let number = put.block.to_string();
    let newest = u64::MAX.to_string();
    let queries: [&[&[u8]]; 4] = [
        &[b"GetBlockByNumber", b"mychannel", number.as_bytes()],
        &[b"GetBlockByNumber", b"mychannel", newest.as_bytes()],
        &[b"GetBlockByHash", b"mychannel", &hash],
        &[b"GetBlockByTxID", b"mychannel", put.id.as_bytes()],
    ];
    for query in queries {
        let block = client.query("qscc", query).await.expect("a block");
        assert_eq!(Block::decode(block).expect("a block"), blocks[put.block as usize]);
    }
    let transaction = client.query("qscc", &["GetTransactionByID", "mychannel", &put.id]).await.expect("a transaction");
    let transaction = ProcessedTransaction::decode(transaction).expect("a transaction");
    assert_eq!(transaction.validation_code, 0);
    let data = &blocks[put.block as usize].data.as_ref().expect("data").data;
    assert_eq!(transaction.transaction_envelope.expect("an envelope").encode_to_vec(), data[0]);
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_questions_about_channels() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;
    let channels = client.query("cscc", &["GetChannels"]).await.expect("an answer");
    let channels = ChannelQueryResponse::decode(channels).expect("channels").channels;
    assert_eq!(channels.iter().map(|channel| channel.channel_id.as_str()).collect::<Vec<_>>(), ["mychannel"]);
    let block = client.query("cscc", &["GetConfigBlock", "mychannel"]).await.expect("a block");
    assert_eq!(Block::decode(block).expect("a block"), chain::of_peer(&client).await[0]);
    let config = client.query("cscc", &["GetChannelConfig", "mychannel"]).await.expect("a configuration");
    let groups = Config::decode(config).expect("a configuration").channel_group.expect("a group").groups;
    assert_eq!(groups.keys().collect::<Vec<_>>(), ["Application", "Orderer"]);
    windlass.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_questions_in_fabrics_words() {
    let place = Place::new();
    let windlass = place.dev().start();
    let client = Client::user(&windlass.ready).await;
    for (chaincode, args, text) in [
        ("qscc", &["GetChainInfo", "nochannel"][..], "Invalid chain ID, nochannel"),
        ("qscc", &["GetBlockByNumber", "mychannel"], "missing 3rd argument for GetBlockByNumber"),
        (
            "qscc",
            &["GetBlockByNumber", "mychannel", "99"],
            "Failed to get block number 99, error no such block number [99] in index",
        ),
        (
            "qscc",
            &["GetTransactionByID", "mychannel", "abc"],
            "Failed to get transaction with id abc, error no such transaction ID [abc] in index",
        ),
        (
            "qscc",
            &["GetBlockByTxID", "mychannel", "abc"],
            "Failed to get block for txID abc, error no such transaction ID [abc] in index",
        ),
        ("qscc", &["Nope", "mychannel", "x"], "access denied for [Nope][mychannel]: [Unmapped policy for qscc/Nope]"),
        (
            "cscc",
            &["GetConfigBlock", "nochannel"],
            "access denied for [GetConfigBlock][nochannel]: Failed to get policy manager for channel [nochannel]",
        ),
        (
            "cscc",
            &["GetChannelConfig", "nochannel"],
            "access denied for [GetChannelConfig][nochannel]: Failed to get policy manager for channel [nochannel]",
        ),
        ("cscc", &["GetChannelConfig", ""], "empty channel name provided"),
        ("cscc", &["Nope"], "Incorrect number of arguments, 1"),
        ("cscc", &["Nope", "x"], "Requested function Nope not found."),
    ] {
        assert_eq!(client.error(chaincode, args).await, text, "{args:?}");
    }
    windlass.stop();
}
