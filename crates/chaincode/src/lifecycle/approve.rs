//! What this peer's organization approves, and what it has approved.

use windlass_proto::lifecycle::{
    ApproveChaincodeDefinitionForMyOrgResult, ChaincodeSource, QueryApprovedChaincodeDefinitionArgs,
    QueryApprovedChaincodeDefinitionResult, QueryApprovedChaincodeDefinitionsResult, StateMetadata, chaincode_source,
    query_approved_chaincode_definitions_result::ApprovedChaincodeDefinition,
};

use super::{
    definition::{self, Definition, Parameters},
    errors::{Context, FunctionError},
    record::{self, NAMESPACES, SOURCES},
    scope::Scope,
    state::OrgState,
    validate,
};

/// Records the organization's agreement to `definition`, with the package it will run. The package need not
/// be installed; `None` is agreement without intent to endorse.
pub(crate) fn approve(
    scope: &Scope<'_>,
    mut definition: Definition,
    source: Option<ChaincodeSource>,
) -> Result<ApproveChaincodeDefinitionForMyOrgResult, FunctionError> {
    validate::definition(&definition, scope)?;
    let is_committed = check_sequence(scope, &definition)?;
    scope.set_defaults(&mut definition.parameters)?;
    let package_id = package_id(source);
    check_change(scope, &definition, is_committed, &package_id)?;

    let own_org = scope.own_org()?;
    let private_name = definition.private_name();
    definition
        .parameters
        .record()
        .write(NAMESPACES, &private_name, &own_org)
        .context(|| "could not serialize chaincode parameters to state".to_owned())?;
    definition::package_record(&package_id)
        .write(SOURCES, &private_name, &own_org)
        .context(|| "could not serialize chaincode package info to state".to_owned())?;
    Ok(ApproveChaincodeDefinitionForMyOrgResult {})
}

/// What the organization approved under a name; sequence 0 asks for the newest.
pub(crate) fn query(
    scope: &Scope<'_>,
    args: &QueryApprovedChaincodeDefinitionArgs,
) -> Result<QueryApprovedChaincodeDefinitionResult, FunctionError> {
    let own_org = scope.own_org()?;
    let sequence = if args.sequence == 0 { newest(scope, &args.name, &own_org)? } else { args.sequence };
    let private_name = definition::private_name(&args.name, sequence);
    let metadata = record::read_metadata(NAMESPACES, &private_name, &own_org)
        .context(|| format!("could not deserialize namespace metadata for {private_name}"))?
        .ok_or_else(|| FunctionError::NotApproved {
            name: args.name.clone(),
            sequence,
            channel: scope.channel_id.to_owned(),
        })?;
    let (parameters, source) = read(&metadata, &private_name, &own_org)?;
    Ok(QueryApprovedChaincodeDefinitionResult {
        sequence,
        version: parameters.version,
        endorsement_plugin: parameters.endorsement_plugin,
        validation_plugin: parameters.validation_plugin,
        validation_parameter: parameters.validation_parameter,
        collections: Some(parameters.collections),
        init_required: parameters.init_required,
        source: Some(source),
    })
}

/// Everything that the organization approved, by name and sequence.
pub(crate) fn query_all(scope: &Scope<'_>) -> Result<QueryApprovedChaincodeDefinitionsResult, FunctionError> {
    let own_org = scope.own_org()?;
    let all = record::read_all_metadata(NAMESPACES, &own_org).context(|| "could not fetch metadatas".to_owned())?;
    let mut approved = all
        .into_iter()
        .map(|(private_name, metadata)| {
            let (name, sequence) = definition::parse_private_name(&private_name).context(|| {
                format!("could not extract chaincode name and sequence number from metadata: {private_name}")
            })?;
            let (parameters, source) = read(&metadata, &private_name, &own_org)?;
            Ok(ApprovedChaincodeDefinition {
                name: name.to_owned(),
                sequence,
                version: parameters.version,
                endorsement_plugin: parameters.endorsement_plugin,
                validation_plugin: parameters.validation_plugin,
                validation_parameter: parameters.validation_parameter,
                collections: Some(parameters.collections),
                init_required: parameters.init_required,
                source: Some(source),
            })
        })
        .collect::<Result<Vec<_>, FunctionError>>()?;
    // The keys sort `cc#10` before `cc#2`.
    approved.sort_by(|a, b| (&a.name, a.sequence).cmp(&(&b.name, b.sequence)));
    Ok(QueryApprovedChaincodeDefinitionsResult { approved_chaincode_definitions: approved })
}

