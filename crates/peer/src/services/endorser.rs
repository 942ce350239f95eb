//! The endorser: checks a proposal, simulates it, and signs the outcome.

mod interest;
mod proposal;

use std::{sync::Arc, time::Instant};

use prost::Message;
use tonic::{Request, Response, Status};
use windlass_chaincode::{
    engine::{Engine, Executed, Repeats},
    simulation::Simulation,
    transaction::Transaction,
};
use windlass_identity::sign::SigningIdentity;
use windlass_ledger::Simulator;
use windlass_proto::{
    Bytes,
    envelope::{UnpackedProposal, proposal_hash, unpack_proposal},
    protos::{
        self, ChaincodeAction, ChaincodeEvent, ChaincodeId, ChaincodeInterest, Endorsement, ProposalResponse,
        ProposalResponsePayload, SignedProposal, endorser_server,
    },
};

use super::Limit;
use crate::{
    acl::Acl,
    channel::{Channel, PeerChannels},
    events::{Event, Events, Invocation},
    simulation::LedgerSimulation,
    telemetry::Metrics,
};
use proposal::Checks;

/// Why a proposal is refused before it is simulated. Over gRPC this is status UNKNOWN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// The endorser of a peer. Clones share everything.
#[derive(Clone)]
pub struct Endorser {
    parts: Arc<Parts>,
}

/// What an endorser works with.
#[derive(Debug)]
pub struct Parts {
    /// Who endorses.
    pub signer: SigningIdentity,
    /// The joined channels.
    pub channels: PeerChannels,
    /// What runs chaincode.
    pub engine: Engine,
    /// Who may propose; knows the local MSP.
    pub acl: Acl,
    /// Counts.
    pub metrics: Metrics,
    /// Told of what was refused.
    pub events: Events,
    /// How far a proposal's timestamp may be from now.
    pub time_window: std::time::Duration,
    /// How many proposals at once.
    pub limit: Limit,
}

impl std::fmt::Debug for Endorser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endorser").field("channels", &self.parts.channels).finish_non_exhaustive()
    }
}

/// The outcome of a simulation.
struct Simulated {
    executed: Executed,
    /// The serialized read-write set; empty without a ledger.
    results: Bytes,
    interest: Option<ChaincodeInterest>,
    version: String,
}

impl Endorser {
    /// An endorser of these parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// Who endorses.
    pub fn signer(&self) -> &SigningIdentity {
        &self.parts.signer
    }

    /// Whether `name` is chaincode that every peer has.
    pub(crate) fn is_system(&self, name: &str) -> bool {
        self.parts.engine.is_system(name)
    }

    /// Processes a proposal. Faults of the proposal are [`Refused`]; faults of channel, chaincode and simulation
    /// come as a response with status 500.
    ///
    /// # Errors
    /// When the proposal itself is at fault.
    // Fabric: endorsement-and-gateway §2
    pub async fn process(&self, signed: SignedProposal) -> Result<ProposalResponse, Refused> {
        let started = Instant::now();
        self.parts.metrics.proposal_received();
        let checks = Checks { acl: &self.parts.acl, metrics: &self.parts.metrics, time_window: self.parts.time_window };
        checks.filter(&signed)?;
        let proposal = unpack_proposal(&signed).map_err(|error| {
            self.parts.metrics.proposal_invalid();
            Refused(error.to_string())
        })?;
        let channel_name = proposal.channel_header.channel_id.clone();
        let name = proposal.chaincode_id.name.clone();
        let channel = if channel_name.is_empty() {
            None
        } else {
            match self.parts.channels.get(&channel_name) {
                Some(channel) => Some(channel),
                None => return Ok(failed(format!("channel '{channel_name}' not found"))),
            }
        };
        let system = self.parts.engine.is_system(&name);
        checks.preprocess(&signed, &proposal, channel.as_deref(), system)?;

        let outcome = self.endorse(Arc::new(signed), &proposal, channel.as_deref()).await;
        let response = outcome.unwrap_or_else(failed);
        let success = response.endorsement.is_some() || response.response.as_ref().is_some_and(|r| r.status < 400);
        self.parts.metrics.proposal_finished(&channel_name, &name, success, started.elapsed());
        if !success && !system {
            self.report(&proposal, &response, started);
        }
        Ok(response)
    }

    /// Simulates and signs; the error is the message of a response with status 500.
    async fn endorse(
        &self,
        signed: Arc<SignedProposal>,
        proposal: &UnpackedProposal,
        channel: Option<&Channel>,
    ) -> Result<ProposalResponse, String> {
        let simulated = self.simulate(signed, proposal, channel).await?;
        let Simulated { executed: Executed { response, event }, results, interest, version } = simulated;
        let mut answer = ProposalResponse { response: Some(response.clone()), ..Default::default() };
        let label = (proposal.channel_header.channel_id.as_str(), proposal.chaincode_id.name.as_str());

        // The order of these two tests is Fabric's and clients depend on what it leaves out.
        // Fabric: endorsement-and-gateway §2 "What comes back by status"
        if response.status >= 500 {
            self.parts.metrics.endorsement_failed(label.0, label.1, true);
            answer.payload = self.payload(proposal, &response, results, None, version);
            answer.interest = interest;
            return Ok(answer);
        }
        if channel.is_none() {
            return Ok(answer);
        }
        if response.status >= 400 {
            self.parts.metrics.endorsement_failed(label.0, label.1, true);
            return Ok(answer);
        }
        answer.payload = self.payload(proposal, &response, results, event, version);
        let endorser = self.parts.signer.serialized().clone();
        let signature = self.parts.signer.sign(&[answer.payload.as_ref(), endorser.as_ref()].concat());
        answer.version = 1;
        answer.endorsement = Some(Endorsement { endorser, signature: signature.into() });
        answer.interest = interest;
        self.parts.metrics.proposal_succeeded();
        Ok(answer)
    }

