//! Which network a command works with, and as whom.
//!
//! In this order: what `--network` or `WINDLASS_NETWORK` names; the peer and the identity of the `CORE_…` variables, as
//! the `peer` command takes them; the folder that `windlass dev` keeps, here or above; the peer of a `core.yaml`.
//!
//! - [`description`]: the file in which `windlass dev` describes its network
//! - [`profile`]: the file in which SDKs find theirs
//! - [`environment`]: the settings of the `peer` command

mod description;
mod environment;
mod profile;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::Value;
use windlass_identity::{keys::SigningKey, sign::SigningIdentity};
use windlass_transport::{ClientTls, DialOptions};

use crate::{args::network::NetworkArgs, client::Client, dev, plumbing::settings, profile::Profile};

/// The description's name in the folder of a network.
pub(crate) const DESCRIPTION: &str = "network.json";
/// The folder that `windlass dev` uses unless it is told otherwise.
const FOLDER: &str = ".windlass";
/// What to do about one that does not run.
const START: &str = "start it with `windlass dev`";
/// How long a peer may take to greet, unless a setting says otherwise: it may be compiling chaincode just now.
const GREETING: Duration = Duration::from_secs(10);
/// Who acts where nobody is named.
const ADMIN: &str = "Admin";

/// A network, as far as there are identities for it.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Where it is described, for people.
    pub(crate) origin: String,
    /// The folder of `windlass dev`, if it is one of its networks.
    pub(crate) folder: Option<PathBuf>,
    /// What its chaincode is kept from, or not, as it said when it started: where it is one of `windlass dev`.
    pub(crate) sandbox: Vec<String>,
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
    users: BTreeMap<String, Credentials>,
    /// `host:port` of the peer's operations endpoint, where that is known.
    pub(crate) operations: Option<String>,
    /// What to say when the peer cannot be reached.
    hint: Hint,
}

/// What somebody signs with.
#[derive(Clone, PartialEq, Eq)]
enum Credentials {
    /// The folder of an MSP.
    Folder(PathBuf),
    /// Texts in PEM.
    Pem { certificate: String, key: String },
}

/// Without the key.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => f.debug_tuple("Folder").field(folder).finish(),
            Self::Pem { certificate, .. } => {
                f.debug_struct("Pem").field("certificate", certificate).finish_non_exhaustive()
            }
        }
    }
}

