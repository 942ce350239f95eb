//! What every command needs: what was typed, settings, identity, log.

use std::fmt::Display;

use windlass_identity::sign::SigningIdentity;

use super::{
    failure::Failure,
    golang::system_error,
    log::{Log, Source},
    settings::{self, Settings},
};
use crate::{
    args::plumbing::{Invocation, flags::Values},
    printer::Printer,
};

/// Where start-up is logged.
const STARTUP: Source = Source("main", "InitCmd");

/// One run of one command.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) values: Values,
    pub(crate) operands: Vec<String>,
    pub(crate) settings: Settings,
    pub(crate) log: Log,
    identity: Option<SigningIdentity>,
    printer: Printer,
}

impl Session {
    /// Reads settings, and the identity if the command signs anything.
    pub(crate) fn start(invocation: Invocation, needs_identity: bool, printer: &Printer) -> Result<Self, Failure> {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        let log = Log::new(&variable("FABRIC_LOGGING_SPEC"), &variable("FABRIC_LOGGING_FORMAT"), printer)
            .map_err(Failure::failed)?;
        let said = |text: String| {
            log.error(STARTUP, text);
            Failure::Said
        };
        let settings = Settings::load(settings::environment())
            .map_err(|error| said(format!("Fatal error when initializing core config : {error}")))?;
        if !settings.text("logging_level").is_empty() || !settings.text("logging.level").is_empty() {
            log.warn(
                STARTUP,
                "CORE_LOGGING_LEVEL is no longer supported, please use the FABRIC_LOGGING_SPEC environment variable",
            );
        }
        let identity = if needs_identity {
            Some(identity(&settings).map_err(|error| said(format!("Cannot run peer because {error}")))?)
        } else {
            None
        };
        let Invocation { values, operands, .. } = invocation;
        Ok(Self { values, operands, settings, log, identity, printer: printer.clone() })
    }

    /// Who signs.
    pub(crate) fn identity(&self) -> &SigningIdentity {
        self.identity.as_ref().expect("commands that sign are started with an identity")
    }

    /// A line on stdout.
    pub(crate) fn print(&self, text: impl Display) {
        self.printer.line(text);
    }

    /// Bytes on stdout, with a line's end behind them.
    pub(crate) fn print_bytes(&self, bytes: &[u8]) {
        self.printer.raw(&[bytes, b"\n"].concat());
    }
}

fn identity(settings: &Settings) -> Result<SigningIdentity, String> {
    let folder = settings.path("peer.mspConfigPath");
    let shown = folder.display();
    match std::fs::metadata(&folder) {
        Err(error) => {
            let error = system_error(&error);
            return Err(format!(
                "cannot init crypto, specified path \"{shown}\" does not exist or cannot be accessed: stat {shown}: {error}"
            ));
        }
        Ok(metadata) if !metadata.is_dir() => {
            return Err(format!("cannot init crypto, specified path \"{shown}\" is not a directory"));
        }
        Ok(_) => {}
    }
    let msp_id = settings.text("peer.localMspId");
    if msp_id.is_empty() {
        return Err("the local MSP must have an ID".to_owned());
    }
    let provider = settings.text("peer.BCCSP.Default");
    if !provider.is_empty() && !provider.eq_ignore_ascii_case("SW") {
        return Err(format!("peer.BCCSP.Default is {provider}; keys can only be read from files (SW)"));
    }
    let signcerts = folder.join("signcerts");
    if let Err(error) = std::fs::metadata(&signcerts) {
        let (signcerts, error) = (signcerts.display(), system_error(&error));
        return Err(format!(
            "could not load signing certificate from directory {signcerts}: stat {signcerts}: {error}"
        ));
    }
    SigningIdentity::from_msp_folder(&msp_id, &folder)
        .map_err(|error| format!("error when setting up MSP of type bccsp from directory {shown}: {error}"))
}
