//! Whether a channel is ready for a definition, and committing it.

use windlass_proto::lifecycle::{
    CheckCommitReadinessResult, CommitChaincodeDefinitionResult, check_commit_readiness_result::Mismatches,
};

use super::{
    definition::{self, Definition},
    errors::{Context, FunctionError},
    record::{Comparison, NAMESPACES},
    scope::Scope,
    validate,
};

// Fabric: lifecycle §3. The item of an organization that approved nothing at this sequence.
const NOTHING_APPROVED: &str = "ChaincodeParameters";

/// Which organizations agree to `definition`, and in what the others differ.
pub(crate) fn check_readiness(
    scope: &Scope<'_>,
    mut definition: Definition,
) -> Result<CheckCommitReadinessResult, FunctionError> {
    scope.application()?;
    let mut result = CheckCommitReadinessResult::default();
    for (msp_id, comparison) in compare(scope, &mut definition)? {
        let items: Vec<String> = match comparison {
            Comparison::Same => Vec::new(),
            Comparison::Absent => vec![NOTHING_APPROVED.to_owned()],
            Comparison::Different(fields) => fields.into_iter().map(str::to_owned).collect(),
        };
        result.approvals.insert(msp_id.clone(), items.is_empty());
        if !items.is_empty() {
            result.mismatches.insert(msp_id, Mismatches { items });
        }
    }
    Ok(result)
}

/// Makes `definition` the channel's. Only the peer's own organization must have agreed: whether enough others
/// did is decided by the policy over the endorsements, at validation (lifecycle §13.12).
pub(crate) fn commit(
    scope: &Scope<'_>,
    mut definition: Definition,
) -> Result<CommitChaincodeDefinitionResult, FunctionError> {
    validate::definition(&definition, scope)?;
    if !scope.application()?.application_orgs().iter().any(|org| org.msp_id == scope.msp_id) {
        return Err(FunctionError::NotMember);
    }
    let approvals = compare(scope, &mut definition)?;
    let agreed = approvals.iter().any(|(org, comparison)| org == scope.msp_id && *comparison == Comparison::Same);
    if !agreed {
        return Err(FunctionError::NotAgreed(scope.msp_id.to_owned()));
    }
    definition
        .record()
        .write(NAMESPACES, &definition.name, &scope.public()?)
        .context(|| "could not serialize chaincode definition".to_owned())?;
    Ok(CommitChaincodeDefinitionResult {})
}

fn compare(scope: &Scope<'_>, definition: &mut Definition) -> Result<Vec<(String, Comparison)>, FunctionError> {
    let current = definition::read_sequence(&definition.name, &scope.public()?)
        .context(|| "could not get current sequence".to_owned())?;
    let expected = current.saturating_add(1);
    if definition.sequence != expected {
        return Err(FunctionError::SequenceNotNext { requested: definition.sequence, expected });
    }
    scope.set_defaults(&mut definition.parameters)?;
    scope.compare_approvals(definition)
}
