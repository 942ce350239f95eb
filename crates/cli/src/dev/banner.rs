//! What a person needs when the network is ready.

use std::time::Duration;

use super::{deploy::Deployed, network::Network};
use crate::printer::Printer;

/// Prints endpoints, identities, chaincode, and lines to paste.
pub(crate) fn print(printer: &Printer, network: &Network, chaincodes: &[Deployed], up: Duration, total: Duration) {
    let heading = |text| printer.line(printer.bold(text));
    printer.line("");
    heading("Windlass development network");
    for channel in network.channels() {
        row(printer, "channel", &format!("{channel} (block {})", network.height(channel).saturating_sub(1)));
    }
    row(printer, "orderer", network.orderer_endpoint());
    for organization in network.organizations() {
        let endpoints = organization.endpoints();
        row(printer, "peer", &format!("{}  {}", endpoints.peer, organization.msp_id()));
        row(printer, "chaincode", &endpoints.chaincode);
        row(printer, "operations", &format!("http://{}", endpoints.operations));
    }
    row(printer, "data", &network.folder().path().display().to_string());

    printer.line("");
    heading("Identities");
    let several = network.organizations().len() > 1;
    for organization in network.organizations() {
        for user in ["Admin", "User1"] {
            let whose = if several { format!("{user}@{}", organization.name()) } else { user.to_owned() };
            row(printer, &whose, &organization.user_msp(user).display().to_string());
        }
        let root = if several { format!("TLS of {}", organization.name()) } else { "TLS root".to_owned() };
        row(printer, &root, &organization.tls_root().display().to_string());
    }

    printer.line("");
    heading("Chaincode");
    for chaincode in chaincodes {
        for defined in &chaincode.definitions {
            let what = defined.outcome.word();
            let place = match network.channels().len() {
                1 => String::new(),
                _ => format!(" on {}", defined.definition.channel),
            };
            let kind = chaincode.package.as_ref().map_or("by hand", |package| &package.kind);
            let definition = &defined.definition;
            let (version, sequence) = (&definition.version, definition.sequence);
            let took = elapsed(chaincode.took);
            let text = format!("{kind} {version}, sequence {sequence}, {what}{place} in {took}");
            row(printer, &chaincode.name, &text);
        }
        if let Some(package) = &chaincode.package {
            row(printer, "", &package.id);
        }
    }
    for chaincode in chaincodes.iter().filter(|chaincode| chaincode.package.is_none()) {
        start_by_hand(printer, network, chaincode);
    }

    printer.line("");
    heading("Try it");
    let name = chaincodes.first().map_or("basic", |chaincode| chaincode.name.as_str());
    printer.line(format_args!("  source {}", network.env_script().display()));
    for line in commands(network, name) {
        printer.line(format_args!("  {line}"));
    }
    if several {
        let other = network.organizations().last().unwrap_or(network.first());
        printer.line(format_args!("  source {}  # as admin of {}", other.env_script().display(), other.msp_id()));
    }
    printer.line("");
    let ready = format!("ready in {} (network {})", elapsed(total), elapsed(up));
    printer.line(format_args!("{}  {}", printer.good(ready), printer.dim("Ctrl-C stops it")));
    printer.line("");
}

/// What the author of a chaincode types to start it, in the language that it is written in. Several channels may have
/// several versions; each is a process of its own.
fn start_by_hand(printer: &Printer, network: &Network, chaincode: &Deployed) {
    let mut ids: Vec<_> = chaincode.definitions.iter().map(|defined| defined.chaincode_id()).collect();
    ids.sort();
    ids.dedup();
    for id in ids {
        for organization in network.organizations() {
            let (msp_id, address) = (organization.msp_id(), &organization.endpoints().chaincode);
            printer.line("");
            printer.line(printer.bold(format!("Start {id} for {msp_id}, in its folder; again after each change")));
            let settings = format!(
                "CORE_CHAINCODE_ID_NAME={id} CORE_PEER_LOCALMSPID={msp_id} CORE_PEER_TLS_ENABLED=false CORE_PEER_ADDRESS={address}"
            );
            for (language, command) in [
                ("Go", format!("go run . -peer.address {address}")),
                ("Node", format!("npx fabric-chaincode-node start --peer.address {address}")),
                ("Java", "java -jar build/libs/chaincode.jar".to_owned()),
            ] {
                row(printer, language, &format!("{settings} {command}"));
            }
        }
    }
}

/// The same two calls by our commands and by Fabric's. All of them find the network by the script's variables.
fn commands(network: &Network, name: &str) -> [String; 4] {
    let channel = network.channel();
    let on = if network.channels().len() > 1 { format!("-C {channel} ") } else { String::new() };
    let endorsers = if network.organizations().len() > 1 { " $ENDORSERS" } else { "" };
    [
        format!("windlass invoke {on}{name} InitLedger"),
        format!("windlass query {on}{name} GetAllAssets"),
        format!(
            r#"peer chaincode invoke -o $ORDERER_ADDRESS --tls --cafile $ORDERER_CA{endorsers} -C {channel} -n {name} -c '{{"Args":["InitLedger"]}}'"#
        ),
        format!(r#"peer chaincode query -C {channel} -n {name} -c '{{"Args":["GetAllAssets"]}}'"#),
    ]
}

fn row(printer: &Printer, name: &str, value: &str) {
    printer.line(format_args!("  {} {value}", printer.dim(format!("{name:<11}"))));
}

fn elapsed(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f32())
    }
}
