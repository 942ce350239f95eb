//! Which network a command works with, and as whom.
//!
//! In this order: what `--network` or `WINDLASS_NETWORK` names; the peer and the identity of the `CORE_…` variables, as
//! the `peer` command takes them; the folder that `windlass dev` keeps, here or above; the peer of a `core.yaml`.
//!
//! - [`description`]: the file in which `windlass dev` describes its network
//! - [`environment`]: the settings of the `peer` command

mod description;
mod environment;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use windlass_identity::sign::SigningIdentity;
use windlass_transport::{ClientTls, DialOptions};

use crate::{args::network::NetworkArgs, client::Client, dev, plumbing::settings};

/// The description's name in the folder of a network.
pub(crate) const DESCRIPTION: &str = "network.json";
/// The folder that `windlass dev` uses unless it is told otherwise.
const FOLDER: &str = ".windlass";
/// What to do about one that does not run.
const START: &str = "start it with `windlass dev`";
/// Who acts where nobody is named.
const ADMIN: &str = "Admin";

/// A network, as far as there are identities for it.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Where it is described, for people.
    pub(crate) origin: String,
    /// The folder of `windlass dev`, if it is one of its networks.
    pub(crate) folder: Option<PathBuf>,
    /// At least one.
    pub(crate) organizations: Vec<Organization>,
    /// The organization of the environment, where one is set there.
    preferred: Option<String>,
}

/// An organization, its peer, and who can act for it.
#[derive(Clone, Debug)]
pub(crate) struct Organization {
    pub(crate) msp_id: String,
    /// The peer's address.
    pub(crate) address: String,
    tls: Option<ClientTls>,
    options: DialOptions,
    /// MSP folders by user.
    users: BTreeMap<String, PathBuf>,
    /// `host:port` of the peer's operations endpoint, where that is known.
    pub(crate) operations: Option<String>,
    /// What to say when the peer cannot be reached.
    hint: Hint,
}

/// What to say when a peer cannot be reached.
#[derive(Clone, Debug)]
enum Hint {
    /// It is a peer of the development network that is kept in this folder.
    Development(PathBuf),
    /// The address is from a setting.
    Setting,
}

impl Network {
    /// Finds the network that the arguments mean.
    pub(crate) fn find(args: &NetworkArgs) -> anyhow::Result<Self> {
        Self::find_from(args.network.as_deref(), &settings::environment(), &current_folder()?)
    }

    /// The same for what works without a network too. One that cannot be used is an error.
    pub(crate) fn find_if_any(args: &NetworkArgs) -> anyhow::Result<Option<Self>> {
        Self::look_for(args.network.as_deref(), &settings::environment(), &current_folder()?)
    }

    fn find_from(named: Option<&Path>, environment: &BTreeMap<String, String>, folder: &Path) -> anyhow::Result<Self> {
        Self::look_for(named, environment, folder)?.with_context(|| {
            format!(
                "no network: there is no {FOLDER} folder in {} or above it, and no CORE_PEER_ADDRESS is set; hint: start \
                 one with `windlass dev`, name one with --network, or set the variables of the `peer` command",
                folder.display()
            )
        })
    }

    fn look_for(
        named: Option<&Path>,
        environment: &BTreeMap<String, String>,
        folder: &Path,
    ) -> anyhow::Result<Option<Self>> {
        let preferred = environment.get("CORE_PEER_LOCALMSPID").cloned();
        if let Some(path) = named {
            let path = if path.is_dir() { path.join(DESCRIPTION) } else { path.to_owned() };
            let network = description::read(&path).with_context(|| format!("--network {}", path.display()))?;
            return Ok(Some(Self { preferred, ..network }));
        }
        if environment.get("CORE_PEER_ADDRESS").is_some_and(|address| !address.is_empty()) {
            return environment::network(environment);
        }
        let kept = folder.ancestors().map(|folder| folder.join(FOLDER).join(DESCRIPTION)).find(|path| path.is_file());
        if let Some(path) = kept {
            return Ok(Some(Self { preferred, ..description::read(&path)? }));
        }
        environment::network(environment)
    }

