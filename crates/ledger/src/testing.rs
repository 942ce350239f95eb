//! What the tests of this crate share: envelopes, a chain to extend, results to put into it.

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;
use tempfile::TempDir;
use windlass_proto::{
    common::{
        Block, BlockData, BlockHeader, BlockMetadata, ChannelHeader, Config, ConfigEnvelope, Envelope, Header,
        HeaderType, Payload,
    },
    hash::{block_data_hash, block_header_hash},
    protos::{
        ChaincodeAction, ChaincodeActionPayload, ChaincodeEndorsedAction, ProposalResponsePayload, Transaction,
        TransactionAction, TxValidationCode,
    },
};

use crate::{Committed, Ledger, LedgerError, LedgerOptions, Simulator, StoreKind};

pub(crate) const CHANNEL: &str = "ch";

/// An envelope of any kind on [`CHANNEL`].
pub(crate) fn envelope(kind: HeaderType, tx_id: &str, data: Bytes) -> Bytes {
    let channel_header = ChannelHeader {
        r#type: kind as i32,
        channel_id: CHANNEL.into(),
        tx_id: tx_id.into(),
        timestamp: Some(timestamp(tx_id)),
        ..Default::default()
    };
    let header = Header { channel_header: channel_header.encode_to_vec().into(), ..Default::default() };
    let payload = Payload { header: Some(header), data };
    Envelope { payload: payload.encode_to_vec().into(), signature: "signed".into() }.encode_to_vec().into()
}

/// The client's time of a transaction: made up from its ID.
pub(crate) fn timestamp(tx_id: &str) -> Timestamp {
    Timestamp {
        seconds: 1_700_000_000 + tx_id.len() as i64,
        nanos: i32::from(tx_id.as_bytes().first().map_or(0, |b| *b)),
    }
}

/// An endorser transaction with these results.
pub(crate) fn endorsed(tx_id: &str, results: Bytes) -> Bytes {
    let action = ChaincodeAction { results, ..Default::default() };
    let response = ProposalResponsePayload { extension: action.encode_to_vec().into(), ..Default::default() };
    let endorsed =
        ChaincodeEndorsedAction { proposal_response_payload: response.encode_to_vec().into(), ..Default::default() };
    let payload = ChaincodeActionPayload { action: Some(endorsed), ..Default::default() };
    let action = TransactionAction { payload: payload.encode_to_vec().into(), ..Default::default() };
    envelope(HeaderType::EndorserTransaction, tx_id, Transaction { actions: vec![action] }.encode_to_vec().into())
}

/// A channel configuration with a sequence number.
pub(crate) fn config(sequence: u64) -> Bytes {
    let config = Config { sequence, ..Default::default() };
    let config = ConfigEnvelope { config: Some(config), ..Default::default() };
    envelope(HeaderType::Config, "", config.encode_to_vec().into())
}

/// A block over these entries.
pub(crate) fn block(number: u64, previous_hash: Bytes, entries: Vec<Bytes>) -> Block {
    let data = BlockData { data: entries };
    let data_hash = Bytes::copy_from_slice(&block_data_hash(&data));
    Block {
        header: Some(BlockHeader { number, previous_hash, data_hash }),
        data: Some(data),
        metadata: Some(BlockMetadata { metadata: vec![Bytes::new(); 5] }),
    }
}

pub(crate) fn genesis() -> Block {
    block(0, Bytes::new(), vec![config(0)])
}

pub(crate) fn header_hash(block: &Block) -> Bytes {
    Bytes::copy_from_slice(&block_header_hash(block.header.as_ref().expect("a header")))
}

/// Both kinds of store.
pub(crate) fn options() -> [LedgerOptions; 2] {
    let fjall = StoreKind::Fjall { cache: 4 << 20 };
    [fjall, StoreKind::Memory].map(|store| LedgerOptions { store, history: true })
}

/// A ledger in a temporary folder.
pub(crate) struct Chain {
    pub(crate) ledger: Ledger,
    pub(crate) folder: TempDir,
    pub(crate) options: LedgerOptions,
}

impl Chain {
    /// A fresh ledger in memory, apart from its blocks.
    pub(crate) fn new() -> Self {
        let [_, memory] = options();
        Self::with(memory)
    }

    pub(crate) fn with(options: LedgerOptions) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::create(folder.path(), &genesis(), options.clone()).expect("a ledger");
        Self { ledger, folder, options }
    }

    /// Closes the ledger, lets `between` at the folder, and opens it again.
    pub(crate) fn reopen(self, between: impl FnOnce(&std::path::Path)) -> Self {
        let Self { ledger, folder, options } = self;
        drop(ledger);
        between(folder.path());
        let ledger = Ledger::open(folder.path(), CHANNEL, options.clone()).expect("a ledger");
        Self { ledger, folder, options }
    }

    /// The next block over these entries.
    pub(crate) fn next(&self, entries: Vec<Bytes>) -> Block {
        let info = self.ledger.info();
        block(info.height, info.current_block_hash, entries)
    }

    /// Commits entries that passed all earlier checks.
    pub(crate) fn commit(&self, entries: Vec<Bytes>) -> Committed {
        let codes = vec![TxValidationCode::Valid; entries.len()];
        self.ledger.commit(self.next(entries), codes).expect("a committed block")
    }

    /// The results of a simulation as an entry; keeps its private writes.
    pub(crate) fn endorse(&self, tx_id: &str, simulate: impl FnOnce(&Simulator) -> Result<(), LedgerError>) -> Bytes {
        let simulator = self.ledger.simulator(tx_id).expect("a simulator");
        simulate(&simulator).expect("a simulation");
        let results = simulator.results().expect("results");
        if let Some(private) = &results.private {
            self.ledger.keep_private(tx_id, private).expect("kept private data");
        }
        endorsed(tx_id, results.public)
    }

    /// Endorses and commits one transaction.
    pub(crate) fn run(
        &self,
        tx_id: &str,
        simulate: impl FnOnce(&Simulator) -> Result<(), LedgerError>,
    ) -> TxValidationCode {
        let entry = self.endorse(tx_id, simulate);
        self.commit(vec![entry]).codes[0]
    }
}

/// A value.
pub(crate) fn value(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
