//! The memory of what was built.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    sync::{broadcast, watch},
    task::JoinSet,
};

use crate::{
    build::{
        Build, BuildError, BuildProgress, BuildsConfig, Failure, Journal, disk::Temporary, failures, persist,
        router::Router, sandbox::Sandbox, spawner::Spawner,
    },
    install::PackageStore,
};

/// Builds packages and remembers what came out. Clones share everything; with the last of them, builds under
/// way end.
#[derive(Clone, Debug)]
pub struct Builds {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    router: Router,
    /// `None` once [`Builds::shutdown`] was called.
    attempts: Mutex<Option<HashMap<String, Attempt>>>,
}

/// A build under way or done. Dropping it stops it.
#[derive(Debug)]
struct Attempt {
    result: watch::Receiver<Option<Outcome>>,
    /// What its programs print.
    journal: Journal,
    task: JoinSet<()>,
}

#[derive(Clone, Debug)]
struct Outcome {
    result: Result<Arc<Build>, BuildError>,
    at: Instant,
}

/// Lines that those who watch may lag behind.
const WATCH_BUFFER: usize = 4096;

impl Builds {
    /// Builds made of `packages`.
    pub fn new(config: BuildsConfig, packages: PackageStore) -> Self {
        if let Err(error) = persist::prepare(&config.folder, &packages) {
            // Each build will say so again, to whoever wants it.
            tracing::error!(folder = %config.folder.display(), %error, "cannot prepare the folder of builds");
        }
        let (watchers, _) = broadcast::channel(WATCH_BUFFER);
        let sandbox = Arc::new(Sandbox::new(config.sandbox.clone()));
        let spawner = Arc::new(Spawner::new());
        let router = Router { config: Arc::new(config), packages, spawner, sandbox, watchers };
        Self { shared: Arc::new(Shared { router, attempts: Mutex::new(Some(HashMap::new())) }) }
    }

    /// The build of a chaincode, made if need be. Any number of callers share one build, which goes on when
    /// they give up: a client that comes back finds it further on.
    pub async fn build(&self, id: &str) -> Result<Arc<Build>, BuildError> {
        let abandoned = || BuildError::plain(Failure::Abandoned);
        let mut result = self.attempt(id).ok_or_else(abandoned)?;
        match result.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.result.clone(),
            _ => Err(abandoned()),
        }
    }

    /// Ends builds under way, their programs included, and refuses further ones. When it returns, nothing of
    /// them runs any more. Chaincode that runs is not touched.
    pub async fn shutdown(&self) {
        let attempts = self.shared.attempts.lock().take();
        let tasks = attempts.into_iter().flatten().map(|(_, mut attempt)| async move { attempt.task.shutdown().await });
        futures::future::join_all(tasks).await;
    }

    /// The build of a chaincode, if it is there already.
    pub fn existing(&self, id: &str) -> Option<Arc<Build>> {
        let attempts = self.shared.attempts.lock();
        let outcome = attempts.as_ref()?.get(id)?.result.borrow();
        outcome.as_ref().and_then(|outcome| outcome.result.clone().ok())
    }

    /// What the programs printed in the last attempt to build this, and notes about them; while that is under
    /// way, it grows. Also of builds that failed, for a while.
    pub fn output(&self, id: &str) -> Option<Journal> {
        let attempts = self.shared.attempts.lock();
        let attempt = attempts.as_ref().and_then(|attempts| attempts.get(id));
        let under_way = attempt.filter(|attempt| attempt.result.borrow().is_none());
        if let Some(attempt) = under_way {
            return Some(attempt.journal.clone());
        }
        drop(attempts);
        let config = &self.shared.router.config;
        let kept = failures::read(&config.failed, id);
        kept.or_else(|| persist::output(&persist::folder_of(&config.folder, id))).map(Journal::of)
    }

    /// The package IDs whose last build failed, sorted; not those of long ago.
    pub fn failed(&self) -> Vec<String> {
        failures::list(&self.shared.router.config.failed)
    }

    /// Forgets how a build ended, so that the next call tries at once; for when an install is rolled back. A
    /// build under way is left alone, and what is on disk stays.
    pub async fn forget(&self, id: &str) {
        let mut attempts = self.shared.attempts.lock();
        let Some(attempts) = attempts.as_mut() else { return };
        if attempts.get(id).is_some_and(|attempt| attempt.result.borrow().is_some()) {
            attempts.remove(id);
        }
    }

    /// Removes whatever there is of a build: what was kept, what is under way, and how it ended. The room that
    /// it took is free when the returned value is dropped.
    pub(crate) fn discard(&self, id: &str) -> io::Result<Temporary> {
        let attempt = self.shared.attempts.lock().as_mut().and_then(|attempts| attempts.remove(id));
        // With it, its programs end.
        drop(attempt);
        let config = &self.shared.router.config;
        failures::remove(&config.failed, id);
        persist::discard(&config.folder, id)
    }

    /// Where the build of a chaincode is kept, if it is.
    pub(crate) fn folder(&self, id: &str) -> PathBuf {
        persist::folder_of(&self.shared.router.config.folder, id)
    }

    /// What builds and chaincodes do and print, from now on. Who reads slowly misses some.
    pub fn subscribe(&self) -> broadcast::Receiver<BuildProgress> {
        self.shared.router.watchers.subscribe()
    }

    /// The names of the builders, in the order in which they are asked.
    pub fn builders(&self) -> Vec<String> {
        self.shared.router.config.builders.iter().map(|config| config.name.clone()).collect()
    }

    /// The attempt under way or still valid, else a new one.
    fn attempt(&self, id: &str) -> Option<watch::Receiver<Option<Outcome>>> {
        let router = &self.shared.router;
        let mut attempts = self.shared.attempts.lock();
        let attempts = attempts.as_mut()?;
        if let Some(attempt) = attempts.get(id)
            && attempt.is_valid(router.config.keep_failures)
        {
            return Some(attempt.result.clone());
        }
        let (sender, result) = watch::channel(None);
        let journal = Journal::default();
        let work = router.clone().build(id.to_owned(), journal.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let result = work.await;
            sender.send_replace(Some(Outcome { result, at: Instant::now() }));
        });
        attempts.insert(id.to_owned(), Attempt { result: result.clone(), journal, task });
        Some(result)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // Where the build was cut short nobody else does, and those who follow would wait for ever.
        self.journal.close();
    }
}

impl Attempt {
    fn is_valid(&self, keep_failures: Duration) -> bool {
        match &*self.result.borrow() {
            // A task that was lost can never answer.
            None => self.result.has_changed().is_ok(),
            Some(Outcome { result: Ok(build), .. }) => build.is_there(),
            Some(Outcome { result: Err(_), at }) => at.elapsed() < keep_failures,
        }
    }
}
