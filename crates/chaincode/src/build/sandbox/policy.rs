//! What one program of a builder may read and write.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::limits::Limits;

/// What a program may do. Travels as an argument from the peer to the process that takes everything else away from
/// itself and then becomes the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Policy {
    /// Files, and folders with all that is below, that may be read and executed.
    pub(super) read: Vec<PathBuf>,
    /// The same for reading and writing.
    pub(super) write: Vec<PathBuf>,
    /// Whether files are restricted at all.
    pub(super) files: bool,
    /// Whether system calls are.
    pub(super) calls: bool,
    /// Whether it is a chaincode, which needs less than a build.
    pub(super) run: bool,
    /// Whether it may open connections.
    pub(super) network: bool,
    pub(super) limits: Limits,
}

/// What every program needs to run at all.
const SYSTEM: [&str; 13] = [
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/proc",
    "/run/NetworkManager",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/sbin",
    "/sys",
    "/usr",
];

/// What of `/etc` programs need: names, certificates, and the settings of toolchains. A Fabric peer's own settings
/// and keys are often there as well, so that it cannot be all. A name that ends in `*` is the beginning of several.
const ETC: &[&str] = &[
    "alternatives",
    "ca-certificates*",
    "crypto-policies",
    "gai.conf",
    "gitconfig",
    "group",
    "host*",
    "java*",
    "jvm*",
    "ld.so.*",
    "locale*",
    "localtime",
    "maven*",
    "mavenrc",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki",
    "protocols",
    "python*",
    "resolv.conf",
    "services",
    "ssl",
    "timezone",
];

/// Devices that are harmless.
const DEVICES: [&str; 5] = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// What every program may read.
pub(super) fn system() -> Vec<PathBuf> {
    let matches = |name: &str| {
        ETC.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *pattern,
        })
    };
    let etc = fs::read_dir("/etc").into_iter().flatten().flatten();
    let etc = etc.filter(|entry| matches(&entry.file_name().to_string_lossy())).map(|entry| entry.path());
    SYSTEM.iter().map(PathBuf::from).chain(etc).filter(|path| path.exists()).collect()
}

/// What every program may write.
pub(super) fn devices() -> impl Iterator<Item = PathBuf> {
    DEVICES.iter().map(PathBuf::from).filter(|path| path.exists())
}

/// The folders of programs, but no home: what is not in an installation of its own is in there.
pub(super) fn programs(home: Option<&Path>) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_home = |folder: &Path| folder.parent().is_none() || home.is_some_and(|home| home.starts_with(folder));
    env::split_paths(&path).filter(|folder| folder.is_absolute() && folder.is_dir() && !is_home(folder)).collect()
}

/// Files and folders of certificates that variables name.
pub(super) fn certificates(variables: &[(OsString, OsString)]) -> Vec<PathBuf> {
    let is_named = |name: &OsString| {
        let name = name.to_string_lossy().to_ascii_uppercase();
        ["CERT", "CAFILE", "CAINFO"].iter().any(|part| name.contains(part))
    };
    let named = variables.iter().filter(|(name, _)| is_named(name)).flat_map(|(_, value)| env::split_paths(value));
    named.filter(|path| path.is_absolute() && path.exists()).collect()
}

/// `allowed` without `secrets`: a folder that holds a secret is replaced by what else is in it.
pub(super) fn without(allowed: &[PathBuf], secrets: &[PathBuf]) -> Vec<PathBuf> {
    let mut rest = Vec::new();
    for path in allowed {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        if secrets.iter().any(|secret| real.starts_with(secret)) {
            continue;
        }
        if secrets.iter().any(|secret| secret.starts_with(&real)) {
            let entries = fs::read_dir(&real).into_iter().flatten().flatten();
            rest.extend(without(&entries.map(|entry| entry.path()).collect::<Vec<_>>(), secrets));
        } else {
            rest.push(path.clone());
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_secret_out_of_a_folder_that_may_be_read() {
        let root = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(root.path()).expect("a folder");
        for name in ["tool/bin", "tool/etc/keys/deep", "tool/etc/settings", "other"] {
            fs::create_dir_all(root.join(name)).expect("a folder");
        }
        std::os::unix::fs::symlink(root.join("tool/etc/keys"), root.join("link")).expect("a link");
        let path = |name: &str| root.join(name);
        let mut rest = without(&["tool", "other", "link"].map(path), &[path("tool/etc/keys")]);
        rest.sort();
        assert_eq!(rest, ["other", "tool/bin", "tool/etc/settings"].map(path));
    }

    #[test]
    fn shows_no_program_the_whole_of_etc_or_of_a_home() {
        let system = system();
        assert!(system.contains(&PathBuf::from("/usr")));
        for hidden in
            ["/etc/shadow", "/etc/hyperledger/fabric/msp", "/root/.ssh", "/home/a", "/var/hyperledger", "/tmp/x"]
        {
            assert!(!system.iter().any(|path| Path::new(hidden).starts_with(path)), "{hidden}");
        }
    }
}
