//! Which chaincode has streams, is being launched, or failed.
//!
//! Streams are taken off by what they are, never by their ID: a refused duplicate that goes away leaves the
//! healthy stream alone, unlike in Fabric.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};
use windlass_proto::hash::Digest;

use crate::{
    build::Journal,
    engine::{
        metrics::EngineMetrics,
        settings::InForce,
        status::{ChaincodeState, ChaincodeStatus, InstanceState},
    },
    launch::{
        errors::LaunchError,
        pending::{Pending, Waiter},
        pool::{Order, PoolHandle},
        record::Record,
        seat::Seat,
    },
    stream::{errors::RegistrationError, session::Session},
};

/// The place of an instance that the peer has not started.
const BY_HAND: &str = "started by hand";

/// One slot for every ID that was ever launched.
pub(crate) struct Registry {
    slots: Mutex<HashMap<String, Slot>>,
    settings: SettingsOf,
    /// Whether anyone may register.
    development: bool,
    /// Told of every session that becomes ready.
    arrivals: Notify,
    metrics: Arc<dyn EngineMetrics>,
}

/// What is in force for an ID.
pub(crate) type SettingsOf = Box<dyn Fn(&str) -> Arc<InForce> + Send + Sync>;

#[derive(Debug, Default)]
struct Slot {
    /// The registrations that are waited for.
    seats: Vec<Arc<Seat>>,
    /// The streams that have registered, ready or not.
    sessions: Vec<Arc<Session>>,
    pending: Option<Arc<Pending>>,
    /// The latest launch, over or not.
    latest: Option<Arc<Pending>>,
    pool: Option<PoolHandle>,
    /// Pools that are ending by themselves.
    ending: Vec<PoolHandle>,
    failure: Option<LaunchError>,
    settings: Option<Arc<InForce>>,
    record: Arc<Record>,
    /// Whether some channel runs it.
    wanted: bool,
    /// Shares equal loads out.
    turn: usize,
}

/// A stream to execute on, and the settings that hold there.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) session: Arc<Session>,
    pub(crate) settings: Arc<InForce>,
}

/// A transaction that looks for a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeking<'a> {
    pub(crate) channel: &'a str,
    pub(crate) tx_id: &'a str,
    /// The stream that it was on before.
    pub(crate) before: Option<&'a Arc<Session>>,
}

/// What a caller who needs a chaincode finds.
#[derive(Debug)]
pub(crate) enum Begin {
    Serving(Found),
    /// Someone launches it already.
    Joined(Waiter),
    /// So many wait already that nobody else may.
    Crowded(usize),
    /// The caller launches it. `previous` is what an earlier launch left.
    Started {
        pending: Arc<Pending>,
        waiter: Waiter,
        settings: Arc<InForce>,
        record: Arc<Record>,
        previous: Option<PoolHandle>,
    },
}

/// How a stream came about, and so who it may be.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// The chaincode dialed, without TLS.
    Anyone,
    /// The chaincode dialed and showed this certificate.
    Certificate(Digest),
    /// The peer dialed, for this seat.
    Dialed(Arc<Seat>),
}

/// A seat that is waited at. Dropping it gives the waiting up.
#[derive(Debug)]
pub(crate) struct OpenSeat {
    pub(crate) seat: Arc<Seat>,
    registry: Arc<Registry>,
}

impl std::ops::Deref for OpenSeat {
    type Target = Seat;

    fn deref(&self) -> &Seat {
        &self.seat
    }
}

impl Drop for OpenSeat {
    fn drop(&mut self) {
        if let Some(slot) = self.registry.slots.lock().get_mut(&self.seat.id) {
            slot.seats.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("slots", &self.slots.lock().len()).finish_non_exhaustive()
    }
}

impl Slot {
    fn expect(&mut self, pending: &Arc<Pending>) {
        self.pending = Some(pending.clone());
        self.latest = Some(pending.clone());
    }

    fn serving(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.sessions.iter().filter(|session| session.is_open())
    }

