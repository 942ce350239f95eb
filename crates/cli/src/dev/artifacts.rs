//! Files for other tools: `env.sh` and a small `core.yaml` for the `peer` command, a connection profile for older
//! SDKs, and the ready file for scripts.

use std::{fs, path::Path};

use anyhow::Context;
use serde_json::{Value, json};

use super::{deploy::Deployed, network::Network};

/// Writes everything that lies in the network's folder.
pub(crate) fn write(network: &Network, _: &[Deployed]) -> anyhow::Result<()> {
    let folder = network.folder().path();
    fs::create_dir_all(folder.join("config"))?;
    replace(&folder.join("config/core.yaml"), CORE_YAML)?;
    replace(&network.env_script(), &env_script(network))?;
    let profile = serde_json::to_string_pretty(&connection_profile(network)?)?;
    replace(&folder.join("connection-org1.json"), &profile)
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

fn env_script(network: &Network) -> String {
    let folder = network.folder().path().display().to_string();
    let settings = [
        ("FABRIC_CFG_PATH", format!("{folder}/config")),
        ("CORE_PEER_ADDRESS", network.peer_endpoint().to_owned()),
        ("CORE_PEER_LOCALMSPID", "Org1MSP".to_owned()),
        ("CORE_PEER_MSPCONFIGPATH", network.user_msp("Admin").display().to_string()),
        ("CORE_PEER_TLS_ENABLED", "true".to_owned()),
        ("CORE_PEER_TLS_ROOTCERT_FILE", network.peer_tls_root().display().to_string()),
        ("ORDERER_ADDRESS", network.orderer_endpoint().to_owned()),
        ("ORDERER_CA", network.orderer_tls_root().display().to_string()),
        ("CHANNEL_NAME", network.channel().to_owned()),
    ];
    let mut script = "# Settings for the peer command. Use: source env.sh\n".to_owned();
    for (name, value) in settings {
        script.push_str(&format!("export {name}={}\n", quote(&value)));
    }
    script
}

/// A word as a shell takes it literally.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn connection_profile(network: &Network) -> anyhow::Result<Value> {
    let pem = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    Ok(json!({
        "name": "windlass-dev",
        "version": "1.0.0",
        "client": {
            "organization": "Org1",
            "connection": { "timeout": { "peer": { "endorser": "300" }, "orderer": "300" } }
        },
        "channels": {
            network.channel(): {
                "orderers": ["orderer.example.com"],
                "peers": {
                    "peer0.org1.example.com": {
                        "endorsingPeer": true, "chaincodeQuery": true, "ledgerQuery": true, "eventSource": true
                    }
                }
            }
        },
        "organizations": { "Org1": { "mspid": "Org1MSP", "peers": ["peer0.org1.example.com"] } },
        "orderers": {
            "orderer.example.com": {
                "url": format!("grpcs://{}", network.orderer_endpoint()),
                "tlsCACerts": { "pem": pem(&network.orderer_tls_root())? },
                "grpcOptions": { "ssl-target-name-override": "orderer.example.com", "hostnameOverride": "orderer.example.com" }
            }
        },
        "peers": {
            "peer0.org1.example.com": {
                "url": format!("grpcs://{}", network.peer_endpoint()),
                "tlsCACerts": { "pem": pem(&network.peer_tls_root())? },
                "grpcOptions": {
                    "ssl-target-name-override": "peer0.org1.example.com",
                    "hostnameOverride": "peer0.org1.example.com"
                }
            }
        }
    }))
}

fn description(network: &Network, chaincodes: &[Deployed]) -> Value {
    let user = |name: &str| {
        let msp = network.user_msp(name);
        json!({
            "msp": msp,
            "certificate": network.user_certificate(name),
            "key": network.user_key(name),
        })
    };
    let chaincodes: Vec<_> = chaincodes
        .iter()
        .map(|one| {
            json!({
                "name": one.name,
                "packageId": one.package_id,
                "type": one.kind,
                "version": one.version,
                "sequence": one.sequence,
            })
        })
        .collect();
    json!({
        "channel": network.channel(),
        "mspId": "Org1MSP",
        "data": network.folder().path(),
        "pid": std::process::id(),
        "peer": { "endpoint": network.peer_endpoint(), "tlsRootCert": network.peer_tls_root(), "hostname": "peer0.org1.example.com" },
        "orderer": { "endpoint": network.orderer_endpoint(), "tlsRootCert": network.orderer_tls_root(), "hostname": "orderer.example.com" },
        "chaincode": { "endpoint": network.chaincode_endpoint() },
        "operations": { "endpoint": network.operations_endpoint(), "url": format!("http://{}", network.operations_endpoint()) },
        "users": { "Admin": user("Admin"), "User1": user("User1") },
        "env": network.env_script(),
        "connectionProfile": network.folder().path().join("connection-org1.json"),
        "chaincodes": chaincodes,
    })
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