    /// Refuses a development network that does not run, which says more than that its ports are closed.
    pub(crate) fn check_runs(&self) -> anyhow::Result<()> {
        match &self.folder {
            Some(folder) if !dev::folder::is_in_use(folder) => bail!("{} does not run; hint: {START}", self.origin),
            _ => Ok(()),
        }
    }

    /// The organization that is meant: by its MSP ID, or the environment's, or the first.
    pub(crate) fn organization(&self, named: Option<&str>) -> anyhow::Result<&Organization> {
        let is = |name: &str| self.organizations.iter().find(|one| one.msp_id.eq_ignore_ascii_case(name));
        if let Some(name) = named {
            let found = is(name).or_else(|| is(&format!("{name}MSP")));
            return found.with_context(|| {
                let known: Vec<_> = self.organizations.iter().map(|one| one.msp_id.as_str()).collect();
                format!("--org {name}: expected one of {}, for which {} has identities", known.join(", "), self.origin)
            });
        }
        let preferred = self.preferred.as_deref().and_then(is);
        preferred.or(self.organizations.first()).context("the network has no organization")
    }
}

impl Organization {
    /// Connects as a user, whose name or MSP folder is given; as the admin without one.
    pub(crate) async fn connect(&self, user: Option<&str>) -> anyhow::Result<Client> {
        let msp = self.msp(user)?;
        let identity = SigningIdentity::from_msp_folder(&self.msp_id, &msp)
            .with_context(|| format!("cannot use the identity of {} in {}", self.msp_id, msp.display()))?;
        let client = Client::dial(identity, &self.address, self.tls.as_ref(), &self.options).await;
        client.with_context(|| {
            let hint = self.hint.text();
            format!("the peer of {} at {} cannot be reached; hint: {hint}", self.msp_id, self.address)
        })
    }

    fn msp(&self, user: Option<&str>) -> anyhow::Result<PathBuf> {
        let name = user.unwrap_or(ADMIN);
        let known = self.users.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        if let Some((_, folder)) = known {
            return Ok(folder.clone());
        }
        match user {
            Some(folder) if Path::new(folder).is_dir() => Ok(folder.into()),
            _ => {
                let known: Vec<_> = self.users.keys().map(String::as_str).collect();
                bail!(
                    "--identity {name}: expected the folder of an MSP or a user of {}: {}",
                    self.msp_id,
                    known.join(", ")
                )
            }
        }
    }
}

fn current_folder() -> anyhow::Result<PathBuf> {
    std::env::current_dir().context("there is no current folder")
}

