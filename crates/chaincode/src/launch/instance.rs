//! One instance of a chaincode: a process that dials in, or a server that is dialed.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    build::RunMetadata,
    engine::settings::InForce,
    launch::{
        Launcher,
        endpoints::Endpoint,
        errors::LaunchCause,
        record::Record,
        registry::{OpenSeat, Origin},
        source::{Artifact, Running},
    },
    stream::{connect::connect, driver::keep_alive, session::Session},
};

/// What all instances of a chaincode share.
pub(crate) struct Ground {
    pub(crate) id: String,
    pub(crate) launcher: Arc<Launcher>,
    pub(crate) artifact: Arc<dyn Artifact>,
    pub(crate) settings: Arc<InForce>,
    pub(crate) record: Arc<Record>,
    /// Whether instances come back by themselves. One alone waits for the next call instead, as in Fabric.
    pub(crate) supervised: Arc<AtomicBool>,
    /// Ends every pause between attempts.
    pub(crate) wake: Notify,
    pub(crate) stop: CancellationToken,
    /// Without TLS nothing tells whose stream it is; then processes start one after the other.
    pub(crate) starting: Semaphore,
}

/// Which instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A process, started by the peer.
    Process,
    /// A server, dialed by the peer.
    Server(Endpoint),
}

/// One instance, brought up and kept up. Dropping its future ends it at once.
pub(crate) struct Instance {
    pub(crate) number: u32,
    pub(crate) place: Place,
    pub(crate) ground: Arc<Ground>,
    pub(crate) events: mpsc::Sender<Event>,
    /// Asks it to finish its transactions and to end.
    pub(crate) retire: CancellationToken,
}

/// What an instance tells of itself.
#[derive(Debug)]
pub(crate) enum Event {
    Up(u32),
    Failed(u32, LaunchCause, Vec<String>),
    Lost(u32),
}

/// An attempt that failed, and what stays of it.
struct Failed {
    cause: LaunchCause,
    output: Vec<String>,
    /// A stream whose registration was refused: it stays, silent, until the next attempt.
    leftover: Option<Body>,
}

impl From<LaunchCause> for Failed {
    fn from(cause: LaunchCause) -> Self {
        Self { cause, output: Vec::new(), leftover: None }
    }
}

/// An instance with a stream. Dropping it ends the stream, and kills the process.
struct Live {
    session: Arc<Session>,
    since: Instant,
    body: Body,
}

enum Body {
    Process(Box<dyn Running>),
    Server { _reader: Reader, end: oneshot::Receiver<String>, leaving: CancellationToken },
}

/// The task that reads a stream which the peer opened.
struct Reader(JoinHandle<()>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.session.close();
    }
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ground").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Ground {
    pub(crate) fn is_supervised(&self) -> bool {
        self.supervised.load(Ordering::Acquire)
    }

    /// Resolves when the instances shall end.
    async fn ended(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.launcher.stopping.cancelled() => {}
        }
    }
}

/// How serving ended.
enum End {
    Lost,
    Retired,
    Stopped,
}

