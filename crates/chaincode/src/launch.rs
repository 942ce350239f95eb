//! Starting a built chaincode, or dialing one that serves, until it has registered.
//!
//! Any number of callers share one launch and its outcome. The launch is a task of its own with a deadline of
//! its own, so that a client that goes away does not take it from the others.
//!
//! - [`Launcher`]: start reading here
//! - [`registry`]: which chaincode has a stream, is being launched, or failed
//! - [`pending`]: one launch as those see it who wait for it
//! - [`instance`]: what keeps a launched chaincode alive
//! - [`certificates`]: the authority for chaincode that dials the peer
//! - [`source`]: the seam to builds
//! - [`errors`]: every exact text

use std::{fmt, sync::Arc};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;
use windlass_proto::protos::ChaincodeAdditionalParams;

use self::{
    certificates::Certificates,
    errors::{LaunchCause, LaunchError},
    instance::Instance,
    pending::Pending,
    registry::{Begin, Registry},
    source::{Artifact, Source},
};
use crate::{
    build::{Connection, RunMetadata},
    engine::{config::EngineConfig, metrics::EngineMetrics},
    stream::{
        connect::connect,
        driver::{Driver, keep_alive},
        message::encode,
        session::Session,
    },
};

pub mod certificates;
pub mod errors;
pub(crate) mod instance;
pub(crate) mod pending;
pub(crate) mod registry;
pub(crate) mod source;

/// Brings chaincode up, by ID.
pub(crate) struct Launcher {
    config: EngineConfig,
    registry: Arc<Registry>,
    source: Arc<dyn Source>,
    certificates: Option<Certificates>,
    metrics: Arc<dyn EngineMetrics>,
    stopping: CancellationToken,
}

/// A launch that failed, and what stays of it.
struct Failed {
    cause: LaunchCause,
    output: Vec<String>,
    /// A stream whose registration was refused: it stays, silent, until the next launch.
    instance: Option<Instance>,
}

impl From<LaunchCause> for Failed {
    fn from(cause: LaunchCause) -> Self {
        Self { cause, output: Vec::new(), instance: None }
    }
}

