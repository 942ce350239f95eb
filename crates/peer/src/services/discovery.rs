//! Discovery: tells clients of the network: its configuration, its peers, and who has to endorse what.
//!
//! - [`Discovery`]: the service; start reading here
//! - `request`: the checks on a request as a whole
//! - `config`, `members`, `endorsers`: the queries

mod config;
mod endorsers;
mod members;
mod request;

use std::sync::Arc;

use tonic::{Request, Response, Status};
use windlass_chaincode::lifecycle::Lifecycle;
use windlass_identity::{ChannelConfig, SignedData, policy::role_principal};
use windlass_proto::{
    common::msp_role::MspRoleType,
    discovery::{Error, Query, QueryResult, Response as Answer, SignedRequest, discovery_server, query, query_result},
    hash::sha256,
};
use windlass_transport::ConnectionInfo;

use crate::{acl::Acl, channel::PeerChannels, network::Network, services::endorser::Endorser};

/// Who may ask about a channel.
// Fabric: endorsement-and-gateway §9
const WRITERS: &str = "/Channel/Application/Writers";

/// The Discovery service of a peer. Clones share everything.
#[derive(Clone)]
pub struct Discovery {
    parts: Arc<Parts>,
}

/// What Discovery works with.
#[derive(Debug)]
pub struct Parts {
    /// The joined channels.
    pub channels: PeerChannels,
    /// The peers.
    pub network: Network,
    /// What is defined, and under which policies.
    pub lifecycle: Lifecycle,
    /// Knows the chaincode that every peer has.
    pub endorser: Endorser,
    /// Knows the local MSP.
    pub acl: Acl,
    /// Whether clients have to bind themselves to a TLS certificate: whenever there is TLS.
    pub tls: bool,
}

impl std::fmt::Debug for Discovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Discovery").field("network", &self.parts.network).finish_non_exhaustive()
    }
}

/// Why a query has no other answer than this text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum QueryError {
    /// Also for a channel that does not exist: whoever may not know is not told.
    #[error("access denied")]
    AccessDenied,
    #[error("unknown or missing request type")]
    Unknown,
    #[error("failed fetching config for channel {0}")]
    Config(String),
    #[error("failed constructing descriptor for {0}")]
    Descriptor(String),
    #[error("chaincode query must have at least one chaincode interest")]
    NoInterest,
    #[error("chaincode interest must contain at least one chaincode")]
    NoChaincode,
    #[error("chaincode name in interest cannot be empty")]
    NoName,
    #[error("{0}")]
    Plan(#[from] crate::planner::PlanError),
}

impl Discovery {
    /// A Discovery service of these parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    fn answer(&self, query: &Query, signed: &SignedData) -> QueryResult {
        let result = self.result(query, signed).unwrap_or_else(|error| {
            tracing::warn!(channel = query.channel, %error, "a query is not answered");
            query_result::Result::Error(Error { content: error.to_string() })
        });
        QueryResult { result: Some(result) }
    }

    fn result(&self, query: &Query, signed: &SignedData) -> Result<query_result::Result, QueryError> {
        let kind = query.query.as_ref();
        if query.channel.is_empty() {
            self.admit_locally(signed)?;
            return match kind {
                Some(query::Query::LocalPeers(_)) => Ok(query_result::Result::Members(self.local_peers())),
                _ => Err(QueryError::Unknown),
            };
        }
        let channel = self.parts.channels.get(&query.channel).ok_or(QueryError::AccessDenied)?;
        let config = channel.config();
        admit(&config, signed)?;
        match kind {
            Some(query::Query::ConfigQuery(_)) => {
                let config = config::of(&config).ok_or_else(|| QueryError::Config(query.channel.clone()))?;
                Ok(query_result::Result::ConfigResult(config))
            }
            Some(query::Query::PeerQuery(query)) => {
                let filter = query.filter.clone().unwrap_or_default();
                Ok(query_result::Result::Members(self.channel_peers(&config, &filter)?))
            }
            Some(query::Query::CcQuery(query)) => {
                Ok(query_result::Result::CcQueryRes(self.endorsers(&config, &query.interests)?))
            }
            Some(query::Query::LocalPeers(_)) | None => Err(QueryError::Unknown),
        }
    }

    /// Only admins of the peer's own organization may ask about all channels.
    fn admit_locally(&self, signed: &SignedData) -> Result<(), QueryError> {
        let local = self.parts.acl.local();
        let admin = role_principal(&self.parts.network.own().msp_id, MspRoleType::Admin);
        let identity = local.deserialize(&signed.identity).map_err(|_| QueryError::AccessDenied)?;
        identity.verify(&signed.data, &signed.signature).map_err(|_| QueryError::AccessDenied)?;
        local.satisfies(&identity, &admin).map_err(|_| QueryError::AccessDenied)
    }
}

fn admit(config: &ChannelConfig, signed: &SignedData) -> Result<(), QueryError> {
    let admitted = config.policies().evaluate(WRITERS, config.msps(), std::slice::from_ref(signed));
    admitted.map_err(|_| QueryError::AccessDenied)
}

#[tonic::async_trait]
impl discovery_server::Discovery for Discovery {
    async fn discover(&self, request: Request<SignedRequest>) -> Result<Response<Answer>, Status> {
        let certificate = request.extensions().get::<ConnectionInfo>().and_then(|info| info.certificate.clone());
        let bound_to = self.parts.tls.then(|| certificate.map(|der| sha256(&der)));
        let signed = request.into_inner();
        let request = request::read(&signed, bound_to).map_err(|error| Status::unknown(error.to_string()))?;
        let identity = request.authentication.map(|authentication| authentication.client_identity);
        let signed =
            SignedData { data: signed.payload, identity: identity.unwrap_or_default(), signature: signed.signature };
        let results = request.queries.iter().map(|query| self.answer(query, &signed)).collect();
        Ok(Response::new(Answer { results }))
    }
}
