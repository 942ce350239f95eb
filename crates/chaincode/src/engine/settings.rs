//! What operators may say of chaincode beside its package: for all of it, and for one.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::config::EngineConfig;
use crate::build::sandbox::Limits;

/// What is said of chaincode. What is `None` is left as it is said more generally, or by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChaincodeSettings {
    /// How long one transaction may take; by default [`EngineConfig::execute_timeout`].
    pub execute_timeout: Option<Duration>,
    /// How long a launch may take; by default [`EngineConfig::startup_timeout`].
    pub startup_timeout: Option<Duration>,
    /// How many processes of a launched chaincode run; one by default.
    pub instances: Option<usize>,
    /// How often a transaction whose stream was lost is run again; once by default.
    pub retries: Option<u32>,
    /// After how long without a transaction it is stopped; zero, the default, is never.
    pub idle_timeout: Option<Duration>,
    /// Whether it is left alone until it is called, and not launched when it becomes runnable.
    pub lazy: Option<bool>,
    /// At what age a stream to chaincode that serves is replaced; zero, the default, is never.
    pub stream_max_age: Option<Duration>,
    /// How often the addresses of chaincode that serves are looked up again; 30 s by default, zero is never.
    pub resolve_interval: Option<Duration>,
    /// How many transactions may wait for it to come up; a thousand by default.
    pub queue: Option<usize>,
    /// Variables for launched chaincode, beside those that its builder passes on. Those said of one chaincode
    /// are added to those said of all.
    pub environment: BTreeMap<String, String>,
    /// Limits on launched chaincode, each process with all that it starts.
    pub limits: Limits,
}

/// What is said of all chaincode, and of some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// For all.
    pub all: ChaincodeSettings,
    /// For one, by the label of its package, by its name on a channel, or by its package ID. The later of these
    /// wins over the earlier.
    pub one: BTreeMap<String, ChaincodeSettings>,
}

/// What is in force for one chaincode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InForce {
    pub(crate) execute_timeout: Duration,
    pub(crate) startup_timeout: Duration,
    pub(crate) instances: usize,
    pub(crate) retries: u32,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) lazy: bool,
    pub(crate) stream_max_age: Option<Duration>,
    pub(crate) resolve_interval: Option<Duration>,
    pub(crate) queue: usize,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) limits: Limits,
}

const RETRIES: u32 = 1;
const QUEUE: usize = 1000;
const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);

impl InForce {
    /// What is in force for `id`, which channels know under `names`.
    pub(crate) fn of(config: &EngineConfig, id: &str, names: &[String]) -> Arc<Self> {
        let label = id.rsplit_once(':').map_or(id, |(label, _)| label);
        let keys = std::iter::once(label).chain(names.iter().map(String::as_str)).chain([id]);
        let mut said = config.settings.all.clone();
        for more in keys.filter_map(|key| config.settings.one.get(key)) {
            said = said.overlaid(more);
        }
        let unless_zero = |duration: Option<Duration>| duration.filter(|duration| !duration.is_zero());
        Arc::new(Self {
            execute_timeout: unless_zero(said.execute_timeout).unwrap_or(config.execute_timeout),
            startup_timeout: unless_zero(said.startup_timeout).unwrap_or(config.startup_timeout),
            instances: said.instances.unwrap_or(1).max(1),
            retries: said.retries.unwrap_or(RETRIES),
            idle_timeout: unless_zero(said.idle_timeout),
            lazy: said.lazy.unwrap_or(false),
            stream_max_age: unless_zero(said.stream_max_age),
            resolve_interval: unless_zero(said.resolve_interval.or(Some(RESOLVE_INTERVAL))),
            queue: said.queue.unwrap_or(QUEUE),
            environment: said.environment,
            limits: said.limits,
        })
    }
}

impl ChaincodeSettings {
    fn overlaid(self, more: &Self) -> Self {
        let mut environment = self.environment;
        environment.extend(more.environment.clone());
        Self {
            execute_timeout: more.execute_timeout.or(self.execute_timeout),
            startup_timeout: more.startup_timeout.or(self.startup_timeout),
            instances: more.instances.or(self.instances),
            retries: more.retries.or(self.retries),
            idle_timeout: more.idle_timeout.or(self.idle_timeout),
            lazy: more.lazy.or(self.lazy),
            stream_max_age: more.stream_max_age.or(self.stream_max_age),
            resolve_interval: more.resolve_interval.or(self.resolve_interval),
            queue: more.queue.or(self.queue),
            environment,
            limits: self.limits.overlaid(more.limits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_one_wins_over_what_is_said_of_all() {
        let mut config = EngineConfig::new("Org1MSP", "localhost:7052");
        let set = |instances, variable: &str| ChaincodeSettings {
            instances,
            environment: [(variable.to_owned(), String::from("v"))].into(),
            ..Default::default()
        };
        config.settings.all = ChaincodeSettings { idle_timeout: Some(Duration::from_secs(9)), ..set(Some(2), "ALL") };
        config.settings.one.insert("basic_1".into(), set(Some(3), "LABEL"));
        config.settings.one.insert("basic".into(), ChaincodeSettings { retries: Some(0), ..set(None, "NAME") });
        config.settings.one.insert("basic_1:ab".into(), set(Some(5), "ID"));

        let other = InForce::of(&config, "other:ab", &[]);
        assert_eq!((other.instances, other.retries, other.environment.len()), (2, 1, 1));
        let label = InForce::of(&config, "basic_1:cd", &[]);
        assert_eq!((label.instances, label.retries, label.environment.len()), (3, 1, 2));
        let name = InForce::of(&config, "basic_1:cd", &[String::from("basic")]);
        assert_eq!((name.instances, name.retries, name.environment.len()), (3, 0, 3));
        let id = InForce::of(&config, "basic_1:ab", &[String::from("basic")]);
        assert_eq!((id.instances, id.retries, id.environment.len()), (5, 0, 4));
        assert_eq!(id.idle_timeout, Some(Duration::from_secs(9)));
        assert_eq!(id.execute_timeout, config.execute_timeout);
    }
}