impl Instance {
    /// Brings the instance up by `deadline` and keeps it up until it is asked to end.
    pub(crate) async fn run(self, deadline: Instant) -> u32 {
        let mut pauses = Pauses::default();
        let mut deadline = Some(deadline);
        let mut draining = JoinSet::new();
        // Held, not used: dropped when the next attempt begins.
        let mut _leftover = None;
        loop {
            let (id, record) = (&self.ground.id, &self.ground.record);
            let by = deadline.take().unwrap_or_else(|| {
                record.restarted(Some(self.number));
                self.ground.launcher.metrics().restarted(id);
                Instant::now() + self.ground.settings.startup_timeout
            });
            record.starting(self.number);
            _leftover = None;
            match self.attempt(by).await {
                Ok(mut live) => {
                    record.serving(self.number);
                    self.tell(Event::Up(self.number)).await;
                    match self.serve(&mut live, &mut draining).await {
                        End::Stopped => {
                            draining.abort_all();
                            live.stop().await;
                            break;
                        }
                        End::Retired => {
                            record.draining(self.number);
                            live.retire(self.ground.settings.execute_timeout).await;
                            break;
                        }
                        End::Lost => {}
                    }
                    let lived = live.since.elapsed();
                    let reason = live.reason().await;
                    tracing::info!(%id, instance = self.number, ?lived, "the stream of a chaincode ended: {reason}");
                    record.down(self.number, reason);
                    self.ground.launcher.metrics().stream_lost(id);
                    self.tell(Event::Lost(self.number)).await;
                    if !self.ground.is_supervised() && !self.comes_back().await {
                        live.stop().await;
                        break;
                    }
                    drop(live);
                    pauses.after(lived);
                }
                Err(Failed { cause, output, leftover }) => {
                    _leftover = leftover;
                    if matches!(cause, LaunchCause::Stopping) {
                        self.tell(Event::Failed(self.number, cause, output)).await;
                        break;
                    }
                    tracing::debug!(%id, instance = self.number, "an instance of a chaincode failed: {cause}");
                    record.down(self.number, cause.to_string());
                    self.tell(Event::Failed(self.number, cause, output)).await;
                }
            }
            if !self.pause(pauses.next()).await {
                break;
            }
        }
        while draining.join_next().await.is_some() {}
        self.number
    }

    /// Waits before the next attempt; whether there shall be one.
    async fn pause(&self, length: Duration) -> bool {
        tokio::select! {
            () = self.ground.ended() => return false,
            () = self.retire.cancelled() => return false,
            () = self.ground.wake.notified() => {}
            () = sleep(length) => {}
        }
        self.ground.is_supervised() || self.comes_back().await
    }

    /// Waits until instances come back by themselves after all; `false` if it shall end instead.
    async fn comes_back(&self) -> bool {
        loop {
            tokio::select! {
                () = self.ground.ended() => return false,
                () = self.retire.cancelled() => return false,
                () = self.ground.wake.notified() => {}
            }
            if self.ground.is_supervised() {
                return true;
            }
        }
    }

    async fn tell(&self, event: Event) {
        // A pool that is ending listens no more.
        let _ = self.events.send(event).await;
    }

    async fn attempt(&self, deadline: Instant) -> Result<Live, Failed> {
        match &self.place {
            Place::Process => self.start(deadline).await,
            Place::Server(endpoint) => self.dial(endpoint, deadline).await,
        }
    }

    /// Waits for the end of a stream, or for what asks for one. A stream that grows old, or whose server says
    /// goodbye, is replaced by another; the old one finishes its transactions.
    async fn serve(&self, live: &mut Live, draining: &mut JoinSet<()>) -> End {
        let mut exited = false;
        let mut due = self.rotation();
        let mut leaving = live.leaving();
        loop {
            let session = live.session.clone();
            tokio::select! {
                biased;
                () = self.ground.ended() => return End::Stopped,
                () = self.retire.cancelled() => return End::Retired,
                () = session.closed() => return End::Lost,
                outcome = exit(&mut live.body), if !exited => {
                    // The stream decides whether the chaincode is there.
                    tracing::info!(id = %self.ground.id, "chaincode process ended: {outcome}");
                    self.ground.record.note(self.number, outcome);
                    exited = true;
                }
                () = grown_old(leaving.as_ref(), due) => {
                    let deadline = Instant::now() + self.ground.settings.startup_timeout;
                    match self.attempt(deadline).await {
                        Ok(next) => {
                            let old = std::mem::replace(live, next);
                            let limit = self.ground.settings.execute_timeout;
                            draining.spawn(async move { old.retire(limit).await });
                            while draining.try_join_next().is_some() {}
                            (due, leaving) = (self.rotation(), live.leaving());
                        }
                        Err(failed) => {
                            tracing::warn!(id = %self.ground.id, "a stream cannot be replaced: {}", failed.cause);
                            // The goodbye has been heard; from here on the clock decides.
                            (due, leaving) = (Some(Instant::now() + ROTATION_RETRY), None);
                        }
                    }
                }
            }
        }
    }

    /// When a stream that begins now is to be replaced.
    fn rotation(&self) -> Option<Instant> {
        let age = self.ground.settings.stream_max_age?;
        matches!(self.place, Place::Server(_)).then(|| Instant::now() + age.mul_f64(0.75 + 0.2 * chance()))
    }