    /// The stream for a transaction: the one that it is on, else the one with the least to do.
    fn pick(&mut self, seeking: Option<Seeking<'_>>) -> Option<Arc<Session>> {
        if let [only] = self.sessions.as_slice() {
            return only.is_open().then(|| only.clone());
        }
        if let Some(Seeking { channel, tx_id, before }) = seeking {
            let stays = |session: &&Arc<Session>| {
                before.is_some_and(|before| Arc::ptr_eq(before, session)) || session.holds(channel, tx_id)
            };
            if let Some(session) = self.serving().find(stays) {
                return Some(session.clone());
            }
        }
        self.turn = self.turn.wrapping_add(1);
        let open: Vec<_> = self.serving().collect();
        let first = self.turn.checked_rem(open.len())?;
        let (before, after) = open.split_at(first);
        after.iter().chain(before).min_by_key(|session| session.executions()).map(|session| Arc::clone(session))
    }
}

impl Registry {
    pub(crate) fn new(settings: SettingsOf, development: bool, metrics: Arc<dyn EngineMetrics>) -> Self {
        Self { slots: Mutex::default(), settings, development, arrivals: Notify::new(), metrics }
    }

    /// Finds a stream of `id`, joins its launch, or begins one.
    pub(crate) fn begin(&self, id: &str, seeking: Option<Seeking<'_>>) -> Begin {
        let mut slots = self.slots.lock();
        if !slots.contains_key(id) {
            slots.insert(id.to_owned(), Slot::default());
        }
        let Some(slot) = slots.get_mut(id) else { unreachable!("it was just put there") };
        if let (Some(session), Some(settings)) = (slot.pick(seeking), &slot.settings) {
            return Begin::Serving(Found { session, settings: settings.clone() });
        }
        if let (Some(pending), Some(settings)) = (&slot.pending, &slot.settings) {
            return pending.join(settings.queue).map_or(Begin::Crowded(settings.queue), Begin::Joined);
        }
        let pending = Arc::new(Pending::new(id));
        if let (Some(pool), Some(settings)) = (&slot.pool, &slot.settings)
            && pool.is_supervised()
            && pool.order(Order::Wake(pending.clone()))
        {
            // It tries by itself already; now it shall hurry.
            let limit = settings.queue;
            slot.expect(&pending);
            return pending.join(limit).map_or(Begin::Crowded(limit), Begin::Joined);
        }
        let settings = (self.settings)(id);
        let Some(waiter) = pending.join(settings.queue.max(1)) else { unreachable!("it is the first") };
        slot.expect(&pending);
        slot.settings = Some(settings.clone());
        slot.ending.retain(|pool| !pool.is_over());
        Begin::Started { pending, waiter, settings, record: slot.record.clone(), previous: slot.pool.take() }
    }

    /// A stream of `id` that is there.
    pub(crate) fn begin_serving(&self, id: &str, seeking: Option<Seeking<'_>>) -> Option<Found> {
        let mut slots = self.slots.lock();
        let slot = slots.get_mut(id)?;
        let session = slot.pick(seeking)?;
        Some(Found { session, settings: slot.settings.clone()? })
    }

    /// A stream of `id`, as soon as there is one.
    pub(crate) async fn arrival(&self, id: &str, seeking: Option<Seeking<'_>>) -> Found {
        loop {
            // Before the look, so that no arrival falls between the two.
            let arrival = self.arrivals.notified();
            if let Some(found) = self.begin_serving(id, seeking) {
                return found;
            }
            arrival.await;
        }
    }

    /// Hands over what keeps the instances of a launch alive.
    pub(crate) fn keep(&self, id: &str, pool: PoolHandle) {
        let mut slots = self.slots.lock();
        // One that failed before it was handed over may have been followed by another.
        if let Some(slot) = slots.get_mut(id).filter(|slot| slot.pool.is_none()) {
            slot.pool = Some(pool);
        }
    }

