//! What each buildpack's toolchain needs of a machine: its programs, its settings, and caches to keep.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use crate::build::disk;

const MAVEN: &str = "maven";

/// What one toolchain needs.
#[derive(Debug, Default)]
pub(super) struct Toolchain {
    /// Programs; what lies around them may be read.
    tools: &'static [&'static str],
    /// Variables that name folders to be read, and where these are below the home if the variable is not set.
    homes: &'static [(&'static str, &'static str)],
    /// Settings, which builds see: they may name registries, and hold the tokens for them.
    settings: &'static [(&'static str, Place)],
    /// Caches: the variable that names one with its usual place below the home, and its folder below that of all caches.
    /// A variable that is set wins, unless it names the usual place or where programs are: toolchains set some for
    /// whatever they start, and nobody who leaves a cache there means it for packages.
    ///
    /// Each lies directly below: what a build can change there must not lead the peer, which makes these folders and
    /// copies settings into them, elsewhere.
    caches: &'static [(Option<(&'static str, &'static str)>, &'static str)],
}

/// Where a setting is, and where a copy of it goes.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Below their home, and below the temporary one.
    Home,
    /// In the folder that they use as this cache, and in ours.
    Cache(&'static str),
}

/// What a toolchain is given for one program of a builder.
#[derive(Debug, Default)]
pub(super) struct Provision {
    pub(super) read: Vec<PathBuf>,
    pub(super) write: Vec<PathBuf>,
    pub(super) variables: BTreeMap<&'static str, OsString>,
}

/// Folders of one program of a builder.
#[derive(Debug)]
pub(super) struct Folders<'a> {
    /// The home of whoever runs the peer.
    pub(super) theirs: Option<&'a Path>,
    /// The temporary home.
    pub(super) home: &'a Path,
    /// For temporary files.
    pub(super) temporary: &'a Path,
    /// Below it, one folder for each toolchain.
    pub(super) caches: &'a Path,
}

impl Toolchain {
    /// What a buildpack needs. Other builders bring what they need.
    pub(super) fn of(buildpack: Option<&str>) -> Self {
        match buildpack {
            Some("golang") => Self {
                tools: &["go", "gcc"],
                homes: &[("GOROOT", ""), ("GOPATH", "")],
                settings: &[(".config/go/env", Place::Home), (".netrc", Place::Home), (".gitconfig", Place::Home)],
                caches: &[
                    (Some(("GOCACHE", ".cache/go-build")), "go-build"),
                    (Some(("GOMODCACHE", "go/pkg/mod")), "go-modules"),
                ],
            },
            Some("node") => Self {
                // Python builds what is native.
                tools: &["node", "npm", "python3"],
                homes: &[],
                settings: &[(".npmrc", Place::Home)],
                caches: &[
                    (Some(("npm_config_cache", ".npm")), "npm"),
                    (Some(("npm_config_devdir", ".cache/node-gyp")), "node-headers"),
                ],
            },
            Some("java") => Self {
                tools: &["java", "javac", "mvn", "gradle"],
                homes: &[("JAVA_HOME", ""), ("M2_HOME", ""), ("MAVEN_HOME", ""), ("GRADLE_HOME", "")],
                settings: &[
                    (".m2/settings.xml", Place::Home),
                    (".m2/settings-security.xml", Place::Home),
                    ("gradle.properties", Place::Cache("gradle")),
                ],
                caches: &[(None, MAVEN), (Some(("GRADLE_USER_HOME", ".gradle")), "gradle")],
            },
            Some("rust") => Self {
                tools: &["cargo", "rustc", "cc"],
                homes: &[("RUSTUP_HOME", ".rustup")],
                settings: &[("config.toml", Place::Cache("cargo")), ("credentials.toml", Place::Cache("cargo"))],
                caches: &[(Some(("CARGO_HOME", ".cargo")), "cargo"), (None, "rust")],
            },
            // A program that is ready may be a script.
            Some("binary") => Self {
                tools: &["bash", "java", "node", "perl", "python3", "ruby"],
                homes: &[("JAVA_HOME", "")],
                ..Self::default()
            },
            _ => Self::default(),
        }
    }

