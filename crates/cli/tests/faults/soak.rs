//! Load on every kind of chaincode while something goes wrong every few seconds, for as long as is wanted.
//!
//! - [`load`]: the transactions, and what became of them
//! - [`trouble`]: what goes wrong
//! - [`gauges`]: what must not grow

mod gauges;
mod load;
mod trouble;

use std::{process::ExitCode, time::Duration};

use tokio::time::Instant;

use crate::{
    chaincode,
    network::start_server,
    proxy::Proxy,
    support::{
        client::Client,
        parts,
        place::{self, Place},
        server::{Plan, Tls},
    },
};
use gauges::Gauges;
use load::{Load, Target};
use trouble::Trouble;

/// The variable that asks for it, with how many minutes it shall last.
const MINUTES: &str = "WINDLASS_SOAK_MINUTES";

const CONFIGURATION: &str = "
windlass:
  chaincodes:
    launched: {instances: 3, execute_timeout: 10s}
    served: {execute_timeout: 10s}
";

/// Every so often memory is looked at.
const SAMPLE: Duration = Duration::from_secs(60);

/// How long it shall last, if it is asked for.
pub(crate) fn asked() -> Option<Duration> {
    let minutes: f64 = std::env::var(MINUTES).ok()?.parse().expect("minutes as a number");
    Some(Duration::from_secs_f64(minutes * 60.0))
}

pub(crate) async fn run(length: Duration) -> ExitCode {
    let place = Place::new();
    let folder = chaincode::folder_in(&place);
    let core = chaincode::configuration(&place, &folder, CONFIGURATION);
    let plan = Plan::folder(&place, "served", Tls::Mutual);
    let proxy = Proxy::start(&plan.address()).await;
    let server = start_server(&plan, proxy.behind(), &folder);
    let windlass = place
        .dev()
        .arg("--config")
        .arg(core)
        .arg("--log")
        .arg("error")
        .chaincode("launched", place.program("launched", &chaincode::command(&folder)))
        .chaincode("served", &plan.package)
        .chaincode("go", parts::go_program("go-shim"))
        .chaincode("sample", place.program("sample", place::SAMPLE))
        .start();
    let client = Client::user(&windlass.ready).await;
    for name in ["launched", "served"] {
        client.submit(name, &["fill", "150"]).await.expect("rows to read");
    }

    let load = Load::default();
    let mut workers = Vec::new();
    for target in Target::ALL {
        for worker in 0..2 {
            // Each application has a connection of its own.
            let client = Client::user(&windlass.ready).await;
            workers.push(tokio::spawn(load.clone().work(client, target, worker)));
        }
    }
    // Connections, caches and streams are there by then.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let start = Gauges::read(&windlass);
    println!("{start}");

    let mut trouble = Trouble::new(&client, &windlass, proxy, (plan, folder), server);
    let end = Instant::now() + length;
    let mut sample = Instant::now() + SAMPLE;
    while Instant::now() < end {
        tokio::time::sleep(trouble.pause()).await;
        trouble.make().await;
        if Instant::now() >= sample {
            println!("{}", Gauges::read(&windlass));
            sample += SAMPLE;
        }
    }
    trouble.make_good().await;
    load.stop();
    for worker in workers {
        worker.await.expect("no panic");
    }
    let after = start.comes_back(&windlass).await;
    println!("{after}\n");
    trouble.print();
    let unexpected = load.print();
    let said = windlass.output().stderr();
    let well = unexpected == 0 && after.is_within(&start) && !said.contains("panicked");
    if !well {
        println!("NOT as it should be; the peer said:\n{said}");
    }
    windlass.stop();
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