impl Hint {
    fn text(&self) -> String {
        match self {
            Self::Development(folder) if !dev::folder::is_in_use(folder) => {
                format!("the network in {} does not run; {START}", folder.display())
            }
            Self::Development(folder) => format!("the network in {} is still starting", folder.display()),
            Self::Setting => "check CORE_PEER_ADDRESS and CORE_PEER_TLS_ENABLED, and whether the peer runs".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(folder: &Path) {
        std::fs::create_dir_all(folder).expect("a folder");
        let organization = |name: &str| {
            serde_json::json!({
                "mspId": name, "peer": { "endpoint": "localhost:1", "tlsRootCert": folder.join("ca.crt"), "hostname": "h" },
                "operations": { "endpoint": "localhost:2", "url": "http://localhost:2" },
                "users": { "Admin": { "msp": "/admin" }, "User1": { "msp": "/user1" } }
            })
        };
        let description =
            serde_json::json!({ "data": folder, "organizations": [organization("Org1MSP"), organization("Org2MSP")] });
        std::fs::write(folder.join("ca.crt"), "PEM").expect("a file");
        std::fs::write(folder.join(DESCRIPTION), description.to_string()).expect("a file");
    }

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn finds_the_folder_of_a_development_network_here_or_above() {
        let parent = tempfile::tempdir().expect("a folder");
        describe(&parent.path().join(FOLDER));
        let below = parent.path().join("a/b");
        std::fs::create_dir_all(&below).expect("a folder");
        let network = Network::find_from(None, &variables(&[]), &below).expect("a network");
        assert_eq!(network.folder, Some(parent.path().join(FOLDER)));
        assert_eq!(network.organization(None).expect("the first").msp_id, "Org1MSP");
        assert_eq!(network.organization(Some("org2")).expect("the second").msp_id, "Org2MSP");
        assert_eq!(network.organization(Some("Org2MSP")).expect("the second").msp_id, "Org2MSP");
        let error = network.organization(Some("Org3")).expect_err("no third").to_string();
        assert!(error.starts_with("--org Org3: expected one of Org1MSP, Org2MSP, for which "), "{error}");
    }

    #[test]
    fn takes_the_variables_of_the_peer_command_before_a_folder_and_a_named_network_before_both() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join(FOLDER);
        describe(&folder);
        let variables = variables(&[
            ("CORE_PEER_ADDRESS", "peer:7051"),
            ("CORE_PEER_LOCALMSPID", "Org2MSP"),
            ("CORE_PEER_MSPCONFIGPATH", "/msp"),
        ]);
        let network = Network::find_from(None, &variables, parent.path()).expect("a network");
        let organization = network.organization(None).expect("one");
        assert_eq!((organization.msp_id.as_str(), organization.address.as_str()), ("Org2MSP", "peer:7051"));
        assert_eq!(organization.msp(None).expect("a folder"), Path::new("/msp"));
        let network = Network::find_from(Some(&folder), &variables, parent.path()).expect("a network");
        let organization = network.organization(None).expect("that of the environment");
        assert_eq!((organization.msp_id.as_str(), organization.address.as_str()), ("Org2MSP", "localhost:1"));
    }

    #[test]
    fn says_what_to_do_where_there_is_none() {
        let empty = tempfile::tempdir().expect("a folder");
        let error = Network::find_from(None, &variables(&[]), empty.path()).expect_err("none").to_string();
        assert!(
            error.starts_with("no network: there is no .windlass folder in ") && error.contains("hint: "),
            "{error}"
        );
    }

    #[test]
    fn tells_one_that_cannot_be_used_from_none() {
        let parent = tempfile::tempdir().expect("a folder");
        let look = |pairs: &[(&str, &str)]| Network::look_for(None, &variables(pairs), parent.path());
        let error = |pairs: &[(&str, &str)]| format!("{:#}", look(pairs).expect_err("not usable"));
        assert!(look(&[]).expect("no fault").is_none());
        assert!(error(&[("CORE_PEER_ADDRESS", "peer:7051")]).contains("peer.localMspId is not set"));
        std::fs::write(parent.path().join("core.yaml"), "peer: [").expect("a file");
        let folder = parent.path().display().to_string();
        assert!(error(&[("FABRIC_CFG_PATH", &folder)]).contains("error when reading core config file"));
        std::fs::create_dir_all(parent.path().join(FOLDER)).expect("a folder");
        std::fs::write(parent.path().join(FOLDER).join(DESCRIPTION), "{").expect("a file");
        assert!(error(&[]).contains("does not describe a network"));
    }

    #[test]
    fn knows_users_by_name_and_by_folder() {
        let parent = tempfile::tempdir().expect("a folder");
        describe(parent.path());
        let network = Network::find_from(Some(parent.path()), &variables(&[]), parent.path()).expect("a network");
        let organization = network.organization(None).expect("the first");
        assert_eq!(organization.msp(Some("user1")).expect("a user"), Path::new("/user1"));
        let folder = parent.path().display().to_string();
        assert_eq!(organization.msp(Some(&folder)).expect("a folder"), parent.path());
        let error = organization.msp(Some("Ada")).expect_err("nobody").to_string();
        assert_eq!(error, "--identity Ada: expected the folder of an MSP or a user of Org1MSP: Admin, User1");
    }
}
