//! Fabric's logging specification.

use std::{collections::BTreeMap, fmt, str::FromStr};

use tracing::{Level, level_filters::LevelFilter};

/// A parsed specification. Displays in Fabric's canonical form: loggers first, the default last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSpec {
    default: Threshold,
    loggers: BTreeMap<String, Threshold>,
}

/// From which level on lines are written, by Fabric's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threshold {
    Payload,
    Debug,
    Info,
    Warn,
    Error,
    DPanic,
    Panic,
    Fatal,
}

/// Why a text is no specification.
// Fabric: endorsement-and-gateway §10
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogSpecError {
    /// A field is neither a level nor loggers with a level.
    #[error("invalid logging specification '{spec}': bad segment '{segment}'")]
    Segment {
        /// The whole text.
        spec: String,
        /// The field.
        segment: String,
    },
    /// A level without a logger before it.
    #[error("invalid logging specification '{spec}': no logger specified in segment '{segment}'")]
    NoLogger {
        /// The whole text.
        spec: String,
        /// The field.
        segment: String,
    },
    /// A logger's name has illegal characters.
    #[error("invalid logging specification '{spec}': bad logger name '{logger}'")]
    Logger {
        /// The whole text.
        spec: String,
        /// The name.
        logger: String,
    },
}

impl Default for LogSpec {
    fn default() -> Self {
        Self { default: Threshold::Info, loggers: BTreeMap::new() }
    }
}

impl FromStr for LogSpec {
    type Err = LogSpecError;

    fn from_str(text: &str) -> Result<Self, LogSpecError> {
        let bad_segment = |segment: &str| LogSpecError::Segment { spec: text.to_owned(), segment: segment.to_owned() };
        let mut spec = Self::default();
        for segment in text.split(':') {
            match segment.split_once('=') {
                None if segment.is_empty() => spec.default = Threshold::Info,
                None => spec.default = Threshold::parse(segment).ok_or_else(|| bad_segment(segment))?,
                Some((_, level)) if level.contains('=') => return Err(bad_segment(segment)),
                Some(("", _)) => {
                    return Err(LogSpecError::NoLogger { spec: text.to_owned(), segment: segment.to_owned() });
                }
                Some((loggers, level)) => {
                    let threshold = Threshold::parse(level).ok_or_else(|| bad_segment(segment))?;
                    for logger in loggers.split(',') {
                        if !is_logger_name(logger.strip_suffix('.').unwrap_or(logger)) {
                            return Err(LogSpecError::Logger { spec: text.to_owned(), logger: logger.to_owned() });
                        }
                        spec.loggers.insert(logger.to_owned(), threshold);
                    }
                }
            }
        }
        Ok(spec)
    }
}

impl fmt::Display for LogSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (logger, threshold) in &self.loggers {
            write!(f, "{logger}={}:", threshold.name())?;
        }
        f.write_str(self.default.name())
    }
}

impl LogSpec {
    /// Whether a line of `level` from `target`, a Rust module path, is wanted.
    pub fn enables(&self, target: &str, level: Level) -> bool {
        level <= self.threshold(target).filter()
    }

    /// The level of the most talkative logger.
    pub(super) fn most_verbose(&self) -> LevelFilter {
        let loggers = self.loggers.values().map(|threshold| threshold.filter());
        loggers.fold(self.default.filter(), LevelFilter::max)
    }

    fn threshold(&self, target: &str) -> Threshold {
        if self.loggers.is_empty() {
            return self.default;
        }
        let name = logger_of(target);
        let matching = self.loggers.iter().filter(|(logger, _)| covers(logger, &name));
        matching.max_by_key(|(logger, _)| logger.len()).map_or(self.default, |(_, threshold)| *threshold)
    }
}

