//! What has to be known of a channel to judge a transaction, as of the block before.

use bytes::Bytes;
use windlass_chaincode::lifecycle::{Lifecycle, ValidationInfo};
use windlass_identity::ChannelConfig;
use windlass_ledger::{Ledger, Query, Record, Simulator};

use crate::simulation::LedgerSimulation;

/// The name of a key's metadata entry that is its policy.
// Fabric: ledger §4
const KEY_POLICY: &str = "VALIDATION_PARAMETER";

/// The committed state of a channel. Errors are infrastructure's: nothing follows from them.
pub(super) trait ChannelState: Sync {
    /// Whether a block holds the transaction.
    fn has_transaction(&self, tx_id: &str) -> Result<bool, String>;

    /// The own policy of a key, a serialized signature policy.
    fn key_policy(&self, namespace: &str, key: &str) -> Result<Option<Bytes>, String>;

    /// The own policy of a private key, by the key's hash.
    fn private_key_policy(&self, namespace: &str, collection: &str, key_hash: &[u8]) -> Result<Option<Bytes>, String>;

    /// How a chaincode is validated, if it is defined.
    fn validation_info(&self, chaincode: &str) -> Result<Option<ValidationInfo>, String>;

    /// The serialized application policy for writes to a collection.
    fn collection_policy(&self, chaincode: &str, collection: &str) -> Result<Bytes, NoCollection>;
}

/// Why there is no policy for a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoCollection {
    /// There is no such collection: who writes it is at fault.
    Undefined(String),
    /// It cannot be looked up.
    Unreadable(String),
}

/// The state on a ledger, and what `_lifecycle` makes of it.
pub(super) struct LedgerState<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) committed: Query,
    pub(super) simulation: Simulator,
    pub(super) config: &'a ChannelConfig,
    pub(super) lifecycle: &'a Lifecycle,
}

impl LedgerState<'_> {
    fn simulation(&self) -> LedgerSimulation {
        LedgerSimulation(self.simulation.clone())
    }
}

impl ChannelState for LedgerState<'_> {
    fn has_transaction(&self, tx_id: &str) -> Result<bool, String> {
        self.ledger.has_transaction(tx_id).map_err(|error| error.to_string())
    }

    fn key_policy(&self, namespace: &str, key: &str) -> Result<Option<Bytes>, String> {
        let record = self.committed.record(namespace, key).map_err(|error| error.to_string())?;
        Ok(policy_of(record))
    }

    fn private_key_policy(&self, namespace: &str, collection: &str, key_hash: &[u8]) -> Result<Option<Bytes>, String> {
        let record =
            self.committed.hashed_record(namespace, collection, key_hash).map_err(|error| error.to_string())?;
        Ok(policy_of(record))
    }

    fn validation_info(&self, chaincode: &str) -> Result<Option<ValidationInfo>, String> {
        let found = self.lifecycle.validation_info(self.config, chaincode, &self.simulation());
        found.map_err(|error| error.to_string())
    }

    fn collection_policy(&self, chaincode: &str, collection: &str) -> Result<Bytes, NoCollection> {
        self.lifecycle.collection_policy(self.config, chaincode, collection, &self.simulation()).map_err(|error| {
            let reason = error.to_string();
            if error.is_invalid_transaction() {
                NoCollection::Undefined(reason)
            } else {
                NoCollection::Unreadable(reason)
            }
        })
    }
}

/// An empty policy is none.
fn policy_of(record: Option<Record>) -> Option<Bytes> {
    record?.metadata.remove(KEY_POLICY).filter(|policy| !policy.is_empty())
}
