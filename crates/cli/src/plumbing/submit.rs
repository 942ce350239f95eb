//! Endorsing at several peers, ordering, waiting for the commit.

use std::{future::Future, time::Duration};

use futures::future::{join_all, try_join_all};
use tokio::time::{Instant, timeout_at};
use windlass_proto::{
    Bytes,
    common::{Envelope, Status},
    envelope::Call,
    protos::{ProposalResponse, SignedProposal, TxValidationCode},
};

use super::{
    connect::Peer,
    failure::{After, Failure},
    golang,
    log::Source,
    session::Session,
};
use crate::client::{
    deliver::{Commits, Fate},
    orderer::OrdererClient,
    sign_proposal,
};

/// A proposal with the answers of all endorsers.
#[derive(Debug)]
pub(crate) struct Endorsed {
    pub(crate) signed: SignedProposal,
    pub(crate) transaction_id: String,
    pub(crate) responses: Vec<ProposalResponse>,
}

/// Signs a proposal and sends it to all peers at once.
pub(crate) async fn endorse(session: &Session, peers: &[Peer], call: &Call) -> Result<Endorsed, Failure> {
    let (signed, transaction_id) = sign_proposal(session.identity(), call);
    let answers = join_all(peers.iter().map(|peer| peer.client.endorse(signed.clone()))).await;
    let responses =
        answers.into_iter().collect::<Result<_, _>>().map_err(|status| Failure::failed(golang::status(&status)))?;
    Ok(Endorsed { signed, transaction_id, responses })
}

/// Sends an envelope to the orderers.
pub(crate) async fn broadcast(orderers: &[OrdererClient], envelope: &Envelope) -> Result<(), Failure> {
    let mut last = None;
    for orderer in orderers {
        let answer = orderer.broadcast(envelope.clone()).await;
        last = Some(answer.map_err(|status| Failure::failed(golang::status(&status)))?);
    }
    match last {
        Some(answer) if answer.status != Status::Success as i32 => {
            let status = Status::try_from(answer.status)
                .map_or_else(|_| answer.status.to_string(), |known| known.as_str_name().to_owned());
            Err(Failure::failed(format!("got unexpected status: {status} -- {}", answer.info)))
        }
        _ => Ok(()),
    }
}

/// Watches the commits of a channel at several peers for one transaction.
#[derive(Debug)]
pub(crate) struct Watch {
    streams: Vec<(String, Commits)>,
    deadline: Instant,
}

impl Watch {
    /// Begins to watch; the time runs from now on until [`Self::wait`] has ended.
    pub(crate) async fn begin(peers: &[Peer], channel: &str, tls_hash: Bytes, time: Duration) -> Result<Self, Failure> {
        let deadline = Instant::now() + time;
        let open = peers.iter().map(|peer| {
            let tls_hash = tls_hash.clone();
            async move {
                let commits = peer.client.commits(channel, tls_hash).await;
                let commits = commits
                    .map_err(|status| golang::status(&status))
                    .after(format_args!("error connecting to deliver filtered at {}", peer.address))?;
                Ok((peer.address.clone(), commits))
            }
        });
        match within(deadline, try_join_all(open)).await {
            None => Err(Failure::failed("timed out waiting for connection to deliver on all peers")),
            Some(Err(failure)) => Err(Failure::after(failure, "failed to connect to deliver on all peers")),
            Some(Ok(streams)) => Ok(Self { streams, deadline }),
        }
    }

    /// Waits until every peer has committed the transaction, and refuses an invalid one.
    pub(crate) async fn wait(self, session: &Session, transaction_id: &str) -> Result<(), Failure> {
        let waits = self.streams.into_iter().map(|(address, mut commits)| async move {
            let fate = commits.fate_of(transaction_id).await;
            judge(session, &address, transaction_id, fate)
        });
        // Every peer is heard, so that the log tells of each.
        match within(self.deadline, join_all(waits)).await {
            None => Err(Failure::failed("timed out waiting for txid on all peers")),
            Some(outcomes) => outcomes.into_iter().collect(),
        }
    }
}

#[allow(clippy::result_large_err)]
fn judge(
    session: &Session,
    address: &str,
    transaction_id: &str,
    fate: Result<Fate, tonic::Status>,
) -> Result<(), Failure> {
    let text = match fate {
        Ok(Fate::Committed(code)) => {
            let name = code.as_str_name();
            session.log.info(
                Source("chaincodeCmd", "ClientWait"),
                format_args!("txid [{transaction_id}] committed with status ({name}) at {address}"),
            );
            if code == TxValidationCode::Valid {
                return Ok(());
            }
            format!("transaction invalidated with status ({name})")
        }
        Ok(Fate::Status(status)) => {
            format!("deliver completed with status ({}) before txid received", status.as_str_name())
        }
        Ok(Fate::Other(kind)) => format!("received unexpected response type ({kind}) from {address}"),
        Ok(Fate::Ended) => format!("error receiving from deliver filtered at {address}: EOF"),
        Err(status) => format!("error receiving from deliver filtered at {address}: {}", golang::status(&status)),
    };
    Err(Failure::failed(text))
}

async fn within<F: Future>(deadline: Instant, work: F) -> Option<F::Output> {
    timeout_at(deadline, work).await.ok()
}
