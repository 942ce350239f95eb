//! A chaincode that does what none should, over the raw stream.
//!
//! This program is that chaincode when [`FOLDER`] is set: launched by the peer, or as a server. What it does wrong is
//! chosen when it starts by a file `launch` in that folder, and afterwards by the arguments of each transaction.
//!
//! - [`acts`]: what each transaction does
//! - [`wire`]: one stream, by hand

mod acts;
mod wire;

use std::{
    fs,
    path::{Path, PathBuf},
    process::exit,
    sync::Arc,
    time::Duration,
};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, transport::Server};
use windlass_proto::protos::{
    ChaincodeMessage,
    chaincode_server::{Chaincode, ChaincodeServer},
};
use windlass_shim::{client::ClientConfig, server::ServerConfig};
use windlass_transport::{MAX_MESSAGE_SIZE, incoming};

use crate::support::place::Place;
use acts::Acts;
use wire::{Inbound, Wire};

/// The variable with the folder from which this program is told what to do.
const FOLDER: &str = "WINDLASS_FAULTS";

/// What it prints before it gives up.
pub(crate) const LAST_WORDS: &str = "no such module: contract";

/// How to launch, said in the file `launch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Launch {
    Well,
    ExitsFirst,
    ExitsAfterwards,
    Slowly,
    Never,
    UnderAnotherId,
}

impl Launch {
    const ALL: [Self; 6] =
        [Self::Well, Self::ExitsFirst, Self::ExitsAfterwards, Self::Slowly, Self::Never, Self::UnderAnotherId];

    /// Says how to launch from now on.
    pub(crate) fn write(self, folder: &Path) {
        fs::write(folder.join("launch"), format!("{self:?}")).expect("a file");
    }

    fn read(folder: &Path) -> Self {
        let text = fs::read_to_string(folder.join("launch")).unwrap_or_default();
        Self::ALL.into_iter().find(|launch| format!("{launch:?}") == text).unwrap_or(Self::Well)
    }
}

/// The folder, in the process that is the chaincode.
pub(crate) fn folder_of_this_process() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// A folder in which it is told what to do.
pub(crate) fn folder_in(place: &Place) -> PathBuf {
    let folder = place.path().join("faults");
    fs::create_dir(&folder).expect("a folder");
    folder
}

/// The variable that makes this program that chaincode.
pub(crate) fn environment(folder: &Path) -> (&'static str, &Path) {
    (FOLDER, folder)
}

/// The command of a script that runs this chaincode.
pub(crate) fn command(folder: &Path) -> String {
    let own = std::env::current_exe().expect("this program");
    format!("{FOLDER}='{}' exec '{}'", folder.display(), own.display())
}

/// A configuration whose sandbox lets packages hand over to this program, which writes to that folder.
pub(crate) fn configuration(place: &Place, folder: &Path, more: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this program");
    let sandbox = format!("  sandbox: {{read: [{}], write: [{}]}}\n", own.display(), folder.display());
    place.folder_with("config", &[("core.yaml", &format!("{more}{sandbox}"))]).join("core.yaml")
}

pub(crate) async fn run(folder: PathBuf) {
    match ServerConfig::from_environment().expect("an environment") {
        Some(config) => serve(config, folder).await,
        None => launched(folder).await,
    }
}

async fn launched(folder: PathBuf) {
    let mut config = ClientConfig::from_environment(std::env::args().skip(1)).expect("an environment");
    let launch = Launch::read(&folder);
    match launch {
        Launch::ExitsFirst => {
            eprintln!("{LAST_WORDS}");
            exit(3);
        }
        Launch::Never => std::future::pending().await,
        // The fault itself, not a wait for something.
        Launch::Slowly => tokio::time::sleep(Duration::from_secs(2)).await,
        Launch::UnderAnotherId => config.chaincode_id = "somebody:else".to_owned(),
        Launch::Well | Launch::ExitsAfterwards => {}
    }
    wire::save_identity(&folder, &config);
    let (wire, mut inbound) = Wire::dial(config.peer_address.clone(), config.tls.clone()).await.expect("a peer");
    wire.register(&config.chaincode_id).await;
    if launch == Launch::ExitsAfterwards {
        // REGISTERED and READY.
        for _ in 0..2 {
            let _ = inbound.message().await;
        }
        exit(4);
    }
    Acts::new(folder, Some(config), CancellationToken::new()).follow(wire, inbound).await;
}

async fn serve(config: ServerConfig, folder: PathBuf) {
    let listener = TcpListener::bind(&config.address).await.expect("a port");
    let tls = config.tls.map(|tls| tls.config().expect("TLS material"));
    let goodbye = CancellationToken::new();
    let service = Service { id: config.chaincode_id, acts: Acts::new(folder, None, goodbye.clone()) };
    let service = ChaincodeServer::new(service)
        .max_decoding_message_size(MAX_MESSAGE_SIZE)
        .max_encoding_message_size(2 * MAX_MESSAGE_SIZE);
    let server = Server::builder().add_service(service);
    let served = server.serve_with_incoming_shutdown(incoming(listener, tls), goodbye.cancelled_owned());
    served.await.expect("a server");
}

struct Service {
    id: String,
    acts: Arc<Acts>,
}

#[tonic::async_trait]
impl Chaincode for Service {
    type ConnectStream = wire::Outbound;

    async fn connect(
        &self,
        request: Request<Streaming<ChaincodeMessage>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let (wire, outbound) = Wire::served();
        wire.register(&self.id).await;
        let inbound: Inbound = request.into_inner();
        tokio::spawn(self.acts.clone().follow(wire, inbound));
        Ok(Response::new(outbound))
    }
}
