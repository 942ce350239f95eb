//! The peers of the network: whether they answer, and what their chaincode does.

use serde::Deserialize;

use super::{Finding, Subject};
use crate::{
    client::operations::Operations,
    dev::folder::is_in_use,
    network::{Network, Organization},
};

/// The answer of `/healthz`.
#[derive(Deserialize)]
struct Health {
    #[serde(default)]
    failed_checks: Vec<FailedCheck>,
}

#[derive(Deserialize)]
struct FailedCheck {
    component: String,
    reason: String,
}

/// Asks every peer that there is an identity for.
pub(super) async fn check(subject: &Subject) -> Vec<Finding> {
    let network = match &subject.network {
        Ok(Some(network)) => network,
        Ok(None) => return vec![Finding::ok("network", "none; `windlass dev` starts one")],
        Err(error) => {
            let error = format!("{error:#}");
            let (found, hint) = error.split_once("; hint: ").unwrap_or((&error, "mend it, or name one with --network"));
            return vec![Finding::fail("network", found, hint)];
        }
    };
    if subject.folder().is_some_and(|folder| !is_in_use(folder)) {
        return vec![Finding::ok("network", format!("{} does not run; `windlass dev` starts it", network.origin))];
    }
    let mut findings = Vec::new();
    for organization in &network.organizations {
        findings.push(reach(network, organization).await);
        if let Some(operations) = &organization.operations {
            findings.extend(health(&Operations::plain(operations), &organization.msp_id).await);
        }
    }
    findings
}

async fn reach(network: &Network, organization: &Organization) -> Finding {
    let what = format!("peer of {}", organization.msp_id);
    let answered = async { anyhow::Ok(organization.connect(None).await?.channels().await?) };
    match answered.await {
        Ok(channels) if channels.is_empty() => {
            Finding::ok(what, format!("{} answers; on no channel", organization.address))
        }
        Ok(channels) => Finding::ok(what, format!("{} answers; on {}", organization.address, channels.join(", "))),
        Err(error) => Finding::fail(what, format!("{error:#}"), format!("it is from {}", network.origin)),
    }
}

/// What the operations endpoint says.
async fn health(operations: &Operations, msp_id: &str) -> Vec<Finding> {
    let (what, address) = (format!("health of {msp_id}"), &operations.address);
    let mut findings = Vec::new();
    match operations.get("/healthz").await {
        Ok((200, _)) => findings.push(Finding::ok(&what, format!("{address} says OK"))),
        Ok((code, body)) => {
            let failed = serde_json::from_str::<Health>(&body).map(|health| health.failed_checks).unwrap_or_default();
            let hint = "`windlass status` shows more";
            if failed.is_empty() {
                findings.push(Finding::fail(&what, format!("{address} answers with status {code}"), hint));
            }
            findings.extend(
                failed.iter().map(|one| Finding::fail(&what, format!("{}: {}", one.component, one.reason), hint)),
            );
        }
        Err(error) => {
            findings.push(Finding::fail(&what, format!("{error:#}"), "see operations.listenAddress of the peer"));
        }
    }
    // Stock peers do not have it.
    if let Ok((_, answer)) = operations.chaincodes().await {
        let label = |id: &str| id.split(':').next().unwrap_or(id).to_owned();
        let states: Vec<_> = answer.chaincodes.iter().map(|one| format!("{} {}", label(&one.id), one.state)).collect();
        if !states.is_empty() {
            findings.push(Finding::ok(format!("chaincode of {msp_id}"), states.join(", ")));
        }
    }
    findings
}
