//! What of our environment a buildpack gets: where toolchains keep their caches, where they download from, and
//! through what.

/// What every toolchain that downloads understands.
const NETWORK: [&str; 9] = [
    "HOME",
    "XDG_CACHE_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_*",
];

/// What shims read of their own. Fabric: chaincode-protocol §17, §18
const LOGGING: [&str; 2] = ["CORE_CHAINCODE_LOGGING_LEVEL", "CORE_CHAINCODE_LOGGING_SHIM"];

const GO: [&str; 12] = [
    "GOPATH",
    "GOCACHE",
    "GOMODCACHE",
    "GOPROXY",
    "GONOPROXY",
    "GOPRIVATE",
    "GOSUMDB",
    "GONOSUMDB",
    "GOFLAGS",
    "GOTOOLCHAIN",
    "GOROOT",
    "CGO_*",
];
const NODE: [&str; 3] = ["npm_config_*", "NPM_CONFIG_*", "NODE_EXTRA_CA_CERTS"];
const JAVA: [&str; 6] = ["JAVA_HOME", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "MAVEN_*", "M2_HOME", "GRADLE_*"];
const RUST: [&str; 10] = [
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_JOBS",
    "CARGO_HTTP_*",
    "CARGO_NET_*",
    "CARGO_REGISTRIES_*",
    "CARGO_REGISTRY_*",
    "CARGO_SOURCE_*",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
];

/// The names, or beginnings of names, that a buildpack is given of our environment.
pub(super) fn propagated(buildpack: &str) -> Vec<String> {
    let lists: &[&[&str]] = match buildpack {
        "golang" => &[&GO, &NETWORK, &LOGGING],
        "node" => &[&NODE, &NETWORK, &LOGGING],
        "java" => &[&JAVA, &NETWORK, &LOGGING],
        "rust" => &[&RUST, &NETWORK, &LOGGING],
        "ccaas" => &[&["CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG"]],
        _ => &[&LOGGING],
    };
    lists.iter().copied().flatten().map(|name| (*name).to_owned()).collect()
}

/// Whether a variable only helps to build. It may hold the token of a registry, and is none of a chaincode's business.
pub(super) fn is_for_builds(name: &str) -> bool {
    /// What the chaincode itself may need.
    const KEPT: [&str; 4] = ["JAVA_HOME", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "NODE_EXTRA_CA_CERTS"];
    let matches = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *pattern,
    };
    let mut ours = [&GO[..], &NODE, &JAVA, &RUST].into_iter().flatten();
    !KEPT.contains(&name) && (name == "XDG_CACHE_HOME" || ours.any(matches))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_each_toolchain_its_own_variables_and_a_ready_program_none() {
        for (buildpack, given, kept_away) in [
            ("golang", "GOPROXY", "CARGO_HOME"),
            ("node", "npm_config_*", "GOPROXY"),
            ("java", "MAVEN_*", "npm_config_*"),
            ("rust", "CARGO_HOME", "MAVEN_*"),
            ("binary", "CORE_CHAINCODE_LOGGING_LEVEL", "HOME"),
            ("ccaas", "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG", "HOME"),
        ] {
            let names = propagated(buildpack);
            assert!(names.iter().any(|name| name == given), "{buildpack} gets {given}");
            assert!(!names.iter().any(|name| name == kept_away), "{buildpack} does not get {kept_away}");
        }
    }

    #[test]
    fn keeps_registries_from_chaincode() {
        for name in
            ["GOPROXY", "npm_config__authToken", "NPM_CONFIG_REGISTRY", "CARGO_REGISTRIES_X_TOKEN", "MAVEN_OPTS"]
        {
            assert!(is_for_builds(name), "{name}");
        }
        for name in ["JAVA_HOME", "JAVA_TOOL_OPTIONS", "HTTPS_PROXY", "CORE_PEER_ADDRESS", "PATH"] {
            assert!(!is_for_builds(name), "{name}");
        }
    }
}
