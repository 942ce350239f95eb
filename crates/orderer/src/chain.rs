//! One task a channel that turns admitted messages into durable blocks.
//!
//! The task owns the end of the chain: nobody else appends. While a block is being written, messages gather in
//! the queue, and the next batch takes all of them; so a flood is committed in groups and a lone message at
//! once.

mod state;
mod writer;

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use windlass_identity::SigningIdentity;
use windlass_proto::common::Envelope;

pub use state::ChainState;

use crate::{
    OrdererError,
    broadcast::{PreparedUpdate, Rejection, check_message, prepare_update},
    cutter::{Cutter, Limits},
    log::ChannelLog,
};
use writer::Writer;

/// How many messages may wait for the task. More make their senders wait.
const QUEUE: usize = 1024;

/// A running chain. Dropping it ends the task after what was taken is ordered.
#[derive(Debug)]
pub(crate) struct Chain {
    state: Arc<ChainState>,
    submissions: mpsc::Sender<Submission>,
    closing: CancellationToken,
}

/// A message on its way into a block.
#[derive(Debug)]
pub(crate) struct Submission {
    /// What is to be ordered.
    pub(crate) work: Work,
    /// The sequence of the configuration that admitted it. A later one has to admit it again.
    pub(crate) sequence: u64,
    /// Where the outcome goes.
    pub(crate) reply: Reply,
}

/// What can be ordered.
#[derive(Debug)]
pub(crate) enum Work {
    /// An ordinary message.
    Message(Envelope),
    /// A configuration update, with the configuration that it leads to.
    Update(Box<PreparedUpdate>),
}

/// Where an outcome goes: the number of the block, durable by then.
pub(crate) type Reply = oneshot::Sender<Result<u64, Rejection>>;

/// A serialized message that waits for its block.
#[derive(Debug)]
struct Pending {
    entry: Bytes,
    reply: Reply,
}

/// The log has failed; nothing can be ordered any more.
#[derive(Debug)]
struct Failed;

impl Chain {
    /// Starts the task of a log that has at least a genesis block.
    pub(crate) fn start(log: ChannelLog, signer: SigningIdentity, eager: bool) -> Result<Self, OrdererError> {
        let tip = log.tip()?;
        ChainState::check(&tip.config)?;
        let (heights, receiver) = watch::channel(log.height());
        let state = Arc::new(ChainState::new(log, tip.config, receiver));
        let (submissions, queue) = mpsc::channel(QUEUE);
        let closing = CancellationToken::new();
        let task = Task {
            writer: Writer::new(state.clone(), signer.clone(), heights, tip.header, tip.last_config),
            state: state.clone(),
            signer,
            queue,
            closing: closing.clone(),
            eager,
            cutter: Cutter::new(),
            deadline: None,
        };
        tokio::spawn(task.run());
        Ok(Self { state, submissions, closing })
    }

    /// What others may read.
    pub(crate) fn state(&self) -> &Arc<ChainState> {
        &self.state
    }

    /// Queues a message. Waits while the queue is full.
    pub(crate) async fn submit(&self, submission: Submission) -> Result<(), Rejection> {
        self.submissions.send(submission).await.map_err(|_| Rejection::Stopped)
    }

    /// Ends the task after what was taken is ordered, and waits for that.
    pub(crate) async fn shutdown(&self) {
        self.closing.cancel();
        let mut heights = self.state.heights();
        while heights.changed().await.is_ok() {}
    }
}

struct Task {
    signer: SigningIdentity,
    state: Arc<ChainState>,
    queue: mpsc::Receiver<Submission>,
    closing: CancellationToken,
    eager: bool,
    cutter: Cutter<Pending>,
    deadline: Option<Instant>,
    // Dropped last: its end tells that the log is closed.
    writer: Writer,
}

enum Event {
    Submission(Submission),
    Cut,
    End,
}

impl Task {
    async fn run(mut self) {
        loop {
            let outcome = match self.next().await {
                Event::Submission(submission) => self.take(submission).await,
                Event::Cut => self.cut().await,
                Event::End => {
                    // A failure here has already told everybody who waits.
                    let _ = self.cut().await;
                    break;
                }
            };
            if outcome.is_err() {
                break;
            }
        }
        self.queue.close();
        while let Some(submission) = self.queue.recv().await {
            let _ = submission.reply.send(Err(Rejection::Stopped));
        }
    }

    async fn next(&mut self) -> Event {
        if self.eager && !self.cutter.is_empty() {
            return match self.queue.try_recv() {
                Ok(submission) => Event::Submission(submission),
                Err(mpsc::error::TryRecvError::Empty) => Event::Cut,
                Err(mpsc::error::TryRecvError::Disconnected) => Event::End,
            };
        }
        let deadline = self.deadline;
        let timer = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        // Once closed, the queue still gives what is in it, and then ends.
        let closing = self.closing.clone();
        tokio::select! {
            biased;
            () = closing.cancelled(), if !self.queue.is_closed() => {
                self.queue.close();
                self.received().await
            }
            submission = self.queue.recv() => submission.map_or(Event::End, Event::Submission),
            () = timer => Event::Cut,
        }
    }

