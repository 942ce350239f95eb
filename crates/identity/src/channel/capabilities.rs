//! Capabilities: what the members of a channel have agreed to support.

use std::fmt;

use windlass_proto::common::Capabilities;

use super::ChannelConfigError;
use crate::msp::MspVersion;

/// A part of a channel's configuration that has capabilities of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The whole.
    Channel,
    /// Ordering.
    Orderer,
    /// Chaincode.
    Application,
}

impl Section {
    /// The versions, in order: a later one includes those before it.
    // Fabric: ledger §7
    fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Channel => &["V1_1", "V1_3", "V1_4_2", "V1_4_3", "V2_0", "V3_0"],
            Self::Orderer => &["V1_1", "V1_4_2", "V2_0"],
            Self::Application => &["V1_1", "V1_2", "V1_3", "V1_4_2", "V2_0", "V2_5"],
        }
    }

    fn experiments(self) -> &'static [&'static str] {
        match self {
            Self::Application => &["V1_1_PVTDATA_EXPERIMENTAL", "V1_1_RESOURCETREE_EXPERIMENTAL"],
            Self::Channel | Self::Orderer => &[],
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The capabilities of one section.
#[derive(Clone, Debug)]
pub(super) struct Enabled {
    section: Section,
    names: Vec<String>,
}

impl Enabled {
    pub(super) fn new(section: Section, capabilities: &Capabilities) -> Result<Self, ChannelConfigError> {
        let known = |name: &str| section.versions().contains(&name) || section.experiments().contains(&name);
        for name in capabilities.capabilities.keys() {
            if !known(name) {
                return Err(ChannelConfigError::UnsupportedCapability { section, name: name.clone() });
            }
        }
        Ok(Self { section, names: capabilities.capabilities.keys().cloned().collect() })
    }

    /// Whether this capability, or a later version, is enabled.
    pub(super) fn includes(&self, name: &str) -> bool {
        let at = |name: &str| self.section.versions().iter().position(|version| *version == name);
        match at(name) {
            Some(wanted) => self.names.iter().filter_map(|name| at(name)).any(|enabled| enabled >= wanted),
            None => self.names.iter().any(|enabled| enabled == name),
        }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}

/// The rules of membership that channel capabilities imply.
// Fabric: endorsement-and-gateway §4
pub(super) fn msp_version(channel: &Enabled) -> MspVersion {
    [("V3_0", MspVersion::V3_0), ("V1_4_3", MspVersion::V1_4_3), ("V1_3", MspVersion::V1_3), ("V1_1", MspVersion::V1_1)]
        .into_iter()
        .find_map(|(capability, version)| channel.includes(capability).then_some(version))
        .unwrap_or(MspVersion::V1_0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enabled(section: Section, names: &[&str]) -> Result<Enabled, ChannelConfigError> {
        let capabilities = names.iter().map(|name| ((*name).to_owned(), Default::default())).collect();
        Enabled::new(section, &Capabilities { capabilities })
    }

    #[test]
    fn counts_a_later_version_for_the_earlier_ones() {
        let application = enabled(Section::Application, &["V2_0"]).expect("known");
        assert!(application.includes("V1_2") && application.includes("V2_0"));
        assert!(!application.includes("V2_5") && !application.includes("V1_1_PVTDATA_EXPERIMENTAL"));
        assert!(!enabled(Section::Application, &[]).expect("none").includes("V1_1"));
    }

    #[test]
    fn names_a_capability_that_nobody_knows() {
        for (section, name, error) in [
            (Section::Channel, "V9_9", "Channel capability V9_9 is required but not supported"),
            (Section::Orderer, "V2_5", "Orderer capability V2_5 is required but not supported"),
            (Section::Application, "V3_0", "Application capability V3_0 is required but not supported"),
        ] {
            assert_eq!(enabled(section, &[name]).expect_err(name).to_string(), error);
        }
    }

    #[test]
    fn maps_channel_capabilities_to_rules_of_membership() {
        for (names, version) in [
            (&[][..], MspVersion::V1_0),
            (&["V1_1"], MspVersion::V1_1),
            (&["V1_4_2"], MspVersion::V1_3),
            (&["V2_0"], MspVersion::V1_4_3),
            (&["V2_0", "V3_0"], MspVersion::V3_0),
        ] {
            assert_eq!(msp_version(&enabled(Section::Channel, names).expect("known")), version, "{names:?}");
        }
    }
}
