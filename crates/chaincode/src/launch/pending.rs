//! One launch as those see it who wait for it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::watch;

use crate::launch::errors::LaunchError;

/// A launch under way: from no stream at all to the first, or to failure.
#[derive(Debug)]
pub(crate) struct Pending {
    id: String,
    waiting: AtomicUsize,
    outcome: watch::Sender<Option<Result<(), LaunchError>>>,
}

/// Someone who waits for a launch, until the stream is found.
#[derive(Debug)]
pub(crate) struct Waiter(Arc<Pending>);

impl Pending {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), waiting: AtomicUsize::new(0), outcome: watch::Sender::default() }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether anyone waits, or has not found its stream yet.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Lines up behind those who wait already, if they are fewer than `limit`.
    pub(crate) fn join(self: &Arc<Self>, limit: usize) -> Option<Waiter> {
        let waiter = Waiter(self.clone());
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        (before < limit).then_some(waiter)
    }

    /// Says how the launch ended. The first word counts.
    pub(crate) fn end(&self, outcome: Result<(), LaunchError>) {
        self.outcome.send_if_modified(|current| {
            let open = current.is_none();
            if open {
                *current = Some(outcome);
            }
            open
        });
    }

    /// Resolves when the launch is over.
    pub(crate) async fn outcome(&self) -> Result<(), LaunchError> {
        let mut receiver = self.outcome.subscribe();
        let ended = receiver.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        match ended {
            Some(outcome) => outcome,
            // The sender lives as long as the launch that is borrowed here.
            None => std::future::pending().await,
        }
    }
}

impl Waiter {
    pub(crate) async fn outcome(&self) -> Result<(), LaunchError> {
        self.0.outcome().await
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
