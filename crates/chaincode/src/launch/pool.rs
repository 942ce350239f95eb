//! All instances of one chaincode: brought up together, kept up, followed when they move, and put to sleep.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, mpsc},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::settings::InForce,
    launch::{
        Launcher,
        endpoints::{self, Endpoint},
        errors::{LaunchCause, LaunchError},
        instance::{Event, Ground, Instance, Place},
        pending::Pending,
        record::Record,
        registry::Registry,
        source::Artifact,
    },
};

/// How many orders and events wait.
const QUEUE: usize = 64;

/// How much longer than its instances a launch waits.
const GRACE: Duration = Duration::from_millis(250);

/// After how long without a transaction a chaincode is stopped that no channel runs any more. It was called by
/// one who had looked before it was superseded.
const STRAGGLERS: Duration = Duration::from_secs(1);

/// What keeps the instances of a chaincode alive. Dropping it ends them at once.
#[derive(Debug)]
pub(crate) struct PoolHandle {
    orders: mpsc::Sender<Order>,
    stop: CancellationToken,
    supervised: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// What a pool can be told.
#[derive(Debug)]
pub(crate) enum Order {
    /// Somebody needs a stream now.
    Wake(Arc<Pending>),
}

impl PoolHandle {
    pub(crate) fn is_supervised(&self) -> bool {
        self.supervised.load(Ordering::Acquire) && !self.is_over()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Gives an order; whether it will be heard.
    pub(crate) fn order(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// Ends the instances at once, and waits until they have.
    async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Ends the instances in good order. Dropping the future ends them at once.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        // A task that was torn down has ended as well.
        let _ = (&mut self.task).await;
    }
}

impl Drop for PoolHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A launch under way. Those who wait are told even if its task is torn down.
struct Launching {
    pending: Arc<Pending>,
    registry: Arc<Registry>,
    began: Instant,
    deadline: Instant,
    /// How instances have failed since.
    failures: BTreeMap<u32, (LaunchCause, Vec<String>)>,
    /// The instance that failed first.
    first: Option<u32>,
    over: bool,
}

impl Drop for Launching {
    fn drop(&mut self) {
        if !self.over {
            self.registry.failed(&self.pending, LaunchError::new(self.pending.id(), LaunchCause::Stopping));
        }
    }
}

/// One instance as its pool sees it.
#[derive(Debug)]
struct Member {
    place: Place,
    up: bool,
    /// Whether its address is no longer one of the chaincode's.
    left: bool,
    retire: CancellationToken,
}

struct Pool {
    ground: Arc<Ground>,
    orders: mpsc::Receiver<Order>,
    events_in: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
    members: BTreeMap<u32, Member>,
    tasks: JoinSet<u32>,
    launching: Option<Launching>,
    /// Whether any instance was ever up.
    proven: bool,
    /// Addresses being looked up: never more than one at a time.
    lookups: JoinSet<Option<Vec<Endpoint>>>,
    /// When addresses are looked up again.
    look: Option<Instant>,
    /// When it is checked whether there is anything to do.
    doze: Option<Instant>,
}

/// Launches a chaincode. `pending` is told how that went; the instances live on in the returned value.
pub(crate) fn launch(
    launcher: &Arc<Launcher>,
    pending: Arc<Pending>,
    settings: Arc<InForce>,
    record: Arc<Record>,
    previous: Option<PoolHandle>,
) -> PoolHandle {
    let (orders_in, orders) = mpsc::channel(QUEUE);
    let (stop, supervised) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
    let began = Instant::now();
    let launching = Launching {
        registry: launcher.registry().clone(),
        began,
        deadline: began + settings.startup_timeout,
        failures: BTreeMap::new(),
        first: None,
        over: false,
        pending,
    };
    let task = run(launcher.clone(), launching, settings, record, previous, orders, stop.clone(), supervised.clone());
    let gone = launcher.gone.clone();
    let task = tokio::spawn(async move {
        tokio::select! {
            biased;
            () = gone.cancelled() => {}
            () = task => {}
        }
    });
    PoolHandle { orders: orders_in, stop, supervised, task }
}

#[expect(clippy::too_many_arguments, reason = "the parts of a task that is spawned once")]
async fn run(
    launcher: Arc<Launcher>,
    launching: Launching,
    settings: Arc<InForce>,
    record: Arc<Record>,
    previous: Option<PoolHandle>,
    orders: mpsc::Receiver<Order>,
    stop: CancellationToken,
    supervised: Arc<AtomicBool>,
) {
    if let Some(previous) = previous {
        // What an earlier launch left, such as a process that lost its stream, must not run beside the new one.
        previous.kill().await;
        record.restarted(None);
    }
    let id = launching.pending.id().to_owned();
    let planned = plan(&launcher, &id, launching.deadline, &settings, &stop).await;
    let (artifact, places) = match planned {
        Ok(planned) => planned,
        Err(cause) => return launching.fail(&launcher, cause, Vec::new()),
    };
    record.built_by(artifact.builder(), artifact.toolchain());
    supervised.store(places.len() > 1 || settings.stream_max_age.is_some(), Ordering::Release);
    let ground = Arc::new(Ground {
        id,
        launcher,
        artifact,
        settings,
        record,
        supervised,
        wake: Notify::new(),
        stop,
        starting: Semaphore::new(1),
    });
    let (events_in, events) = mpsc::channel(QUEUE);
    let mut pool = Pool {
        ground,
        orders,
        events_in,
        events,
        members: BTreeMap::new(),
        tasks: JoinSet::new(),
        lookups: JoinSet::new(),
        look: None,
        doze: None,
        proven: false,
        launching: None,
    };
    let deadline = launching.deadline;
    pool.launching = Some(launching);
    for place in places {
        pool.add(place, deadline);
    }
    pool.schedule_look();
    pool.schedule_doze();
    pool.keep().await;
}

/// Builds the package and finds out which instances there shall be.
async fn plan(
    launcher: &Launcher,
    id: &str,
    deadline: Instant,
    settings: &InForce,
    stop: &CancellationToken,
) -> Result<(Arc<dyn Artifact>, Vec<Place>), LaunchCause> {
    let built = tokio::select! {
        biased;
        () = launcher.stopping.cancelled() => return Err(LaunchCause::Stopping),
        () = stop.cancelled() => return Err(LaunchCause::Stopping),
        built = timeout_at(deadline, launcher.source.build(id)) => built,
    };
    let artifact = match built {
        Err(_) => return Err(LaunchCause::Timeout(id.to_owned())),
        Ok(built) => built.map_err(LaunchCause::Build)?,
    };
    let places = match artifact.connection().map_err(LaunchCause::ConnectionInfo)? {
        Some(connection) => endpoints::find(&connection).await.into_iter().map(Place::Server).collect(),
        None => vec![Place::Process; settings.instances],
    };
    Ok((artifact, places))
}

impl Pool {
    fn add(&mut self, place: Place, deadline: Instant) {
        let number = self.ground.record.join(&place.to_string());
        let retire = CancellationToken::new();
        let instance = Instance {
            number,
            place: place.clone(),
            ground: self.ground.clone(),
            events: self.events_in.clone(),
            retire: retire.clone(),
        };
        self.members.insert(number, Member { place, up: false, left: false, retire });
        self.tasks.spawn(instance.run(deadline));
    }

