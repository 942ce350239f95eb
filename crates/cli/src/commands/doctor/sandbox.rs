//! What builds and chaincode are kept from on this machine.

use windlass_chaincode::build::sandbox::{Mode, SandboxConfig, Support};

use super::{Finding, Subject};

/// Says of each protection by what it is enforced, or why it is not.
pub(super) fn check(subject: &Subject) -> Vec<Finding> {
    let Ok((config, _)) = &subject.configuration.outcome else { return Vec::new() };
    let (executable, run) = (std::env::current_exe().ok(), config.windlass.chaincode.all.limits);
    vec![judge(Support::detect(), &config.windlass.sandbox.config(executable, Vec::new(), run))]
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
