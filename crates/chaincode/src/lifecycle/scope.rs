//! What a function of `_lifecycle` works on: one channel, through one transaction, for one organization.

use std::sync::Arc;

use windlass_identity::channel::ChannelConfig;

use super::{
    definition::{Definition, Parameters},
    errors::FunctionError,
    record::{Comparison, NAMESPACES, StateError},
    state::{OrgState, PublicState},
};
use crate::simulation::Simulation;

#[derive(Clone)]
pub(crate) struct Scope<'a> {
    /// The peer's own organization.
    pub(crate) msp_id: &'a str,
    /// The channel's name; empty if the call came without one.
    pub(crate) channel_id: &'a str,
    /// Its configuration, if there is such a channel.
    pub(crate) channel: Option<Arc<ChannelConfig>>,
    /// The transaction's view of the ledger.
    pub(crate) simulation: Option<&'a dyn Simulation>,
}

impl<'a> Scope<'a> {
    pub(crate) fn simulation(&self) -> Result<&'a dyn Simulation, StateError> {
        self.simulation.ok_or(StateError::NoLedger)
    }

    pub(crate) fn public(&self) -> Result<PublicState<'a>, StateError> {
        self.simulation().map(PublicState)
    }

    /// What the organization of this peer has approved.
    pub(crate) fn own_org(&self) -> Result<OrgState<'a>, StateError> {
        Ok(OrgState::new(self.simulation()?, self.msp_id))
    }

    /// The configuration of a channel that has organizations.
    pub(crate) fn application(&self) -> Result<&ChannelConfig, FunctionError> {
        match self.channel.as_deref() {
            Some(channel) if channel.has_application() => Ok(channel),
            _ => Err(FunctionError::NoApplication(self.channel_id.to_owned())),
        }
    }

    /// Compares `definition` with the approval of every organization of the channel, by MSP ID.
    pub(crate) fn compare_approvals(
        &self,
        definition: &Definition,
    ) -> Result<Vec<(String, Comparison)>, FunctionError> {
        let simulation = self.simulation()?;
        let record = definition.parameters.record();
        let private_name = definition.private_name();
        self.application()?
            .application_orgs()
            .iter()
            .map(|org| {
                let approved = OrgState::new(simulation, &org.msp_id);
                match record.compare(NAMESPACES, &private_name, &approved) {
                    Ok(comparison) => Ok((org.msp_id.clone(), comparison)),
                    Err(source) => Err(FunctionError::State {
                        context: format!("serialization check failed for key {private_name}"),
                        source,
                    }),
                }
            })
            .collect()
    }

    /// Fills what the client left empty.
    pub(crate) fn set_defaults(&self, parameters: &mut Parameters) -> Result<(), FunctionError> {
        Ok(parameters.set_defaults(self.application()?)?)
    }
}