    /// Keeps the instances until they shall end.
    async fn keep(mut self) {
        loop {
            // An instance that runs out of time at the same moment knows more of why.
            let deadline = self.launching.as_ref().map(|launching| launching.deadline + GRACE);
            tokio::select! {
                biased;
                () = self.ground.stop.cancelled() => break,
                () = self.ground.launcher.stopping.cancelled() => break,
                Some(event) = self.events.recv() => self.heed(event),
                Some(Order::Wake(pending)) = self.orders.recv() => self.wake(pending),
                Some(Ok(number)) = self.tasks.join_next() => {
                    self.members.remove(&number);
                    self.ground.record.gone(number);
                }
                () = at(deadline) => {
                    let id = self.ground.id.clone();
                    self.fail(LaunchCause::Timeout(id), Vec::new());
                }
                () = at(self.look) => {
                    self.schedule_look();
                    self.look_again();
                }
                Some(Ok(Some(found))) = self.lookups.join_next() => self.follow(found),
                () = at(self.doze) => {
                    if self.falls_asleep() {
                        break;
                    }
                }
            }
        }
        self.end().await;
    }

    /// Ends all instances in good order.
    async fn end(mut self) {
        self.ground.stop.cancel();
        // Instances tell how they ended until they have.
        loop {
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => {
                    if let (Event::Failed(_, cause, output), true) = (event, self.launching.is_some()) {
                        self.fail(cause, output);
                    }
                }
                joined = self.tasks.join_next() => match joined {
                    Some(_) => {}
                    None => break,
                }
            }
        }
    }

