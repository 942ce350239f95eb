//! What a check finds.

use serde_json::{Value, json};

use crate::printer::{Printer, clean};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Ok,
    /// Something to know; nothing that was asked for fails for it.
    Warn,
    /// Something will not work.
    Fail,
}

/// One line: what was looked at, what it is like, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) what: String,
    pub(super) found: String,
    pub(super) hint: Option<String>,
}

impl Finding {
    pub(super) fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { level: Level::Ok, what: what.into(), found: found.into(), hint: None }
    }

    pub(super) fn warn(what: impl Into<String>, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { level: Level::Warn, what: what.into(), found: found.into(), hint: Some(hint.into()) }
    }

    pub(super) fn fail(what: impl Into<String>, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { level: Level::Fail, what: what.into(), found: found.into(), hint: Some(hint.into()) }
    }

    pub(super) fn json(&self) -> Value {
        json!({ "check": self.what, "level": self.level.word(), "found": self.found, "hint": self.hint })
    }
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One aligned line each, with what to do below it.
pub(super) fn print(findings: &[Finding], printer: &Printer) {
    lines(findings, printer).into_iter().for_each(|line| printer.line(line));
}

fn lines(findings: &[Finding], printer: &Printer) -> Vec<String> {
    let width = findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for Finding { level, what, found, hint } in findings {
        let word = format!("{:<5}", level.word());
        let word = match level {
            Level::Ok => printer.good(word),
            Level::Warn => printer.attention(word),
            Level::Fail => printer.bad(word),
        };
        // What others say may have several lines.
        let found = clean(found);
        let mut found = found.lines();
        lines.push(format!("{word} {what:<width$}  {}", found.next().unwrap_or_default()).trim_end().to_owned());
        let indent = " ".repeat(6 + width + 2);
        lines.extend(found.map(|line| format!("{indent}{line}")));
        lines.extend(hint.iter().map(|hint| format!("{indent}{} {hint}", printer.dim("hint:"))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;

    #[test]
    fn aligns_lines_and_puts_what_to_do_below() {
        let findings = [
            Finding::ok("go", "1.26"),
            Finding::warn("port 7051", "taken", "choose others"),
            Finding::fail("core.yaml", "two\nfaults\u{9b}", "mend it"),
        ];
        insta::assert_snapshot!(lines(&findings, &Printer::new(Color::Never)).join("\n"), @r"
        ok    go         1.26
        warn  port 7051  taken
                         hint: choose others
        fail  core.yaml  two
                         faults�
                         hint: mend it
        ");
    }
}
