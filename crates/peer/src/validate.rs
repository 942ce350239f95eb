//! What becomes of a block's transactions, as far as signatures and policies decide it. What they read is
//! compared with the ledger later, at commit.
//!
//! [`validate_block`] judges all transactions beside each other and then, in their order, what they do to
//! one another:
//!
//! - `message`: is it a well-formed transaction, signed by its creator?
//! - `dispatch`: whose transaction is it, and which chaincodes does it write?
//! - `endorsement`: do the right organizations endorse what it writes?
//! - `policy`: application policies, compiled once a block
//! - `state`: what has to be known of the channel
//! - [`check_block_form`]: may the block be looked at all?
//!
//! The rules are those of channels with the application capability V2_0 or later.
// Fabric: ledger §4

mod dispatch;
mod endorsement;
mod form;
mod message;
mod policy;
mod state;

use std::{
    collections::HashSet,
    num::NonZero,
    panic::resume_unwind,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use bytes::Bytes;
use prost::Message;
use windlass_chaincode::lifecycle::Lifecycle;
use windlass_identity::ChannelConfig;
use windlass_ledger::rwset::TransactionWrites;
use windlass_orderer::configtx;
use windlass_proto::{
    common::{Block, ConfigEnvelope},
    protos::TxValidationCode,
};

pub use form::{FormError, check_block_form};

use crate::channel::Channel;
use dispatch::Dispatched;
use message::{Body, Opened};
use policy::Policies;
use state::{ChannelState, LedgerState};

/// What a block is judged by: the channel as of the block before it.
#[derive(Debug)]
pub struct Context<'a> {
    channel: &'a Channel,
    config: &'a ChannelConfig,
    lifecycle: &'a Lifecycle,
}

impl<'a> Context<'a> {
    /// Judges blocks of `channel` by `config`.
    pub fn new(channel: &'a Channel, config: &'a ChannelConfig, lifecycle: &'a Lifecycle) -> Self {
        Self { channel, config, lifecycle }
    }
}

/// Why a block could not be judged. The channel must stop: a verdict made up here would differ from that of
/// the other peers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidationError {
    /// The ledger, or what it says of a chaincode, cannot be read.
    #[error("transaction {transaction}: cannot read {what}: {reason}")]
    State {
        /// The transaction's index in the block.
        transaction: usize,
        /// What was looked up.
        what: String,
        /// Why it failed.
        reason: String,
    },
    /// A chaincode is validated by a plugin that is not here.
    #[error(
        "transaction {transaction}: chaincode {chaincode} is validated by plugin {plugin}, which does not exist here"
    )]
    UnknownPlugin {
        /// The transaction's index in the block.
        transaction: usize,
        /// The chaincode.
        chaincode: String,
        /// The plugin that its definition names.
        plugin: String,
    },
    /// The ordering service has accepted a configuration that does not follow from the current one.
    #[error("transaction {transaction}: the new channel configuration is invalid: {reason}")]
    Config {
        /// The transaction's index in the block.
        transaction: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Judges every transaction of `block`: one code each, in their order. Uses all processors; to be called
/// where blocking is allowed.
///
/// # Errors
/// When a transaction cannot be judged: of several such the first one's.
pub fn validate_block(context: &Context<'_>, block: &Block) -> Result<Vec<TxValidationCode>, ValidationError> {
    let ledger = context.channel.ledger();
    let unreadable = |error: windlass_ledger::LedgerError| ValidationError::State {
        transaction: 0,
        what: "the ledger".to_owned(),
        reason: error.to_string(),
    };
    let state = LedgerState {
        ledger,
        committed: ledger.query().map_err(unreadable)?,
        simulation: ledger.simulator("").map_err(unreadable)?,
        config: context.config,
        lifecycle: context.lifecycle,
    };
    judge_block(context.config, &state, block)
}

/// What one transaction deserves, and what others need to know of it.
#[derive(Clone, Debug)]
struct Verdict {
    code: TxValidationCode,
    /// Of endorser transactions only: no two may share one.
    tx_id: Option<String>,
    written: Option<Written>,
}

/// What a transaction writes.
#[derive(Clone, Debug)]
struct Written {
    writes: TransactionWrites,
    /// The namespaces whose endorsement was checked, in this order…
    namespaces: Vec<String>,
    /// …and how many of them passed.
    passed: usize,
}

/// Why a transaction gets no further.
#[derive(Clone, Debug, PartialEq)]
enum Fault {
    /// It is invalid; the reason is for the log.
    Invalid(TxValidationCode, String),
    /// Nothing can be said about it.
    Halt(Halt),
}

/// A [`ValidationError`] before it is known of which transaction.
#[derive(Clone, Debug, PartialEq)]
enum Halt {
    State { what: String, reason: String },
    UnknownPlugin { chaincode: String, plugin: String },
    Config(String),
}

impl Halt {
    fn of(self, transaction: usize) -> ValidationError {
        match self {
            Self::State { what, reason } => ValidationError::State { transaction, what, reason },
            Self::UnknownPlugin { chaincode, plugin } => {
                ValidationError::UnknownPlugin { transaction, chaincode, plugin }
            }
            Self::Config(reason) => ValidationError::Config { transaction, reason },
        }
    }
}

fn invalid<T>(code: TxValidationCode, reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Invalid(code, reason.into()))
}

