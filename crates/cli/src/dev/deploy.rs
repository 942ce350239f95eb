//! What clients do to get chaincode running: package, install, approve, commit, Init. Over gRPC, with proposals that
//! the organizations' admins sign. Running it again with nothing changed does nothing.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use futures::future::try_join_all;
use prost::Message;
use windlass_chaincode::package::create::{CreateOptions, Created, create};
use windlass_identity::policy::text;
use windlass_proto::{
    Bytes,
    envelope::Call,
    lifecycle::{
        ApproveChaincodeDefinitionForMyOrgArgs, ChaincodeSource, CommitChaincodeDefinitionArgs, InstallChaincodeArgs,
        QueryApprovedChaincodeDefinitionArgs, QueryApprovedChaincodeDefinitionResult, QueryChaincodeDefinitionArgs,
        QueryChaincodeDefinitionResult, QueryInstalledChaincodesArgs, QueryInstalledChaincodesResult, chaincode_source,
    },
    protos::{ApplicationPolicy, application_policy},
};

use super::{network::Network, organization::Organization, progress};
use crate::{
    args::dev::{DevArgs, NamedPath},
    client::{Client, Committed, lifecycle_call},
    printer::Printer,
};

/// The name under which the bundled sample is deployed.
const SAMPLE: &str = "basic";

/// A chaincode that serves.
#[derive(Clone, Debug)]
pub(crate) struct Deployed {
    pub(crate) name: String,
    pub(crate) package_id: String,
    /// The package's type.
    pub(crate) kind: String,
    /// Its definition on each channel, in the order of the channels; at least one.
    pub(crate) definitions: Vec<Defined>,
    pub(crate) took: Duration,
}

impl Deployed {
    /// The definition on the first channel.
    pub(crate) fn first(&self) -> &Defined {
        self.definitions.first().expect("there is a channel, and chaincode is deployed on each")
    }
}

/// A chaincode's definition on a channel.
#[derive(Clone, Debug)]
pub(crate) struct Defined {
    pub(crate) channel: String,
    pub(crate) version: String,
    pub(crate) sequence: i64,
    /// What had to be done.
    pub(crate) outcome: Outcome,
}

/// What a deployment had to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    New,
    Upgraded,
    Unchanged,
}

/// Deploys every chaincode of the command line, or the bundled sample if there is none.
pub(crate) async fn all(args: &DevArgs, network: &Network, printer: &Printer) -> anyhow::Result<Vec<Deployed>> {
    let policy = match &args.signature_policy {
        None => Bytes::new(),
        Some(policy) => application_policy(policy)?,
    };
    let organizations = network.organizations();
    let members = try_join_all(organizations.iter().map(|organization| async move {
        anyhow::Ok(Participant { organization, client: organization.admin().await? })
    }));
    let deployment = Deployment { args, network, members: members.await?, policy };
    let watching: Vec<_> = organizations
        .iter()
        .map(|organization| {
            let whose = (organizations.len() > 1).then_some(organization.msp_id());
            progress::watch(printer.clone(), whose, organization.peer().builds().subscribe())
        })
        .collect();
    let mut deployed = Vec::new();
    if args.chaincode.is_empty() {
        deployed.push(deployment.deploy_sample().await?);
    }
    for chaincode in &args.chaincode {
        let name = match &chaincode.name {
            Some(name) => name.clone(),
            None => name_of(&chaincode.path)?,
        };
        let one = deployment.deploy(&name, chaincode).await;
        deployed
            .push(one.with_context(|| format!("cannot deploy chaincode {name} from {}", chaincode.path.display()))?);
    }
    drop(watching);
    Ok(deployed)
}

struct Deployment<'a> {
    args: &'a DevArgs,
    network: &'a Network,
    /// The organizations, each with its admin; at least one.
    members: Vec<Participant<'a>>,
    /// The endorsement policy as a definition has it; empty for the default.
    policy: Bytes,
}

/// An organization and a client of its admin's.
struct Participant<'a> {
    organization: &'a Organization,
    client: Client,
}

