//! Package store, builds, lifecycle, launches and streams behind one value.
//!
//! [`Engine::execute`] is where everything meets: it resolves a chaincode's name to what must run, brings that
//! up if it is not up yet, and executes the transaction on its stream.
//!
//! - [`config`]: what the engine can be told
//! - [`settings`]: what operators may say of chaincode beside its package
//! - [`resolve`]: from a name to what must run, and the rules of Init
//! - `calls`: executing a transaction, chaincode that calls chaincode included
//! - `target`: the names by which chaincode calls chaincode
//! - `custodian`: running what the channels have agreed on
//! - [`metrics`], [`status`], `logs`: for operators

use std::{fmt, sync::Arc};

use windlass_proto::protos::{ChaincodeEvent, ChaincodeInput, Response};

mod calls;
pub mod config;
mod custodian;
mod errors;
mod logs;
pub mod metrics;
pub mod resolve;
pub mod settings;
pub mod status;
mod target;

use self::{calls::Core, resolve::Definitions};
pub use self::{
    config::{EngineConfig, RuntimeParams},
    errors::{ExecuteError, InvokeError, Repeats},
    logs::{FindError, Which},
    metrics::{EngineMetrics, NoMetrics},
    resolve::{InvocationError, ResolveError, Resolved},
    settings::{ChaincodeSettings, Settings},
    status::{ChaincodeState, ChaincodeStatus, InstanceState, InstanceStatus},
};
use crate::{
    build::Builds, channels::Channels, launch::source::Source, lifecycle::Lifecycle, system::SystemChaincode,
    transaction::Transaction,
};
pub use crate::{
    launch::{
        certificates::{CertificateError, ServerCertificate},
        errors::{LaunchCause, LaunchError},
    },
    stream::SupportService,
};

/// The chaincode engine of one peer. Clones share it. [`Engine::shutdown`] ends what it runs; so does dropping
/// the last clone, less politely.
#[derive(Clone)]
pub struct Engine {
    core: Arc<Core>,
    lifecycle: Option<Lifecycle>,
}

/// What came of a transaction that the chaincode has executed.
#[derive(Clone, Debug, PartialEq)]
pub struct Executed {
    /// What the chaincode answered, whatever its status.
    pub response: Response,
    /// The event it set. Never there when the status is 400 or more.
    pub event: Option<ChaincodeEvent>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("chaincodes", &self.status()).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that runs what `builds` builds and `lifecycle` defines. `_lifecycle` is registered as system
    /// chaincode. Nothing is launched before it is called for, or [`Engine::custodian`] runs.
    ///
    /// # Errors
    /// With TLS, when the authority for chaincode certificates cannot be made.
    pub fn new(
        config: EngineConfig,
        builds: Builds,
        lifecycle: Lifecycle,
        channels: Arc<dyn Channels>,
        metrics: Arc<dyn EngineMetrics>,
    ) -> Result<Self, CertificateError> {
        let definitions = Arc::new(lifecycle.clone());
        let mut engine = Self::assemble(config.bounded(), Arc::new(builds), definitions, channels, metrics)?;
        engine.register(Arc::new(lifecycle.clone()));
        engine.lifecycle = Some(lifecycle);
        Ok(engine)
    }

    /// An engine from its seams.
    fn assemble(
        config: EngineConfig,
        source: Arc<dyn Source>,
        definitions: Arc<dyn Definitions>,
        channels: Arc<dyn Channels>,
        metrics: Arc<dyn EngineMetrics>,
    ) -> Result<Self, CertificateError> {
        let core = Core::new(config, source, definitions, channels, metrics)?;
        Ok(Self { core: Arc::new(core), lifecycle: None })
    }

    /// Adds a system chaincode, or replaces the one with the same name.
    pub fn register(&self, chaincode: Arc<dyn SystemChaincode>) {
        self.core.register(chaincode);
    }

    /// Whether `name` is a system chaincode.
    pub fn is_system(&self, name: &str) -> bool {
        self.core.system(name).is_some()
    }