impl Threshold {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "payload" => Self::Payload,
            "debug" => Self::Debug,
            "info" | "notice" => Self::Info,
            "warning" | "warn" => Self::Warn,
            "error" | "critical" => Self::Error,
            "dpanic" => Self::DPanic,
            "panic" => Self::Panic,
            "fatal" => Self::Fatal,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Payload => "payload",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::DPanic => "dpanic",
            Self::Panic => "panic",
            Self::Fatal => "fatal",
        }
    }

    /// We have no levels above error: who asks for less gets nothing.
    fn filter(self) -> LevelFilter {
        match self {
            Self::Payload => LevelFilter::TRACE,
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warn => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
            Self::DPanic | Self::Panic | Self::Fatal => LevelFilter::OFF,
        }
    }
}

/// `windlass_peer::services::gateway` → `peer.services.gateway`.
fn logger_of(target: &str) -> String {
    target.strip_prefix("windlass_").unwrap_or(target).replace("::", ".")
}

/// Whether `logger` of a specification means the logger `name`: the whole name or parts of it between dots,
/// so that Fabric's short names (`endorser`, `gateway`) find our modules.
fn covers(logger: &str, name: &str) -> bool {
    if let Some(exact) = logger.strip_suffix('.') {
        return name == exact || name.strip_suffix(exact).is_some_and(|before| before.ends_with('.'));
    }
    let mut rest = name;
    loop {
        if rest.strip_prefix(logger).is_some_and(|below| below.is_empty() || below.starts_with('.')) {
            return true;
        }
        match rest.split_once('.') {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
}

fn is_logger_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '#' | ':' | '-');
    !name.is_empty() && name.split('.').all(|part| !part.is_empty() && part.chars().all(legal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_fabrics_form() {
        for (text, canonical) in [
            ("info", "info"),
            ("", "info"),
            ("WARNING", "warn"),
            ("debug:info", "info"),
            ("gossip,endorser=debug:warning", "endorser=debug:gossip=debug:warn"),
            ("error:chaincode.=payload:a.b=FATAL", "a.b=fatal:chaincode.=payload:error"),
        ] {
            let spec: LogSpec = text.parse().expect(text);
            assert_eq!(spec.to_string(), canonical, "{text}");
            assert_eq!(canonical.parse::<LogSpec>(), Ok(spec));
        }
    }

    #[test]
    fn refuses_what_is_no_specification() {
        for (text, error) in [
            ("loud", "invalid logging specification 'loud': bad segment 'loud'"),
            ("a=loud", "invalid logging specification 'a=loud': bad segment 'a=loud'"),
            ("a=b=info", "invalid logging specification 'a=b=info': bad segment 'a=b=info'"),
            ("info:=debug", "invalid logging specification 'info:=debug': no logger specified in segment '=debug'"),
            ("a b=info", "invalid logging specification 'a b=info': bad logger name 'a b'"),
            (".a=info", "invalid logging specification '.a=info': bad logger name '.a'"),
            ("a,=info", "invalid logging specification 'a,=info': bad logger name ''"),
        ] {
            assert_eq!(text.parse::<LogSpec>().expect_err(text).to_string(), error);
        }
    }

    #[test]
    fn the_longest_matching_logger_decides() {
        let spec: LogSpec =
            "warn:chaincode=info:chaincode.engine=debug:peer.=error:endorser=debug".parse().expect("valid");
        for (target, level, wanted) in [
            ("windlass_chaincode::stream", Level::INFO, true),
            ("windlass_chaincode::stream", Level::DEBUG, false),
            ("windlass_chaincode::engine::config", Level::DEBUG, true),
            ("windlass_chaincodes", Level::INFO, false),
            ("windlass_peer", Level::WARN, false),
            ("windlass_peer::node", Level::WARN, true),
            ("windlass_peer::services::endorser", Level::DEBUG, true),
            ("h2::codec", Level::WARN, true),
            ("h2::codec", Level::INFO, false),
        ] {
            assert_eq!(spec.enables(target, level), wanted, "{target} {level}");
        }
        assert_eq!(spec.most_verbose(), LevelFilter::DEBUG);
    }
}