impl Deployment<'_> {
    async fn deploy_sample(&self) -> anyhow::Result<Deployed> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        write_sample(folder.path()).context("cannot write the bundled sample")?;
        let chaincode = NamedPath { name: None, path: folder.path().to_owned() };
        self.deploy(SAMPLE, &chaincode).await.context("cannot deploy the bundled sample")
    }

    async fn deploy(&self, name: &str, chaincode: &NamedPath) -> anyhow::Result<Deployed> {
        let started = Instant::now();
        let package = package(name, &chaincode.path).await?;
        let package_id = package.id.to_string();
        // The first build fills the toolchains' caches, which makes the others quick.
        let (first, others) = self.members.split_at(1);
        for members in [first, others] {
            try_join_all(members.iter().map(|member| member.install_once(&package))).await?;
        }
        let channels = self.network.channels();
        let definitions = try_join_all(channels.iter().map(|channel| self.define(channel, name, &package_id))).await?;
        let launches = self.members.iter().map(|member| member.organization.peer().engine().launch(&package_id));
        try_join_all(launches).await?;
        for defined in &definitions {
            if self.args.init_required && defined.outcome != Outcome::Unchanged {
                self.init(&defined.channel, name).await.context("Init failed")?;
            }
        }
        let took = started.elapsed();
        Ok(Deployed { name: name.to_owned(), package_id, kind: package.kind, definitions, took })
    }

    fn first(&self) -> &Client {
        &self.members.first().expect("a network has an organization").client
    }

    /// Makes the channel's definition of `name` one with this package and these arguments.
    async fn define(&self, channel: &str, name: &str, package_id: &str) -> anyhow::Result<Defined> {
        let query = QueryChaincodeDefinitionArgs { name: name.to_owned() };
        let current: Option<QueryChaincodeDefinitionResult> =
            self.first().lifecycle(channel, "QueryChaincodeDefinition", &query).await?;
        let (outcome, sequence) = match current {
            None => (Outcome::New, 1),
            Some(current) if self.is_current(channel, name, package_id, &current).await? => {
                let (version, sequence, outcome) = (current.version, current.sequence, Outcome::Unchanged);
                return Ok(Defined { channel: channel.to_owned(), version, sequence, outcome });
            }
            Some(current) => (Outcome::Upgraded, current.sequence + 1),
        };
        let version = format!("{sequence}.0");
        let approve = ApproveChaincodeDefinitionForMyOrgArgs {
            sequence,
            name: name.to_owned(),
            version: version.clone(),
            validation_parameter: self.policy.clone(),
            init_required: self.args.init_required,
            source: Some(ChaincodeSource {
                r#type: Some(chaincode_source::Type::LocalPackage(chaincode_source::Local {
                    package_id: package_id.to_owned(),
                })),
            }),
            ..Default::default()
        };
        let commit = CommitChaincodeDefinitionArgs {
            sequence,
            name: name.to_owned(),
            version: version.clone(),
            validation_parameter: self.policy.clone(),
            init_required: self.args.init_required,
            ..Default::default()
        };
        let approve = lifecycle_call(channel, "ApproveChaincodeDefinitionForMyOrg", &approve);
        let approvals = try_join_all(self.members.iter().map(|member| member.approve(&approve))).await?;
        // Who endorses the commit compares the approvals, so everyone must have seen them all.
        if let Some(last) = approvals.iter().flatten().max_by_key(|approval| approval.block) {
            self.wait_everywhere(channel, &last.transaction_id).await?;
        }
        let commit = lifecycle_call(channel, "CommitChaincodeDefinition", &commit);
        let approved: Vec<_> = self.members.iter().map(|member| member.organization.msp_id().to_owned()).collect();
        let committed =
            self.first().submit_by(&commit, &approved).await.context("the definition cannot be committed")?;
        self.wait_everywhere(channel, &committed.transaction_id).await?;
        Ok(Defined { channel: channel.to_owned(), version, sequence, outcome })
    }

    /// Waits until every other peer has a transaction that the first one, or one of them, has.
    async fn wait_everywhere(&self, channel: &str, transaction_id: &str) -> anyhow::Result<()> {
        if self.members.len() > 1 {
            try_join_all(self.members.iter().map(|member| member.client.wait_for(channel, transaction_id))).await?;
        }
        Ok(())
    }

    /// Whether the committed definition is what would be committed now, for every organization.
    async fn is_current(
        &self,
        channel: &str,
        name: &str,
        package_id: &str,
        current: &QueryChaincodeDefinitionResult,
    ) -> anyhow::Result<bool> {
        let policy = if self.policy.is_empty() { default_policy() } else { self.policy.clone() };
        if current.init_required != self.args.init_required || current.validation_parameter != policy {
            return Ok(false);
        }
        let runs = self.members.iter().map(|member| member.runs(channel, name, current.sequence, package_id));
        Ok(try_join_all(runs).await?.into_iter().all(|runs| runs))
    }

    async fn init(&self, channel: &str, name: &str) -> anyhow::Result<()> {
        let args = self.args.init_args.as_ref().map(|args| args.0.as_slice()).unwrap_or_default();
        let call = Call {
            channel: channel.to_owned(),
            chaincode: name.to_owned(),
            args: args.iter().map(|arg| Bytes::copy_from_slice(arg.as_bytes())).collect(),
            is_init: true,
            ..Default::default()
        };
        let committed = self.first().submit(&call).await?;
        if committed.response.status >= 400 {
            bail!("{}", committed.response.message);
        }
        Ok(())
    }
}

