//! Files for other tools: `env.sh` and a small `core.yaml` for the `peer` command, connection profiles for older SDKs,
//! and the description for scripts and for this program's own commands.

use std::{fs, path::Path};

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::{deploy::Deployed, network::Network, organization::Organization};
use crate::{deploy::Defined, network::DESCRIPTION};

const ORDERER_HOST: &str = "orderer.example.com";

/// Writes everything that lies in the network's folder.
pub(crate) fn write(network: &Network, chaincodes: &[Deployed]) -> anyhow::Result<()> {
    let folder = network.folder().path();
    fs::create_dir_all(folder.join("config"))?;
    replace(&folder.join("config/core.yaml"), CORE_YAML)?;
    replace(&network.env_script(), &env_script(network, network.first(), folder))?;
    for one in network.organizations() {
        let (description, profile) = (description_for(network, chaincodes, one), connection_profile(network, one)?);
        replace(&one.description(), &serde_json::to_string_pretty(&description)?)?;
        replace(&one.connection_profile(), &serde_json::to_string_pretty(&profile)?)?;
        replace(&one.env_script(), &env_script(network, one, &one.description()))?;
    }
    write_ready_file(&folder.join(DESCRIPTION), network, chaincodes)
}

/// Describes the network to a script. The file appears whole or not at all.
pub(crate) fn write_ready_file(path: &Path, network: &Network, chaincodes: &[Deployed]) -> anyhow::Result<()> {
    replace(path, &serde_json::to_string_pretty(&description(network, chaincodes))?)
}

/// Enough for `peer` commands of a client; everything else comes from the environment.
const CORE_YAML: &str = "\
# For the peer command as a client of this network. The settings that matter are in env.sh.
peer:
  BCCSP:
    Default: SW
    SW:
      Hash: SHA2
      Security: 256
  client:
    connTimeout: 3s
";

/// Settings for the `peer` command as an organization's admin, and for `windlass` the network as `described`.
fn env_script(network: &Network, organization: &Organization, described: &Path) -> String {
    let mut settings = vec![
        ("FABRIC_CFG_PATH", network.folder().path().join("config").display().to_string()),
        ("CORE_PEER_ADDRESS", organization.endpoints().peer.clone()),
        ("CORE_PEER_LOCALMSPID", organization.msp_id().to_owned()),
        ("CORE_PEER_MSPCONFIGPATH", organization.user_msp("Admin").display().to_string()),
        ("CORE_PEER_TLS_ENABLED", "true".to_owned()),
        ("CORE_PEER_TLS_ROOTCERT_FILE", organization.tls_root().display().to_string()),
        ("ORDERER_ADDRESS", network.orderer_endpoint().to_owned()),
        ("ORDERER_CA", network.orderer_tls_root().display().to_string()),
        ("CHANNEL_NAME", network.channel().to_owned()),
        ("WINDLASS_NETWORK", described.display().to_string()),
    ];
    if network.organizations().len() > 1 {
        settings.push(("ENDORSERS", endorsers(network)));
    }
    let mut script = "# Settings for the peer command. Use: source env.sh\n".to_owned();
    for (name, value) in settings {
        script.push_str(&format!("export {name}={}\n", quote(&value)));
    }
    script
}

