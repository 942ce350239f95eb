//! The chaincode libraries, how their contracts are built and served, and in what they differ by nature.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use windlass_chaincode::package::{
    Limits, Package,
    create::{CreateOptions, create},
};

use crate::support::{parts, place::make_executable, server::Plan};

/// A chaincode library, and a line of its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// `fabric-chaincode-go/v2`
    GoV2,
    /// `fabric-chaincode-go`, the module line before v2
    GoV1,
    /// `fabric-shim` 2.5
    Node25,
    /// `fabric-shim` 2.2
    Node22,
    /// `fabric-chaincode-shim` 2.5
    Java,
    /// `windlass-shim`
    Rust,
}

/// What a panic, or an exception that the contract does not catch, comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Panic {
    /// The process ends, and with it the stream.
    EndsTheProcess,
    /// The library answers ERROR, or a response of status 500, with a text that has this in it.
    Says(&'static str),
    /// Nothing is answered, ever.
    IsNotAnswered,
}

impl Library {
    /// The type of its packages.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::GoV2 | Self::GoV1 => "golang",
            Self::Node25 | Self::Node22 => "node",
            Self::Java => "java",
            Self::Rust => "rust",
        }
    }

    /// Whether contracts can read why the peer refused a request. The Java library keeps it to itself.
    // Fabric: chaincode-protocol §18
    pub(crate) fn passes_on_refusals(self) -> bool {
        self != Self::Java
    }

    // Fabric: chaincode-protocol §16-§18
    pub(crate) fn panic(self) -> Panic {
        match self {
            Self::GoV2 | Self::GoV1 => Panic::EndsTheProcess,
            Self::Node25 | Self::Node22 => Panic::IsNotAnswered,
            Self::Java | Self::Rust => Panic::Says("told to panic"),
        }
    }

    /// Whether a failing Init is an ERROR on the stream; elsewhere it is a response of status 500.
    // Fabric: chaincode-protocol trap 11
    pub(crate) fn reports_init_as_error(self) -> bool {
        matches!(self, Self::GoV2 | Self::GoV1 | Self::Node22 | Self::Rust)
    }

    /// Whether every response of status 500 and more is an ERROR on the stream, which keeps its message only.
    pub(crate) fn reports_500_as_error(self) -> bool {
        self == Self::Node22
    }

    /// Whether a response may have a status besides 200, 400 and 500. The Java library looks the number up in a list, and
    /// fails on others.
    pub(crate) fn takes_any_status(self) -> bool {
        self != Self::Java
    }

    /// Whether attributes of composite keys may be empty.
    pub(crate) fn takes_empty_attributes(self) -> bool {
        !matches!(self, Self::Node25 | Self::Node22)
    }

    /// The largest message that it takes as a server, in bytes. The older Node library leaves the default of its gRPC
    /// library in place, and its stream breaks beyond that.
    pub(crate) fn largest_message_to_server(self) -> usize {
        match self {
            Self::Node22 => 4 << 20,
            _ => 100 << 20,
        }
    }

    /// The folder of its contract.
    pub(crate) fn source(self) -> PathBuf {
        let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/contracts");
        let contract = |name: &str| fs::canonicalize(contracts.join(name)).expect("a contract");
        match self {
            Self::GoV2 => parts::example("go-shim"),
            Self::GoV1 => contract("go-v1"),
            Self::Node25 => contract("node"),
            // The same contract with another manifest.
            Self::Node22 => parts::once("conformance node-2.2", || {
                let folder = parts::scratch("conformance").join("node-2.2");
                parts::copy(&contract("node"), &folder);
                parts::copy(&contract("node-2.2"), &folder);
                folder
            }),
            Self::Java => contract("java"),
            Self::Rust => contract("rust"),
        }
    }

    /// Builds the contract as the buildpack does it, once for as long as it does not change.
    pub(crate) fn build(self) -> Built {
        let folder = parts::once(&format!("conformance {self:?}"), || {
            let package = create(&self.source(), &CreateOptions::default()).expect("a package");
            let hash = package.id.as_str().rsplit_once(':').expect("an ID").1.to_owned();
            let folder = parts::scratch("conformance").join(format!("{self:?}-{}", &hash[..16]));
            if folder.join("done").exists() {
                return folder;
            }
            let _ = fs::remove_dir_all(&folder);
            let [source, metadata, output] = ["src", "metadata", "bld"].map(|name| folder.join(name));
            for one in [&source, &metadata, &output] {
                fs::create_dir_all(one).expect("a folder");
            }
            let package = Package::parse(&package.bytes, &Limits::default()).expect("a package");
            package.code().extract(&source).expect("code");
            fs::write(metadata.join("metadata.json"), &package.metadata_json).expect("a file");
            let mut buildpack = Command::new(env!("CARGO_BIN_EXE_windlass"));
            buildpack.args(["buildpack", self.kind(), "build"]).args([&source, &metadata, &output]);
            parts::run(buildpack.env("XDG_CACHE_HOME", caches()));
            fs::write(folder.join("done"), "").expect("a file");
            folder
        });
        Built { library: self, output: folder.join("bld") }
    }
}

/// Where the Rust buildpack keeps what it compiled.
pub(crate) fn caches() -> PathBuf {
    parts::scratch("caches")
}

/// A contract that is compiled.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    library: Library,
    output: PathBuf,
}

impl Built {
    /// The command that runs it.
    fn words(&self) -> Vec<String> {
        let path = |name: &str| self.output.join(name).display().to_string();
        match self.library {
            Library::GoV2 | Library::GoV1 | Library::Rust => vec![path("chaincode")],
            Library::Node25 | Library::Node22 => vec!["node".to_owned(), path("src/index.js")],
            Library::Java => {
                let classes = format!("{}:{}", path("chaincode.jar"), path("lib/*"));
                ["java", "-cp", &classes, "org.windlass.conformance.StubTour"].map(str::to_owned).to_vec()
            }
        }
    }

    /// The command that serves it as a plan says.
    pub(crate) fn server(&self, plan: &Plan) -> Command {
        let words = self.words();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        // The Java library knows its ID by this name only, and does not do without an MSP.
        command.env("CORE_CHAINCODE_ID_NAME", &plan.package_id).env("CORE_PEER_LOCALMSPID", "Org1MSP");
        command
    }

    /// Makes a program of it that the peer can launch without building anything.
    pub(crate) fn program(&self, folder: &Path) -> PathBuf {
        let program = folder.join("contract");
        fs::write(&program, format!("#!/bin/sh\nexec '{}' \"$@\"\n", self.words().join("' '"))).expect("a file");
        make_executable(&program);
        program
    }
}
