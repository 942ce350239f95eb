//! `windlass node start` as a child process, with a `core.yaml` of its own, and the `peer` command as its admin.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    CHANNEL, LIMIT,
    e2e::support::{
        output::Pipe,
        place::{self, Place},
        windlass::{Running, Windlass},
    },
};

/// A peer of the second organization, beside the one in the network's own process.
#[derive(Debug)]
pub(crate) struct NodePeer {
    folder: PathBuf,
    endpoint: String,
    /// The network's certificates.
    organizations: PathBuf,
    orderer_root: PathBuf,
    running: Option<Running>,
}

/// What a command says.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

impl NodePeer {
    pub(crate) fn new(place: &Place, windlass: &Windlass) -> Self {
        let folder = place.path().join("node");
        let organizations = windlass.ready.data.join("organizations");
        let [peer, chaincode, operations] = [(); 3].map(|()| place::free_port());
        let own = organizations.join("peerOrganizations/org2.example.com/peers/peer0.org2.example.com");
        let (msp, tls) = (own.join("msp"), own.join("tls"));
        // Some settings have no effect here, as in any core.yaml of Fabric's.
        let yaml = format!(
            "peer:
  id: peer0.org2.example.com
  networkId: dev
  address: localhost:{peer}
  listenAddress: 127.0.0.1:{peer}
  chaincodeListenAddress: 127.0.0.1:{chaincode}
  chaincodeAddress: localhost:{chaincode}
  localMspId: Org2MSP
  mspConfigPath: {msp}
  fileSystemPath: data
  gossip: {{bootstrap: 127.0.0.1:7051, useLeaderElection: false, orgLeader: true}}
  tls:
    enabled: true
    cert: {{file: {tls}/server.crt}}
    key: {{file: {tls}/server.key}}
    rootcert: {{file: {tls}/ca.crt}}
operations:
  listenAddress: 127.0.0.1:{operations}
ledger:
  state: {{stateDatabase: goleveldb}}
",
            msp = msp.display(),
            tls = tls.display()
        );
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("core.yaml"), yaml).expect("a file");
        Self {
            folder,
            endpoint: format!("localhost:{peer}"),
            organizations,
            orderer_root: windlass.ready.orderer.tls_root_cert.clone(),
            running: None,
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// All that the running peer has printed.
    pub(crate) fn said(&self) -> String {
        self.running.as_ref().map(|running| running.output().stderr()).unwrap_or_default()
    }

    /// Starts it, and waits until it says that it has started.
    #[track_caller]
    pub(crate) fn start(&mut self) {
        let mut command = self.windlass();
        command.args(["node", "start"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.running = Some(Running::spawn(command));
        self.waits_for_line("Started peer with ID=[");
    }

    #[track_caller]
    pub(crate) fn waits_for_line(&self, text: &str) {
        let running = self.running.as_ref().expect("it runs");
        let said = running.output().wait_for(Pipe::Stderr, LIMIT, |line| line.contains(text));
        assert!(said.is_some(), "no line has \"{text}\"\n{}", running.output().shown());
    }

    /// Ends it as a service manager would.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.signal(Signal::TERM);
        let status = running.wait(LIMIT);
        assert!(status.is_some_and(|status| status.success()), "{status:?}\n{}", running.output().shown());
        assert!(running.output().stderr().contains("Received signal: 15 (terminated)"));
    }

    pub(crate) fn kill(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.signal(Signal::KILL);
        running.wait(LIMIT).expect("nothing survives that");
    }

    /// A command about this peer, without an identity of a client.
    pub(crate) fn command(&self, words: &[&str]) -> Said {
        self.windlass().args(words).output().expect("windlass starts").into()
    }

    /// `node …` while the peer may run.
    pub(crate) fn offline(&self, words: &[&str]) -> Said {
        self.command(&[&["node"], words].concat())
    }

    /// A command of the organization's admin, which must succeed.
    #[track_caller]
    pub(crate) fn client(&self, words: &[&str]) -> String {
        let said = self.at(&self.endpoint, words);
        assert_eq!(said.code, Some(0), "{words:?}: {said:?}\n{}", self.said());
        said.stdout + &said.stderr
    }

    pub(crate) fn height(&self) -> Option<u64> {
        self.height_at(&self.endpoint)
    }

    /// How many blocks a peer has.
    pub(crate) fn height_at(&self, endpoint: &str) -> Option<u64> {
        let said = self.at(endpoint, &["channel", "getinfo", "-c", CHANNEL]);
        let json = said.stdout.trim().strip_prefix("Blockchain info: ")?.to_owned();
        serde_json::from_str::<serde_json::Value>(&json).ok()?["height"].as_u64()
    }

    /// Waits until the peer has so many blocks, or more.
    #[track_caller]
    pub(crate) fn reaches(&self, height: u64) {
        let deadline = Instant::now() + LIMIT;
        while self.height().is_none_or(|now| now < height) {
            assert!(Instant::now() < deadline, "expected height {height}, has {:?}\n{}", self.height(), self.said());
            // A question over the wire is all there is to wait by.
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The package that the network's peer of this organization has installed, as a file.
    pub(crate) fn package_from(&self, windlass: &Windlass, place: &Place) -> String {
        let id = windlass.package_id("basic");
        let folder = place.path().display().to_string();
        let said = self.at(
            &self.network_endpoint(windlass),
            &["lifecycle", "chaincode", "getinstalledpackage", "--package-id", id, "--output-directory", &folder],
        );
        assert_eq!(said.code, Some(0), "{said:?}");
        format!("{folder}/{id}.tar.gz")
    }

    /// Has the network's own peers run a transaction.
    #[track_caller]
    pub(crate) fn invoke_at(&self, windlass: &Windlass, chaincode: &str, input: &str) {
        let (first, second) = (&windlass.ready.peer.endpoint, self.network_endpoint(windlass));
        let first_root = windlass.ready.peer.tls_root_cert.display().to_string();
        let second_root = self.tls_root().display().to_string();
        let words = [
            "chaincode",
            "invoke",
            "-o",
            &windlass.ready.orderer.endpoint,
            "-C",
            CHANNEL,
            "-n",
            chaincode,
            "-c",
            input,
            "--peerAddresses",
            first,
            "--tlsRootCertFiles",
            &first_root,
            "--peerAddresses",
            &second,
            "--tlsRootCertFiles",
            &second_root,
            "--waitForEvent",
        ];
        let said = self.at(first, &words);
        assert_eq!(said.code, Some(0), "{said:?}");
    }

    /// Where the network's own peer of this organization is.
    pub(crate) fn network_endpoint(&self, windlass: &Windlass) -> String {
        let text = fs::read(windlass.ready_file()).expect("a ready file");
        let ready: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        ready["organizations"][1]["peer"]["endpoint"].as_str().expect("an endpoint").to_owned()
    }

    fn tls_root(&self) -> PathBuf {
        self.organizations.join("peerOrganizations/org2.example.com/peers/peer0.org2.example.com/tls/ca.crt")
    }

    fn at(&self, endpoint: &str, words: &[&str]) -> Said {
        let admin = self.organizations.join("peerOrganizations/org2.example.com/users/Admin@org2.example.com/msp");
        let mut command = self.windlass();
        command.args(words);
        if words.contains(&"-o") {
            command.arg("--tls").arg("--cafile").arg(&self.orderer_root);
        }
        command.env("CORE_PEER_ADDRESS", endpoint).env("CORE_PEER_MSPCONFIGPATH", admin);
        command.env("CORE_PEER_TLS_ROOTCERT_FILE", self.all_roots()).output().expect("windlass starts").into()
    }

    /// The TLS roots of both organizations, in one file.
    fn all_roots(&self) -> PathBuf {
        let file = self.folder.join("all-roots.pem");
        let roots = ["org1", "org2"].map(|org| {
            let host = format!("peerOrganizations/{org}.example.com/peers/peer0.{org}.example.com/tls/ca.crt");
            fs::read_to_string(self.organizations.join(host)).expect("a root")
        });
        fs::write(&file, roots.concat()).expect("a file");
        file
    }

    fn windlass(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.env("FABRIC_CFG_PATH", &self.folder).env_remove("FABRIC_LOGGING_SPEC").current_dir(&self.folder);
        command
    }
}
