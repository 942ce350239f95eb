//! Clients that keep an endorser busy, and what comes of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use windlass_proto::envelope::Call;

use crate::{process, support::client::Client};

/// Before anything counts: connections, caches and chaincode get warm.
const WARM_UP: Duration = Duration::from_millis(400);

/// So many proposals at once for so long.
pub(crate) struct Load {
    pub(crate) clients: Vec<Client>,
    pub(crate) concurrency: usize,
    pub(crate) duration: Duration,
}

/// What a load came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    pub(crate) median: Duration,
    pub(crate) percentile_99: Duration,
    /// CPU time of the endorser's process for each 1,000 endorsements.
    pub(crate) cpu_per_thousand: Duration,
}

impl Load {
    /// Calls `call` over and over; `pid` is the endorser's process.
    pub(crate) async fn run(&self, call: &Call, pid: u32) -> Measured {
        self.phase(call, WARM_UP).await;
        let (started, cpu) = (Instant::now(), process::cpu(pid));
        let mut latencies = self.phase(call, self.duration).await;
        let (took, cpu) = (started.elapsed(), process::cpu(pid) - cpu);
        latencies.sort_unstable();
        let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
        Measured {
            per_second: latencies.len() as f64 / took.as_secs_f64(),
            median: at(0.5),
            percentile_99: at(0.99),
            cpu_per_thousand: cpu.mul_f64(1000.0 / latencies.len() as f64),
        }
    }

    async fn phase(&self, call: &Call, duration: Duration) -> Vec<Duration> {
        let (call, deadline) = (Arc::new(call.clone()), Instant::now() + duration);
        let workers = (0..self.concurrency).map(|worker| {
            let (client, call) = (self.clients[worker % self.clients.len()].clone(), call.clone());
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while Instant::now() < deadline {
                    let (proposal, _) = client.sign(&call);
                    let sent = Instant::now();
                    let answer = client.endorse(proposal).await.expect("an answer");
                    latencies.push(sent.elapsed());
                    assert!(answer.endorsement.is_some(), "not endorsed: {:?}", answer.response);
                }
                latencies
            })
        });
        let latencies = futures::future::try_join_all(workers).await.expect("no worker fails");
        latencies.into_iter().flatten().collect()
    }
}