impl fmt::Debug for Launcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launcher").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Launcher {
    pub(crate) fn new(
        config: EngineConfig,
        source: Arc<dyn Source>,
        certificates: Option<Certificates>,
        metrics: Arc<dyn EngineMetrics>,
    ) -> Self {
        Self {
            config,
            registry: Arc::default(),
            source,
            certificates,
            metrics,
            stopping: CancellationToken::new(),
        }
    }

    pub(crate) fn config(&self) -> &EngineConfig {
        &self.config
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(crate) fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    pub(crate) fn metrics(&self) -> &Arc<dyn EngineMetrics> {
        &self.metrics
    }

    /// A driver for a new stream.
    pub(crate) fn driver(&self, session: Arc<Session>, expected: Option<String>) -> Driver {
        let ready = encode(&ChaincodeAdditionalParams::from(self.config.runtime));
        Driver::new(session, &self.registry, expected, ready)
    }

    /// The session of `id`, launching it if need be.
    pub(crate) async fn session(self: &Arc<Self>, id: &str) -> Result<Arc<Session>, LaunchError> {
        let (pending, first) = match self.registry.begin(id) {
            Begin::Serving(session) => return Ok(session),
            Begin::Joined(pending) => (pending, false),
            Begin::Started { pending, previous } => {
                let (launcher, id) = (self.clone(), id.to_owned());
                let task = launcher.launch(id, Launching(pending.clone(), self.registry.clone()), previous);
                tokio::spawn(task);
                (pending, true)
            }
        };
        match pending.outcome().await {
            Ok(()) => self.registry.serving(id).ok_or_else(|| LaunchError::new(id, LaunchCause::Vanished(id.to_owned()))),
            Err(error) if first => Err(error),
            Err(error) => Err(error.shared()),
        }
    }

    /// Ends every launch that is under way and lets none begin.
    pub(crate) fn stop_launching(&self) {
        self.stopping.cancel();
    }

    async fn launch(self: Arc<Self>, id: String, launching: Launching, previous: Option<Instance>) {
        // What an earlier launch left, such as a process that lost its stream, must not run beside the new one.
        drop(previous);
        let began = Instant::now();
        let outcome = self.bring_up(&id, &launching.0, began + self.config.startup_timeout).await;
        self.metrics.launch_duration(&id, outcome.is_ok(), began.elapsed());
        match outcome {
            Ok(instance) => {
                tracing::info!(%id, elapsed = ?began.elapsed(), "chaincode launched");
                self.registry.launched(&launching.0, Some(instance));
            }
            Err(Failed { cause, output, instance }) => {
                match &cause {
                    LaunchCause::Timeout(_) => self.metrics.launch_timeout(&id),
                    cause if cause.before_registration() => self.metrics.launch_failure(&id),
                    _ => {}
                }
                let error = LaunchError::new(&id, cause).with_output(output);
                tracing::warn!("{error}");
                self.registry.failed(&launching.0, error, instance);
            }
        }
    }

    async fn bring_up(&self, id: &str, pending: &Pending, deadline: Instant) -> Result<Instance, Failed> {
        let built = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return Err(LaunchCause::Stopping.into()),
            built = timeout_at(deadline, self.source.build(id)) => built,
        };
        let artifact = match built {
            Err(_) => return Err(LaunchCause::Timeout(id.to_owned()).into()),
            Ok(Err(error)) => return Err(LaunchCause::Build(error).into()),
            Ok(Ok(artifact)) => artifact,
        };
        match artifact.connection().map_err(LaunchCause::ConnectionInfo)? {
            Some(connection) => self.dial(id, connection, pending, deadline).await,
            None => self.start(id, artifact.as_ref(), pending, deadline).await,
        }
    }

    /// Dials a chaincode that serves and waits until it has registered.
    async fn dial(
        &self,
        id: &str,
        connection: Connection,
        pending: &Pending,
        deadline: Instant,
    ) -> Result<Instance, Failed> {
        let (session, queue) = Session::new(self.metrics.clone());
        let driver = self.driver(session.clone(), Some(id.to_owned()));
        keep_alive(&session, self.config.keepalive);
        let (ended, end) = oneshot::channel();
        let name = id.to_owned();
        let task = tokio::spawn(async move {
            let error = connect(&name, &connection, driver, queue).await;
            tracing::info!(id = %name, "connection to chaincode ended: {error}");
            // Nobody listens after the launch.
            let _ = ended.send(error.to_string());
        });
        let instance = Instance::connection(session, task);
        tokio::select! {
            biased;
            registered = pending.registration() => match registered {
                Ok(()) => Ok(instance),
                Err(error) => Err(Failed { instance: Some(instance), ..LaunchCause::Refused(error).into() }),
            },
            error = end => {
                let error = error.unwrap_or_else(|_| String::from("the connection's task has ended"));
                Err(LaunchCause::Connect { id: id.to_owned(), error }.into())
            }
            () = sleep_until(deadline) => Err(LaunchCause::Timeout(id.to_owned()).into()),
            () = self.stopping.cancelled() => Err(LaunchCause::Stopping.into()),
        }
    }

    /// Runs a chaincode that dials and waits until it has registered.
    async fn start(
        &self,
        id: &str,
        artifact: &dyn Artifact,
        pending: &Pending,
        deadline: Instant,
    ) -> Result<Instance, Failed> {
        let mut metadata = RunMetadata {
            chaincode_id: id.to_owned(),
            peer_address: self.config.peer_address.clone(),
            mspid: self.config.msp_id.clone(),
            ..Default::default()
        };
        if let Some(certificates) = &self.certificates {
            let issued = certificates.issue(id).map_err(|error| LaunchCause::Start(error.to_string()))?;
            metadata.client_cert = issued.certificate;
            metadata.client_key = issued.key;
            metadata.root_cert = certificates.root().to_owned();
        }
        let mut process = artifact.run(&metadata).map_err(LaunchCause::Start)?;
        let cause = tokio::select! {
            biased;
            registered = pending.registration() => match registered {
                Ok(()) => return Ok(Instance::process(id, process)),
                Err(error) => LaunchCause::Refused(error),
            },
            exit = process.wait() => LaunchCause::exited(exit),
            () = sleep_until(deadline) => LaunchCause::Timeout(id.to_owned()),
            () = self.stopping.cancelled() => LaunchCause::Stopping,
        };
        if matches!(cause, LaunchCause::Stopping) {
            process.stop().await;
        }
        // Otherwise the process is killed with the value: its next launch is a new one.
        Err(Failed { cause, output: process.output_tail(), instance: None })
    }
}

/// A launch under way. Those who wait are told even if its task is torn down.
struct Launching(Arc<Pending>, Arc<Registry>);

impl Drop for Launching {
    fn drop(&mut self) {
        if !self.0.is_over() {
            let error = LaunchError::new(self.0.id(), LaunchCause::Stopping);
            self.1.failed(&self.0, error, None);
        }
    }
}