/// Everything that judging one transaction needs.
struct Judge<'a, S> {
    config: &'a ChannelConfig,
    state: &'a S,
    policies: Policies<'a, S>,
}

fn judge_block<S: ChannelState>(
    config: &ChannelConfig,
    state: &S,
    block: &Block,
) -> Result<Vec<TxValidationCode>, ValidationError> {
    let entries = block.data.as_ref().map(|data| data.data.as_slice()).unwrap_or_default();
    let judge = Judge { config, state, policies: Policies::new(config, state) };
    let mut verdicts = judge.all(entries)?;
    fail_writes_to_changed_keys(&mut verdicts);
    fail_repeated_ids(&mut verdicts);
    Ok(verdicts.into_iter().map(|verdict| verdict.code).collect())
}

impl<S: ChannelState> Judge<'_, S> {
    /// Judges the transactions beside each other.
    fn all(&self, entries: &[Bytes]) -> Result<Vec<Verdict>, ValidationError> {
        let workers = thread::available_parallelism().map_or(1, NonZero::get).min(entries.len());
        if workers <= 1 {
            return entries.iter().enumerate().map(|(index, entry)| self.one(index, entry)).collect();
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::with_capacity(entries.len() / workers + 1);
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(entry) = entries.get(index) else { return done };
                done.push((index, self.one(index, entry)));
            }
        };
        let mut done: Vec<_> = thread::scope(|scope| {
            let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for other in others {
                done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            done
        });
        // Whoever was faster must not decide which error is reported.
        done.sort_unstable_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, verdict)| verdict).collect()
    }

    fn one(&self, index: usize, entry: &Bytes) -> Result<Verdict, ValidationError> {
        let mut verdict = Verdict { code: TxValidationCode::Valid, tx_id: None, written: None };
        match self.judge(entry, &mut verdict) {
            Ok(()) => Ok(verdict),
            Err(Fault::Invalid(code, reason)) => {
                let code_name = code.as_str_name();
                let channel = self.config.channel_id();
                tracing::warn!(
                    channel,
                    index,
                    tx_id = verdict.tx_id,
                    code = code_name,
                    reason,
                    "a transaction is invalid"
                );
                verdict.code = code;
                Ok(verdict)
            }
            Err(Fault::Halt(halt)) => Err(halt.of(index)),
        }
    }

    fn judge(&self, entry: &Bytes, verdict: &mut Verdict) -> Result<(), Fault> {
        let Opened { channel_header, body } = message::open(entry, self.config)?;
        if channel_header.channel_id != self.config.channel_id() {
            let reason = format!("it is for channel {}", channel_header.channel_id);
            return invalid(TxValidationCode::TargetChainNotFound, reason);
        }
        let action = match body {
            Body::Config(data) => return self.judge_config(data),
            Body::Endorsed(action) => action,
        };
        verdict.tx_id = Some(channel_header.tx_id.clone());
        let known = self.state.has_transaction(&channel_header.tx_id);
        if known.map_err(|reason| self.unreadable("the index of transactions", reason))? {
            return invalid(TxValidationCode::DuplicateTxid, "its ID is on the ledger already");
        }
        let dispatched = dispatch::dispatch(&channel_header, &action)?;
        let Dispatched { namespaces, writes } = dispatched;
        let mut passed = 0;
        let outcome = endorsement::check(self, &action, &namespaces, &writes, &mut passed);
        verdict.written = Some(Written { writes, namespaces, passed });
        outcome
    }

    /// A configuration that the ordering service let through must follow from the current one.
    fn judge_config(&self, data: Bytes) -> Result<(), Fault> {
        let refused = |reason: String| Fault::Halt(Halt::Config(reason));
        let envelope = ConfigEnvelope::decode(data).map_err(|error| refused(error.to_string()))?;
        configtx::validate(self.config, &envelope).map(drop).map_err(|error| refused(error.to_string()))
    }

    fn unreadable(&self, what: impl Into<String>, reason: String) -> Fault {
        Fault::Halt(Halt::State { what: what.into(), reason })
    }
}

