//! One launch as those see it who wait for it.

use tokio::sync::watch;

use crate::launch::errors::LaunchError;

/// A launch under way: first it is registered or refused, then it is over.
#[derive(Debug)]
pub(crate) struct Pending {
    id: String,
    registration: watch::Sender<Option<Result<(), String>>>,
    outcome: watch::Sender<Option<Result<(), LaunchError>>>,
}

impl Pending {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), registration: watch::Sender::default(), outcome: watch::Sender::default() }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Says that the chaincode has registered, or why it was refused. The first word counts.
    pub(crate) fn registered(&self, outcome: Result<(), String>) {
        settle(&self.registration, outcome);
    }

    /// Resolves when the chaincode has registered or was refused.
    pub(crate) async fn registration(&self) -> Result<(), String> {
        settled(&self.registration).await
    }

    /// Says how the launch ended. The first word counts.
    pub(crate) fn end(&self, outcome: Result<(), LaunchError>) {
        settle(&self.outcome, outcome);
    }

    /// Resolves when the launch is over.
    pub(crate) async fn outcome(&self) -> Result<(), LaunchError> {
        settled(&self.outcome).await
    }

    pub(crate) fn is_over(&self) -> bool {
        self.outcome.borrow().is_some()
    }
}

fn settle<T>(cell: &watch::Sender<Option<T>>, value: T) {
    cell.send_if_modified(|current| {
        let open = current.is_none();
        if open {
            *current = Some(value);
        }
        open
    });
}

async fn settled<T: Clone>(cell: &watch::Sender<Option<T>>) -> T {
    let mut receiver = cell.subscribe();
    loop {
        if let Some(value) = receiver.borrow_and_update().clone() {
            return value;
        }
        if receiver.changed().await.is_err() {
            // The sender lives as long as the launch that is borrowed here.
            std::future::pending::<()>().await;
        }
    }
}
