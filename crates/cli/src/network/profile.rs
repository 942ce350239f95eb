//! A connection profile as a network: the organization whose profile it is, and the first of its peers.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail, ensure};
use windlass_transport::{ClientTls, DialOptions};

use super::{ADMIN, Credentials, GREETING, Hint, Network, Organization};
use crate::{
    plumbing::settings::Settings,
    profile::{self, Node, Pem, Profile},
};

/// The network of a profile. An identity that the profile lacks may be in the environment.
pub(super) fn network(
    path: &Path,
    profile: &Profile,
    environment: &BTreeMap<String, String>,
) -> anyhow::Result<Network> {
    let (name, member) = whose(profile)?;
    let key = format!("organizations.{name}");
    ensure!(!member.mspid.is_empty(), "{key}.mspid is missing");
    let host = member.peers.first().with_context(|| format!("{key}.peers is missing"))?;
    let peer =
        profile.peers.get(host).with_context(|| format!("{key}.peers names {host}, and there is no peers.{host}"))?;
    let mut users = users(&key, member)?;
    if users.is_empty() {
        users.extend(from_environment(&member.mspid, environment)?.map(|msp| (ADMIN.to_owned(), msp)));
    }
    let organization = Organization {
        msp_id: member.mspid.clone(),
        address: address(host, peer)?,
        tls: tls(host, peer, &profile.client)?,
        options: DialOptions { timeout: GREETING, ..Default::default() },
        users,
        operations: None,
        hint: Hint::Profile,
    };
    let origin = format!("the connection profile {}", path.display());
    Ok(Network { origin, folder: None, sandbox: Vec::new(), organizations: vec![organization], preferred: None })
}

/// The client's organization, or the only one.
fn whose(profile: &Profile) -> anyhow::Result<(&String, &profile::Organization)> {
    let all = &profile.organizations;
    let names = || all.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    ensure!(!all.is_empty(), "organizations is missing");
    match profile.client.organization.as_str() {
        "" if all.len() == 1 => all.first_key_value().context("organizations is missing"),
        "" => bail!("client.organization is missing, which says whose profile it is: one of {}", names()),
        name => all
            .get_key_value(name)
            .with_context(|| format!("client.organization names {name}, and organizations has {}", names())),
    }
}

fn address(host: &str, peer: &Node) -> anyhow::Result<String> {
    ensure!(!peer.url.is_empty(), "peers.{host}.url is missing");
    let address = peer.address().trim_end_matches('/');
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    ensure!(
        has_port && !address.contains("://"),
        "peers.{host}.url: expected grpcs://HOST:PORT or grpc://HOST:PORT, found {}",
        peer.url
    );
    Ok(address.to_owned())
}

/// TLS towards the peer, unless the URL says that there is none.
fn tls(host: &str, peer: &Node, client: &profile::Client) -> anyhow::Result<Option<ClientTls>> {
    if peer.url.starts_with("grpc://") {
        return Ok(None);
    }
    let key = format!("peers.{host}.tlsCACerts");
    ensure!(
        peer.tls_ca_certs.is_given(),
        "{key} has neither pem nor path, and the url is with TLS; without TLS it begins with grpc://"
    );
    let roots = vec![peer.tls_ca_certs.read(&key)?];
    let identity = client.tls().map(|own| pair("client.tlsCerts.client", ("cert", &own.cert), ("key", &own.key)));
    Ok(Some(ClientTls { roots, identity: identity.transpose()?, server_name: peer.grpc_options.server_name() }))
}

/// Who may act according to the profile, in either form that SDKs have for it.
fn users(key: &str, member: &profile::Organization) -> anyhow::Result<BTreeMap<String, Credentials>> {
    let mut users = BTreeMap::new();
    let mut add = |name: &str, (certificate, key): (String, String)| {
        users.insert(name.to_owned(), Credentials::Pem { certificate, key });
    };
    for (name, user) in &member.users {
        add(name, pair(&format!("{key}.users.{name}"), ("cert", &user.cert), ("key", &user.key))?);
    }
    let (certificate, private) = (&member.signed_cert, &member.admin_private_key);
    if certificate.is_given() || private.is_given() {
        add(ADMIN, pair(key, ("signedCert", certificate), ("adminPrivateKey", private))?);
    }
    Ok(users)
}

/// A certificate and its key.
fn pair(place: &str, certificate: (&str, &Pem), key: (&str, &Pem)) -> anyhow::Result<(String, String)> {
    let read = |(name, pem): (&str, &Pem)| {
        let name = format!("{place}.{name}");
        ensure!(pem.is_given(), "{name} has neither pem nor path");
        pem.read(&name)
    };
    Ok((read(certificate)?, read(key)?))
}

