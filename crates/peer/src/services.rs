//! The gRPC services of the peer's port.
//!
//! - [`endorser`] serves `protos.Endorser`
//! - [`gateway`] serves `gateway.Gateway`
//! - [`deliver`] serves `protos.Deliver`
//! - [`discovery`] serves `discovery.Discovery`

pub mod deliver;
pub mod discovery;
pub mod endorser;
pub mod gateway;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

/// How many requests of one service may run at once; more are refused, not queued.
#[derive(Clone, Debug)]
pub struct Limit {
    service: &'static str,
    limit: usize,
    free: Arc<Semaphore>,
}

impl Limit {
    /// A limit for `service`, such as `/protos.Endorser`. Zero is no limit.
    pub fn new(service: &'static str, limit: usize) -> Self {
        let limit = if limit == 0 { Semaphore::MAX_PERMITS } else { limit.min(Semaphore::MAX_PERMITS) };
        Self { service, limit, free: Arc::new(Semaphore::new(limit)) }
    }

    /// A place, held until it is dropped.
    ///
    /// # Errors
    /// When all places are taken.
    // Fabric: endorsement-and-gateway §1
    #[allow(clippy::result_large_err)]
    pub fn enter(&self) -> Result<OwnedSemaphorePermit, Status> {
        self.free.clone().try_acquire_owned().map_err(|_| {
            Status::unknown(format!(
                "too many requests for {}, exceeding concurrency limit ({})",
                self.service, self.limit
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_one_request_too_many_and_recovers() {
        let limit = Limit::new("/protos.Endorser", 1);
        let place = limit.enter().expect("a free place");
        let refused = limit.enter().expect_err("full");
        assert_eq!(refused.message(), "too many requests for /protos.Endorser, exceeding concurrency limit (1)");
        drop(place);
        assert!(limit.enter().is_ok());
        assert!(Limit::new("/protos.Endorser", usize::MAX).enter().is_ok());
    }
}