    async fn received(&mut self) -> Event {
        self.queue.recv().await.map_or(Event::End, Event::Submission)
    }

    async fn take(&mut self, submission: Submission) -> Result<(), Failed> {
        let Submission { work, sequence, reply } = submission;
        let admitted = match work {
            Work::Message(envelope) => self.admit(envelope, sequence).map(Work::Message),
            Work::Update(update) => self.prepare(update, sequence).map(Work::Update),
        };
        match admitted {
            Ok(Work::Message(envelope)) => self.take_message(envelope, reply).await,
            Ok(Work::Update(update)) => self.take_update(*update, reply).await,
            Err(rejection) => {
                let _ = reply.send(Err(rejection));
                Ok(())
            }
        }
    }

    /// Checks a message again when the configuration has changed since it was admitted.
    fn admit(&self, envelope: Envelope, sequence: u64) -> Result<Envelope, Rejection> {
        let config = self.state.config();
        if config.sequence() != sequence {
            check_message(&config, &envelope)?;
        }
        Ok(envelope)
    }

    /// Computes an update again when the configuration has changed since.
    fn prepare(&self, update: Box<PreparedUpdate>, sequence: u64) -> Result<Box<PreparedUpdate>, Rejection> {
        let config = self.state.config();
        if config.sequence() == sequence {
            return Ok(update);
        }
        prepare_update(&config, update.update, &self.signer).map(Box::new)
    }

    async fn take_message(&mut self, envelope: Envelope, reply: Reply) -> Result<(), Failed> {
        let config = self.state.config();
        let size = envelope.payload.len() + envelope.signature.len();
        let pending = Pending { entry: envelope.encode_to_vec().into(), reply };
        let batches = self.cutter.take(Limits::from(config.batch()), pending, size);
        if self.cutter.is_empty() {
            self.deadline = None;
        } else if !batches.is_empty() || self.deadline.is_none() {
            // The message is the first of its batch.
            self.deadline = Some(Instant::now() + config.batch().timeout);
        }
        for batch in batches {
            self.writer.write(batch).await?;
        }
        Ok(())
    }

    async fn take_update(&mut self, update: PreparedUpdate, reply: Reply) -> Result<(), Failed> {
        self.cut().await?;
        let entry = update.envelope.encode_to_vec().into();
        self.writer.write_config(Pending { entry, reply }, update.config).await
    }

    async fn cut(&mut self) -> Result<(), Failed> {
        self.deadline = None;
        match self.cutter.cut() {
            Some(batch) => self.writer.write(batch).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use windlass_identity::{CertificateAuthority, LeafRequest};
    use windlass_proto::{common::HeaderType, msp::FabricMspConfig};

    use super::*;
    use crate::{
        blocks::{next_block, signed_envelope},
        genesis::{Consenter, NetworkSpec, OrgSpec, genesis_block},
    };

    fn signer_and_spec() -> (SigningIdentity, NetworkSpec) {
        let authority = CertificateAuthority::generate("ca", "ordering").expect("an authority");
        let (certificate, key) = authority.issue(&LeafRequest::default()).expect("a certificate");
        let signer = SigningIdentity::new("OrdererMSP", &certificate, key).expect("an identity");
        let msp = FabricMspConfig {
            name: "OrdererMSP".into(),
            root_certs: vec![authority.certificate_pem().to_owned().into()],
            // Without role units an MSP has to name its administrators.
            admins: vec![certificate.into()],
            ..Default::default()
        };
        let org = OrgSpec { group: "OrdererOrg".into(), msp_id: "OrdererMSP".into(), msp, endpoints: Vec::new() };
        (signer, NetworkSpec::new("ch", org, Vec::new(), Consenter::default()))
    }

    #[tokio::test]
    async fn stops_for_good_when_the_log_fails() {
        let folder = tempfile::tempdir().expect("a folder");
        let (signer, spec) = signer_and_spec();
        let log = ChannelLog::open("ch", folder.path()).expect("a log");
        log.append_genesis(&genesis_block(&spec)).expect("a genesis block");
        let chain = Chain::start(log.clone(), signer.clone(), true).expect("a chain");
        // A block that the task does not know of is in the way of its next one.
        let genesis = log.block(0).await.expect("a block").expect("a block");
        let intruder = next_block(genesis.header.as_ref().expect("a header"), vec!["x".into()], 0, &signer);
        log.append(&Arc::new(intruder)).expect("a block");

        let envelope = signed_envelope(HeaderType::Message, "ch", &(), &signer);
        let (reply, outcome) = oneshot::channel();
        let submission = Submission { work: Work::Message(envelope.clone()), sequence: 0, reply };
        chain.submit(submission).await.expect("a place in the queue");
        assert!(matches!(outcome.await.expect("an outcome"), Err(Rejection::Stopped)));
        chain.shutdown().await;
        assert!(!chain.state().is_running());
        let (reply, _outcome) = oneshot::channel();
        let submission = Submission { work: Work::Message(envelope), sequence: 0, reply };
        assert!(matches!(chain.submit(submission).await, Err(Rejection::Stopped)));
    }
}