    /// Opens a seat for one more stream of `id`.
    pub(crate) fn open_seat(self: &Arc<Self>, id: &str, instance: u32, dialed: bool) -> OpenSeat {
        let seat = Arc::new(Seat::new(id, instance, dialed));
        let mut slots = self.slots.lock();
        slots.entry(id.to_owned()).or_default().seats.push(seat.clone());
        OpenSeat { seat, registry: self.clone() }
    }

    /// Gives a session a seat of `id`.
    // Fabric: chaincode-protocol §6
    pub(crate) fn register(
        &self,
        id: &str,
        session: &Arc<Session>,
        origin: &Origin,
    ) -> Result<Arc<Seat>, RegistrationError> {
        if let Origin::Dialed(seat) = origin
            && seat.id != id
        {
            let error = RegistrationError::WrongId { expected: seat.id.clone(), found: id.to_owned() };
            seat.refuse(error.to_string());
            return Err(error);
        }
        let mut slots = self.slots.lock();
        let seat = slots.get(id).and_then(|slot| {
            let mut free = slot.seats.iter().filter(|seat| seat.is_free());
            match origin {
                Origin::Dialed(own) => free.find(|seat| Arc::ptr_eq(seat, own)),
                Origin::Anyone => free.find(|seat| !seat.dialed),
                Origin::Certificate(hash) => {
                    let own = free.clone().find(|seat| seat.expects_certificate(hash));
                    own.or_else(|| free.find(|seat| !seat.dialed))
                }
            }
        });
        let Some(seat) = seat.filter(|seat| seat.take(session)).cloned() else {
            if self.development && matches!(origin, Origin::Anyone) {
                return Ok(self.welcome(slots.entry(id.to_owned()).or_default(), id, session));
            }
            if slots.get(id).is_some_and(|slot| slot.sessions.iter().any(|session| !session.is_closed())) {
                return Err(RegistrationError::Duplicate(id.to_owned()));
            }
            blame(&slots, id);
            return Err(RegistrationError::Unsolicited(id.to_owned()));
        };
        session.name(id, seat.instance);
        if let Some(slot) = slots.get_mut(id) {
            slot.sessions.push(session.clone());
        }
        Ok(seat)
    }

    /// Takes in a chaincode that nobody has launched.
    fn welcome(&self, slot: &mut Slot, id: &str, session: &Arc<Session>) -> Arc<Seat> {
        let seat = Arc::new(Seat::by_hand(id, slot.record.join(BY_HAND)));
        seat.take(session);
        session.name(id, seat.instance);
        slot.sessions.push(session.clone());
        // Read anew at each start, as for a launch.
        slot.settings = Some((self.settings)(id));
        seat
    }

    /// Opens a registered session for use: READY was sent.
    pub(crate) fn activate(&self, session: &Arc<Session>, seat: &Seat) {
        let slots = self.slots.lock();
        session.make_ready();
        seat.fill(session);
        if let Some(slot) = slots.get(session.id()).filter(|_| seat.by_hand) {
            tracing::info!(id = session.id(), "chaincode that was started by hand has registered");
            slot.record.serving(seat.instance);
            // Sessions stand in the order of their registration: the newest stays, whichever is ready first.
            slot.sessions.iter().take_while(|other| !Arc::ptr_eq(other, session)).for_each(supersede);
        }
        self.count_streams(&slots, session.id());
        drop(slots);
        self.arrivals.notify_waiters();
    }

    /// Fails the launch that showed this certificate, or the only one of `id`: its chaincode registered wrongly.
    pub(crate) fn refuse(&self, id: &str, hash: &Digest, error: &RegistrationError) {
        let slots = self.slots.lock();
        let Some(slot) = slots.get(id) else { return };
        let own = slot.seats.iter().find(|seat| seat.expects_certificate(hash));
        if let Some(seat) = own.or_else(|| slot.seats.first().filter(|_| slot.seats.len() == 1)) {
            seat.refuse(error.to_string());
        }
    }