/// A key, public or by its hash in a collection.
type Key<'a> = (&'a str, &'a str, &'a [u8]);

/// A transaction that writes a key whose policy an earlier valid transaction of the block has changed was
/// endorsed under a policy that no longer holds.
// Fabric: ledger §4 "Per-key and collection policies"
fn fail_writes_to_changed_keys(verdicts: &mut [Verdict]) {
    let changes_metadata = |verdict: &Verdict| {
        verdict.written.as_ref().is_some_and(|written| written.keys_of_metadata(written.passed).next().is_some())
    };
    if !verdicts.iter().any(changes_metadata) {
        return;
    }
    let mut codes: Vec<_> = verdicts.iter().map(|verdict| verdict.code).collect();
    let mut changed: HashSet<Key<'_>> = HashSet::new();
    for (verdict, code) in verdicts.iter().zip(&mut codes) {
        let Some(written) = &verdict.written else { continue };
        // Where a namespace failed already, later ones were never looked at.
        if written.keys(written.passed).any(|key| changed.contains(&key)) {
            *code = TxValidationCode::EndorsementPolicyFailure;
        }
        if *code == TxValidationCode::Valid {
            changed.extend(written.keys_of_metadata(written.passed));
        }
    }
    for (verdict, code) in verdicts.iter_mut().zip(codes) {
        verdict.code = code;
    }
}

/// Of valid transactions with the same ID the first one wins.
fn fail_repeated_ids(verdicts: &mut [Verdict]) {
    let mut seen = HashSet::new();
    for verdict in verdicts.iter_mut().filter(|verdict| verdict.code == TxValidationCode::Valid) {
        if verdict.tx_id.take().is_some_and(|tx_id| !seen.insert(tx_id)) {
            verdict.code = TxValidationCode::DuplicateTxid;
        }
    }
}

impl Written {
    /// The keys whose value or metadata is written, in the first `count` namespaces.
    fn keys(&self, count: usize) -> impl Iterator<Item = Key<'_>> {
        self.sets(count).flat_map(|set| {
            let public = set.public.writes.iter().map(|write| (set.name.as_str(), "", write.key.as_bytes()));
            let hashed = set.collections.iter().flat_map(move |collection| {
                let writes = &collection.hashed.hashed_writes;
                writes.iter().map(move |write| (set.name.as_str(), collection.name.as_str(), write.key_hash.as_ref()))
            });
            public.chain(hashed).chain(metadata_keys(set))
        })
    }

    /// The keys whose metadata is written, in the first `count` namespaces.
    fn keys_of_metadata(&self, count: usize) -> impl Iterator<Item = Key<'_>> {
        self.sets(count).flat_map(metadata_keys)
    }

    fn sets(&self, count: usize) -> impl Iterator<Item = &windlass_ledger::rwset::NamespaceSet> {
        let checked = &self.namespaces[..count];
        self.writes.namespaces.iter().filter(move |set| checked.contains(&set.name))
    }
}

fn metadata_keys(set: &windlass_ledger::rwset::NamespaceSet) -> impl Iterator<Item = Key<'_>> {
    let public = set.public.metadata_writes.iter().map(|write| (set.name.as_str(), "", write.key.as_bytes()));
    let hashed = set.collections.iter().flat_map(move |collection| {
        let writes = &collection.hashed.metadata_writes;
        writes.iter().map(move |write| (set.name.as_str(), collection.name.as_str(), write.key_hash.as_ref()))
    });
    public.chain(hashed)
}

#[cfg(test)]
mod tests;
