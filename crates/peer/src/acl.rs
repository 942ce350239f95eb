//! Who may use which resource.
//!
//! A resource is of one of two classes. Those of the channel are guarded by a policy of the channel's
//! configuration, which the configuration may replace (`ACLs`). Those of the peer itself are for admins, or
//! members, of the peer's own organization, and nothing replaces that.
// Fabric: endorsement-and-gateway §5

use std::sync::Arc;

use windlass_identity::{ChannelConfig, Identity, MspManager, SignedData, policy::role_principal};
use windlass_proto::{
    common::{Header, SignatureHeader, msp_role::MspRoleType},
    envelope::{UnpackError, decode},
    protos::{Proposal, SignedProposal},
};

const READERS: &str = "/Channel/Application/Readers";
const WRITERS: &str = "/Channel/Application/Writers";

/// What guards a resource if the channel's configuration says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// A policy of the channel, by its path.
    Channel(&'static str),
    /// A role in the peer's own MSP.
    Local(MspRoleType),
}

/// Why access is refused. The texts reach clients, behind a prefix of the caller's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AclError {
    /// Nothing guards the resource, so nobody may use it.
    #[error("Unmapped policy for {0}")]
    Unmapped(String),
    /// A resource of the channel class was used on a channel that is not joined, or without one.
    #[error("Failed to get policy manager for channel [{0}]")]
    NoChannel(String),
    /// The default policy of the channel is not satisfied.
    #[error(
        "Failed evaluating policy on signed data during check policy on channel [{channel}] with policy [{policy}]: [{reason}]"
    )]
    Channel {
        /// The channel.
        channel: String,
        /// The policy's path.
        policy: String,
        /// What it lacks.
        reason: String,
    },
    /// The policy that the configuration sets is not satisfied.
    #[error("failed evaluating policy on signed data during check policy [{policy}]: [{reason}]")]
    Configured {
        /// The policy's path.
        policy: String,
        /// What it lacks.
        reason: String,
    },
    /// The creator is not known to the peer's own MSP.
    #[error("Failed deserializing proposal creator during channelless check policy with policy [{policy}]: [{reason}]")]
    Creator {
        /// The role's name.
        policy: &'static str,
        /// Why not.
        reason: String,
    },
    /// The creator of a proposal has not the role.
    #[error(
        "Failed verifying that proposal's creator satisfies local MSP principal during channelless check policy with policy [{policy}]: [{reason}]"
    )]
    LocalProposal {
        /// The role's name.
        policy: &'static str,
        /// Why not.
        reason: String,
    },
    /// The signer of a request has not the role.
    #[error(
        "failed verifying that the signed data identity satisfies local MSP principal during channelless check policy with policy [{policy}]: [{reason}]"
    )]
    LocalSigned {
        /// The role's name.
        policy: &'static str,
        /// Why not.
        reason: String,
    },
    /// The signature is not the creator's.
    #[error("{0}")]
    Signature(String),
    /// The proposal cannot be taken apart.
    #[error("{0}")]
    Malformed(String),
}

impl AclError {
    /// The error when `channel` is what the request named.
    pub fn on_channel(self, channel: &str) -> Self {
        match self {
            Self::NoChannel(_) => Self::NoChannel(channel.to_owned()),
            other => other,
        }
    }
}

/// The rules of one peer. Clones share the local MSP.
#[derive(Clone, Debug)]
pub struct Acl {
    local: Arc<MspManager>,
    msp_id: Arc<str>,
}

impl Acl {
    /// The rules of a peer whose own MSP, called `msp_id`, is in `local`.
    pub fn new(local: Arc<MspManager>, msp_id: &str) -> Self {
        Self { local, msp_id: msp_id.into() }
    }

    /// The peer's own MSP.
    pub fn local(&self) -> &MspManager {
        &self.local
    }

    /// Whether who signed may use `resource`. Resources of the peer itself ignore the channel.
    ///
    /// # Errors
    /// In the words that clients see.
    pub fn check_signed(
        &self,
        resource: &str,
        channel: Option<&ChannelConfig>,
        signed: &SignedData,
    ) -> Result<(), AclError> {
        self.check(resource, channel, signed, |policy, reason| AclError::LocalSigned { policy, reason })
    }

    /// Whether the creator of `proposal` may use `resource`. Resources of the peer itself ignore the channel.
    ///
    /// # Errors
    /// In the words that clients see.
    pub fn check_proposal(
        &self,
        resource: &str,
        channel: Option<&ChannelConfig>,
        proposal: &SignedProposal,
    ) -> Result<(), AclError> {
        let signed = signed_data(proposal).map_err(|error| AclError::Malformed(error.to_string()))?;
        self.check(resource, channel, &signed, |policy, reason| AclError::LocalProposal { policy, reason })
    }

