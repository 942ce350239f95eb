//! What builds and chaincode are kept from on this machine.

use windlass_chaincode::build::sandbox::{Mode, SandboxConfig, Support};

use super::{Finding, Subject};

/// How a protection is told that is all protections.
const OFF: &str = "sandbox: ";

/// Says of each protection by what it is enforced, or why it is not: in the network if it is one of `windlass dev`, which
/// has a default of its own, and for a peer with the configuration that was named.
pub(super) fn check(subject: &Subject) -> Vec<Finding> {
    let network = subject.network().filter(|network| network.folder.is_some());
    let mut findings: Vec<_> = network.into_iter().map(|network| in_network(&network.sandbox)).collect();
    let Ok((config, _)) = &subject.configuration.outcome else { return findings };
    if findings.is_empty() || subject.is_configuration_named {
        let (executable, run) = (std::env::current_exe().ok(), config.windlass.chaincode.all.limits);
        findings.push(judge(Support::detect(), &config.windlass.sandbox.config(executable, Vec::new(), run)));
    }
    findings
}

fn in_network(protections: &[String]) -> Finding {
    let found = match protections {
        [] => "not told by the network; `windlass dev` tells it when it starts again".to_owned(),
        [off] if off.starts_with(OFF) => {
            format!("{}; `windlass dev` confines nothing unless its --config says so", off.trim_start_matches(OFF))
        }
        lines => lines.join("\n"),
    };
    Finding::ok("sandbox of the network", found)
}

fn judge(support: Support, config: &SandboxConfig) -> Finding {
    let what = "sandbox";
    let lines: Vec<_> = support.report(config).iter().map(ToString::to_string).collect();
    let found = lines.join("\n");
    let whole = support.supervisor && support.calls && support.landlock.is_some();
    match (config.mode, whole) {
        (Mode::Off, _) => Finding::warn(what, found, "windlass.sandbox.mode: auto confines what packages bring"),
        (Mode::Auto, false) => Finding::warn(what, found, "a kernel with Landlock and seccomp enforces all of it"),
        (Mode::Require, false) => {
            Finding::fail(what, found, "windlass.sandbox.mode: auto starts chaincode with what this system can enforce")
        }
        (Mode::Auto | Mode::Require, true) => Finding::ok(what, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level;

    #[test]
    fn tells_what_is_in_force_in_a_development_network() {
        let told = |config: &SandboxConfig| {
            let protections = Support { landlock: Some(6), calls: true, supervisor: true }.report(config);
            in_network(&protections.iter().map(ToString::to_string).collect::<Vec<_>>()).found
        };
        let off =
            "not enforced, windlass.sandbox.mode is off; `windlass dev` confines nothing unless its --config says so";
        assert_eq!(told(&SandboxConfig::default()), off);
        let auto =
            SandboxConfig { mode: Mode::Auto, executable: Some("/usr/bin/windlass".into()), ..Default::default() };
        assert!(told(&auto).starts_with("files: Landlock, version 6\n"), "{}", told(&auto));
    }

    #[test]
    fn minds_what_is_asked_for_and_cannot_be_enforced() {
        let without = Support { landlock: None, calls: true, supervisor: true };
        let with = Support { landlock: Some(6), ..without };
        let config =
            |mode| SandboxConfig { mode, executable: Some("/usr/bin/windlass".into()), ..SandboxConfig::default() };
        for (support, mode, level) in [
            (with, Mode::Auto, Level::Ok),
            (with, Mode::Require, Level::Ok),
            (without, Mode::Auto, Level::Warn),
            (without, Mode::Require, Level::Fail),
            (with, Mode::Off, Level::Warn),
        ] {
            assert_eq!(judge(support, &config(mode)).level, level, "{mode:?}");
        }
        let found = judge(with, &config(Mode::Auto)).found;
        assert!(found.starts_with("files: Landlock, version 6\n"), "{found}");
    }
}
