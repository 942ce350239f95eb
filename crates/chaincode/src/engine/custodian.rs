//! Running what the channels have agreed on.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::calls::Core;

/// All chaincode has to stop in this time.
// Fabric: chaincode-protocol §14
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Launches what becomes runnable and stops what no longer is. Each launch is a task of its own: one that hangs
/// delays no other. A failed launch is not repeated; the next call of that chaincode does.
pub(super) async fn run(core: &Arc<Core>, mut runnable: watch::Receiver<Arc<BTreeSet<String>>>) {
    let mut running: Arc<BTreeSet<String>> = Arc::default();
    let mut tasks = JoinSet::new();
    loop {
        let wanted = runnable.borrow_and_update().clone();
        for id in wanted.difference(&running) {
            let (launcher, id) = (core.launcher().clone(), id.clone());
            launcher.registry().want(&id, true);
            if launcher.settings(&id).lazy {
                // The first call launches it.
                continue;
            }
            tasks.spawn(async move {
                // The launcher logs why.
                let _ = launcher.session(&id, None).await;
            });
        }
        for id in running.difference(&wanted) {
            core.launcher().registry().want(id, false);
            tasks.spawn(retire(core.clone(), id.clone()));
        }
        running = wanted;
        loop {
            tokio::select! {
                changed = runnable.changed() => match changed {
                    Ok(()) => break,
                    // Nothing will ever change again.
                    Err(_) => return std::future::pending().await,
                },
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
        }
    }
}

/// Stops a chaincode that is superseded, once the transactions it is executing are over.
async fn retire(core: Arc<Core>, id: String) {
    let registry = core.launcher().registry();
    if let Some(pending) = registry.pending(&id) {
        // It cannot be stopped half-way; the launch has a deadline.
        let _ = pending.outcome().await;
    }
    // After this much time every transaction has run into its own limit.
    let limit = core.launcher().settings(&id).execute_timeout;
    let sessions = registry.sessions(&id);
    let _ = timeout(limit, join_all(sessions.iter().map(|session| session.idle()))).await;
    tracing::info!(%id, "chaincode is no longer referenced and is stopped");
    stop(&core, &id).await;
}

/// Stops all chaincode at once.
pub(super) async fn stop_all(core: &Arc<Core>) {
    let launcher = core.launcher();
    launcher.stop_launching();
    let registry = launcher.registry();
    let all = registry.ids().into_iter().map(|id| async move {
        if let Some(pending) = registry.pending(&id) {
            let _ = pending.outcome().await;
        }
        stop(core, &id).await;
    });
    if timeout(STOP_LIMIT, join_all(all)).await.is_err() {
        tracing::warn!("not all chaincode stopped within {STOP_LIMIT:?}; what is left is killed");
    }
}

/// Ends a chaincode's stream and whatever keeps it alive.
async fn stop(core: &Arc<Core>, id: &str) {
    let pools = core.launcher().registry().take(id);
    join_all(pools.into_iter().map(|pool| pool.stop())).await;
}
