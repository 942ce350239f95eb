//! What keeps a launched chaincode alive.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{launch::source::Running, stream::session::Session};

/// A running process or a dialed connection. Dropping it kills the one and closes the other.
#[derive(Debug)]
pub(crate) struct Instance {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Instance {
    /// Keeps a process. Its end is noted and nothing more: the stream decides whether the chaincode is there.
    pub(crate) fn process(id: &str, mut process: Box<dyn Running>) -> Self {
        let stop = CancellationToken::new();
        let (id, stopped) = (id.to_owned(), stop.clone());
        let task = tokio::spawn(async move {
            tokio::select! {
                biased;
                () = stopped.cancelled() => process.stop().await,
                outcome = process.wait() => tracing::info!(%id, %outcome, "chaincode process ended"),
            }
        });
        Self { stop, task: Some(task) }
    }

    /// Keeps a connection, which `task` reads.
    pub(crate) fn connection(session: Arc<Session>, task: JoinHandle<()>) -> Self {
        Self { stop: session.closed_token(), task: Some(task) }
    }

    /// Ends it in good order. Dropping the future ends it at once.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = &mut self.task {
            // A task that was torn down has ended as well.
            let _ = task.await;
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
