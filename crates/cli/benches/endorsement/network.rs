//! The network that is measured: a peer with the bundled sample and a Go chaincode.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use windlass_proto::envelope::Call;

use crate::{
    floor::{ROLE, Role},
    process,
    support::{
        client::Client,
        parts,
        place::{Place, make_executable},
        windlass::Windlass,
    },
};

/// Runs of which the middle one counts.
const RUNS: usize = 5;
/// Proposals that share a connection, as those of one client application do.
const PER_CONNECTION: usize = 16;

pub(crate) struct Network {
    windlass: Windlass,
    idle: u64,
}

impl Network {
    pub(crate) async fn start(place: &Place) -> Self {
        let dev = place.dev().ephemeral().chaincode("sample", sample(place));
        let windlass = dev.chaincode("goshim", parts::go_program("go-shim")).start();
        let idle = process::memory(windlass.pid()).0;
        let client = Client::user(&windlass.ready).await;
        for chaincode in ["sample", "goshim"] {
            client.submit(chaincode, &["Put", "key", "a value of some length"]).await.expect("a transaction");
        }
        Self { windlass, idle }
    }

    pub(crate) async fn clients(&self, concurrency: usize) -> Vec<Client> {
        let mut clients = Vec::new();
        for _ in 0..concurrency.div_ceil(PER_CONNECTION) {
            clients.push(Client::user(&self.windlass.ready).await);
        }
        clients
    }

    pub(crate) fn call(&self, chaincode: &str, function: &str) -> Call {
        let args: &[&str] = match function {
            "Noop" => &["Noop"],
            "Get" => &["Get", "key"],
            _ => &["Put", "key", "a value of some length"],
        };
        Call {
            channel: self.windlass.ready.channel.clone(),
            chaincode: chaincode.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned().into()).collect(),
            ..Default::default()
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.windlass.pid()
    }

    pub(crate) fn memory(&self) -> Memory {
        let (loaded, most) = process::memory(self.windlass.pid());
        Memory { idle: self.idle, loaded, most }
    }

    pub(crate) fn stop(self) {
        self.windlass.stop();
    }
}

/// Resident memory of the peer and orderer process, bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Right after the start.
    pub(crate) idle: u64,
    /// After all the load.
    pub(crate) loaded: u64,
    /// The most it has been.
    pub(crate) most: u64,
}

/// From starting the program to the line that says ready, with the bundled sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartUp {
    /// From nothing.
    pub(crate) fresh: Duration,
    /// On what an earlier run kept.
    pub(crate) kept: Duration,
}

pub(crate) async fn start_up() -> StartUp {
    let (mut fresh, mut kept) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let place = Place::new();
        for times in [&mut fresh, &mut kept] {
            let started = Instant::now();
            let windlass = place.dev().start();
            times.push(started.elapsed());
            windlass.stop();
        }
    }
    let middle = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[RUNS / 2]
    };
    StartUp { fresh: middle(fresh), kept: middle(kept) }
}

/// The bundled sample as a folder, for it is only deployed by itself when nothing else is.
fn sample(place: &Place) -> PathBuf {
    script(place, "sample", "exec \"$WINDLASS_EXECUTABLE\" sample")
}

/// A folder with a script that is a chaincode.
pub(crate) fn script(place: &Place, name: &str, command: &str) -> PathBuf {
    let script = format!("#!/bin/sh\n{command} \"$@\"\n");
    let folder = place.folder_with(name, &[("chaincode", &script)]);
    make_executable(&folder.join("chaincode"));
    folder
}

/// The command that runs this program in a role.
pub(crate) fn own_program(role: Role) -> String {
    let program = std::env::current_exe().expect("this program");
    format!("{ROLE}={} exec '{}'", role.name(), program.display())
}