    /// Takes a session off whose stream has ended.
    pub(crate) fn deregister(&self, session: &Arc<Session>, seat: Option<&Seat>) {
        if let Some(seat) = seat {
            seat.leave(session);
        }
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get_mut(session.id()) {
            slot.sessions.retain(|one| !Arc::ptr_eq(one, session));
            if let Some(seat) = seat.filter(|seat| seat.by_hand) {
                slot.record.gone(seat.instance);
            }
            self.count_streams(&slots, session.id());
        }
    }

    fn count_streams(&self, slots: &HashMap<String, Slot>, id: &str) {
        if let Some(slot) = slots.get(id) {
            self.metrics.streams(id, slot.sessions.iter().filter(|session| session.is_ready()).count());
        }
    }

    /// Ends a launch well.
    pub(crate) fn launched(&self, pending: &Arc<Pending>) {
        self.finish(pending, None);
        pending.end(Ok(()));
    }

    /// Ends a launch badly. The next caller begins another.
    pub(crate) fn failed(&self, pending: &Arc<Pending>, error: LaunchError) {
        self.finish(pending, Some(error.clone()));
        pending.end(Err(error));
    }

    /// An instance came back by itself.
    pub(crate) fn recovered(&self, id: &str) {
        if let Some(slot) = self.slots.lock().get_mut(id) {
            slot.failure = None;
        }
    }

    fn finish(&self, pending: &Arc<Pending>, failure: Option<LaunchError>) {
        let mut slots = self.slots.lock();
        let Some(slot) = slots.get_mut(pending.id()) else { return };
        if slot.pending.as_ref().is_some_and(|current| Arc::ptr_eq(current, pending)) {
            slot.pending = None;
            slot.failure = failure;
        }
    }

    /// The launch of `id` that is under way.
    pub(crate) fn pending(&self, id: &str) -> Option<Arc<Pending>> {
        self.slots.lock().get(id).and_then(|slot| slot.pending.clone())
    }

    /// The streams of `id`.
    pub(crate) fn sessions(&self, id: &str) -> Vec<Arc<Session>> {
        self.slots.lock().get(id).map(|slot| slot.sessions.clone()).unwrap_or_default()
    }

    /// Takes everything that keeps `id` alive.
    pub(crate) fn take(&self, id: &str) -> Vec<PoolHandle> {
        let mut slots = self.slots.lock();
        slots.get_mut(id).map_or(Vec::new(), |slot| {
            let mut pools = std::mem::take(&mut slot.ending);
            pools.extend(slot.pool.take());
            pools
        })
    }

    /// Lets no more transactions begin on the streams of `id` if none has run since `moment`, and nobody waits.
    /// The pool goes on by itself to its end; the next caller begins another.
    pub(crate) fn put_to_sleep(&self, id: &str, moment: Instant) -> bool {
        let mut slots = self.slots.lock();
        let Some(slot) = slots.get_mut(id) else { return true };
        let quiet = |session: &Arc<Session>| session.quiet_since().is_some_and(|since| since <= moment);
        let waited_for = slot.latest.as_ref().is_some_and(|latest| latest.is_waited_for());
        if slot.pending.is_some() || waited_for || !slot.sessions.iter().all(quiet) {
            return false;
        }
        slot.sessions.iter().for_each(|session| session.drain());
        slot.ending.extend(slot.pool.take());
        true
    }

    /// Notes whether some channel runs `id`.
    pub(crate) fn want(&self, id: &str, wanted: bool) {
        let mut slots = self.slots.lock();
        let slot = slots.entry(id.to_owned()).or_default();
        slot.wanted = wanted;
        slot.record.retire(!wanted);
    }

    /// What the instances of `id` print.
    pub(crate) fn output(&self, id: &str) -> Journal {
        self.slots.lock().entry(id.to_owned()).or_default().record.journal().clone()
    }

    /// Every ID there is a slot for.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.slots.lock().keys().cloned().collect()
    }

