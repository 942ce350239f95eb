//! Every exact text of a launch.

use std::fmt;

use crate::build::ExitOutcome;

/// Why a chaincode could not be launched. The text is Fabric's, followed by the last lines that the chaincode
/// itself printed, if it printed any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchError {
    /// The ID under which the chaincode should have registered.
    pub id: String,
    /// What happened.
    pub cause: LaunchCause,
    /// The last lines of the chaincode's own output.
    pub output: Vec<String>,
}

/// What happened to a launch.
// Fabric: chaincode-protocol §7
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchCause {
    /// The package does not build.
    #[error("error building chaincode: error building image: {0}")]
    Build(String),
    /// The build says nothing sensible about where the chaincode serves.
    #[error("error building chaincode: {0}")]
    ConnectionInfo(String),
    /// The chaincode that serves cannot be reached, or ended the stream.
    #[error("connection to {id} failed: {error}")]
    Connect {
        /// The ID.
        id: String,
        /// Why.
        error: String,
    },
    /// The chaincode cannot be run.
    // The phrase really appears twice.
    #[error("error starting container: error starting container: {0}")]
    Start(String),
    /// The chaincode ended, with this status, before it registered.
    #[error("chaincode registration failed: container exited with {0}")]
    Exited(i32),
    /// The chaincode failed before it registered.
    #[error("chaincode registration failed: failed to wait on container exit: {0}")]
    Failed(String),
    /// The chaincode registered as something that it must not be.
    #[error("chaincode registration failed: {0}")]
    Refused(String),
    /// The launch that someone else had begun failed.
    #[error("chaincode registration failed: {0}")]
    Shared(Box<LaunchCause>),
    /// The chaincode did not register in time.
    #[error("timeout expired while starting chaincode {0} for transaction")]
    Timeout(String),
    /// The chaincode registered, and its stream ended at once.
    #[error("claimed to start chaincode container for {0} but could not find handler")]
    Vanished(String),
    /// Nobody has started what has to be started by hand.
    #[error(
        "in development mode it is started by hand, and nothing has registered as {id}; hint: start it with \
         CORE_CHAINCODE_ID_NAME={id} and CORE_PEER_TLS_ENABLED=false in its environment and {address} as the peer's \
         address"
    )]
    NotStarted {
        /// The ID.
        id: String,
        /// Where it finds the peer.
        address: String,
    },
    /// Too many transactions wait for the launch.
    #[error("{0} transactions wait for it already, which is the limit")]
    Crowded(usize),
    /// The engine stops.
    #[error("the peer is stopping")]
    Stopping,
}

impl LaunchError {
    pub(crate) fn new(id: &str, cause: LaunchCause) -> Self {
        Self { id: id.to_owned(), cause, output: Vec::new() }
    }

    pub(crate) fn with_output(self, output: Vec<String>) -> Self {
        Self { output, ..self }
    }

    /// The same for those who waited for a launch that someone else had begun.
    pub(crate) fn shared(self) -> Self {
        Self { cause: LaunchCause::Shared(Box::new(self.cause)), ..self }
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not launch chaincode {}: {}", self.id, self.cause)?;
        if self.output.is_empty() {
            return Ok(());
        }
        f.write_str("\nthe chaincode's last output:")?;
        self.output.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for LaunchError {}

impl LaunchCause {
    /// The end of a run that should have registered.
    pub(crate) fn exited(outcome: ExitOutcome) -> Self {
        match outcome.error {
            None => Self::Exited(0),
            Some(_) => Self::Failed(outcome.to_string()),
        }
    }

    /// Whether the launch failed before there was anything that could register.
    pub(crate) fn before_registration(&self) -> bool {
        matches!(self, Self::Build(_) | Self::ConnectionInfo(_) | Self::Connect { .. } | Self::Start(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_fabric_says() {
        let id = || String::from("basic:ab");
        for (cause, text) in [
            (LaunchCause::Build("no".into()), "error building chaincode: error building image: no"),
            (
                LaunchCause::ConnectionInfo("chaincode address not provided".into()),
                "error building chaincode: chaincode address not provided",
            ),
            (LaunchCause::Connect { id: id(), error: "EOF".into() }, "connection to basic:ab failed: EOF"),
            (LaunchCause::Start("no".into()), "error starting container: error starting container: no"),
            (LaunchCause::Exited(0), "chaincode registration failed: container exited with 0"),
            (
                LaunchCause::Failed("builder 'b' run failed: exit status 7".into()),
                "chaincode registration failed: failed to wait on container exit: builder 'b' run failed: exit status 7",
            ),
            (LaunchCause::Timeout(id()), "timeout expired while starting chaincode basic:ab for transaction"),
            (
                LaunchCause::Vanished(id()),
                "claimed to start chaincode container for basic:ab but could not find handler",
            ),
        ] {
            let error = LaunchError::new("basic:ab", cause);
            assert_eq!(error.to_string(), format!("could not launch chaincode basic:ab: {text}"));
            let shared = format!("could not launch chaincode basic:ab: chaincode registration failed: {text}");
            assert_eq!(error.shared().to_string(), shared);
        }
    }

    #[test]
    fn ends_with_what_the_chaincode_printed() {
        let output = vec![String::from("one"), String::from("two")];
        let error = LaunchError::new("a:b", LaunchCause::Exited(0)).with_output(output);
        assert_eq!(
            error.to_string(),
            "could not launch chaincode a:b: chaincode registration failed: container exited with 0\nthe chaincode's \
             last output:\n  one\n  two"
        );
    }
}
