//! What of our environment a builder's programs see.

use std::ffi::{OsStr, OsString};

/// Variables that every program gets, if we have them ourselves.
// Fabric: external-builders §6
const ALWAYS: [&str; 4] = ["LD_LIBRARY_PATH", "LIBPATH", "PATH", "TMPDIR"];

/// The environment of a program: what is set of the listed names, then of the usual four, none twice. It may
/// well be empty, and must stay so: nothing else is inherited.
pub(super) fn cut(ours: impl Iterator<Item = (OsString, OsString)>, listed: &[String]) -> Vec<(OsString, OsString)> {
    let ours: Vec<_> = ours.collect();
    let mut cut: Vec<(OsString, OsString)> = Vec::new();
    for pattern in listed.iter().map(String::as_str).chain(ALWAYS) {
        for (name, value) in &ours {
            if matches(pattern, name) && !cut.iter().any(|(taken, _)| taken == name) {
                cut.push((name.clone(), value.clone()));
            }
        }
    }
    cut
}

fn matches(pattern: &str, name: &OsStr) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.as_encoded_bytes().starts_with(prefix.as_bytes()),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(ours: &[&str], listed: &[&str]) -> Vec<String> {
        let ours = ours.iter().map(|name| (OsString::from(name), OsString::from("value")));
        let listed: Vec<String> = listed.iter().map(ToString::to_string).collect();
        cut(ours, &listed).into_iter().map(|(name, _)| name.into_string().expect("text")).collect()
    }

    #[test]
    fn lets_four_variables_through_and_the_listed_ones_before_them() {
        let ours = ["HOME", "PATH", "CORE_PEER_ID", "TMPDIR", "npm_config_registry", "npm_config_cache"];
        assert_eq!(names(&ours, &[]), ["PATH", "TMPDIR"]);
        assert_eq!(names(&ours, &["HOME", "PATH", "UNSET"]), ["HOME", "PATH", "TMPDIR"]);
        assert_eq!(
            names(&ours, &["npm_config_*", "npm_config_cache"]),
            ["npm_config_registry", "npm_config_cache", "PATH", "TMPDIR"]
        );
    }

    #[test]
    fn stays_empty_when_nothing_is_left() {
        assert!(names(&["HOME", "CORE_PEER_ID"], &[]).is_empty());
    }
}
