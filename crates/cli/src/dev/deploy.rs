//! The chaincode of the command line, deployed by all organizations together on every channel.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::future::try_join_all;

use super::{network::Network, progress};
use crate::{
    args::dev::{ChaincodeName, DevArgs},
    deploy::{
        Defined, Deployment,
        member::Member,
        package::{name_of, package},
        terms::{self, Terms},
    },
    printer::Printer,
};

/// The name under which the bundled sample is deployed.
const SAMPLE: &str = "basic";

/// A chaincode that serves.
#[derive(Clone, Debug)]
pub(crate) struct Deployed {
    pub(crate) name: String,
    /// The package, unless the chaincode is started by hand.
    pub(crate) package: Option<Package>,
    /// Its definition on each channel, in the order of the channels; at least one.
    pub(crate) definitions: Vec<Defined>,
    pub(crate) took: Duration,
}

/// A package that is installed everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) id: String,
    /// Its type.
    pub(crate) kind: String,
}

impl Deployed {
    /// The definition on the first channel.
    pub(crate) fn first(&self) -> &Defined {
        self.definitions.first().expect("there is a channel, and chaincode is deployed on each")
    }
}

/// Deploys every chaincode of the command line, or the bundled sample if there is none.
pub(crate) async fn all(args: &DevArgs, network: &Network, printer: &Printer) -> anyhow::Result<Vec<Deployed>> {
    // The command line is all there is to say of a development network; a flag that is gone has the default again.
    let policy = terms::policy(args.signature_policy.as_deref(), None)?.or_else(|| Some(terms::channel_policy()));
    let terms = Terms { policy, init_required: Some(args.init_required), ..Default::default() };
    let organizations = network.organizations();
    let members = try_join_all(organizations.iter().map(|organization| async move {
        anyhow::Ok(Member { msp_id: organization.msp_id().to_owned(), client: organization.admin().await? })
    }));
    let together = Together { args, network, deployment: Deployment { members: members.await? }, terms };
    let watching: Vec<_> = organizations
        .iter()
        .map(|organization| {
            let whose = (organizations.len() > 1).then_some(organization.msp_id());
            progress::watch(printer.clone(), whose, organization.peer().builds().subscribe())
        })
        .collect();
    let mut deployed = Vec::new();
    if args.chaincode.is_empty() && args.chaincode_dev.is_empty() {
        deployed.push(together.deploy_sample().await?);
    }
    for chaincode in &args.chaincode {
        let name = name_of(chaincode)?;
        let one = together.deploy(&name, &chaincode.path).await;
        deployed
            .push(one.with_context(|| format!("cannot deploy chaincode {name} from {}", chaincode.path.display()))?);
    }
    for ChaincodeName(name) in &args.chaincode_dev {
        let one = together.define_by_hand(name).await;
        deployed.push(one.with_context(|| format!("cannot define chaincode {name}"))?);
    }
    drop(watching);
    Ok(deployed)
}

struct Together<'a> {
    args: &'a DevArgs,
    network: &'a Network,
    /// All organizations of the network.
    deployment: Deployment,
    terms: Terms,
}

impl Together<'_> {
    async fn deploy_sample(&self) -> anyhow::Result<Deployed> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        write_sample(folder.path()).context("cannot write the bundled sample")?;
        self.deploy(SAMPLE, folder.path()).await.context("cannot deploy the bundled sample")
    }

    async fn deploy(&self, name: &str, path: &Path) -> anyhow::Result<Deployed> {
        let started = Instant::now();
        let package = package(path, name.parse()?).await?;
        let package_id = package.id.to_string();
        self.deployment.install(&package).await?;
        let definitions = self.define(name, &package_id).await?;
        let organizations = self.network.organizations();
        try_join_all(organizations.iter().map(|one| one.peer().engine().launch(&package_id))).await?;
        for defined in &definitions {
            if self.args.init_required {
                let args = self.args.init_args.as_ref().map(|args| args.0.as_slice()).unwrap_or_default();
                self.deployment.init_once(&defined.definition.channel, name, args).await?;
            }
        }
        let package = Some(Package { id: package_id, kind: package.kind });
        Ok(Deployed { name: name.to_owned(), package, definitions, took: started.elapsed() })
    }

    /// Defines a chaincode that is started by hand. Init, if it is required, is left to its author too.
    async fn define_by_hand(&self, name: &str) -> anyhow::Result<Deployed> {
        let started = Instant::now();
        // An approval may name a package that nobody has; this one tells it from those of packages.
        let definitions = self.define(name, &format!("{name}:by-hand")).await?;
        Ok(Deployed { name: name.to_owned(), package: None, definitions, took: started.elapsed() })
    }

    async fn define(&self, name: &str, package_id: &str) -> anyhow::Result<Vec<Defined>> {
        let channels = self.network.channels();
        let define =
            channels.iter().map(|channel| self.deployment.define(channel, name, package_id, &self.terms, true));
        try_join_all(define).await
    }
}

/// Writes the bundled sample's code: the `binary` buildpack tells it where this program is, which has the chaincode in it.
fn write_sample(folder: &Path) -> std::io::Result<()> {
    let script = folder.join("chaincode");
    std::fs::write(&script, "#!/bin/sh\nexec \"$WINDLASS_EXECUTABLE\" sample \"$@\"\n")?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))
}