    fn check(
        &self,
        resource: &str,
        channel: Option<&ChannelConfig>,
        signed: &SignedData,
        refusal: impl Fn(&'static str, String) -> AclError,
    ) -> Result<(), AclError> {
        match guard(resource) {
            Some(Guard::Local(role)) => self.check_local(role, signed, refusal),
            Some(Guard::Channel(policy)) => {
                let channel = channel.ok_or_else(|| AclError::NoChannel(String::new()))?;
                match channel.acl(resource) {
                    Some(policy) => check_configured(channel, policy, signed),
                    None => check_default(channel, policy, signed),
                }
            }
            // A configuration may guard resources that we do not know by ourselves.
            None => match channel.and_then(|channel| Some((channel, channel.acl(resource)?))) {
                Some((channel, policy)) => check_configured(channel, policy, signed),
                None => Err(AclError::Unmapped(resource.to_owned())),
            },
        }
    }

    fn check_local(
        &self,
        role: MspRoleType,
        signed: &SignedData,
        refusal: impl Fn(&'static str, String) -> AclError,
    ) -> Result<(), AclError> {
        let policy = if role == MspRoleType::Admin { "Admins" } else { "Members" };
        let creator: Arc<Identity> = self
            .local
            .deserialize(&signed.identity)
            .map_err(|error| AclError::Creator { policy, reason: error.to_string() })?;
        self.local
            .satisfies(&creator, &role_principal(&self.msp_id, role))
            .map_err(|error| refusal(policy, error.to_string()))?;
        creator.verify(&signed.data, &signed.signature).map_err(|error| AclError::Signature(error.to_string()))
    }
}

fn check_default(channel: &ChannelConfig, policy: &str, signed: &SignedData) -> Result<(), AclError> {
    evaluate(channel, policy, signed).map_err(|reason| AclError::Channel {
        channel: channel.channel_id().to_owned(),
        policy: policy.to_owned(),
        reason,
    })
}

fn check_configured(channel: &ChannelConfig, policy: &str, signed: &SignedData) -> Result<(), AclError> {
    evaluate(channel, policy, signed).map_err(|reason| AclError::Configured { policy: policy.to_owned(), reason })
}

fn evaluate(channel: &ChannelConfig, policy: &str, signed: &SignedData) -> Result<(), String> {
    let signatures = std::slice::from_ref(signed);
    channel.policies().evaluate(policy, channel.msps(), signatures).map_err(|error| error.to_string())
}

fn signed_data(proposal: &SignedProposal) -> Result<SignedData, UnpackError> {
    let unpacked: Proposal = decode("Proposal", &proposal.proposal_bytes)?;
    let header: Header = decode("Header", &unpacked.header)?;
    let signature_header: SignatureHeader = decode("SignatureHeader", &header.signature_header)?;
    Ok(SignedData {
        data: proposal.proposal_bytes.clone(),
        identity: signature_header.creator,
        signature: proposal.signature.clone(),
    })
}

// Fabric: endorsement-and-gateway §5
fn guard(resource: &str) -> Option<Guard> {
    Some(match resource {
        "qscc/GetChainInfo"
        | "qscc/GetBlockByNumber"
        | "qscc/GetBlockByHash"
        | "qscc/GetTransactionByID"
        | "qscc/GetBlockByTxID"
        | "cscc/GetConfigBlock"
        | "cscc/GetChannelConfig"
        | "lscc/ChaincodeExists"
        | "lscc/GetDeploymentSpec"
        | "lscc/GetChaincodeData"
        | "lscc/GetInstantiatedChaincodes"
        | "lscc/GetCollectionsConfig"
        | "event/Block"
        | "event/FilteredBlock"
        | "gateway/CommitStatus"
        | "gateway/ChaincodeEvents" => Guard::Channel(READERS),
        "peer/Propose"
        | "peer/ChaincodeToChaincode"
        | "_lifecycle/CommitChaincodeDefinition"
        | "_lifecycle/QueryChaincodeDefinition"
        | "_lifecycle/QueryChaincodeDefinitions"
        | "_lifecycle/CheckCommitReadiness" => Guard::Channel(WRITERS),
        "_lifecycle/InstallChaincode"
        | "_lifecycle/QueryInstalledChaincode"
        | "_lifecycle/QueryInstalledChaincodes"
        | "_lifecycle/GetInstalledChaincodePackage"
        | "_lifecycle/ApproveChaincodeDefinitionForMyOrg"
        | "_lifecycle/QueryApprovedChaincodeDefinition"
        | "_lifecycle/QueryApprovedChaincodeDefinitions"
        | "_lifecycle/UninstallChaincode"
        | "_lifecycle/QueryUnusedChaincodes"
        | "lscc/Install"
        | "lscc/GetInstalledChaincodes"
        | "cscc/JoinChain"
        | "cscc/JoinChainBySnapshot"
        | "cscc/JoinBySnapshotStatus"
        | "snapshot/submitrequest"
        | "snapshot/cancelrequest"
        | "snapshot/listpending" => Guard::Local(MspRoleType::Admin),
        "cscc/GetChannels" => Guard::Local(MspRoleType::Member),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
