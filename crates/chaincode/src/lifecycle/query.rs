//! What the channel has committed.

use windlass_proto::lifecycle::{
    QueryChaincodeDefinitionResult, QueryChaincodeDefinitionsResult,
    query_chaincode_definitions_result::ChaincodeDefinition,
};

use super::{
    definition::{DEFINITION_TYPE, Definition},
    errors::{Context, FunctionError},
    record::{self, Comparison, NAMESPACES},
    scope::Scope,
};

/// One definition, and which organizations agreed to just this one.
pub(crate) fn definition(scope: &Scope<'_>, name: &str) -> Result<QueryChaincodeDefinitionResult, FunctionError> {
    let definition = committed(scope, name)?;
    let approvals = scope
        .compare_approvals(&definition)?
        .into_iter()
        .map(|(org, comparison)| (org, comparison == Comparison::Same))
        .collect();
    let parameters = definition.parameters;
    Ok(QueryChaincodeDefinitionResult {
        sequence: definition.sequence,
        version: parameters.version,
        endorsement_plugin: parameters.endorsement_plugin,
        validation_plugin: parameters.validation_plugin,
        validation_parameter: parameters.validation_parameter,
        collections: Some(parameters.collections),
        init_required: parameters.init_required,
        approvals,
    })
}

/// All definitions, by name.
pub(crate) fn definitions(scope: &Scope<'_>) -> Result<QueryChaincodeDefinitionsResult, FunctionError> {
    let public = scope.public()?;
    let all =
        record::read_all_metadata(NAMESPACES, &public).context(|| "could not query namespace metadata".to_owned())?;
    let chaincode_definitions = all
        .into_iter()
        .filter(|(_, metadata)| metadata.datatype == DEFINITION_TYPE)
        .map(|(name, _)| {
            let Definition { name, sequence, parameters } = committed(scope, &name)?;
            Ok(ChaincodeDefinition {
                name,
                sequence,
                version: parameters.version,
                endorsement_plugin: parameters.endorsement_plugin,
                validation_plugin: parameters.validation_plugin,
                validation_parameter: parameters.validation_parameter,
                collections: Some(parameters.collections),
                init_required: parameters.init_required,
            })
        })
        .collect::<Result<_, FunctionError>>()?;
    Ok(QueryChaincodeDefinitionsResult { chaincode_definitions })
}

fn committed(scope: &Scope<'_>, name: &str) -> Result<Definition, FunctionError> {
    Definition::read(name, &scope.public()?)
        .context(|| format!("could not deserialize namespace {name} as chaincode"))?
        .ok_or_else(|| FunctionError::NotDefined(name.to_owned()))
}
