//! A network with one contract in every manner.

use std::{fmt, panic::AssertUnwindSafe};

use futures::FutureExt;

use crate::{
    checks::CHECKS,
    contracts::{Library, caches},
    support::{
        client::Client,
        parts,
        place::Place,
        server::{Plan, Tls},
    },
};

/// How peer and chaincode meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Launched,
    Server(Tls),
}

/// The name of the chaincode in each manner.
const MANNERS: [(&str, Manner); 4] = [
    ("launched", Manner::Launched),
    ("plain", Manner::Server(Tls::Off)),
    ("tls", Manner::Server(Tls::On)),
    ("mutual", Manner::Server(Tls::Mutual)),
];

/// One contract in one manner.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) library: Library,
    pub(crate) manner: Manner,
    pub(crate) client: Client,
    /// The chaincode's name.
    pub(crate) name: &'static str,
    /// Another chaincode with the same functions on the same channel.
    pub(crate) other: &'static str,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {:?}", self.library, self.manner)
    }
}

/// The Init arguments of every network here.
pub(crate) const INIT: &str = r#"["Init","a","100"]"#;

/// Runs the table over a contract in all manners at the same time.
pub(crate) async fn check_all(library: Library) {
    let built = library.build();
    let place = Place::new();
    fails_to_initialise(library, &place);

    // Some checks wait for the timeout; programs are launched from where they were built.
    let built_in = parts::scratch("conformance");
    let settings =
        format!("chaincode: {{executetimeout: 15s}}\nwindlass: {{sandbox: {{read: ['{}']}}}}\n", built_in.display());
    let core = place.folder_with("config", &[("core.yaml", &settings)]).join("core.yaml");
    let mut servers = Vec::new();
    let mut dev =
        place.dev().ephemeral().env("XDG_CACHE_HOME", caches()).args(["--init-required", "--init-args", INIT]);
    dev = dev.arg("--config").arg(core);
    for (name, manner) in MANNERS {
        let Manner::Server(tls) = manner else {
            dev = dev.chaincode(name, library.source());
            continue;
        };
        let plan = Plan::folder(&place, name, tls);
        servers.push(plan.serve(built.server(&plan)));
        dev = dev.chaincode(name, &plan.package);
    }
    let windlass = dev.start();
    let client = Client::user(&windlass.ready).await;
    assert_eq!(windlass.ready.chaincodes[0].kind, library.kind());
    let cases = MANNERS.iter().zip(MANNERS.iter().cycle().skip(1)).map(|(&(name, manner), &(other, _))| {
        let case = Case { library, manner, client: client.clone(), name, other };
        tokio::spawn(run(case))
    });
    let failures = futures::future::try_join_all(cases).await.expect("every check is caught").concat();
    let output = windlass.stop();
    let servers: Vec<_> = servers.iter().map(|server| server.output().shown()).collect();
    assert!(failures.is_empty(), "{}\n{}\n{}", failures.join("\n"), output.shown(), servers.join("\n"));
}

/// Runs the table over one case; returns what failed.
async fn run(case: Case) -> Vec<String> {
    let mut failures = Vec::new();
    for (what, check) in CHECKS {
        if let Err(panic) = AssertUnwindSafe(check(&case)).catch_unwind().await {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
            failures.push(format!("{case}: {what}: {text}"));
        }
    }
    failures
}

/// A failing Init says why, in whichever way the library reports it.
fn fails_to_initialise(library: Library, place: &Place) {
    let program = library.build().program(place.path());
    let failing = ["--init-required", "--init-args", r#"["Init","fail"]"#];
    let said = place.dev().ephemeral().args(failing).chaincode("failing", program).fail().stderr();
    let expected = match library.reports_init_as_error() {
        true => "transaction returned with failure: init was told to fail",
        false => "caused by: init was told to fail",
    };
    let is_said = said.contains("Init failed") && said.contains(expected)
        || said.contains("chaincode response 500, init was told to fail");
    assert!(is_said, "{library:?}: {said}");
}