    /// What is defined under `name` on the transaction's channel. What is read for that is recorded in the
    /// transaction's simulation.
    ///
    /// # Errors
    /// When nothing is defined that could run on this peer.
    pub fn resolve(&self, transaction: &Transaction, name: &str) -> Result<Resolved, ResolveError> {
        self.core.resolve(transaction, name)
    }

    /// Calls `name` for a client. Dropping the future gives the transaction up.
    ///
    /// # Errors
    /// When no answer came back from the chaincode, or an ERROR. An answer of whatever status is no error.
    pub async fn execute(
        &self,
        transaction: &Arc<Transaction>,
        name: &str,
        input: ChaincodeInput,
    ) -> Result<Executed, ExecuteError> {
        self.core.clone().execute(transaction, name, input).await
    }

    /// Whether a transaction that failed like this is to be run again now, by the settings of the chaincode `id`
    /// that was called. `repeats` belongs to the transaction. It is when a stream was lost; and when, after that,
    /// the chaincode cannot be dialed yet, for ten seconds and with pauses. Dropping the future gives it up.
    ///
    /// The lost run has left reads and writes in its simulation, so the next needs a fresh one, and everything
    /// that was read for it anew: whoever makes simulations repeats.
    pub async fn runs_again(&self, id: &str, repeats: &mut Repeats, error: &ExecuteError) -> bool {
        self.core.runs_again(id, repeats, error).await
    }

    /// Launches the chaincode with this ID unless it is serving; waits until it does.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn launch(&self, id: &str) -> Result<(), LaunchError> {
        self.core.launcher().session(id, None).await.map(drop)
    }

    /// The service by which chaincode registers.
    pub fn support_service(&self) -> SupportService {
        SupportService::new(self.core.launcher())
    }

    /// A certificate for the chaincode listener, which chaincode finds under `host`.
    ///
    /// # Errors
    /// When it cannot be made, or the engine is configured without TLS.
    pub fn server_certificate(&self, host: &str) -> Result<ServerCertificate, CertificateError> {
        self.core.launcher().certificates().ok_or_else(CertificateError::without_tls)?.server(host)
    }

    /// Keeps running what the channels have agreed on: launches what becomes runnable, each beside the others,
    /// and stops what no channel wants any more. Runs until it is dropped.
    pub async fn custodian(&self) {
        match &self.lifecycle {
            Some(lifecycle) => custodian::run(&self.core, lifecycle.runnable()).await,
            None => std::future::pending().await,
        }
    }

    /// Stops every chaincode, all at once, within 5 s.
    pub async fn shutdown(&self) {
        custodian::stop_all(&self.core).await;
    }

    /// What every chaincode is doing, by ID: all that is installed, and whatever else was launched.
    pub fn status(&self) -> Vec<ChaincodeStatus> {
        let registry = self.core.launcher().registry();
        let installed = self.lifecycle.as_ref().map(Lifecycle::installed).unwrap_or_default();
        // Without a lifecycle nothing tells what is installed, and nothing is ever removed.
        let is_there = |id: &str| {
            self.lifecycle.is_none() || installed.iter().any(|installed| installed.package_id.as_str() == id)
        };
        // What ran once and was removed since is of no interest any more.
        registry.forget_idle(is_there);
        let mut status = registry.status();
        status.retain(|known| known.state != ChaincodeState::Idle || is_there(&known.id));
        for id in installed.into_iter().map(|installed| installed.package_id) {
            if let Err(place) = status.binary_search_by(|known| known.id.as_str().cmp(id.as_str())) {
                status.insert(place, ChaincodeStatus::idle(id.as_str()));
            }
        }
        status
    }

    /// The chaincodes that some channel runs and that failed, with the reason.
    pub fn broken(&self) -> Vec<(String, String)> {
        self.core.launcher().registry().broken()
    }
}

#[cfg(test)]
mod tests;