fn package_id(source: Option<ChaincodeSource>) -> String {
    match source.and_then(|source| source.r#type) {
        Some(chaincode_source::Type::LocalPackage(local)) => local.package_id,
        Some(chaincode_source::Type::Unavailable(_)) | None => String::new(),
    }
}

fn current_sequence(scope: &Scope<'_>, name: &str) -> Result<i64, FunctionError> {
    definition::read_sequence(name, &scope.public()?).context(|| "could not get current sequence".to_owned())
}

/// Whether the sequence is the committed one; else it is the next.
fn check_sequence(scope: &Scope<'_>, definition: &Definition) -> Result<bool, FunctionError> {
    let current = current_sequence(scope, &definition.name)?;
    let requested = definition.sequence;
    let next = current.saturating_add(1);
    if requested == 0 && current == 0 {
        Err(FunctionError::SequenceZero)
    } else if requested < current {
        Err(FunctionError::SequenceOld { current, requested })
    } else if requested > next {
        Err(FunctionError::SequenceAhead { requested, next })
    } else {
        Ok(requested == current)
    }
}

/// Refuses an approval that changes nothing, and one that would have an organization disagree with what the
/// channel has committed.
fn check_change(
    scope: &Scope<'_>,
    definition: &Definition,
    is_committed: bool,
    package_id: &str,
) -> Result<(), FunctionError> {
    let (name, sequence) = (definition.name.clone(), definition.sequence);
    if is_committed {
        let committed = Definition::read(&name, &scope.public()?)
            .context(|| format!("could not deserialize namespace {name} as chaincode"))?
            .ok_or(FunctionError::MissingMetadata(sequence))?;
        if let Some(difference) = committed.parameters.first_difference(&definition.parameters) {
            return Err(FunctionError::RedefinedDifferently { sequence, name, difference });
        }
    }
    if is_approved_already(scope, definition, package_id)? {
        return Err(match is_committed {
            true => FunctionError::Redefined { sequence, name },
            false => FunctionError::Unchanged { sequence, name },
        });
    }
    Ok(())
}

fn is_approved_already(scope: &Scope<'_>, definition: &Definition, package_id: &str) -> Result<bool, FunctionError> {
    let own_org = scope.own_org()?;
    let private_name = definition.private_name();
    let metadata = record::read_metadata(NAMESPACES, &private_name, &own_org).context(|| {
        let sequence = definition.sequence;
        format!("could not fetch chaincode definition, chaincode {private_name}, requested at sequence {sequence}")
    })?;
    let Some(metadata) = metadata else { return Ok(false) };
    let approved = Parameters::read(&metadata, &private_name, &own_org)
        .context(|| format!("could not deserialize namespace {private_name} as chaincode"))?;
    if approved != definition.parameters {
        return Ok(false);
    }
    let metadata = record::read_metadata(SOURCES, &private_name, &own_org)
        .context(|| format!("could not deserialize chaincode-source metadata for {private_name}"))?;
    let Some(metadata) = metadata else { return Ok(false) };
    let approved = definition::read_package_id(&metadata, &private_name, &own_org)
        .context(|| format!("could not deserialize chaincode package for {private_name}"))?;
    Ok(approved == package_id)
}

/// The next sequence if it is approved, else the committed one.
fn newest(scope: &Scope<'_>, name: &str, own_org: &OrgState<'_>) -> Result<i64, FunctionError> {
    let current = current_sequence(scope, name)?;
    let next = current.saturating_add(1);
    let approved = record::read_metadata(NAMESPACES, &definition::private_name(name, next), own_org)
        .context(|| format!("could not deserialize namespace metadata for next sequence {next}"))?;
    Ok(if approved.is_some() { next } else { current })
}

fn read(
    metadata: &StateMetadata,
    private_name: &str,
    own_org: &OrgState<'_>,
) -> Result<(Parameters, ChaincodeSource), FunctionError> {
    let parameters = Parameters::read(metadata, private_name, own_org)
        .context(|| format!("could not deserialize chaincode parameters for {private_name}"))?;
    let metadata = record::read_metadata(SOURCES, private_name, own_org)
        .context(|| format!("could not deserialize chaincode-source metadata for {private_name}"))?
        .ok_or_else(|| FunctionError::NoSource(private_name.to_owned()))?;
    let package_id = definition::read_package_id(&metadata, private_name, own_org)
        .context(|| format!("could not deserialize chaincode package for {private_name}"))?;
    let source = if package_id.is_empty() {
        chaincode_source::Type::Unavailable(chaincode_source::Unavailable {})
    } else {
        chaincode_source::Type::LocalPackage(chaincode_source::Local { package_id })
    };
    Ok((parameters, ChaincodeSource { r#type: Some(source) }))
}