    /// What a chaincode may read of it.
    pub(super) fn to_run(&self, theirs: Option<&Path>) -> Vec<PathBuf> {
        let named = self.homes.iter().filter_map(|(variable, default)| {
            folder_in(variable).or_else(|| Some(theirs?.join(default)).filter(|_| !default.is_empty()))
        });
        let around = self.tools.iter().flat_map(|tool| around(tool, theirs));
        named.chain(around).filter(|path| path.exists()).collect()
    }

    /// What a build may use of it. Copies settings and makes folders of caches.
    pub(super) fn to_build(&self, folders: &Folders<'_>) -> io::Result<Provision> {
        let mut provision = Provision { read: self.to_run(folders.theirs), ..Provision::default() };
        for (variable, default) in self.homes.iter().filter(|(_, default)| !default.is_empty()) {
            if let (None, Some(theirs)) = (env::var_os(variable), folders.theirs) {
                provision.variables.insert(variable, theirs.join(default).into());
            }
        }
        let path = env::var_os("PATH").unwrap_or_default();
        // Where they have what we keep in caches of ours.
        let mut theirs = BTreeMap::new();
        for (variable, name) in self.caches {
            let named = variable.and_then(|(variable, usual)| elsewhere(folder_in(variable)?, usual));
            let cache = named.clone().filter(|named| !holds_programs(named, &path));
            let cache = cache.unwrap_or_else(|| folders.caches.join(name));
            fs::create_dir_all(&cache)?;
            if let Some((variable, usual)) = variable {
                provision.variables.insert(variable, cache.clone().into());
                theirs.insert(*name, named.or_else(|| Some(folders.theirs?.join(usual))));
            }
            provision.write.push(cache);
        }
        for (setting, place) in self.settings {
            // The first of these folders is ours alone at this time.
            let (ours, from, to) = match place {
                Place::Home => (folders.home, folders.theirs.map(Path::to_owned), folders.home.to_owned()),
                Place::Cache(name) => (folders.caches, theirs.get(name).cloned().flatten(), folders.caches.join(name)),
            };
            // A cache that they named has its settings already.
            if matches!(place, Place::Home) || provision.write.contains(&to) {
                renew(from.map(|from| from.join(setting)).as_deref(), &to.join(setting), ours)?;
            }
        }
        if self.tools.contains(&"mvn") {
            java_options(&mut provision, folders);
        }
        Ok(provision)
    }
}

/// Java knows its home from the system's list of users, and its temporary folder from nowhere.
fn java_options(provision: &mut Provision, folders: &Folders<'_>) {
    let (home, temporary) = (folders.home.display(), folders.temporary.display());
    let java = format!("-Duser.home={home} -Djava.io.tmpdir={temporary}");
    let repository = folders.caches.join(MAVEN);
    let maven = format!("{java} -Dmaven.repo.local={}", repository.display());
    for (variable, ours) in [("MAVEN_OPTS", maven), ("GRADLE_OPTS", java)] {
        let theirs = env::var(variable).unwrap_or_default();
        // What comes last wins.
        provision.variables.insert(variable, format!("{ours} {theirs}").trim().into());
    }
}

/// Makes `to` a copy of `from`, or makes sure that there is none if there is nothing to copy: an earlier build may
/// have left another. Builds of one toolchain may do this at the same time, and change `to` meanwhile; `ours` is a folder
/// that they cannot reach, on the same file system.
fn renew(from: Option<&Path>, to: &Path, ours: &Path) -> io::Result<()> {
    let Some(content) = from.and_then(|from| fs::read(from).ok()) else { return disk::remove(to) };
    if holds(to, &content) {
        return Ok(());
    }
    fs::create_dir_all(to.parent().unwrap_or(Path::new("/")))?;
    // Only we may read it.
    let mut file = tempfile::NamedTempFile::new_in(ours)?;
    file.write_all(&content)?;
    let Err(failed) = file.persist(to) else { return Ok(()) };
    // A folder cannot be replaced by a file.
    disk::remove(to)?;
    failed.file.persist(to)?;
    Ok(())
}