/// The flags with which `peer chaincode invoke` asks every organization.
fn endorsers(network: &Network) -> String {
    let flags = network.organizations().iter().map(|organization| {
        let (peer, root) = (&organization.endpoints().peer, organization.tls_root());
        format!("--peerAddresses {peer} --tlsRootCertFiles {}", root.display())
    });
    flags.collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it literally.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn connection_profile(network: &Network, organization: &Organization) -> anyhow::Result<Value> {
    let pem = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let (mut roles, mut organizations, mut peers) = (Map::new(), Map::new(), Map::new());
    for member in network.organizations() {
        let host = member.hostname();
        roles.insert(
            host.clone(),
            json!({ "endorsingPeer": true, "chaincodeQuery": true, "ledgerQuery": true, "eventSource": true }),
        );
        organizations.insert(member.name(), json!({ "mspid": member.msp_id(), "peers": [host] }));
        let peer = json!({
            "url": format!("grpcs://{}", member.endpoints().peer),
            "tlsCACerts": { "pem": pem(&member.tls_root())? },
            "grpcOptions": { "ssl-target-name-override": host, "hostnameOverride": host }
        });
        peers.insert(host, peer);
    }
    let channel = json!({ "orderers": [ORDERER_HOST], "peers": roles });
    let channels: Map<_, _> = network.channels().iter().map(|name| (name.clone(), channel.clone())).collect();
    Ok(json!({
        "name": "windlass-dev",
        "version": "1.0.0",
        "client": {
            "organization": organization.name(),
            "connection": { "timeout": { "peer": { "endorser": "300" }, "orderer": "300" } }
        },
        "channels": channels,
        "organizations": organizations,
        "orderers": {
            ORDERER_HOST: {
                "url": format!("grpcs://{}", network.orderer_endpoint()),
                "tlsCACerts": { "pem": pem(&network.orderer_tls_root())? },
                "grpcOptions": { "ssl-target-name-override": ORDERER_HOST, "hostnameOverride": ORDERER_HOST }
            }
        },
        "peers": peers
    }))
}

/// The network, with the first organization at the top.
fn description(network: &Network, chaincodes: &[Deployed]) -> Value {
    let mut top = Map::new();
    top.insert("channel".to_owned(), network.channel().into());
    top.append(&mut organization(network.first()));
    top.insert("data".to_owned(), json!(network.folder().path()));
    top.insert("pid".to_owned(), std::process::id().into());
    top.insert(
        "orderer".to_owned(),
        json!({ "endpoint": network.orderer_endpoint(), "tlsRootCert": network.orderer_tls_root(), "hostname": ORDERER_HOST }),
    );
    top.insert("env".to_owned(), json!(network.env_script()));
    top.insert("sandbox".to_owned(), network.protections().iter().map(ToString::to_string).collect());
    let defined = chaincodes.iter().map(|one| {
        let mut chaincode = chaincode(one, one.first());
        match &one.package {
            Some(package) => {
                chaincode["packageId"] = package.id.as_str().into();
                chaincode["type"] = package.kind.as_str().into();
            }
            // What it registers as.
            None => chaincode["chaincodeId"] = one.first().chaincode_id().into(),
        }
        chaincode
    });
    top.insert("chaincodes".to_owned(), defined.collect());
    let organizations = network.organizations().iter().map(|one| Value::Object(organization(one)));
    top.insert("organizations".to_owned(), organizations.collect());
    let channels = network.channels().iter().map(|channel| {
        let here = |one: &Deployed| one.definitions.iter().find(|one| one.definition.channel == *channel).cloned();
        let chaincodes: Vec<_> = chaincodes.iter().filter_map(|one| Some(chaincode(one, &here(one)?))).collect();
        json!({ "name": channel, "chaincodes": chaincodes })
    });
    top.insert("channels".to_owned(), channels.collect());
    Value::Object(top)
}

/// The same with one organization at the top and no other: what belongs to others is not for it.
fn description_for(network: &Network, chaincodes: &[Deployed], one: &Organization) -> Value {
    let mut description = description(network, chaincodes);
    description["organizations"] = json!([organization(one)]);
    for (name, value) in organization(one) {
        description[name] = value;
    }
    description
}

fn chaincode(chaincode: &Deployed, defined: &Defined) -> Value {
    let definition = &defined.definition;
    json!({ "name": chaincode.name, "version": definition.version, "sequence": definition.sequence })
}

fn organization(organization: &Organization) -> Map<String, Value> {
    let endpoints = organization.endpoints();
    let user = |name: &str| {
        json!({
            "msp": organization.user_msp(name),
            "certificate": organization.user_certificate(name),
            "key": organization.user_key(name),
        })
    };
    let peer = json!({
        "endpoint": endpoints.peer, "tlsRootCert": organization.tls_root(), "hostname": organization.hostname()
    });
    let url = format!("http://{}", endpoints.operations);
    [
        ("mspId", json!(organization.msp_id())),
        ("peer", peer),
        ("chaincode", json!({ "endpoint": endpoints.chaincode })),
        ("operations", json!({ "endpoint": endpoints.operations, "url": url })),
        ("users", json!({ "Admin": user("Admin"), "User1": user("User1") })),
        ("env", json!(organization.env_script())),
        ("connectionProfile", json!(organization.connection_profile())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

/// Writes a file so that nobody sees half of it.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let absolute = std::path::absolute(path)?;
    let folder = absolute.parent().context("a file needs a folder")?;
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        let temporary = tempfile::NamedTempFile::new_in(folder)?;
        fs::write(temporary.path(), text)?;
        temporary.persist(&absolute)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_for_the_shell() {
        assert_eq!(quote("/it's here"), r"'/it'\''s here'");
    }
}
