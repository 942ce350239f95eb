//! A definition as flags give it.

use prost::Message;

use crate::{
    args::plumbing::flags::Values,
    definition::{Definition, collections, policy::application_policy},
    plumbing::failure::Failure,
};

/// Reads the flags, and the collections from their file.
pub(super) fn read(values: &Values) -> Result<Definition, Failure> {
    let policy = application_policy(values.text("signature-policy"), values.text("channel-config-policy"));
    let policy = policy.map_err(Failure::usage)?;
    let collections =
        match values.text("collections-config") {
            "" => None,
            path => {
                let package = collections::read(path);
                Some(package.map_err(|error| {
                    Failure::usage(format!("invalid collection configuration in file {path}: {error}"))
                })?)
            }
        };
    let text = |name| values.text(name).to_owned();
    Ok(Definition {
        channel: text("channelID"),
        name: text("name"),
        version: text("version"),
        sequence: values.integer("sequence"),
        endorsement_plugin: text("endorsement-plugin"),
        validation_plugin: text("validation-plugin"),
        validation_parameter: policy.map(|policy| policy.encode_to_vec().into()).unwrap_or_default(),
        collections,
        init_required: values.is("init-required"),
    })
}

/// Refuses a definition that lacks what every definition has.
pub(super) fn check(definition: &Definition) -> Result<(), Failure> {
    let missing = [
        (definition.channel.is_empty(), "channelID", "-C"),
        (definition.name.is_empty(), "name", "-n"),
        (definition.version.is_empty(), "version", "-v"),
        (definition.sequence == 0, "sequence", "--sequence"),
    ];
    match missing.into_iter().find(|(missing, ..)| *missing) {
        None => Ok(()),
        Some((_, name, flag)) => {
            Err(Failure::usage(format!("The required parameter '{name}' is empty. Rerun the command with {flag} flag")))
        }
    }
}