    /// Simulates, and again from the start when a stream of the chaincode was lost and its settings allow it. The
    /// reads and writes of the lost run go with its simulator. Whoever waits for all this gives it up by dropping it.
    async fn simulate(
        &self,
        signed: Arc<SignedProposal>,
        proposal: &UnpackedProposal,
        channel: Option<&Channel>,
    ) -> Result<Simulated, String> {
        let mut repeats = Repeats::default();
        loop {
            if let Some(simulated) = self.simulate_once(signed.clone(), proposal, channel, &mut repeats).await? {
                return Ok(simulated);
            }
        }
    }

    /// One simulation; `None` if it is to be repeated.
    async fn simulate_once(
        &self,
        signed: Arc<SignedProposal>,
        proposal: &UnpackedProposal,
        channel: Option<&Channel>,
        repeats: &mut Repeats,
    ) -> Result<Option<Simulated>, String> {
        let name = &proposal.chaincode_id.name;
        let header = &proposal.channel_header;
        // These two ask about the ledger from outside; a simulation of their own would only be in the way.
        let simulator = match channel {
            Some(channel) if name != "qscc" && name != "cscc" => {
                Some(channel.ledger().simulator(&header.tx_id).map_err(|error| error.to_string())?)
            }
            _ => None,
        };
        let transaction = Arc::new(Transaction {
            channel: header.channel_id.clone(),
            tx_id: header.tx_id.clone(),
            proposal: Some(signed),
            called: name.clone(),
            simulation: simulator.clone().map(|simulator| Arc::new(LedgerSimulation(simulator)) as Arc<dyn Simulation>),
        });
        let resolved = self.parts.engine.resolve(&transaction, name).map_err(|error| {
            format!(
                "make sure the chaincode {name} has been successfully defined on channel {} and try again: {error}",
                header.channel_id
            )
        })?;
        let executed = self.parts.engine.execute(&transaction, name, proposal.input.clone()).await;
        let executed = match executed {
            Ok(executed) => executed,
            Err(error) => {
                if self.parts.engine.runs_again(&resolved.chaincode_id, repeats, &error).await {
                    return Ok(None);
                }
                self.parts.metrics.simulation_failed(&header.channel_id, name);
                return Err(format!("error in simulation: {error}"));
            }
        };
        let (results, interest) = match (&simulator, channel) {
            (Some(simulator), Some(channel)) => self.finish(simulator, channel, &header.tx_id).await?,
            _ => (Bytes::new(), None),
        };
        Ok(Some(Simulated { executed, results, interest, version: resolved.version }))
    }

    /// Ends the simulation: the public set is returned, private writes are kept until the transaction commits.
    async fn finish(
        &self,
        simulator: &Simulator,
        channel: &Channel,
        tx_id: &str,
    ) -> Result<(Bytes, Option<ChaincodeInterest>), String> {
        let failed = |error: windlass_ledger::LedgerError| format!("error in simulation: {error}");
        let mut results = simulator.results().map_err(failed)?;
        if let Some(private) = results.private.take() {
            let (ledger, tx_id) = (channel.ledger().clone(), tx_id.to_owned());
            // It waits for the disk, which would hold up the executor.
            let kept = tokio::task::spawn_blocking(move || ledger.keep_private(&tx_id, &private)).await;
            kept.map_err(|error| format!("error in simulation: {error}"))?.map_err(failed)?;
        }
        let interest = interest::of(&results, |name| self.parts.engine.is_system(name));
        Ok((results.public, Some(interest)))
    }

    /// The serialized proposal response payload, which the endorsement signs.
    fn payload(
        &self,
        proposal: &UnpackedProposal,
        response: &protos::Response,
        results: Bytes,
        event: Option<ChaincodeEvent>,
        version: String,
    ) -> Bytes {
        let action = ChaincodeAction {
            results,
            events: event.map(|event| event.encode_to_vec().into()).unwrap_or_default(),
            response: Some(response.clone()),
            chaincode_id: Some(ChaincodeId { name: proposal.chaincode_id.name.clone(), version, ..Default::default() }),
        };
        let payload = ProposalResponsePayload {
            proposal_hash: Bytes::copy_from_slice(&proposal_hash(&proposal.header, &proposal.payload)),
            extension: action.encode_to_vec().into(),
        };
        payload.encode_to_vec().into()
    }

    fn report(&self, proposal: &UnpackedProposal, response: &ProposalResponse, started: Instant) {
        let invocation = Invocation {
            channel: proposal.channel_header.channel_id.clone(),
            chaincode: proposal.chaincode_id.name.clone(),
            args: proposal.input.args.clone(),
            tx_id: proposal.channel_header.tx_id.clone(),
        };
        let message = response.response.as_ref().map(|response| response.message.clone()).unwrap_or_default();
        self.parts.events.publish(Event::Refused { invocation, message, elapsed: started.elapsed() });
    }
}

fn failed(message: String) -> ProposalResponse {
    let response = protos::Response { status: 500, message, payload: Bytes::new() };
    ProposalResponse { response: Some(response), ..Default::default() }
}

#[tonic::async_trait]
impl endorser_server::Endorser for Endorser {
    async fn process_proposal(&self, request: Request<SignedProposal>) -> Result<Response<ProposalResponse>, Status> {
        let _place = self.parts.limit.enter()?;
        self.process(request.into_inner()).await.map(Response::new).map_err(|Refused(message)| Status::unknown(message))
    }
}