/// Whether this is a file with this content; whatever else it is, it is not waited for.
fn holds(path: &Path, content: &[u8]) -> bool {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path);
    let Ok(file) = file else { return false };
    let is_alike = file.metadata().is_ok_and(|found| found.is_file() && found.len() == content.len() as u64);
    let mut found = Vec::new();
    is_alike && file.take(content.len() as u64).read_to_end(&mut found).is_ok() && found == content
}

/// A cache that somebody named, if it is not the usual one.
fn elsewhere(named: PathBuf, usual: &str) -> Option<PathBuf> {
    (!named.ends_with(usual)).then_some(named)
}

/// Whether programs are called from a folder: who could write there could change them.
fn holds_programs(folder: &Path, path: &OsStr) -> bool {
    env::split_paths(path).any(|programs| programs.starts_with(folder))
}

/// The folder that a variable names.
fn folder_in(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The installation that a program on `PATH` belongs to, as it is called and as it is found behind links:
/// `/opt/go` for `/opt/go/bin/go`. A home is none.
fn around(tool: &str, home: Option<&Path>) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(tool));
    let Some(called) = found.into_iter().find(|program| program.is_file()) else { return Vec::new() };
    let behind = fs::canonicalize(&called).ok();
    [Some(called), behind].into_iter().flatten().filter_map(|program| installation(&program, home)).collect()
}

