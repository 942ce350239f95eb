//! Executing a transaction, chaincode that calls chaincode included.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use parking_lot::RwLock;
use prost::Message;
use tokio::time::Instant;
use windlass_identity::channel::ChannelConfig;
use windlass_proto::protos::{
    ChaincodeEvent, ChaincodeInput, ChaincodeMessage, ChaincodeSpec, Response, chaincode_message::Type,
};

use super::{
    Executed,
    config::EngineConfig,
    errors::{ExecuteError, InvokeError, Repeats},
    metrics::EngineMetrics,
    resolve::{Definitions, InvocationError, ResolveError, Resolved, check_init},
    target::Target,
};
use crate::{
    channels::Channels,
    launch::{
        Launcher,
        certificates::{CertificateError, Certificates},
        registry::{Found, Seeking},
        source::Source,
    },
    stream::{
        errors::{RequestError, SendError},
        execution::{Execution, execute},
        message::encode,
        requests::{CallTree, Host},
        session::LaneHandle,
    },
    system::{SYSTEM_VERSION, SystemCall, SystemChaincode},
    transaction::Transaction,
};

/// The resource that guards calls of one chaincode by another.
// Fabric: chaincode-protocol §12
const CHAINCODE_TO_CHAINCODE: &str = "peer/ChaincodeToChaincode";

/// How long a transaction that has lost its stream waits for a chaincode that cannot be dialed.
const COMEBACK: Duration = Duration::from_secs(10);

/// How many streams may close between finding one and beginning on it before that is an error.
const FRESH_STREAMS: usize = 8;

/// What all clones of an engine share.
pub(crate) struct Core {
    launcher: Arc<Launcher>,
    definitions: Arc<dyn Definitions>,
    channels: Arc<dyn Channels>,
    systems: RwLock<BTreeMap<String, Arc<dyn SystemChaincode>>>,
}

impl Core {
    pub(super) fn new(
        config: EngineConfig,
        source: Arc<dyn Source>,
        definitions: Arc<dyn Definitions>,
        channels: Arc<dyn Channels>,
        metrics: Arc<dyn EngineMetrics>,
    ) -> Result<Self, CertificateError> {
        let certificates = config.tls.then(Certificates::generate).transpose()?;
        let launcher = Arc::new(Launcher::new(config, source, definitions.clone(), certificates, metrics));
        Ok(Self { launcher, definitions, channels, systems: RwLock::default() })
    }

    pub(super) fn launcher(&self) -> &Arc<Launcher> {
        &self.launcher
    }

    pub(super) fn register(&self, chaincode: Arc<dyn SystemChaincode>) {
        self.systems.write().insert(chaincode.name().to_owned(), chaincode);
    }

    pub(super) fn system(&self, name: &str) -> Option<Arc<dyn SystemChaincode>> {
        self.systems.read().get(name).cloned()
    }

    pub(super) fn resolve(&self, transaction: &Transaction, name: &str) -> Result<Resolved, ResolveError> {
        if self.system(name).is_some() {
            // Fabric: lifecycle §8
            return Ok(Resolved {
                version: SYSTEM_VERSION.to_owned(),
                chaincode_id: format!("{name}.{SYSTEM_VERSION}"),
                enforce_init: false,
                endorsement_plugin: String::from("escc"),
            });
        }
        let simulation = transaction.simulation.as_deref();
        let simulation = simulation.ok_or_else(|| ResolveError(format!("chaincode {name} not found")))?;
        self.definitions.resolve(&transaction.channel, name, simulation)
    }

