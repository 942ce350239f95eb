//! Which log lines are written: Fabric's logging specification, changeable while the peer runs.
//!
//! A specification is a list of fields between colons: a level for everything, or loggers with a level of
//! their own, as in `info:gossip,endorser=debug:chaincode.=warning`. A logger stands for everything below
//! it; with a dot at its end, for itself alone.

mod spec;

use std::{fmt, str::FromStr, sync::Arc};

use parking_lot::RwLock;
use tracing::{Metadata, Subscriber, level_filters::LevelFilter, subscriber::Interest};
use tracing_subscriber::{
    Layer,
    fmt::{MakeWriter, time::SystemTime},
    layer::{Context, Filter, SubscriberExt},
    registry::{LookupSpan, Registry},
};

pub use spec::{LogSpec, LogSpecError};

/// The specification in force. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Logging {
    spec: Arc<RwLock<LogSpec>>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = std::convert::Infallible;

    /// `json` is JSON; every other format of Fabric's is text for people.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text.eq_ignore_ascii_case("json") { Self::Json } else { Self::Text })
    }
}

impl Logging {
    /// Starts with `spec`.
    pub fn new(spec: LogSpec) -> Self {
        Self { spec: Arc::new(RwLock::new(spec)) }
    }

    /// The specification in force.
    pub fn spec(&self) -> LogSpec {
        self.spec.read().clone()
    }

    /// Puts another specification in force, at once and everywhere.
    pub fn set(&self, spec: LogSpec) {
        *self.spec.write() = spec;
        // Call sites remember whether they are wanted.
        tracing::callsite::rebuild_interest_cache();
    }

    /// What lets through the lines that the specification wants, for a layer of a subscriber.
    pub fn filter(&self) -> LogFilter {
        LogFilter(self.clone())
    }

    /// A subscriber that writes the lines that the specification wants to `writer`.
    pub fn subscriber<W>(&self, format: LogFormat, colours: bool, writer: W) -> impl Subscriber + Send + Sync + use<W>
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let lines = tracing_subscriber::fmt::layer().with_timer(SystemTime).with_ansi(colours).with_writer(writer);
        let lines = match format {
            LogFormat::Text => lines.boxed(),
            LogFormat::Json => lines.json().boxed(),
        };
        Registry::default().with(lines.with_filter(self.filter()))
    }
}

/// Lets through what a [`Logging`]'s specification wants.
#[derive(Clone)]
pub struct LogFilter(Logging);

impl fmt::Debug for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogFilter({})", self.0.spec())
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Filter<S> for LogFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.0.spec.read().enables(metadata.target(), *metadata.level())
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Decided once per call site until the next change, so that disabled lines cost nothing.
        if self.0.spec.read().enables(metadata.target(), *metadata.level()) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.spec.read().most_verbose())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock())).expect("text")
        }
    }

    fn speak() {
        tracing::info!(target: "windlass_chaincode::engine", "an info");
        tracing::debug!(target: "windlass_chaincode::engine", "a detail");
    }

    #[test]
    fn a_new_specification_takes_effect_at_once() {
        let lines = Lines::default();
        let written = lines.clone();
        let logging = Logging::default();
        let subscriber = logging.subscriber(LogFormat::Text, false, move || written.clone());
        tracing::subscriber::with_default(subscriber, || {
            speak();
            let text = lines.take();
            assert!(text.contains("an info") && !text.contains("a detail"), "{text}");
            logging.set("warning:chaincode=debug".parse().expect("a specification"));
            speak();
            let text = lines.take();
            assert!(text.contains("an info") && text.contains("a detail"), "{text}");
            logging.set("error".parse().expect("a specification"));
            speak();
            assert_eq!(lines.take(), "");
        });
    }

    #[test]
    fn writes_json_when_asked() {
        let lines = Lines::default();
        let written = lines.clone();
        let format = "json".parse().expect("never fails");
        let subscriber = Logging::default().subscriber(format, false, move || written.clone());
        tracing::subscriber::with_default(subscriber, speak);
        let line: serde_json::Value = serde_json::from_str(lines.take().trim()).expect("JSON");
        assert_eq!(line["fields"]["message"], "an info");
    }
}