/// The MSP folder of the `peer` command's variables, if they are for this organization.
fn from_environment(msp_id: &str, environment: &BTreeMap<String, String>) -> anyhow::Result<Option<Credentials>> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    if set("CORE_PEER_MSPCONFIGPATH").is_none() || set("CORE_PEER_LOCALMSPID").is_some_and(|other| other != msp_id) {
        return Ok(None);
    }
    let settings = Settings::load_if_any(environment.clone()).map_err(anyhow::Error::msg)?;
    Ok(Some(Credentials::Folder(settings.path("peer.mspConfigPath"))))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// As scripts of a test network write it, with a place for what is wanted beside that.
    fn profile() -> Value {
        json!({
            "name": "test-network-org1", "version": "1.0.0",
            "client": { "organization": "Org1", "connection": { "timeout": { "peer": { "endorser": "300" } } } },
            "organizations": {
                "Org1": { "mspid": "Org1MSP", "peers": ["peer0.org1"], "certificateAuthorities": ["ca.org1"] },
                "Org2": { "mspid": "Org2MSP", "peers": ["peer0.org2"] }
            },
            "peers": {
                "peer0.org1": {
                    "url": "grpcs://localhost:7051", "tlsCACerts": { "pem": "ROOT" },
                    "grpcOptions": { "ssl-target-name-override": "peer0.org1", "hostnameOverride": "x" }
                }
            },
            "certificateAuthorities": { "ca.org1": { "url": "https://localhost:7054", "tlsCACerts": { "pem": ["A"] } } }
        })
    }

    fn read(profile: &Value, environment: &[(&str, &str)]) -> anyhow::Result<Network> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        network(Path::new("p.json"), &Profile::understand(profile.clone())?, &environment)
    }

    fn organization(profile: &Value, environment: &[(&str, &str)]) -> Organization {
        read(profile, environment).expect("a network").organizations.remove(0)
    }

    #[test]
    fn finds_the_peer_of_the_clients_organization() {
        let found = organization(&profile(), &[]);
        assert_eq!((found.msp_id.as_str(), found.address.as_str()), ("Org1MSP", "localhost:7051"));
        let tls = found.tls.expect("TLS");
        assert_eq!((tls.roots, tls.server_name), (vec!["ROOT".to_owned()], Some("peer0.org1".to_owned())));
        assert!(tls.identity.is_none() && found.users.is_empty());

        let mut plain = profile();
        plain["peers"]["peer0.org1"] = json!({ "url": "grpc://localhost:1" });
        assert!(organization(&plain, &[]).tls.is_none());
    }

    #[test]
    fn finds_who_may_act_in_the_profile_and_else_in_the_environment() {
        let variables = [("CORE_PEER_MSPCONFIGPATH", "/msp"), ("CORE_PEER_LOCALMSPID", "Org1MSP")];
        let pem = |name: &str| Credentials::Pem { certificate: format!("{name} cert"), key: format!("{name} key") };
        let folder = Credentials::Folder("/msp".into());
        assert_eq!(organization(&profile(), &variables).users, [("Admin".to_owned(), folder.clone())].into());
        assert_eq!(organization(&profile(), &variables[..1]).users, [("Admin".to_owned(), folder)].into());
        let other = [variables[0], ("CORE_PEER_LOCALMSPID", "Org2MSP")];
        assert!(organization(&profile(), &other).users.is_empty(), "those are of another organization");

        let mut full = profile();
        full["client"]["tlsCerts"]["client"] = json!({ "cert": { "pem": "C" }, "key": { "pem": "K" } });
        let org1 = &mut full["organizations"]["Org1"];
        org1["signedCert"] = json!({ "pem": "admin cert" });
        org1["adminPrivateKey"] = json!({ "pem": "admin key" });
        org1["users"]["User1"] = json!({ "cert": { "pem": "user cert" }, "key": { "pem": "user key" } });
        let found = organization(&full, &variables);
        assert_eq!(found.users, [("Admin".to_owned(), pem("admin")), ("User1".to_owned(), pem("user"))].into());
        assert_eq!(found.tls.and_then(|tls| tls.identity), Some(("C".to_owned(), "K".to_owned())));
    }

    #[test]
    fn names_the_key_that_is_missing_or_wrong() {
        let error = |at: &str, value: Value| {
            let mut wrong = profile();
            *wrong.pointer_mut(at).expect("a key") = value;
            format!("{:#}", read(&wrong, &[]).expect_err("not usable"))
        };
        let (org1, peer) = ("/organizations/Org1", "/peers/peer0.org1");
        for (at, value, text) in [
            ("/organizations", json!({}), "organizations is missing"),
            (
                "/client",
                Value::Null,
                "client.organization is missing, which says whose profile it is: one of Org1, Org2",
            ),
            ("/client/organization", json!("Org3"), "client.organization names Org3, and organizations has Org1, Org2"),
            (&format!("{org1}/mspid"), Value::Null, "organizations.Org1.mspid is missing"),
            (&format!("{org1}/peers"), json!([]), "organizations.Org1.peers is missing"),
            (&format!("{org1}/peers"), json!(["b"]), "organizations.Org1.peers names b, and there is no peers.b"),
            (&format!("{peer}/url"), Value::Null, "peers.peer0.org1.url is missing"),
            (
                &format!("{peer}/url"),
                json!("grpcs://peer"),
                "peers.peer0.org1.url: expected grpcs://HOST:PORT or grpc://HOST:PORT, found grpcs://peer",
            ),
            (
                &format!("{peer}/tlsCACerts"),
                Value::Null,
                "peers.peer0.org1.tlsCACerts has neither pem nor path, and the url is with TLS; without TLS it begins \
                 with grpc://",
            ),
            (
                &format!("{peer}/tlsCACerts"),
                json!({ "path": "/nowhere" }),
                "peers.peer0.org1.tlsCACerts.path: cannot read /nowhere: No such file or directory (os error 2)",
            ),
        ] {
            assert_eq!(error(at, value), text);
        }
        let mut half = profile();
        half["organizations"]["Org1"]["users"]["User1"]["cert"] = json!({ "pem": "C" });
        let error = read(&half, &[]).expect_err("half a user").to_string();
        assert_eq!(error, "organizations.Org1.users.User1.key has neither pem nor path");
    }
}
