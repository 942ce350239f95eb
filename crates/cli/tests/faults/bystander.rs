//! The chaincode that must not notice: it works all the while.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinHandle};

use crate::support::client::{Client, within};

/// The name of the chaincode.
pub(crate) const NAME: &str = "bystander";
/// So that most of the machine is left to the fault.
const PAUSE: Duration = Duration::from_millis(20);

/// Transactions on it, one after another, until this is told to rest.
#[derive(Debug)]
pub(crate) struct Bystander {
    done: Arc<AtomicUsize>,
    wanted: watch::Sender<bool>,
    resting: watch::Receiver<bool>,
    task: JoinHandle<String>,
    /// What it noticed, once it has ended.
    noticed: Option<String>,
}

impl Bystander {
    pub(crate) fn start(client: Client) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let (wanted, mut working) = watch::channel(true);
        let (rest, resting) = watch::channel(false);
        let count = done.clone();
        let task = tokio::spawn(async move {
            for number in 0.. {
                if !*working.borrow() {
                    rest.send_replace(true);
                    let _ = working.wait_for(|working| *working).await;
                    rest.send_replace(false);
                }
                let (key, value) = (format!("key{}", number % 10), number.to_string());
                if let Err(refusal) = client.submit(NAME, &["Put", &key, &value]).await {
                    return format!("Put {value}: {refusal}");
                }
                match client.query(NAME, &["Get", &key]).await {
                    Ok(read) if read == value => {}
                    Ok(read) => return format!("Get: {read:?} for {value}"),
                    Err(refusal) => return format!("Get: {refusal}"),
                }
                count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
            String::new()
        });
        Self { done, wanted, resting, task, noticed: None }
    }

    /// How many transactions went well. Fails if any has not.
    pub(crate) async fn done(&mut self) -> usize {
        if self.noticed.is_none() && self.task.is_finished() {
            self.noticed = Some((&mut self.task).await.unwrap_or_else(|panic| panic.to_string()));
        }
        if let Some(noticed) = &self.noticed {
            panic!("the bystander noticed: {noticed}");
        }
        self.done.load(Ordering::Relaxed)
    }

    /// Waits until a few more transactions have gone well.
    pub(crate) async fn goes_on(&mut self) {
        let before = self.done().await;
        within(async {
            while self.done().await < before + 3 {
                tokio::time::sleep(PAUSE).await;
            }
        })
        .await;
    }

    /// Lets it rest, so that nothing of it is counted.
    pub(crate) async fn rest(&mut self) {
        self.wanted.send_replace(false);
        if within(self.resting.wait_for(|resting| *resting)).await.is_err() {
            self.done().await;
        }
    }

    pub(crate) async fn work(&mut self) {
        self.wanted.send_replace(true);
        if within(self.resting.wait_for(|resting| !*resting)).await.is_err() {
            self.done().await;
        }
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.task.abort();
    }
}
