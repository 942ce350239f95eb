//! What a person needs when the network is ready.

use std::time::Duration;

use super::{
    deploy::{Deployed, Outcome},
    network::Network,
};
use crate::printer::Printer;

/// Prints endpoints, identities, chaincode, and lines to paste.
pub(crate) fn print(printer: &Printer, network: &Network, chaincodes: &[Deployed], up: Duration, total: Duration) {
    let heading = |text| printer.line(printer.bold(text));
    printer.line("");
    heading("Windlass development network");
    row(printer, "channel", &format!("{} (block {})", network.channel(), network.height().saturating_sub(1)));
    row(printer, "peer", &format!("{}  Org1MSP", network.peer_endpoint()));
    row(printer, "orderer", network.orderer_endpoint());
    row(printer, "chaincode", network.chaincode_endpoint());
    row(printer, "operations", &format!("http://{}", network.operations_endpoint()));
    row(printer, "data", &network.folder().path().display().to_string());

    printer.line("");
    heading("Identities");
    for user in ["Admin", "User1"] {
        row(printer, user, &network.user_msp(user).display().to_string());
    }
    row(printer, "TLS root", &network.peer_tls_root().display().to_string());

    printer.line("");
    heading("Chaincode");
    for chaincode in chaincodes {
        let what = match chaincode.outcome {
            Outcome::New => "deployed",
            Outcome::Upgraded => "upgraded",
            Outcome::Unchanged => "unchanged",
        };
        row(
            printer,
            &chaincode.name,
            &format!(
                "{} {}, sequence {}, {what} in {}",
                chaincode.kind,
                chaincode.version,
                chaincode.sequence,
                milliseconds(chaincode.took)
            ),
        );
        row(printer, "", &chaincode.package_id);
    }

    printer.line("");
    heading("Try it");
    let name = chaincodes.first().map_or("basic", |chaincode| chaincode.name.as_str());
    printer.line(format_args!("  source {}", network.env_script().display()));
    for line in commands(network, name) {
        printer.line(format_args!("  {line}"));
    }
    printer.line("");
    let ready = format!("ready in {} (network {})", milliseconds(total), milliseconds(up));
    printer.line(format_args!("{}  {}", printer.good(ready), printer.dim("Ctrl-C stops it")));
    printer.line("");
}

fn commands(network: &Network, name: &str) -> [String; 2] {
    let channel = network.channel();
    [
        format!(
            r#"peer chaincode invoke -o $ORDERER_ADDRESS --tls --cafile $ORDERER_CA -C {channel} -n {name} -c '{{"Args":["InitLedger"]}}'"#
        ),
        format!(r#"peer chaincode query -C {channel} -n {name} -c '{{"Args":["GetAllAssets"]}}'"#),
    ]
}

fn row(printer: &Printer, name: &str, value: &str) {
    printer.line(format_args!("  {} {value}", printer.dim(format!("{name:<11}"))));
}

fn milliseconds(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f32())
    }
}
