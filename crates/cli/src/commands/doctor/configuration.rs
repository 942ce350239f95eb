//! `core.yaml` and the variables over it.

use super::{Finding, Subject};

/// Says which file it is, and everything that is wrong with it.
pub(super) fn check(subject: &Subject) -> Vec<Finding> {
    let loaded = &subject.configuration;
    let what = "configuration";
    let from = loaded.source();
    match &loaded.outcome {
        Err(error) => vec![Finding::fail(
            what,
            format!("{error}\n{from}"),
            "mend what is named; `windlass config check` checks again",
        )],
        Ok((_, warnings)) => {
            let mut findings = vec![Finding::ok(what, from)];
            // A variable of a client, or of the shell, is not this machine's fault.
            findings.extend(warnings.iter().filter(|_| loaded.file.is_some()).map(|warning| {
                Finding::warn(what, warning.to_string(), "`windlass config show` lists every setting that there is")
            }));
            findings
        }
    }
}