fn installation(program: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let folder = program.parent()?;
    let is_programs = folder.file_name().is_some_and(|name| name == "bin" || name == "shims");
    let above = folder.parent()?;
    let is_personal = |path: &Path| {
        // Cargo keeps its tokens beside its programs, and many keep theirs below `.local`; whose home it is in.
        path.parent().is_none()
            || path.file_name().is_some_and(|name| name == ".cargo" || name == "cargo" || name == ".local")
            || home.is_some_and(|home| home.starts_with(path))
    };
    // `/opt` for `/opt/bin/go` would be everything that is installed there.
    let is_of_many = |path: &Path| path.parent() == Some(Path::new("/")) && path != Path::new("/usr");
    let whole = if is_programs && !is_personal(above) && !is_of_many(above) { above } else { folder };
    (!is_personal(whole)).then(|| whole.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_installation_around_a_program_and_never_a_home() {
        let home = Path::new("/home/anna");
        for (program, found) in [
            ("/usr/local/go/bin/go", Some("/usr/local/go")),
            ("/home/anna/.nvm/versions/node/v20/bin/node", Some("/home/anna/.nvm/versions/node/v20")),
            ("/home/anna/.asdf/shims/node", Some("/home/anna/.asdf")),
            ("/home/anna/.cargo/bin/cargo", Some("/home/anna/.cargo/bin")),
            ("/home/anna/.local/bin/mvn", Some("/home/anna/.local/bin")),
            ("/home/anna/bin/go", Some("/home/anna/bin")),
            ("/home/anna/go", None),
            ("/home/bert/.cargo/bin/cargo", Some("/home/bert/.cargo/bin")),
            ("/usr/local/cargo/bin/cargo", Some("/usr/local/cargo/bin")),
            ("/opt/go/bin/go", Some("/opt/go")),
            ("/opt/bin/go", Some("/opt/bin")),
            ("/usr/bin/node", Some("/usr")),
            ("/bin/sh", Some("/bin")),
            ("/go", None),
        ] {
            assert_eq!(installation(Path::new(program), Some(home)).as_deref(), found.map(Path::new), "{program}");
        }
    }

    #[test]
    fn gives_a_build_its_settings_anew_and_its_caches() {
        let root = tempfile::tempdir().expect("a folder");
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("theirs/.cargo")).expect("a folder");
        fs::create_dir_all(path("theirs/.ssh")).expect("a folder");
        fs::write(path("theirs/.cargo/config.toml"), "ours").expect("a file");
        fs::create_dir_all(path("caches/cargo")).expect("a folder");
        fs::write(path("caches/cargo/config.toml"), "poisoned").expect("a file");
        fs::write(path("caches/cargo/credentials.toml"), "poisoned").expect("a file");
        let (theirs, home, temporary, caches) = (path("theirs"), path("home"), path("tmp"), path("caches"));
        let folders = Folders { theirs: Some(&theirs), home: &home, temporary: &temporary, caches: &caches };
        let provision = Toolchain::of(Some("rust")).to_build(&folders).expect("folders");
        let setting = fs::read_to_string(path("caches/cargo/config.toml"));
        assert_eq!(setting.expect("a file"), "ours");
        assert!(!path("caches/cargo/credentials.toml").exists());
        assert_eq!(provision.write, [path("caches/cargo"), path("caches/rust")]);
        assert!(!provision.read.iter().any(|read| path("theirs/.ssh").starts_with(read)));
    }

    #[test]
    fn takes_no_cache_of_a_person_and_no_toolchain_for_one_that_was_named_for_builds() {
        let named = |path: &str| elsewhere(path.into(), ".cargo");
        assert_eq!(named("/home/anna/.cargo"), None);
        assert_eq!(named("/srv/cargo").as_deref(), Some(Path::new("/srv/cargo")));
        let path = OsStr::new("/usr/local/cargo/bin:/usr/bin");
        let holds = ["/usr/local/cargo", "/srv/cargo"].map(|folder| holds_programs(Path::new(folder), path));
        assert_eq!(holds, [true, false]);
    }

    #[test]
    fn renews_a_setting_whatever_a_build_left_in_its_place() {
        let root = tempfile::tempdir().expect("a folder");
        let path = |name: &str| root.path().join(name);
        let (from, to) = (path("from"), path("cache/setting"));
        fs::write(&from, "ours").expect("a file");
        let renewed = || {
            renew(Some(&from), &to, root.path()).expect("renewed");
            assert_eq!(fs::read(&to).expect("a file"), b"ours");
            let metadata = fs::symlink_metadata(&to).expect("a file");
            assert!(metadata.is_file());
            std::os::unix::fs::MetadataExt::ino(&metadata)
        };
        let first = renewed();
        assert_eq!(renewed(), first, "what is right already is left alone");
        fs::remove_file(&to).expect("a file");
        fs::create_dir_all(to.join("a/b")).expect("a folder");
        renewed();
        fs::remove_file(&to).expect("a file");
        std::os::unix::fs::symlink(&from, &to).expect("a link");
        renewed();
        fs::write(&to, "evil").expect("a file");
        renewed();
        renew(None, &to, root.path()).expect("removed");
        renew(None, &to, root.path()).expect("still removed");
        assert!(!to.exists());
        assert_eq!(fs::read_dir(root.path()).expect("a folder").count(), 2, "nothing else is left");
    }

    #[test]
    fn renews_a_setting_for_many_builds_at_once() {
        let root = tempfile::tempdir().expect("a folder");
        let path = |name: &str| root.path().join(name);
        fs::create_dir(path("cache")).expect("a folder");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (from, to, ours) = (path(&format!("from{}", number % 2)), path("cache/setting"), root.path());
                fs::write(&from, number.to_string()).expect("a file");
                scope.spawn(move || {
                    for _ in 0..50 {
                        renew(Some(&from), &to, ours).expect("renewed");
                        renew(None, &to, ours).expect("removed");
                    }
                });
            }
        });
    }
}
