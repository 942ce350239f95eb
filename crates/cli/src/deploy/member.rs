//! One organization's part of a deployment.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use windlass_chaincode::package::create::Created;
use windlass_proto::{
    envelope::Call,
    lifecycle::{
        InstallChaincodeArgs, QueryApprovedChaincodeDefinitionArgs, QueryApprovedChaincodeDefinitionResult,
        chaincode_source,
    },
};

use crate::client::{Client, gateway::Committed, lifecycle_call};

/// An organization, and a client with an identity that may administrate its peer.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) msp_id: String,
    pub(crate) client: Client,
}

/// What an organization has approved at a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Approved {
    No,
    WithoutPackage,
    /// With the package of this ID.
    With(String),
}

/// As long as a peer of ours lets a build take.
const LONGEST_BUILD: Duration = Duration::from_secs(30 * 60);

/// Whether the peer has only stopped waiting.
// Fabric: chaincode-protocol §9
fn is_still_building(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.to_string().ends_with("timeout expired while executing transaction"))
}

impl Member {
    /// Installs a package unless it is there; tells whether it had to. A peer stops waiting for a long build, and goes
    /// on with it: then it is asked again, for as long as a build may take.
    pub(crate) async fn install_once(&self, package: &Created) -> anyhow::Result<bool> {
        let package_id = package.id.to_string();
        let deadline = Instant::now() + LONGEST_BUILD;
        let mut asked = false;
        let install = async {
            loop {
                if self.client.installed().await?.iter().any(|one| one.package_id == package_id) {
                    return Ok(asked);
                }
                asked = true;
                match self.install(package).await {
                    Err(error) if is_still_building(&error) && Instant::now() < deadline => {}
                    installed => return installed.map(|()| true),
                }
            }
        };
        install.await.with_context(|| format!("the package cannot be installed on the peer of {}", self.msp_id))
    }

    async fn install(&self, package: &Created) -> anyhow::Result<()> {
        let args = InstallChaincodeArgs { chaincode_install_package: package.bytes.clone() };
        let response = self.client.propose(&lifecycle_call("", "InstallChaincode", &args)).await?;
        if response.status != 200 {
            bail!("{}", response.message);
        }
        Ok(())
    }

    /// Approves for this organization; `None` if it has approved just that before.
    pub(crate) async fn approve(&self, approve: &Call) -> anyhow::Result<Option<Committed>> {
        match self.client.submit_by(approve, std::slice::from_ref(&self.msp_id)).await {
            Ok(committed) => Ok(Some(committed)),
            // Fabric: lifecycle §3. An earlier run got this far.
            Err(error) if error.to_string().contains("with unchanged content") => Ok(None),
            Err(error) => Err(error).with_context(|| format!("the definition cannot be approved for {}", self.msp_id)),
        }
    }

    /// What this organization has approved at a sequence.
    pub(crate) async fn approved(&self, channel: &str, name: &str, sequence: i64) -> anyhow::Result<Approved> {
        let query = QueryApprovedChaincodeDefinitionArgs { name: name.to_owned(), sequence };
        let answer: anyhow::Result<Option<QueryApprovedChaincodeDefinitionResult>> =
            self.client.lifecycle(channel, "QueryApprovedChaincodeDefinition", &query).await;
        let approved = match answer {
            Ok(approved) => approved,
            // Fabric: lifecycle §3. It has no status of its own.
            Err(error) if error.to_string().contains("could not fetch approved chaincode definition") => None,
            Err(error) => return Err(error),
        };
        let Some(approved) = approved else { return Ok(Approved::No) };
        Ok(match approved.source.and_then(|source| source.r#type) {
            Some(chaincode_source::Type::LocalPackage(local)) => Approved::With(local.package_id),
            _ => Approved::WithoutPackage,
        })
    }
}
