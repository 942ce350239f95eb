//! `peer version`.

use super::failure::Failure;
use crate::{args::plumbing::Invocation, printer::Printer};

/// Prints what runs here.
pub(crate) fn print(invocation: &Invocation, printer: &Printer) -> Result<(), Failure> {
    if !invocation.operands.is_empty() {
        return Err(Failure::usage("trailing args detected"));
    }
    printer.line("peer:");
    printer.line(format_args!(" Version: {}", env!("CARGO_PKG_VERSION")));
    printer.line(format_args!(" Commit SHA: {}", option_env!("WINDLASS_COMMIT").unwrap_or("development build")));
    printer.line(" Go version: none (Windlass)");
    printer.line(format_args!(" OS/Arch: {}/{}", std::env::consts::OS, architecture()));
    printer.line(" Chaincode:");
    printer.line("  Base Docker Label: org.hyperledger.fabric");
    printer.line("  Docker Namespace: hyperledger");
    printer.line("");
    Ok(())
}

/// The processor by the name that Go gives it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}