    /// Dials a chaincode that serves and waits until it has registered.
    async fn dial(&self, endpoint: &Endpoint, deadline: Instant) -> Result<Live, Failed> {
        let Ground { id, launcher, artifact, .. } = self.ground.as_ref();
        // Read anew: operators edit it, and the files that it names.
        let connection = artifact.connection().map_err(LaunchCause::ConnectionInfo)?;
        let moved = || LaunchCause::ConnectionInfo(String::from("the chaincode is no server any more"));
        let connection = connection.ok_or_else(moved)?;
        let seat = launcher.registry().open_seat(id, self.number, true);
        let (session, queue) = Session::new(launcher.metrics().clone());
        let driver = launcher.driver(session.clone(), Origin::Dialed(seat.seat.clone()));
        keep_alive(&session, launcher.config().keepalive);
        let (ended, mut end) = oneshot::channel();
        let leaving = CancellationToken::new();
        let (name, endpoint, goodbye) = (id.clone(), endpoint.clone(), leaving.clone());
        let ping = launcher.config().ping;
        let reader = Reader(tokio::spawn(async move {
            let error = connect(&name, &connection, &endpoint, ping, driver, queue, &goodbye).await;
            tracing::info!(id = %name, "connection to chaincode ended: {error}");
            // Nobody listens after the launch.
            let _ = ended.send(error.to_string());
        }));
        tokio::select! {
            biased;
            registered = seat.registration() => {
                let body = Body::Server { _reader: reader, end, leaving };
                match registered {
                    Ok(session) => Ok(Live { session, since: Instant::now(), body }),
                    Err(error) => Err(Failed { leftover: Some(body), ..LaunchCause::Refused(error).into() }),
                }
            }
            error = &mut end => {
                let error = error.unwrap_or_else(|_| String::from("the connection's task has ended"));
                Err(LaunchCause::Connect { id: id.clone(), error }.into())
            }
            () = sleep_until(deadline) => Err(LaunchCause::Timeout(id.clone()).into()),
            () = self.ground.ended() => Err(LaunchCause::Stopping.into()),
        }
    }

    /// Runs a chaincode that dials and waits until it has registered.
    async fn start(&self, deadline: Instant) -> Result<Live, Failed> {
        let Ground { id, launcher, artifact, settings, record, .. } = self.ground.as_ref();
        let _turn = match launcher.certificates() {
            Some(_) => None,
            None => Some(tokio::select! {
                turn = self.ground.starting.acquire() => turn,
                () = self.ground.ended() => return Err(LaunchCause::Stopping.into()),
            }),
        };
        let mut metadata = RunMetadata {
            chaincode_id: id.clone(),
            peer_address: launcher.config().peer_address.clone(),
            mspid: launcher.config().msp_id.clone(),
            ..Default::default()
        };
        let seat: OpenSeat = launcher.registry().open_seat(id, self.number, false);
        if let Some(certificates) = launcher.certificates() {
            let issued = certificates.issue(id).map_err(|error| LaunchCause::Start(error.to_string()))?;
            seat.expect_certificate(issued.hash);
            metadata.client_cert = issued.certificate;
            metadata.client_key = issued.key;
            metadata.root_cert = certificates.root().to_owned();
        }
        let output = record.journal().instance(self.number);
        let process = artifact.run(&metadata, &settings.environment, settings.limits, &output);
        let mut process = process.map_err(LaunchCause::Start)?;
        record.runs(self.number, process.place());
        if launcher.certificates().is_none() {
            seat.expect_anyone();
        }
        let cause = tokio::select! {
            biased;
            registered = seat.registration() => match registered {
                Ok(session) => return Ok(Live { session, since: Instant::now(), body: Body::Process(process) }),
                Err(error) => LaunchCause::Refused(error),
            },
            exit = process.wait() => {
                record.note(self.number, exit.to_string());
                LaunchCause::exited(exit)
            }
            () = sleep_until(deadline) => LaunchCause::Timeout(id.clone()),
            () = self.ground.ended() => LaunchCause::Stopping,
        };
        if matches!(cause, LaunchCause::Stopping) {
            process.stop().await;
        }
        // Otherwise the process is killed with the value: its next launch is a new one.
        Err(Failed { cause, output: output.texts(), leftover: None })
    }
}

