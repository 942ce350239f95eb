//! Peers of several organizations on one channel, as far as the lifecycle is concerned.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use parking_lot::Mutex;
use prost::Message;
use tempfile::TempDir;
use windlass_chaincode::{
    build::{BuilderConfig, Builds, BuildsConfig},
    channels::{AccessDenied, Channels},
    install::PackageStore,
    lifecycle::Lifecycle,
    simulation::{Simulation, SimulationResult},
    system::{SystemCall, SystemChaincode},
    transaction::Transaction,
};
use windlass_identity::channel::ChannelConfig;
use windlass_proto::{
    lifecycle::{
        ApproveChaincodeDefinitionForMyOrgArgs, ChaincodeSource, CheckCommitReadinessArgs,
        CommitChaincodeDefinitionArgs, chaincode_source,
    },
    protos::{Response, SignedProposal},
};

use crate::{
    config::Spec,
    ledger::{Ledger, Recorder},
};

pub(crate) const CHANNEL: &str = "mychannel";

/// One peer. Peers made from each other share the channel.
pub(crate) struct Peer {
    pub(crate) msp_id: String,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) ledger: Ledger,
    pub(crate) channels: Arc<OneChannel>,
    pub(crate) folder: TempDir,
}

/// The channel, as one peer sees it.
pub(crate) struct OneChannel {
    msp_id: String,
    name: String,
    config: Arc<ChannelConfig>,
    ledger: Ledger,
    /// The refusal of the next access check, and the checks so far: resource and channel.
    pub(crate) refusal: Mutex<Option<String>>,
    pub(crate) checks: Mutex<Vec<(String, String)>>,
}

impl Channels for OneChannel {
    fn names(&self) -> Vec<String> {
        vec![self.name.clone()]
    }

    fn config(&self, channel: &str) -> Option<Arc<ChannelConfig>> {
        (channel == self.name).then(|| self.config.clone())
    }

    fn simulate(&self, channel: &str, _: &str) -> Option<SimulationResult<Arc<dyn Simulation>>> {
        (channel == self.name).then(|| Ok(self.ledger.simulate(&self.msp_id) as _))
    }

    fn authorize(&self, resource: &str, channel: &str, _: &SignedProposal) -> Result<(), AccessDenied> {
        self.checks.lock().push((resource.to_owned(), channel.to_owned()));
        match self.refusal.lock().clone() {
            Some(refusal) => Err(AccessDenied(refusal)),
            None => Ok(()),
        }
    }
}

impl Peer {
    /// A peer of `Org1MSP` on a channel of two organizations.
    pub(crate) fn new() -> Self {
        Self::on(&Spec::default())
    }

    pub(crate) fn on(spec: &Spec<'_>) -> Self {
        let channel = (spec.name.to_owned(), Arc::new(spec.config()), Ledger::default());
        Self::start("Org1MSP", channel, tempfile::tempdir().expect("a folder"), Vec::new())
    }

    /// A peer whose packages are built by `builder`.
    pub(crate) fn with_builder(builder: BuilderConfig) -> Self {
        let spec = Spec::default();
        let channel = (spec.name.to_owned(), Arc::new(spec.config()), Ledger::default());
        Self::start("Org1MSP", channel, tempfile::tempdir().expect("a folder"), vec![builder])
    }

    /// A peer of another organization on the same channel.
    pub(crate) fn of(&self, msp_id: &str) -> Self {
        Self::start(msp_id, self.channel(), tempfile::tempdir().expect("a folder"), Vec::new())
    }

    /// The same peer after a restart.
    pub(crate) fn restart(self, builder: BuilderConfig) -> Self {
        let channel = self.channel();
        Self::start(&self.msp_id, channel, self.folder, vec![builder])
    }

    fn channel(&self) -> (String, Arc<ChannelConfig>, Ledger) {
        (self.channels.name.clone(), self.channels.config.clone(), self.ledger.clone())
    }

    fn start(
        msp_id: &str,
        (name, config, ledger): (String, Arc<ChannelConfig>, Ledger),
        folder: TempDir,
        builders: Vec<BuilderConfig>,
    ) -> Self {
        let packages = PackageStore::open(&folder.path().join("lifecycle/chaincodes")).expect("a package store");
        let builds = Builds::new(BuildsConfig::below(folder.path(), builders), packages.clone());
        let channels = Arc::new(OneChannel {
            msp_id: msp_id.to_owned(),
            name,
            config,
            ledger: ledger.clone(),
            refusal: Mutex::default(),
            checks: Mutex::default(),
        });
        let lifecycle = Lifecycle::new(msp_id, packages, builds, channels.clone());
        lifecycle.refresh(&channels.name).expect("a readable ledger");
        Self { msp_id: msp_id.to_owned(), lifecycle, ledger, channels, folder }
    }