    fn heed(&mut self, event: Event) {
        match event {
            Event::Up(number) => {
                if let Some(member) = self.members.get_mut(&number) {
                    member.up = true;
                }
                self.proven = true;
                match self.launching.take() {
                    Some(launching) => launching.succeed(&self.ground.launcher),
                    None => self.ground.launcher.registry().recovered(&self.ground.id),
                }
                self.schedule_doze();
                self.retire_those_who_left(None);
            }
            Event::Lost(number) => {
                if let Some(member) = self.members.get_mut(&number) {
                    member.up = false;
                }
                if self.ground.is_supervised() {
                    self.look_again();
                }
            }
            Event::Failed(number, cause, output) => self.note_failure(number, cause, output),
        }
    }

    /// A launch has failed when every instance has.
    fn note_failure(&mut self, number: u32, cause: LaunchCause, output: Vec<String>) {
        let Some(launching) = &mut self.launching else { return };
        launching.first.get_or_insert(number);
        launching.failures.insert(number, (cause, output));
        if !self.members.keys().all(|number| launching.failures.contains_key(number)) {
            return;
        }
        let first = launching.first.and_then(|first| launching.failures.remove(&first));
        let (cause, output) = first.unwrap_or_else(|| (LaunchCause::Stopping, Vec::new()));
        self.fail(cause, output);
        if !self.proven {
            // It never worked: the next call tries again, not we.
            self.ground.supervised.store(false, Ordering::Release);
            (self.look, self.doze) = (None, None);
        }
    }

    fn fail(&mut self, cause: LaunchCause, output: Vec<String>) {
        if let Some(launching) = self.launching.take() {
            launching.fail(&self.ground.launcher, cause, output);
        }
    }

    fn wake(&mut self, pending: Arc<Pending>) {
        let began = Instant::now();
        let launching = Launching {
            pending,
            registry: self.ground.launcher.registry().clone(),
            began,
            deadline: began + self.ground.settings.startup_timeout,
            failures: BTreeMap::new(),
            first: None,
            over: false,
        };
        // Not what instances have told: one whose stream has just ended may not have said so yet.
        if self.ground.launcher.registry().sessions(&self.ground.id).iter().any(|session| session.is_open()) {
            return launching.succeed(&self.ground.launcher);
        }
        self.launching = Some(launching);
        self.ground.wake.notify_waiters();
    }

    fn schedule_look(&mut self) {
        let serves = self.members.values().any(|member| matches!(member.place, Place::Server(_)));
        let interval = self.ground.settings.resolve_interval.filter(|_| serves);
        self.look = interval.map(|interval| Instant::now() + interval);
    }

    /// Begins to find out which servers there are now.
    fn look_again(&mut self) {
        let mut servers = self.members.values().filter_map(|member| match &member.place {
            Place::Server(endpoint) => Some(endpoint),
            Place::Process => None,
        });
        let (Some(first), true) = (servers.next(), self.lookups.is_empty()) else { return };
        let split = first.socket.is_some() || servers.any(|endpoint| endpoint.socket.is_some());
        let ground = self.ground.clone();
        self.lookups.spawn(async move {
            let connection = ground.artifact.connection().ok()??;
            endpoints::find_again(&connection, split).await
        });
    }