impl Live {
    /// Cancelled when the server says goodbye.
    fn leaving(&self) -> Option<CancellationToken> {
        match &self.body {
            Body::Process(_) => None,
            Body::Server { leaving, .. } => Some(leaving.clone()),
        }
    }

    /// Ends it in good order, but at once.
    async fn stop(&mut self) {
        self.session.close();
        if let Body::Process(process) = &mut self.body {
            process.stop().await;
        }
    }

    /// Lets its transactions end, then ends it. After `limit` every one of them has run into its own.
    async fn retire(mut self, limit: Duration) {
        self.session.drain();
        let _ = timeout(limit, self.session.idle()).await;
        self.stop().await;
    }

    /// Why the stream ended: what happened to the process or to the connection, unless the chaincode did something.
    async fn reason(&mut self) -> String {
        let end = self.session.end().cloned();
        if let Some(fault) = end.as_ref().filter(|end| end.is_fault()) {
            return fault.to_string();
        }
        let told = async {
            match &mut self.body {
                Body::Process(process) => Some(process.wait().await.to_string()),
                Body::Server { end, .. } => end.await.ok(),
            }
        };
        let told = timeout(LAST_WORDS, told).await.ok().flatten();
        told.unwrap_or_else(|| match end {
            Some(end) => format!("the chaincode's stream ended: {end}"),
            None => String::from("the chaincode's stream ended"),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("process"),
            Self::Server(endpoint) => endpoint.fmt(f),
        }
    }
}

/// Resolves when the process has ended; never for a server.
async fn exit(body: &mut Body) -> String {
    match body {
        Body::Process(process) => process.wait().await.to_string(),
        Body::Server { .. } => std::future::pending().await,
    }
}

/// Resolves when a stream is to be replaced. A goodbye counts only where streams are replaced at all: Java's
/// server says it five seconds after every connect and goes on, and takes a second stream badly.
// Fabric: chaincode-protocol §18, trap 8
async fn grown_old(leaving: Option<&CancellationToken>, due: Option<Instant>) {
    let Some(due) = due else { return std::future::pending().await };
    let goodbye = async {
        match leaving {
            Some(leaving) => leaving.cancelled().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = sleep_until(due) => {}
        () = goodbye => {}
    }
}

/// How long after the end of a stream its process or connection may take to say why. One that was killed for its
/// memory gives that back first.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// After how long a stream that could not be replaced is tried again.
const ROTATION_RETRY: Duration = Duration::from_secs(1);

/// The pauses between attempts: short at first, doubled up to a limit.
#[derive(Debug, Default)]
struct Pauses {
    failures: u32,
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A stream that lasted so long was a success.
const STEADY: Duration = Duration::from_secs(5);

impl Pauses {
    fn after(&mut self, lived: Duration) {
        if lived >= STEADY {
            self.failures = 0;
        }
    }

    fn next(&mut self) -> Duration {
        let pause = SHORTEST_PAUSE.saturating_mul(1 << self.failures.min(20)).min(LONGEST_PAUSE);
        self.failures += 1;
        // Instances that fell together shall not all come back at the same moment.
        pause.mul_f64(0.75 + 0.5 * chance())
    }
}

/// A number from 0 to 1, different each time.
pub(crate) fn chance() -> f64 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    (high >> 40) as f64 / f64::from(1 << 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_shrink_after_a_success() {
        let mut pauses = Pauses::default();
        assert!(pauses.next() < Duration::from_millis(63));
        let long = (0..30).map(|_| pauses.next()).max().expect("some");
        assert!(long > Duration::from_secs(20) && long <= LONGEST_PAUSE.mul_f64(1.25), "{long:?}");
        pauses.after(Duration::from_secs(1));
        assert!(pauses.next() > Duration::from_secs(20));
        pauses.after(Duration::from_secs(60));
        assert!(pauses.next() < Duration::from_millis(63));
    }
}