    pub(crate) fn config(&self) -> &ChannelConfig {
        &self.channels.config
    }

    /// Calls a function and returns what it read and wrote with the answer.
    pub(crate) fn call(&self, function: &str, args: &impl Message) -> (Response, Arc<Recorder>) {
        let simulation = self.ledger.simulate(&self.msp_id);
        let args = vec![Bytes::copy_from_slice(function.as_bytes()), args.encode_to_vec().into()];
        let response = now(self.invoke(&self.channels.name, args, Some(simulation.clone())));
        (response, simulation)
    }

    /// [`Peer::call`], with the writes committed if the call succeeded.
    pub(crate) fn submit(&self, function: &str, args: &impl Message) -> (Response, Arc<Recorder>) {
        let (response, simulation) = self.call(function, args);
        if response.status == 200 {
            self.ledger.commit(&simulation);
            self.lifecycle.refresh(CHANNEL).expect("a readable ledger");
        }
        (response, simulation)
    }

    /// [`Peer::submit`] of something that must succeed.
    pub(crate) fn must(&self, function: &str, args: &impl Message) -> Arc<Recorder> {
        let (response, simulation) = self.submit(function, args);
        assert_eq!((response.status, response.message.as_str()), (200, ""), "{function}");
        simulation
    }

    /// The answer of a query that must succeed.
    pub(crate) fn query<M: Message + Default>(&self, function: &str, args: &impl Message) -> M {
        let (response, _) = self.call(function, args);
        assert_eq!((response.status, response.message.as_str()), (200, ""), "{function}");
        M::decode(response.payload).expect("a result")
    }

    /// The message of a call that must fail, without what the dispatcher puts before it.
    pub(crate) fn refusal(&self, function: &str, args: &impl Message) -> String {
        let (response, _) = self.call(function, args);
        assert_eq!(response.status, 500, "{function} succeeded or was not found: {}", response.message);
        let prefix = format!("failed to invoke backing implementation of '{function}': ");
        let message = response.message.strip_prefix(&prefix);
        message.unwrap_or_else(|| panic!("no prefix: {}", response.message)).to_owned()
    }

    pub(crate) async fn invoke(&self, channel: &str, args: Vec<Bytes>, simulation: Option<Arc<Recorder>>) -> Response {
        let transaction = Arc::new(Transaction {
            channel: channel.to_owned(),
            tx_id: "tx".to_owned(),
            proposal: Some(Arc::default()),
            called: "_lifecycle".to_owned(),
            simulation: simulation.map(|simulation| simulation as _),
        });
        self.lifecycle.invoke(SystemCall { transaction, args, caller: None }).await
    }
}

/// The outcome of something that waits for nothing, as all functions do that only need the ledger.
pub(crate) fn now<T>(call: impl Future<Output = T>) -> T {
    call.now_or_never().expect("nothing to wait for")
}

/// An approval of `name`; everything else is as empty as it may be.
pub(crate) fn approval(name: &str, sequence: i64) -> ApproveChaincodeDefinitionForMyOrgArgs {
    ApproveChaincodeDefinitionForMyOrgArgs {
        sequence,
        name: name.to_owned(),
        version: "1.0".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn local_package(package_id: &str) -> Option<ChaincodeSource> {
    let local = chaincode_source::Local { package_id: package_id.to_owned() };
    Some(ChaincodeSource { r#type: Some(chaincode_source::Type::LocalPackage(local)) })
}

/// The commit of what was approved.
pub(crate) fn commit_of(approval: &ApproveChaincodeDefinitionForMyOrgArgs) -> CommitChaincodeDefinitionArgs {
    let approval = approval.clone();
    CommitChaincodeDefinitionArgs {
        sequence: approval.sequence,
        name: approval.name,
        version: approval.version,
        endorsement_plugin: approval.endorsement_plugin,
        validation_plugin: approval.validation_plugin,
        validation_parameter: approval.validation_parameter,
        collections: approval.collections,
        init_required: approval.init_required,
    }
}

/// The question whether the channel is ready for what was approved.
pub(crate) fn readiness_of(approval: &ApproveChaincodeDefinitionForMyOrgArgs) -> CheckCommitReadinessArgs {
    let commit = commit_of(approval);
    CheckCommitReadinessArgs {
        sequence: commit.sequence,
        name: commit.name,
        version: commit.version,
        endorsement_plugin: commit.endorsement_plugin,
        validation_plugin: commit.validation_plugin,
        validation_parameter: commit.validation_parameter,
        collections: commit.collections,
        init_required: commit.init_required,
    }
}

pub(crate) const APPROVE: &str = "ApproveChaincodeDefinitionForMyOrg";
pub(crate) const COMMIT: &str = "CommitChaincodeDefinition";
pub(crate) const READINESS: &str = "CheckCommitReadiness";