    /// Servers that joined are dialed, those that left are let go.
    fn follow(&mut self, found: Vec<Endpoint>) {
        let found: Vec<_> = found.into_iter().map(Place::Server).collect();
        let supervised = found.len() > 1 || self.ground.settings.stream_max_age.is_some();
        if supervised && !self.ground.supervised.swap(true, Ordering::AcqRel) {
            self.ground.wake.notify_waiters();
        }
        for place in &found {
            let known = self.members.values().any(|member| member.place == *place && !member.retire.is_cancelled());
            if !known {
                tracing::info!(id = %self.ground.id, "an instance of a chaincode joined: {place}");
                self.add(place.clone(), Instant::now() + self.ground.settings.startup_timeout);
            }
        }
        self.retire_those_who_left(Some(&found));
    }

    /// Lets those go that are no longer there, once another can do their work.
    fn retire_those_who_left(&mut self, found: Option<&[Place]>) {
        if let Some(found) = found {
            for member in self.members.values_mut() {
                member.left = !found.contains(&member.place);
            }
        }
        let replaced = self.members.values().any(|member| member.up && !member.left);
        for member in self.members.values().filter(|member| member.left && (replaced || !member.up)) {
            if !member.retire.is_cancelled() {
                tracing::info!(id = %self.ground.id, "an instance of a chaincode left: {}", member.place);
                member.retire.cancel();
            }
        }
    }

    /// How long it may have nothing to do.
    fn patience(&self) -> Option<Duration> {
        if self.ground.record.is_retired() { Some(STRAGGLERS) } else { self.ground.settings.idle_timeout }
    }

    fn schedule_doze(&mut self) {
        let Some(patience) = self.patience() else { return self.doze = None };
        let sessions = self.ground.launcher.registry().sessions(&self.ground.id);
        let quiet: Option<Vec<_>> = sessions.iter().map(|session| session.quiet_since()).collect();
        let since = quiet.and_then(|quiet| quiet.into_iter().max()).unwrap_or_else(Instant::now);
        self.doze = Some(since + patience);
    }

    /// Lets nobody in any more if there was nothing to do for long enough.
    fn falls_asleep(&mut self) -> bool {
        let Some(patience) = self.patience() else {
            self.doze = None;
            return false;
        };
        let asleep = Instant::now()
            .checked_sub(patience)
            .is_some_and(|moment| self.ground.launcher.registry().put_to_sleep(&self.ground.id, moment));
        if asleep {
            tracing::info!(id = %self.ground.id, "chaincode has had nothing to do for {patience:?} and is stopped");
        } else {
            self.schedule_doze();
            // Not sooner than it makes sense to look again.
            let soon = Instant::now() + patience.min(Duration::from_millis(50));
            self.doze = self.doze.map(|doze| doze.max(soon));
        }
        asleep
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.members.keys().for_each(|number| self.ground.record.gone(*number));
    }
}

impl Launching {
    fn succeed(mut self, launcher: &Launcher) {
        let id = self.pending.id();
        launcher.metrics().launch_duration(id, true, self.began.elapsed());
        tracing::info!(%id, elapsed = ?self.began.elapsed(), "chaincode launched");
        self.over = true;
        self.registry.launched(&self.pending);
    }

    fn fail(mut self, launcher: &Launcher, cause: LaunchCause, output: Vec<String>) {
        let id = self.pending.id();
        launcher.metrics().launch_duration(id, false, self.began.elapsed());
        match &cause {
            LaunchCause::Timeout(_) => launcher.metrics().launch_timeout(id),
            cause if cause.before_registration() => launcher.metrics().launch_failure(id),
            _ => {}
        }
        let error = LaunchError::new(id, cause).with_output(output);
        tracing::warn!("{error}");
        self.over = true;
        self.registry.failed(&self.pending, error);
    }
}

/// Resolves at a moment; never if there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
