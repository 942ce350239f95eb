//! A Node chaincode that computes, with one instance, two and four: what more processes are good for.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use windlass_proto::envelope::Call;

use crate::{
    load::{Load, Measured},
    support::{client::Client, parts, place::Place},
};

/// How many instances are compared.
pub(crate) const INSTANCES: [usize; 3] = [1, 2, 4];
/// Proposals at once: more than there are instances.
const CONCURRENCY: usize = 16;
/// How often the chaincode hashes for each transaction.
const HASHES: &str = "3000";

/// Endorsements with so many instances.
pub(crate) async fn measure(place: &Place, instances: usize, duration: Duration) -> Measured {
    let settings = format!("windlass:\n  chaincodes:\n    spin: {{instances: {instances}}}\n");
    let core = place.folder_with("instances", &[("core.yaml", &settings)]).join("core.yaml");
    let windlass = place.dev().ephemeral().arg("--config").arg(core).chaincode("spin", chaincode()).start();
    let client = Client::user(&windlass.ready).await;
    let call = Call {
        channel: windlass.ready.channel.clone(),
        chaincode: "spin".to_owned(),
        args: ["Spin", HASHES].map(Into::into).to_vec(),
        ..Default::default()
    };
    let load = Load { clients: vec![client], concurrency: CONCURRENCY, duration };
    let measured = load.run(&call, windlass.pid()).await;
    windlass.stop();
    measured
}

/// The Node contract of the conformance suite, with its dependencies, and a chaincode that only computes in its place.
fn chaincode() -> PathBuf {
    parts::once("bench spin", || {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = parts::scratch("bench").join("spin");
        parts::copy(&here.join("tests/conformance/contracts/node"), &folder);
        parts::copy(&here.join("benches/endorsement/spin"), &folder);
        folder
    })
}
