//! Which chaincode has a stream, is being launched, or failed.
//!
//! Streams are taken off by what they are, never by their ID: a refused duplicate that goes away leaves the
//! healthy stream alone, unlike in Fabric.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::{
    engine::status::{ChaincodeState, ChaincodeStatus},
    launch::{errors::LaunchError, instance::Instance, pending::Pending},
    stream::{errors::RegistrationError, session::Session},
};

/// One slot for every ID that was ever launched.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    slots: Mutex<HashMap<String, Slot>>,
}

#[derive(Debug, Default)]
struct Slot {
    session: Option<Arc<Session>>,
    /// Whether READY was sent on the session.
    ready: bool,
    pending: Option<Arc<Pending>>,
    instance: Option<Instance>,
    failure: Option<LaunchError>,
}

/// What a caller who needs a chaincode finds.
#[derive(Debug)]
pub(crate) enum Begin {
    Serving(Arc<Session>),
    /// Someone launches it already.
    Joined(Arc<Pending>),
    /// The caller launches it. `previous` is what an earlier launch left.
    Started { pending: Arc<Pending>, previous: Option<Instance> },
}

impl Slot {
    fn serving(&self) -> Option<&Arc<Session>> {
        self.session.as_ref().filter(|session| self.ready && !session.is_closed())
    }
}

impl Registry {
    /// The session of `id`, if it can be used.
    pub(crate) fn serving(&self, id: &str) -> Option<Arc<Session>> {
        self.slots.lock().get(id).and_then(Slot::serving).cloned()
    }

    /// Finds the session of `id`, joins its launch, or begins one.
    pub(crate) fn begin(&self, id: &str) -> Begin {
        let mut slots = self.slots.lock();
        let slot = slots.entry(id.to_owned()).or_default();
        if let Some(pending) = &slot.pending {
            return Begin::Joined(pending.clone());
        }
        if let Some(session) = slot.serving() {
            return Begin::Serving(session.clone());
        }
        let pending = Arc::new(Pending::new(id));
        slot.pending = Some(pending.clone());
        Begin::Started { pending, previous: slot.instance.take() }
    }

    /// Reserves `id` for a session. `expected` is the ID that this very stream was opened for, if it was.
    // Fabric: chaincode-protocol §6
    pub(crate) fn register(
        &self,
        id: &str,
        session: &Arc<Session>,
        expected: Option<&str>,
    ) -> Result<(), RegistrationError> {
        if let Some(expected) = expected.filter(|expected| *expected != id) {
            let error = RegistrationError::WrongId { expected: expected.to_owned(), found: id.to_owned() };
            self.refuse(expected, error.clone());
            return Err(error);
        }
        let mut slots = self.slots.lock();
        let unsolicited = || RegistrationError::Unsolicited(id.to_owned());
        let slot = slots.get_mut(id).ok_or_else(unsolicited)?;
        if slot.session.as_ref().is_some_and(|holder| !holder.is_closed()) {
            return Err(RegistrationError::Duplicate(id.to_owned()));
        }
        if slot.pending.is_none() {
            return Err(unsolicited());
        }
        session.name(id);
        slot.session = Some(session.clone());
        slot.ready = false;
        Ok(())
    }

    /// Opens a registered session for use: READY was sent.
    pub(crate) fn activate(&self, session: &Arc<Session>) {
        let mut slots = self.slots.lock();
        let Some(slot) = slots.get_mut(session.id()) else { return };
        if slot.session.as_ref().is_some_and(|holder| Arc::ptr_eq(holder, session)) {
            slot.ready = true;
            if let Some(pending) = &slot.pending {
                pending.registered(Ok(()));
            }
        }
    }

    /// Fails the launch of `id`, if there is one: its chaincode registered wrongly.
    pub(crate) fn refuse(&self, id: &str, error: RegistrationError) {
        let pending = self.slots.lock().get(id).and_then(|slot| slot.pending.clone());
        if let Some(pending) = pending {
            pending.registered(Err(error.to_string()));
        }
    }

    /// Takes a session off whose stream has ended.
    pub(crate) fn deregister(&self, session: &Arc<Session>) {
        let mut slots = self.slots.lock();
        let Some(slot) = slots.get_mut(session.id()) else { return };
        if slot.session.as_ref().is_some_and(|holder| Arc::ptr_eq(holder, session)) {
            slot.session = None;
            slot.ready = false;
        }
    }

    /// Ends a launch well.
    pub(crate) fn launched(&self, pending: &Arc<Pending>, instance: Option<Instance>) {
        self.finish(pending, instance, None);
        pending.end(Ok(()));
    }

    /// Ends a launch badly. The next caller begins another.
    pub(crate) fn failed(&self, pending: &Arc<Pending>, error: LaunchError, instance: Option<Instance>) {
        self.finish(pending, instance, Some(error.clone()));
        pending.end(Err(error));
    }

    fn finish(&self, pending: &Arc<Pending>, instance: Option<Instance>, failure: Option<LaunchError>) {
        let mut slots = self.slots.lock();
        let Some(slot) = slots.get_mut(pending.id()) else { return };
        if slot.pending.as_ref().is_some_and(|current| Arc::ptr_eq(current, pending)) {
            slot.pending = None;
            slot.instance = instance;
            slot.failure = failure;
        }
    }

    /// The launch of `id` that is under way.
    pub(crate) fn pending(&self, id: &str) -> Option<Arc<Pending>> {
        self.slots.lock().get(id).and_then(|slot| slot.pending.clone())
    }

    /// Takes everything that keeps `id` alive.
    pub(crate) fn take(&self, id: &str) -> (Option<Arc<Session>>, Option<Instance>) {
        let mut slots = self.slots.lock();
        slots.get_mut(id).map_or((None, None), |slot| (slot.session.clone(), slot.instance.take()))
    }

    /// Every ID there is a slot for.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.slots.lock().keys().cloned().collect()
    }

    /// What every chaincode is doing, by ID.
    pub(crate) fn status(&self) -> Vec<ChaincodeStatus> {
        let mut status: Vec<_> = self.slots.lock().iter().map(|(id, slot)| describe(id, slot)).collect();
        status.sort_by(|a, b| a.id.cmp(&b.id));
        status
    }
}

fn describe(id: &str, slot: &Slot) -> ChaincodeStatus {
    let session = slot.serving();
    let state = match (&slot.pending, session, &slot.failure) {
        (Some(_), _, _) => ChaincodeState::Starting,
        (None, Some(_), _) => ChaincodeState::Serving,
        (None, None, Some(error)) => ChaincodeState::Failed(error.to_string()),
        (None, None, None) => ChaincodeState::Idle,
    };
    ChaincodeStatus { id: id.to_owned(), state, executions: session.map_or(0, |session| session.executions()) }
}
