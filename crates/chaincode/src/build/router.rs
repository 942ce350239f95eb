//! From a package to a build: ask the builders in turn, let the first that wants it build.

use std::{path::PathBuf, sync::Arc};

use tokio::{sync::broadcast, task};
use windlass_proto::ids::PackageId;

use crate::{
    build::{
        Build, BuildError, BuildProgress, BuilderConfig, BuildsConfig, Declined, Failure, Journal, Step, StepError,
        failures, persist,
        progress::Reporter,
        running::Launcher,
        sandbox::{Limits, Sandbox},
        scratch::Scratch,
        spawner::Spawner,
    },
    install::PackageStore,
    package::Package,
};

/// What all builds are made with.
#[derive(Clone, Debug)]
pub(super) struct Router {
    pub(super) config: Arc<BuildsConfig>,
    pub(super) packages: PackageStore,
    pub(super) spawner: Arc<Spawner>,
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) watchers: broadcast::Sender<BuildProgress>,
}

impl Router {
    /// Finds the build of an earlier run, or builds. What programs print goes to `journal`, and is kept.
    pub(super) async fn build(self, id: String, journal: Journal) -> Result<Arc<Build>, BuildError> {
        let (failed, kept_id) = (self.config.failed.clone(), id.clone());
        let result = self.find_or_build(id, &journal).await;
        if let Err(error) = &result {
            journal.note(error.step(), format!("failed: {}", error.failure));
        }
        journal.close();
        // Where no builder was asked there is nothing to keep.
        let tried = |error: &BuildError| {
            use Failure::{Abandoned, Context, Package, Restore};
            !matches!(error.failure, Package(_) | Restore(_) | Context(_) | Abandoned)
        };
        let (succeeded, keep, lines) = (result.is_ok(), result.as_ref().is_err_and(tried), journal.lines());
        let kept = blocking(move || {
            if succeeded {
                failures::remove(&failed, &kept_id);
            }
            if keep { failures::keep(&failed, &kept_id, &lines) } else { Ok(()) }
        });
        if let Ok(Err(error)) = kept.await {
            tracing::warn!(%error, "the output of a failed build could not be kept");
        }
        result
    }

    // Fabric: external-builders §4
    async fn find_or_build(self, id: String, journal: &Journal) -> Result<Arc<Build>, BuildError> {
        let this = self.clone();
        let parsed = id.parse::<PackageId>().ok().filter(|id| self.packages.contains(id));
        let Some(package_id) = parsed else {
            return Err(BuildError::plain(Failure::Package(format!("chaincode install package '{id}' not found"))));
        };
        let found = persist::find(&self.config.folder, &id, &self.config.builders);
        if let Some(found) = found.map_err(|cause| BuildError::plain(Failure::Restore(cause)))? {
            let config = self.config.builders.iter().find(|config| config.name == found.builder);
            let config = config.expect("only builds of known builders are found");
            return Ok(Arc::new(self.artifact(&id, config, found.folder)));
        }
        let scratch = Arc::new(blocking(move || this.unpack(&package_id)).await??);
        let built = self.route(&id, scratch.clone(), journal).await;
        if let Some(scratch) = Arc::into_inner(scratch) {
            scratch.removed().await;
        }
        built
    }

    fn unpack(&self, id: &PackageId) -> Result<Scratch, BuildError> {
        let unavailable = |cause: String| BuildError::plain(Failure::Package(cause));
        let bytes = self.packages.load(id).map_err(|error| unavailable(error.to_string()))?;
        let package = Package::parse(&bytes, self.packages.limits()).map_err(|error| unavailable(error.to_string()))?;
        Scratch::unpack(self.config.scratch.as_deref(), &package)
            .map_err(|cause| BuildError::plain(Failure::Context(cause)))
    }

    async fn route(&self, id: &str, scratch: Arc<Scratch>, journal: &Journal) -> Result<Arc<Build>, BuildError> {
        let mut declined = Vec::new();
        for builder in &self.config.builders {
            let launcher = self.launcher(id, builder);
            match self.detect(&launcher, &scratch, journal).await {
                Ok(()) => {
                    return self.build_with(id, builder, &launcher, scratch, journal).await.map_err(|mut error| {
                        error.declined = declined.into();
                        error
                    });
                }
                Err(reason) => declined.push(Declined { builder: builder.name.clone(), reason }),
            }
        }
        Err(BuildError { declined: declined.into(), ..BuildError::plain(Failure::NoBuilder) })
    }

    /// Whether the package is for this builder; if not, why.
    async fn detect(&self, launcher: &Launcher, scratch: &Scratch, journal: &Journal) -> Result<(), String> {
        let (printed, builder) = (journal.part(), &launcher.config.name);
        let args = [&*scratch.source(), &*scratch.metadata()];
        let detected = launcher.complete(Step::Detect, &args, scratch.path(), &printed).await;
        match &detected {
            Ok(()) => journal.note(Step::Detect, format!("builder '{builder}' takes the package")),
            Err(error) => journal.note(Step::Detect, format!("builder '{builder}' declined: {error}")),
        }
        detected.map_err(|error| match (&error, printed.last_words()) {
            (StepError::Exited(_), Some(said)) => said,
            _ => error.to_string(),
        })
    }

    async fn build_with(
        &self,
        id: &str,
        config: &BuilderConfig,
        launcher: &Launcher,
        scratch: Arc<Scratch>,
        journal: &Journal,
    ) -> Result<Arc<Build>, BuildError> {
        let printed = journal.part();
        let failed = |failure| BuildError { output: printed.lines().into(), ..BuildError::plain(failure) };
        let builder = config.name.clone();
        let (source, metadata, output, release) =
            (scratch.source(), scratch.metadata(), scratch.output(), scratch.release());
        launcher
            .complete(Step::Build, &[&source, &metadata, &output], scratch.path(), &printed)
            .await
            .map_err(|error| failed(Failure::Build { builder: builder.clone(), error }))?;
        if launcher.has(Step::Release) {
            launcher
                .complete(Step::Release, &[&output, &release], scratch.path(), &printed)
                .await
                .map_err(|error| failed(Failure::Release { builder: builder.clone(), error }))?;
        } else {
            tracing::debug!(builder, "builder has no program 'release' that can be run, skipping it");
        }
        let (folder, id_kept, lines) = (self.config.folder.clone(), id.to_owned(), journal.lines());
        let kept = blocking(move || persist::keep(&folder, &id_kept, &builder, &scratch, &lines)).await?;
        let folder = kept.map_err(|cause| failed(Failure::Persist(cause)))?;
        Ok(Arc::new(self.artifact(id, config, folder)))
    }

    fn artifact(&self, id: &str, config: &BuilderConfig, folder: PathBuf) -> Build {
        Build {
            id: id.to_owned(),
            builder: config.name.clone(),
            launcher: self.launcher(id, config),
            folder,
            scratch: self.config.scratch.clone(),
        }
    }

    fn launcher(&self, id: &str, config: &BuilderConfig) -> Launcher {
        Launcher {
            config: Arc::new(config.clone()),
            reporter: Reporter::new(id, &config.name, self.watchers.clone()),
            spawner: self.spawner.clone(),
            children: self.config.children.as_path().into(),
            times: self.config.time,
            variables: Default::default(),
            sandbox: self.sandbox.clone(),
            limits: Limits::default(),
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BuildError> {
    task::spawn_blocking(work).await.map_err(|_| BuildError::plain(Failure::Abandoned))
}
