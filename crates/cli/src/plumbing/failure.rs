//! Why a command failed, in the words that scripts know.

use std::fmt::Display;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The usage is shown after the text.
    Usage(String),
    /// The text is all there is to say.
    Failed(String),
    /// It has been said in the log.
    Said,
}

impl Failure {
    pub(crate) fn failed(text: impl Display) -> Self {
        Self::Failed(text.to_string())
    }

    pub(crate) fn usage(text: impl Display) -> Self {
        Self::Usage(text.to_string())
    }

    /// The same with the usage.
    pub(crate) fn with_usage(self) -> Self {
        match self {
            Self::Failed(text) => Self::Usage(text),
            other => other,
        }
    }

    /// The same after `what: `.
    pub(crate) fn after(self, what: impl Display) -> Self {
        match self {
            Self::Failed(text) => Self::Failed(format!("{what}: {text}")),
            Self::Usage(text) => Self::Usage(format!("{what}: {text}")),
            Self::Said => Self::Said,
        }
    }
}

/// Words before an error.
pub(crate) trait After<T> {
    /// Fails with `what: ` before the error.
    fn after(self, what: impl Display) -> Result<T, Failure>;
}

impl<T, E: Display> After<T> for Result<T, E> {
    fn after(self, what: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::Failed(format!("{what}: {error}")))
    }
}
