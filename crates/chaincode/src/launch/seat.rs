//! One registration that is waited for.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::watch;
use windlass_proto::hash::Digest;

use crate::stream::session::Session;

/// A place for one session of one instance: taken when the chaincode registers, filled when it is ready, or
/// lost to a wrong registration.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) id: String,
    pub(crate) instance: u32,
    /// Whether the peer opened the stream, so that nobody else may take the seat.
    pub(crate) dialed: bool,
    /// Whether nobody waited: the chaincode was started by hand.
    pub(crate) by_hand: bool,
    anyone: AtomicBool,
    certificate: OnceLock<Digest>,
    taken: Mutex<Option<Arc<Session>>>,
    outcome: watch::Sender<Option<Result<Arc<Session>, String>>>,
}

impl Seat {
    pub(crate) fn new(id: &str, instance: u32, dialed: bool) -> Self {
        Self {
            id: id.to_owned(),
            instance,
            dialed,
            by_hand: false,
            anyone: AtomicBool::new(false),
            certificate: OnceLock::new(),
            taken: Mutex::default(),
            outcome: watch::Sender::default(),
        }
    }

    /// The seat of a chaincode that comes unasked.
    pub(crate) fn by_hand(id: &str, instance: u32) -> Self {
        Self { by_hand: true, ..Self::new(id, instance, false) }
    }

    /// Says that the chaincode runs now and is expected to dial in, without anything that tells who dials.
    pub(crate) fn expect_anyone(&self) {
        self.anyone.store(true, Ordering::Release);
    }

    pub(crate) fn expects_anyone(&self) -> bool {
        self.anyone.load(Ordering::Acquire)
    }

    /// Says which certificate the chaincode was given.
    pub(crate) fn expect_certificate(&self, hash: Digest) {
        // A seat is made for one start.
        let _ = self.certificate.set(hash);
    }

    pub(crate) fn expects_certificate(&self, hash: &Digest) -> bool {
        self.certificate.get() == Some(hash)
    }

    /// Takes the seat, if it is free.
    pub(crate) fn take(&self, session: &Arc<Session>) -> bool {
        let mut taken = self.taken.lock();
        let free = taken.is_none() && self.outcome.borrow().is_none();
        if free {
            *taken = Some(session.clone());
        }
        free
    }

    pub(crate) fn is_free(&self) -> bool {
        self.taken.lock().is_none() && self.outcome.borrow().is_none()
    }

    /// Gives the seat back if it is this session's, and was never filled.
    pub(crate) fn leave(&self, session: &Arc<Session>) {
        let mut taken = self.taken.lock();
        if taken.as_ref().is_some_and(|holder| Arc::ptr_eq(holder, session)) {
            *taken = None;
        }
    }

    /// The session that took the seat is ready.
    pub(crate) fn fill(&self, session: &Arc<Session>) {
        let holds = self.taken.lock().as_ref().is_some_and(|holder| Arc::ptr_eq(holder, session));
        if holds {
            self.settle(Ok(session.clone()));
        }
    }

    /// The chaincode registered wrongly.
    pub(crate) fn refuse(&self, error: String) {
        self.settle(Err(error));
    }

    /// The first word counts.
    fn settle(&self, outcome: Result<Arc<Session>, String>) {
        self.outcome.send_if_modified(|current| {
            let open = current.is_none();
            if open {
                *current = Some(outcome);
            }
            open
        });
    }

    /// Resolves when the chaincode has registered, or was refused.
    pub(crate) async fn registration(&self) -> Result<Arc<Session>, String> {
        let mut receiver = self.outcome.subscribe();
        let settled = receiver.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        match settled {
            Some(outcome) => outcome,
            // The sender lives as long as the seat that is borrowed here.
            None => std::future::pending().await,
        }
    }
}