    /// Chaincode that some channel runs, that failed, and why.
    pub(crate) fn broken(&self) -> Vec<(String, String)> {
        let slots = self.slots.lock();
        let mut broken: Vec<_> = slots
            .iter()
            .filter(|(_, slot)| slot.wanted)
            .filter_map(|(id, slot)| match state(slot) {
                ChaincodeState::Failed(error) => Some((id.clone(), error)),
                _ => None,
            })
            .collect();
        broken.sort();
        broken
    }

    /// Drops what is known of chaincode that does nothing and is wanted by no channel, unless it is to be kept.
    pub(crate) fn forget_idle(&self, kept: impl Fn(&str) -> bool) {
        self.slots.lock().retain(|id, slot| {
            let holds = !slot.seats.is_empty() || !slot.sessions.is_empty() || slot.pool.is_some();
            let ends = slot.ending.iter().any(|pool| !pool.is_over());
            slot.wanted || holds || ends || state(slot) != ChaincodeState::Idle || kept(id)
        });
    }

    /// What every chaincode is doing, by ID.
    pub(crate) fn status(&self) -> Vec<ChaincodeStatus> {
        let mut status: Vec<_> = self.slots.lock().iter().map(|(id, slot)| describe(id, slot)).collect();
        status.sort_by(|a, b| a.id.cmp(&b.id));
        status
    }

    /// Ends every stream.
    pub(crate) fn close(&self) {
        let sessions: Vec<_> = self.slots.lock().values().flat_map(|slot| slot.sessions.clone()).collect();
        sessions.iter().for_each(|session| session.close());
    }
}

/// Ends a stream in favour of a newer one, once the transactions on it are over; each has its deadline.
fn supersede(session: &Arc<Session>) {
    session.drain();
    let session = session.clone();
    tokio::spawn(async move {
        session.idle().await;
        session.close();
    });
}

/// Fails the launch that a stranger most likely belongs to: the only one that waits for a chaincode to dial in
/// and cannot tell who does. Where there are several, nobody is blamed.
fn blame(slots: &HashMap<String, Slot>, found: &str) {
    let seats = slots.values().flat_map(|slot| &slot.seats);
    let mut waiting = seats.filter(|seat| seat.expects_anyone() && seat.is_free());
    if let (Some(seat), None) = (waiting.next(), waiting.next()) {
        let error = RegistrationError::WrongId { expected: seat.id.clone(), found: found.to_owned() };
        seat.refuse(error.to_string());
    }
}

fn state(slot: &Slot) -> ChaincodeState {
    if slot.pending.is_some() {
        return ChaincodeState::Starting;
    }
    if slot.serving().next().is_some() {
        return ChaincodeState::Serving;
    }
    if let Some(error) = &slot.failure {
        return ChaincodeState::Failed(error.to_string());
    }
    match (&slot.pool, slot.record.last_error()) {
        // It is tried again, again and again.
        (Some(pool), Some(error)) if pool.is_supervised() => ChaincodeState::Failed(error),
        _ => ChaincodeState::Idle,
    }
}

fn describe(id: &str, slot: &Slot) -> ChaincodeStatus {
    let ready: Vec<_> = slot.sessions.iter().filter(|session| session.is_ready()).collect();
    let mut instances = slot.record.instances();
    for instance in &mut instances {
        let own = || ready.iter().filter(|session| session.instance() == instance.number);
        instance.streams = own().count();
        instance.executions = own().map(|session| session.executions()).sum();
        let open = own().any(|session| session.is_open());
        if instance.state == InstanceState::Serving && !open {
            instance.state = InstanceState::Draining;
        }
    }
    ChaincodeStatus {
        id: id.to_owned(),
        state: state(slot),
        builder: slot.record.builder(),
        toolchain: slot.record.toolchain(),
        streams: ready.len(),
        executions: ready.iter().map(|session| session.executions()).sum(),
        iterators: ready.iter().map(|session| session.open_queries()).sum(),
        restarts: slot.record.restarts(),
        last_error: slot.failure.as_ref().map(ToString::to_string).or_else(|| slot.record.last_error()),
        output: slot.record.output(),
        instances,
    }
}