/// What to say when a peer cannot be reached.
#[derive(Clone, Debug)]
enum Hint {
    /// It is a peer of the development network that is kept in this folder.
    Development(PathBuf),
    /// The address is from a connection profile.
    Profile,
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
            let network = read(&path, environment).with_context(|| format!("--network {}", path.display()))?;
            return Ok(Some(Self { preferred, ..network }));
        }
        if environment.get("CORE_PEER_ADDRESS").is_some_and(|address| !address.is_empty()) {
            return environment::network(environment);
        }
        let kept = folder.ancestors().map(|folder| folder.join(FOLDER).join(DESCRIPTION)).find(|path| path.is_file());
        if let Some(path) = kept {
            return Ok(Some(Self { preferred, ..read(&path, environment)? }));
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

    /// Refuses a network that was named and tells of no operations endpoint: another peer's would answer for it.
    pub(crate) fn check_operations(&self, args: &NetworkArgs) -> anyhow::Result<()> {
        if args.network.is_some() && self.organizations.iter().all(|one| one.operations.is_none()) {
            bail!(
                "{} does not say where the peer's operations endpoint is; hint: --operations HOST:PORT does",
                self.origin
            );
        }
        Ok(())
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
    /// Connects as a user, whose name or MSP folder is given; without one as the admin, or the only user.
    pub(crate) async fn connect(&self, user: Option<&str>) -> anyhow::Result<Client> {
        let identity = self.identity(user)?;
        let client = Client::dial(identity, &self.address, self.tls.as_ref(), &self.options).await;
        client.with_context(|| {
            let hint = self.hint.text();
            format!("the peer of {} at {} cannot be reached; hint: {hint}", self.msp_id, self.address)
        })
    }

    fn identity(&self, user: Option<&str>) -> anyhow::Result<SigningIdentity> {
        let msp_id = &self.msp_id;
        match self.credentials(user)? {
            Credentials::Folder(folder) => SigningIdentity::from_msp_folder(msp_id, &folder)
                .with_context(|| format!("cannot use the identity of {msp_id} in {}", folder.display())),
            Credentials::Pem { certificate, key } => {
                let identity = SigningKey::from_pem(&key).map_err(anyhow::Error::from);
                let identity = identity.and_then(|key| Ok(SigningIdentity::new(msp_id, &certificate, key)?));
                identity.with_context(|| format!("cannot use the identity of {msp_id} in the connection profile"))
            }
        }
    }

    fn credentials(&self, user: Option<&str>) -> anyhow::Result<Credentials> {
        let msp_id = &self.msp_id;
        let known: Vec<_> = self.users.keys().map(String::as_str).collect();
        let name = match (user, known.as_slice()) {
            (Some(user), _) => user,
            (None, [only]) => only,
            (None, _) => ADMIN,
        };
        match (self.users.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)), user) {
            (Some((_, credentials)), _) => Ok(credentials.clone()),
            (None, Some(folder)) if Path::new(folder).is_dir() => Ok(Credentials::Folder(folder.into())),
            (None, None) if known.is_empty() => bail!(
                "there is no identity of {msp_id}; hint: give --identity DIR, the folder of an MSP, or set \
                 CORE_PEER_MSPCONFIGPATH"
            ),
            (None, Some(_)) if known.is_empty() => {
                bail!("--identity {name}: expected the folder of an MSP of {msp_id}")
            }
            (None, Some(_)) => {
                bail!("--identity {name}: expected the folder of an MSP or a user of {msp_id}: {}", known.join(", "))
            }
            (None, None) => bail!("which user of {msp_id}? hint: give --identity {}", known.join(" or ")),
        }
    }
}

/// Reads a file that describes a network, in our form or in that of SDKs.
fn read(path: &Path, environment: &BTreeMap<String, String>) -> anyhow::Result<Network> {
    let shown = path.display();
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "there is no {shown}; expected the folder of a network of `windlass dev` that was started once ({DESCRIPTION} \
             is in it), a file of its --ready-file, or a connection profile"
        ),
        text => text.with_context(|| format!("cannot read {shown}"))?,
    };
    let file: Value = serde_saphyr::from_str(&text)
        .map_err(|error| anyhow::anyhow!("{error}"))
        .with_context(|| format!("{shown} is neither JSON nor YAML"))?;
    // Ours says where the network is kept.
    if file.get("data").is_some() {
        return description::network(path, file);
    }
    let profile = Profile::understand(file).map_err(anyhow::Error::from);
    let network = profile.and_then(|profile| profile::network(path, &profile, environment));
    network.with_context(|| {
        format!("{shown} is no connection profile that can be used, nor the file of a `windlass dev` network")
    })
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
            Self::Profile => "check the peer's url and tlsCACerts in the profile, and whether it runs".to_owned(),
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
        assert_eq!(organization.credentials(None).expect("a folder"), Credentials::Folder("/msp".into()));
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
        assert!(error(&[]).contains("network.json is neither JSON nor YAML"));
    }

    #[test]
    fn knows_users_by_name_and_by_folder() {
        let parent = tempfile::tempdir().expect("a folder");
        describe(parent.path());
        let network = Network::find_from(Some(parent.path()), &variables(&[]), parent.path()).expect("a network");
        let organization = network.organization(None).expect("the first");
        assert_eq!(organization.credentials(Some("user1")).expect("a user"), Credentials::Folder("/user1".into()));
        let folder = parent.path().display().to_string();
        let msp = organization.credentials(Some(&folder)).expect("a folder");
        assert_eq!(msp, Credentials::Folder(parent.path().into()));
        let error = organization.credentials(Some("Ada")).expect_err("nobody").to_string();
        assert_eq!(error, "--identity Ada: expected the folder of an MSP or a user of Org1MSP: Admin, User1");
    }
}