impl Participant<'_> {
    async fn install_once(&self, package: &Created) -> anyhow::Result<()> {
        let result: Option<QueryInstalledChaincodesResult> =
            self.client.lifecycle("", "QueryInstalledChaincodes", &QueryInstalledChaincodesArgs {}).await?;
        let package_id = package.id.to_string();
        if result.unwrap_or_default().installed_chaincodes.iter().any(|one| one.package_id == package_id) {
            return Ok(());
        }
        let args = InstallChaincodeArgs { chaincode_install_package: package.bytes.clone() };
        let response = self.client.propose(&lifecycle_call("", "InstallChaincode", &args)).await?;
        if response.status != 200 {
            bail!("{}", response.message);
        }
        Ok(())
    }

    /// Approves for this organization; `None` if it has approved just that before.
    async fn approve(&self, approve: &Call) -> anyhow::Result<Option<Committed>> {
        let msp_id = self.organization.msp_id();
        match self.client.submit_by(approve, &[msp_id.to_owned()]).await {
            Ok(committed) => Ok(Some(committed)),
            // Fabric: lifecycle §3. An earlier run got this far.
            Err(error) if error.to_string().contains("with unchanged content") => Ok(None),
            Err(error) => Err(error.context(format!("the definition cannot be approved for {msp_id}"))),
        }
    }

    /// Whether this organization has approved this package for the sequence.
    async fn runs(&self, channel: &str, name: &str, sequence: i64, package_id: &str) -> anyhow::Result<bool> {
        let query = QueryApprovedChaincodeDefinitionArgs { name: name.to_owned(), sequence };
        let approved: Option<QueryApprovedChaincodeDefinitionResult> =
            self.client.lifecycle(channel, "QueryApprovedChaincodeDefinition", &query).await?;
        let source = approved.and_then(|approved| approved.source).and_then(|source| source.r#type);
        Ok(matches!(source, Some(chaincode_source::Type::LocalPackage(local)) if local.package_id == package_id))
    }
}

async fn package(name: &str, path: &Path) -> anyhow::Result<Created> {
    let path = path.to_owned();
    let label = name.parse()?;
    // Reading and compressing a source tree would hold up the executor.
    let created = tokio::task::spawn_blocking(move || {
        let label = (!is_package(&path)).then_some(label);
        create(&path, &CreateOptions { label, ..Default::default() })
    });
    Ok(created.await??)
}

/// Whether a path is of a ready package, which has a label of its own.
fn is_package(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 2];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == [0x1f, 0x8b]
}

/// Writes the bundled sample's code: the `binary` buildpack tells it where this program is, which has the chaincode in it.
fn write_sample(folder: &Path) -> std::io::Result<()> {
    let script = folder.join("chaincode");
    std::fs::write(&script, "#!/bin/sh\nexec \"$WINDLASS_EXECUTABLE\" sample \"$@\"\n")?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))
}

/// A chaincode name made from a path: of a folder its name, of a package its label.
fn name_of(path: &Path) -> anyhow::Result<String> {
    let absolute: PathBuf = std::fs::canonicalize(path).with_context(|| format!("cannot use {}", path.display()))?;
    let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = ["tar.gz", "tgz"].iter().find_map(|end| name.strip_suffix(&format!(".{end}"))).unwrap_or(&name);
    // Fabric: lifecycle §4
    let mut legal = String::new();
    for character in stem.chars() {
        if character.is_ascii_alphanumeric() {
            legal.push(character);
        } else if !legal.is_empty() && !legal.ends_with('-') {
            legal.push('-');
        }
    }
    let legal = legal.trim_end_matches('-');
    if legal.is_empty() {
        bail!("no chaincode name can be made from {}; hint: name it, as in basic={}", path.display(), path.display());
    }
    Ok(legal.to_owned())
}

fn application_policy(policy: &str) -> anyhow::Result<Bytes> {
    let envelope = text::parse(policy).with_context(|| format!("--signature-policy {policy}"))?;
    let policy = ApplicationPolicy { r#type: Some(application_policy::Type::SignaturePolicy(envelope)) };
    Ok(policy.encode_to_vec().into())
}

/// What a definition without a policy gets.
// Fabric: lifecycle §5
fn default_policy() -> Bytes {
    let reference = "/Channel/Application/Endorsement".to_owned();
    let policy = ApplicationPolicy { r#type: Some(application_policy::Type::ChannelConfigPolicyReference(reference)) };
    policy.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_legal_names_of_paths() {
        let parent = tempfile::tempdir().expect("a folder");
        for (file, name) in
            [("asset_transfer.v2", "asset-transfer-v2"), ("basic_1.0.tar.gz", "basic-1-0"), ("-odd--", "odd")]
        {
            let path = parent.path().join(file);
            std::fs::create_dir(&path).expect("a folder");
            assert_eq!(name_of(&path).expect("a name"), name);
        }
    }
}
