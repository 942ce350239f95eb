//! The query for a channel's configuration: MSPs and orderers.

use std::collections::BTreeMap;

use prost::Message;
use windlass_identity::ChannelConfig;
use windlass_proto::{
    common::ConfigGroup,
    discovery::{ConfigResult, Endpoint, Endpoints},
    msp::{FabricMspConfig, MspConfig},
};

/// An MSP of X.509 certificates.
const FABRIC: i32 = 0;

/// What clients need of a channel's configuration; `None` if it cannot be read.
// Fabric: endorsement-and-gateway §9
pub(super) fn of(config: &ChannelConfig) -> Option<ConfigResult> {
    let mut msps = BTreeMap::new();
    for section in ["Orderer", "Application"] {
        let groups = config.group().groups.get(section).map(|section| &section.groups);
        for group in groups.into_iter().flat_map(|groups| groups.values()) {
            if let Some(msp) = msp_of(group)? {
                msps.insert(msp.name.clone(), msp);
            }
        }
    }
    Some(ConfigResult { msps, orderers: orderers(config) })
}

/// The group's MSP, if it is of certificates.
fn msp_of(group: &ConfigGroup) -> Option<Option<FabricMspConfig>> {
    let msp = MspConfig::decode(group.values.get("MSP")?.value.clone()).ok()?;
    if msp.r#type != FABRIC {
        return Some(None);
    }
    FabricMspConfig::decode(msp.config).ok().map(Some)
}

/// The orderers by organization: each organization's own if any has some, else those of the channel for each.
fn orderers(config: &ChannelConfig) -> BTreeMap<String, Endpoints> {
    let organizations = config.orderer_orgs();
    let own = organizations.iter().any(|organization| !organization.endpoints.is_empty());
    let shared = config.orderer_endpoints();
    let endpoints = organizations.iter().map(|organization| {
        let addresses = if own { &organization.endpoints } else { &shared };
        let endpoint = addresses.iter().filter_map(|address| endpoint(address)).collect();
        (organization.msp_id.clone(), Endpoints { endpoint })
    });
    endpoints.collect()
}

fn endpoint(address: &str) -> Option<Endpoint> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Endpoint { host, port: port.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[test]
    fn tells_msps_and_orderers() {
        let world = World::new();
        let result = of(&world.config).expect("readable");
        assert_eq!(result.msps.keys().collect::<Vec<_>>(), ["OrdererMSP", "Org1MSP", "Org2MSP"]);
        for (name, msp) in &result.msps {
            assert!(!msp.root_certs.is_empty(), "{name} has no roots");
        }
        let endpoint = Endpoint { host: "127.0.0.1".into(), port: 7050 };
        assert_eq!(result.orderers["OrdererMSP"], Endpoints { endpoint: vec![endpoint] });
    }

    #[test]
    fn takes_addresses_apart() {
        assert_eq!(endpoint("[::1]:7050"), Some(Endpoint { host: "::1".into(), port: 7050 }));
        assert_eq!(endpoint("nowhere"), None);
    }
}