    /// Calls `name` for a client and takes its final message apart.
    // Fabric: chaincode-protocol §13
    pub(super) async fn execute(
        self: Arc<Self>,
        transaction: &Arc<Transaction>,
        name: &str,
        input: ChaincodeInput,
    ) -> Result<Executed, ExecuteError> {
        let tx_id = || transaction.tx_id.clone();
        let failed = |source| ExecuteError::Failed { tx_id: tx_id(), source };
        let tree = Arc::new(CallTree::default());
        let call = self.call(transaction.clone(), tree.clone(), name.to_owned(), None, input);
        let message = tokio::select! {
            biased;
            message = call => message.map_err(failed)?,
            () = tree.lost.cancelled() => return Err(failed(SendError::StreamTerminated(None).into())),
        };
        if message.r#type == Type::Error as i32 {
            return Err(ExecuteError::Returned(String::from_utf8_lossy(&message.payload).into_owned()));
        }
        let response =
            Response::decode(message.payload).map_err(|source| ExecuteError::Malformed { tx_id: tx_id(), source })?;
        let event = message.chaincode_event.filter(|_| response.status < 400);
        let event = event.map(|event| ChaincodeEvent { chaincode_id: name.to_owned(), tx_id: tx_id(), ..event });
        Ok(Executed { response, event })
    }

    /// Whether a transaction of `id` that failed like this is to be run again now.
    pub(super) async fn runs_again(&self, id: &str, repeats: &mut Repeats, error: &ExecuteError) -> bool {
        if self.launcher.is_stopping() {
            return false;
        }
        if error.is_lost() {
            repeats.lost += 1;
            repeats.since.get_or_insert_with(Instant::now);
            let again = repeats.lost <= self.launcher.settings(id).retries;
            if again {
                tracing::info!(%id, lost = repeats.lost, "a transaction lost its stream and is run again");
                self.launcher.metrics().retried(id);
            }
            return again;
        }
        // The chaincode had been there; a server that restarts is back in a moment.
        let recently = repeats.since.is_some_and(|since| since.elapsed() < COMEBACK);
        if !recently || !error.is_absence() {
            return false;
        }
        let pause = Duration::from_millis(25 << repeats.absent.min(5));
        repeats.absent += 1;
        tokio::time::sleep(pause).await;
        true
    }

    /// Calls `name` and returns its final message. Boxed, since chaincode calls chaincode.
    fn call(
        self: Arc<Self>,
        transaction: Arc<Transaction>,
        tree: Arc<CallTree>,
        name: String,
        caller: Option<String>,
        input: ChaincodeInput,
    ) -> BoxFuture<'static, Result<ChaincodeMessage, InvokeError>> {
        async move {
            if let Some(chaincode) = self.system(&name) {
                return self.call_system(chaincode, transaction, caller, input).await;
            }
            let (id, init) = self.check(&transaction, &name, input.is_init)?;
            let (found, lane) = self.lane(&id, &transaction, &tree).await?;
            if caller.is_none() && found.settings.retries > 0 {
                tree.may_be_repeated();
            }
            let host: Arc<dyn Host> = self.clone();
            let execution = Execution { namespace: name, init, transaction, tree: tree.clone(), input };
            let executed = execute(lane, &host, execution, found.settings.execute_timeout).await;
            if matches!(executed, Err(SendError::StreamTerminated(_))) && caller.is_some() && tree.is_repeatable() {
                // What the lost run wrote cannot be told from what its caller did: the whole begins again.
                tree.lost.cancel();
                return std::future::pending().await;
            }
            Ok(executed?)
        }
        .boxed()
    }

    /// A place on a stream of `id`. A stream that closes before anything was sent on it costs nothing.
    async fn lane(
        &self,
        id: &str,
        transaction: &Transaction,
        tree: &CallTree,
    ) -> Result<(Found, LaneHandle), InvokeError> {
        let before = tree.stream(id);
        let Transaction { channel, tx_id, .. } = transaction;
        let mut attempts = 0;
        loop {
            let seeking = Seeking { channel, tx_id, before: before.as_ref() };
            let found = self.launcher.session(id, Some(seeking)).await?;
            match found.session.open(channel, tx_id) {
                Ok(lane) => {
                    tree.call_on(id, &found.session);
                    return Ok((found, lane));
                }
                Err(SendError::StreamTerminated(_)) if attempts < FRESH_STREAMS => attempts += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The ID to run, and whether this is the call of Init.
    fn check(&self, transaction: &Transaction, name: &str, is_init: bool) -> Result<(String, bool), InvocationError> {
        let undefined =
            |source| InvocationError::Undefined { channel: transaction.channel.clone(), name: name.to_owned(), source };
        let resolved = self.resolve(transaction, name).map_err(undefined)?;
        if let Some(simulation) = &transaction.simulation {
            check_init(simulation.as_ref(), name, &resolved, is_init)?;
        }
        Ok((resolved.chaincode_id, is_init))
    }

    /// Calls chaincode that is part of the peer. Running out of time ends the waiting, not the work: an install
    /// or a join that was begun is finished.
    // Fabric: external-builders §9
    async fn call_system(
        &self,
        chaincode: Arc<dyn SystemChaincode>,
        transaction: Arc<Transaction>,
        caller: Option<String>,
        input: ChaincodeInput,
    ) -> Result<ChaincodeMessage, InvokeError> {
        let limit = self.system_limit(chaincode.name(), &input.args);
        let (channel_id, txid) = (transaction.channel.clone(), transaction.tx_id.clone());
        let id = format!("{}.{SYSTEM_VERSION}", chaincode.name());
        let call = SystemCall { transaction, args: input.args, caller };
        let work = tokio::spawn(async move { chaincode.invoke(call).await });
        let response = match tokio::time::timeout(limit, work).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => return Err(InvokeError::Panic),
            Err(_) => {
                self.launcher.metrics().execute_timeout(&id);
                return Err(InvokeError::Timeout);
            }
        };
        Ok(ChaincodeMessage {
            r#type: Type::Completed as i32,
            payload: encode(&response),
            txid,
            channel_id,
            ..Default::default()
        })
    }

    // Fabric: chaincode-protocol §9
    fn system_limit(&self, name: &str, args: &[Bytes]) -> Duration {
        let config = self.config();
        let installs = matches!(
            (name, args.first().map(|function| function.as_ref())),
            ("_lifecycle", Some(b"InstallChaincode")) | ("lscc", Some(b"install"))
        );
        if installs { config.execute_timeout.max(config.install_timeout) } else { config.execute_timeout }
    }

    fn config(&self) -> &EngineConfig {
        self.launcher.config()
    }

    /// Calls another chaincode for `caller`.
    // Fabric: chaincode-protocol §12
    async fn call_for_chaincode(
        self: Arc<Self>,
        transaction: Arc<Transaction>,
        tree: Arc<CallTree>,
        caller: String,
        spec: ChaincodeSpec,
    ) -> Result<ChaincodeMessage, RequestError> {
        // Fabric runs into a nil pointer here.
        let name = spec.chaincode_id.ok_or(RequestError::Panic)?.name;
        let mut target = Target::parse(&name);
        if target.channel.is_empty() {
            target.channel.clone_from(&transaction.channel);
        }
        if self.system(&target.name).is_none() {
            if transaction.channel.is_empty() {
                return Err(RequestError::NoTransaction);
            }
            let proposal = transaction.proposal.as_ref().ok_or_else(|| RequestError::NoProposal {
                channel: target.channel.clone(),
                name: target.name.clone(),
                version: target.version.clone(),
            })?;
            self.channels.authorize(CHAINCODE_TO_CHAINCODE, &target.channel, proposal)?;
        }
        let transaction = self.on_channel(transaction, &target.channel)?;
        let mut input = spec.input.unwrap_or_default();
        input.decorations.clear();
        let called = self.call(transaction, tree, target.name, Some(caller), input);
        called.await.map_err(|error| RequestError::Execute(error.to_string()))
    }

    /// The transaction as a chaincode on `channel` sees it: on another channel than the caller's it has a
    /// simulation of its own, which is thrown away.
    fn on_channel(&self, transaction: Arc<Transaction>, channel: &str) -> Result<Arc<Transaction>, RequestError> {
        if channel == transaction.channel {
            return Ok(transaction);
        }
        let simulation = self
            .channels
            .simulate(channel, &transaction.tx_id)
            .ok_or_else(|| RequestError::UnknownChannel(channel.to_owned()))??;
        Ok(Arc::new(Transaction {
            channel: channel.to_owned(),
            simulation: Some(simulation),
            ..Transaction::clone(&transaction)
        }))
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // Launches and instances have tasks of their own, which would go on.
        self.launcher.abandon();
    }
}

impl Host for Core {
    fn channel_config(&self, channel: &str) -> Option<Arc<ChannelConfig>> {
        self.channels.config(channel)
    }

    fn total_query_limit(&self) -> u32 {
        self.config().total_query_limit
    }

    fn has_collection(&self, transaction: &Transaction, namespace: &str, collection: &str) -> bool {
        let channel = self.channels.config(&transaction.channel);
        channel.zip(transaction.simulation.as_deref()).is_some_and(|(channel, simulation)| {
            self.definitions.has_collection(&channel, namespace, collection, simulation).unwrap_or_default()
        })
    }

    fn invoke(
        self: Arc<Self>,
        transaction: Arc<Transaction>,
        tree: Arc<CallTree>,
        caller: String,
        spec: ChaincodeSpec,
    ) -> BoxFuture<'static, Result<ChaincodeMessage, RequestError>> {
        self.call_for_chaincode(transaction, tree, caller, spec).boxed()
    }
}
