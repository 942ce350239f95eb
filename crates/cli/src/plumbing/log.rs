//! Log lines on stderr, in the form that `FABRIC_LOGGING_FORMAT` and `FABRIC_LOGGING_SPEC` ask for.

mod format;

use std::{
    cell::Cell,
    fmt::Display,
    io::{self, IsTerminal},
};

use tracing::Level;
use windlass_peer::logging::LogSpec;

use crate::printer::Printer;
use format::{Format, Record};

/// Writes log lines.
#[derive(Debug)]
pub(crate) struct Log {
    spec: LogSpec,
    format: Format,
    colours: bool,
    lines: Cell<u32>,
    printer: Printer,
}

/// Where in Fabric a line is written: logger and function. Scripts and people know lines by them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source(pub(crate) &'static str, pub(crate) &'static str);

impl Log {
    /// From the two variables; empty for the default. The error is Fabric's.
    pub(crate) fn new(spec: &str, format: &str, printer: &Printer) -> Result<Self, String> {
        let spec = spec.parse().map_err(|error| format!("{error}"))?;
        let format = format.parse()?;
        let colours = io::stderr().is_terminal();
        Ok(Self { spec, format, colours, lines: Cell::new(0), printer: printer.clone() })
    }

    pub(crate) fn error(&self, source: Source, message: impl Display) {
        self.write(Level::ERROR, source, message);
    }

    pub(crate) fn warn(&self, source: Source, message: impl Display) {
        self.write(Level::WARN, source, message);
    }

    pub(crate) fn info(&self, source: Source, message: impl Display) {
        self.write(Level::INFO, source, message);
    }

    fn write(&self, level: Level, Source(logger, function): Source, message: impl Display) {
        if !self.spec.enables(logger, level) {
            return;
        }
        self.lines.set(self.lines.get() + 1);
        let record = Record {
            number: self.lines.get(),
            level,
            logger,
            function,
            message: &message.to_string(),
            colours: self.colours,
        };
        self.printer.note(self.format.line(&record));
    }
}
