//! Starting a built chaincode, or dialing one that serves, until it has registered.
//!
//! Any number of callers share one launch and its outcome. The launch is a task of its own with a deadline of
//! its own, so that a client that goes away does not take it from the others.
//!
//! - `Launcher`: start reading here
//! - `registry`: which chaincode has streams, is being launched, or failed
//! - `pending`: one launch as those see it who wait for it
//! - `pool`: all instances of one chaincode
//! - `instance`: one process or one server, brought up and kept up
//! - `endpoints`: where the instances of a chaincode serve
//! - `seat`: one registration that is waited for
//! - `record`: what a chaincode was up to
//! - [`certificates`]: the authority for chaincode that dials the peer
//! - `source`: the seam to builds
//! - [`errors`]: every exact text

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use windlass_proto::{ids::PackageId, protos::ChaincodeAdditionalParams};

use self::{
    certificates::Certificates,
    errors::{LaunchCause, LaunchError},
    registry::{Begin, Found, Origin, Registry, Seeking},
    source::Source,
};
use crate::{
    engine::{config::EngineConfig, metrics::EngineMetrics, resolve::Definitions, settings::InForce},
    stream::{driver::Driver, message::encode, session::Session},
};

pub mod certificates;
pub(crate) mod endpoints;
pub mod errors;
pub(crate) mod instance;
pub(crate) mod pending;
pub(crate) mod pool;
pub(crate) mod record;
pub(crate) mod registry;
pub(crate) mod seat;
pub(crate) mod source;

/// How long a transaction waits for a chaincode that is started by hand: about as long as a restart takes.
const BY_HAND: Duration = Duration::from_secs(5);

/// Brings chaincode up, by ID.
pub(crate) struct Launcher {
    config: Arc<EngineConfig>,
    registry: Arc<Registry>,
    source: Arc<dyn Source>,
    definitions: Arc<dyn Definitions>,
    certificates: Option<Certificates>,
    metrics: Arc<dyn EngineMetrics>,
    /// No launch begins or goes on; what runs is ended in good order.
    stopping: CancellationToken,
    /// The engine is gone; what runs is ended at once.
    gone: CancellationToken,
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
        definitions: Arc<dyn Definitions>,
        certificates: Option<Certificates>,
        metrics: Arc<dyn EngineMetrics>,
    ) -> Self {
        let (stopping, gone) = (CancellationToken::new(), CancellationToken::new());
        let config = Arc::new(config);
        let settings = {
            let (config, definitions) = (config.clone(), definitions.clone());
            Box::new(move |id: &str| InForce::of(&config, id, &definitions.names(id)))
        };
        let registry = Arc::new(Registry::new(settings, config.development, metrics.clone()));
        Self { config, registry, source, definitions, certificates, metrics, stopping, gone }
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
    pub(crate) fn driver(&self, session: Arc<Session>, origin: Origin) -> Driver {
        let ready = encode(&ChaincodeAdditionalParams::from(self.config.runtime));
        Driver::new(session, &self.registry, origin, ready)
    }

    /// The settings of `id`.
    pub(crate) fn settings(&self, id: &str) -> Arc<InForce> {
        InForce::of(&self.config, id, &self.definitions.names(id))
    }

    /// A stream of `id`, launching it if need be.
    pub(crate) async fn session(
        self: &Arc<Self>,
        id: &str,
        seeking: Option<Seeking<'_>>,
    ) -> Result<Found, LaunchError> {
        if self.config.development && id.parse::<PackageId>().is_err() {
            return self.started_by_hand(id, seeking).await;
        }
        let (waiter, first) = match self.registry.begin(id, seeking) {
            Begin::Serving(found) => return Ok(found),
            Begin::Joined(waiter) => (waiter, false),
            Begin::Crowded(limit) => return Err(LaunchError::new(id, LaunchCause::Crowded(limit))),
            Begin::Started { pending, waiter, settings, record, previous } => {
                let pool = pool::launch(self, pending, settings, record, previous);
                self.registry.keep(id, pool);
                (waiter, true)
            }
        };
        match waiter.outcome().await {
            // Whoever comes now finds it, unless it is gone already.
            Ok(()) => match self.registry.begin_serving(id, seeking) {
                Some(found) => Ok(found),
                None => Err(LaunchError::new(id, LaunchCause::Vanished(id.to_owned()))),
            },
            Err(error) if first => Err(error),
            Err(error) => Err(error.shared()),
        }
    }

    /// A stream of a chaincode without a package, which somebody starts by hand.
    async fn started_by_hand(&self, id: &str, seeking: Option<Seeking<'_>>) -> Result<Found, LaunchError> {
        let found = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return Err(LaunchError::new(id, LaunchCause::Stopping)),
            found = timeout(BY_HAND, self.registry.arrival(id, seeking)) => found,
        };
        found.map_err(|_| {
            let address = self.config.peer_address.clone();
            LaunchError::new(id, LaunchCause::NotStarted { id: id.to_owned(), address })
        })
    }

    /// Ends every launch that is under way and lets none begin.
    pub(crate) fn stop_launching(&self) {
        self.stopping.cancel();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Ends everything at once.
    pub(crate) fn abandon(&self) {
        self.gone.cancel();
        self.stopping.cancel();
        self.registry.close();
    }
}
