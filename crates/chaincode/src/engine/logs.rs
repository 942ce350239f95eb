//! What chaincode and its builders printed, by whatever name people know it.

use crate::{build::Journal, engine::Engine, lifecycle::Lifecycle};

/// Which output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// That of the chaincode, from all its instances.
    Run,
    /// That of its builder, when it was built last.
    Build,
}

/// Why there is nothing to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// Nothing is called so.
    #[error(
        "no chaincode, package label or package ID '{name}' is known to this peer; hint: {}",
        if .known.is_empty() { "none is installed".to_owned() } else { format!("there is {}", .known.join(", ")) }
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is: package IDs, each after the names that channels have for it.
        known: Vec<String>,
    },
    /// Several are called so.
    #[error("'{name}' may be any of {}; hint: give the beginning of a package ID", .found.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// The package IDs.
        found: Vec<String>,
    },
    /// Nothing was built, as far as is known.
    #[error("no output of a build of '{0}' is kept on this peer")]
    NotBuilt(String),
}

impl Engine {
    /// What a chaincode or its builder printed, and prints. It is known by the name that a channel has for it, by
    /// its label, or by the beginning of its package ID or of the hash in it.
    ///
    /// Of several builds the last one is meant, and of several that could run the one that a channel runs.
    ///
    /// # Errors
    /// When nothing, or more than one, is called so.
    pub fn output(&self, name: &str, which: Which) -> Result<Journal, FindError> {
        let ids = self.ids();
        let found = self.find(name, &ids);
        if found.is_empty() {
            let known = ids.into_iter().map(|id| match self.names(&id).join(", ") {
                names if names.is_empty() => id,
                names => format!("{names} ({id})"),
            });
            return Err(FindError::Unknown { name: name.to_owned(), known: known.collect() });
        }
        match which {
            Which::Build => {
                let builds = self.lifecycle.as_ref().map(Lifecycle::builds);
                let journals = found.iter().filter_map(|id| builds?.output(id));
                let last = journals.max_by_key(|journal| journal.lines().last().map(|line| line.at));
                last.ok_or_else(|| FindError::NotBuilt(name.to_owned()))
            }
            Which::Run => {
                let running: Vec<_> = found.iter().filter(|id| !self.names(id).is_empty()).collect();
                let id = match (&found[..], &running[..]) {
                    ([only], _) => only,
                    (_, [only]) => *only,
                    _ => return Err(FindError::Ambiguous { name: name.to_owned(), found }),
                };
                Ok(self.core.launcher().registry().output(id))
            }
        }
    }

    fn names(&self, id: &str) -> Vec<String> {
        self.lifecycle.as_ref().map(|lifecycle| lifecycle.names(id)).unwrap_or_default()
    }

    /// The package IDs of all that is known, also of builds that failed.
    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.status().into_iter().map(|status| status.id).collect();
        ids.extend(self.lifecycle.iter().flat_map(|lifecycle| lifecycle.builds().failed()));
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Those that `name` may stand for: the exact one, else those of that name or label, else those
    /// that begin so.
    fn find(&self, name: &str, ids: &[String]) -> Vec<String> {
        fn parts(id: &str) -> (&str, &str) {
            id.rsplit_once(':').unwrap_or((id, ""))
        }
        let exact = |id: &str| id == name;
        let called = |id: &str| parts(id).0 == name || self.names(id).iter().any(|called| called == name);
        let begins = |id: &str| !name.is_empty() && (id.starts_with(name) || parts(id).1.starts_with(name));
        let manners: [&dyn Fn(&str) -> bool; 3] = [&exact, &called, &begins];
        let found = manners.map(|manner| ids.iter().filter(|id| manner(id)).cloned().collect::<Vec<_>>());
        found.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
    }
}
