//! `windlass config`: what is in force for a peer, and what is wrong with it.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::{Value, json};
use windlass_peer::config::{ConfigError, Origin, PeerConfig, Setting, Warning};

use crate::{
    args::config::{ConfigCommand, ShowArgs, SourceArgs},
    plumbing::settings,
    printer::Printer,
};

/// A configuration, read.
pub(super) struct Loaded {
    /// The file, if there is one.
    pub(super) file: Option<PathBuf>,
    pub(super) outcome: Result<(PeerConfig, Vec<Warning>), ConfigError>,
}

impl Loaded {
    /// Reads the file that is given, or the one that a peer would find, and the variables over it.
    pub(super) fn load(given: Option<&Path>) -> Self {
        let environment = settings::environment();
        let configured = environment.get("FABRIC_CFG_PATH").map(String::as_str).filter(|folder| !folder.is_empty());
        let file = match given {
            Some(file) => Some(file.to_owned()),
            // Where a folder is named and has none, the one that should be there cannot be read.
            None => settings::find(configured).ok().or(configured.map(|folder| Path::new(folder).join("core.yaml"))),
        };
        let outcome = PeerConfig::load(file.as_deref(), &environment);
        Self { file, outcome }
    }

    /// Where the settings are from, for people.
    pub(super) fn source(&self) -> String {
        match &self.file {
            Some(file) => file.display().to_string(),
            None => "no core.yaml; defaults and variables alone".to_owned(),
        }
    }
}

/// Shows or checks.
pub(super) fn run(command: &ConfigCommand, printer: &Printer) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Show(args) => show(args, printer),
        ConfigCommand::Check(args) => check(args, printer),
    }
}

fn show(args: &ShowArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let loaded = Loaded::load(args.source.config.as_deref());
    let (config, warnings) = match &loaded.outcome {
        Ok(read) => read,
        Err(error) => return wrong(error, &loaded, args.source.json, printer),
    };
    let settings: Vec<_> =
        config.settings().iter().filter(|setting| !args.changed || setting.origin != Origin::Default).collect();
    if args.source.json {
        let settings: Vec<_> = settings.iter().map(|setting| setting_json(setting)).collect();
        let value = json!({ "file": loaded.file, "settings": settings, "warnings": texts(warnings) });
        printer.line(serde_json::to_string_pretty(&value)?);
        return Ok(ExitCode::SUCCESS);
    }
    printer.note(printer.dim(loaded.source()));
    lines(&settings, printer).into_iter().for_each(|line| printer.line(line));
    warnings.iter().for_each(|warning| printer.warn(warning));
    Ok(ExitCode::SUCCESS)
}

fn check(args: &SourceArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let loaded = Loaded::load(args.config.as_deref());
    let warnings = match &loaded.outcome {
        Ok((config, warnings)) => match config.check_node() {
            Ok(()) => warnings,
            Err(error) => return wrong(&error, &loaded, args.json, printer),
        },
        Err(error) => return wrong(error, &loaded, args.json, printer),
    };
    if args.json {
        let value = json!({ "file": loaded.file, "faults": [], "warnings": texts(warnings) });
        printer.line(serde_json::to_string_pretty(&value)?);
    } else {
        warnings.iter().for_each(|warning| printer.warn(warning));
        printer.line(format_args!("{}  {}", printer.good("ok"), loaded.source()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what is wrong.
fn wrong(error: &ConfigError, loaded: &Loaded, as_json: bool, printer: &Printer) -> anyhow::Result<ExitCode> {
    if as_json {
        let faults: Vec<_> = match error {
            ConfigError::Faults(faults) => faults
                .iter()
                .map(|fault| json!({ "key": fault.key, "origin": fault.origin.to_string(), "problem": fault.problem }))
                .collect(),
            other => vec![json!({ "problem": other.to_string() })],
        };
        printer.line(serde_json::to_string_pretty(&json!({ "file": loaded.file, "faults": faults }))?);
    } else {
        printer.note(printer.dim(loaded.source()));
        printer.failure(&error.to_string(), Vec::new(), None);
    }
    Ok(ExitCode::FAILURE)
}

/// Key, value and origin, aligned; a long value pushes its origin to the right.
fn lines(settings: &[&Setting], printer: &Printer) -> Vec<String> {
    const WIDEST: usize = 30;
    let keys = settings.iter().map(|setting| setting.key.len()).max().unwrap_or(0);
    let values = settings.iter().map(|setting| setting.value.chars().count()).max().unwrap_or(0).min(WIDEST);
    let line = |setting: &&Setting| {
        let Setting { key, value, origin } = setting;
        let line = format!("{key:<keys$}  {value:<values$}");
        match origin {
            Origin::Default => format!("{line}  {}", printer.dim(origin)),
            _ => format!("{line}  {}", printer.good(origin)),
        }
    };
    settings.iter().map(line).collect()
}

fn setting_json(setting: &Setting) -> Value {
    let (origin, variable) = match &setting.origin {
        Origin::Default => ("default", None),
        Origin::File => ("file", None),
        Origin::Environment(name) => ("environment", Some(name)),
    };
    json!({ "key": setting.key, "value": setting.value, "origin": origin, "variable": variable })
}

fn texts(warnings: &[Warning]) -> Vec<String> {
    warnings.iter().map(Warning::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;

    #[test]
    fn aligns_keys_values_and_origins() {
        let setting = |key: &str, value: &str, origin| Setting { key: key.into(), value: value.into(), origin };
        let settings = [
            setting("peer.id", "peer0", Origin::File),
            setting("peer.address", "", Origin::Default),
            setting("peer.tls.enabled", &"x".repeat(40), Origin::Environment("CORE_X".into())),
        ];
        let settings: Vec<_> = settings.iter().collect();
        insta::assert_snapshot!(lines(&settings, &Printer::new(Color::Never)).join("\n"), @r"
        peer.id           peer0                           file
        peer.address                                      default
        peer.tls.enabled  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx  CORE_X
        ");
    }
}
