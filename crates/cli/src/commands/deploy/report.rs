//! What was done.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{
    deploy::{Defined, Outcome, answer::Answer},
    printer::Printer,
};

/// A chaincode, as a deployment leaves it.
#[derive(Clone, Debug)]
pub(super) struct Deployed {
    pub(super) name: String,
    pub(super) package_id: String,
    pub(super) kind: String,
    /// The organizations at whose peers the package was missing.
    pub(super) installed: Vec<String>,
    pub(super) channels: Vec<OnChannel>,
    pub(super) took: Duration,
}

/// The same on one channel.
#[derive(Clone, Debug)]
pub(super) struct OnChannel {
    pub(super) defined: Defined,
    /// What it answers; nobody is asked before it is committed.
    pub(super) peers: Vec<OnPeer>,
}

/// What a chaincode answers at one peer.
#[derive(Clone, Debug)]
pub(super) struct OnPeer {
    pub(super) msp_id: String,
    pub(super) address: String,
    pub(super) answer: Answer,
}

impl Deployed {
    /// Whether everything was done that was asked for.
    pub(super) fn is_done(&self, approve_only: bool) -> bool {
        self.channels.iter().all(|channel| {
            let agreed = approve_only || channel.defined.outcome != Outcome::Pending;
            agreed && channel.peers.iter().all(|peer| peer.answer.runs())
        })
    }

    /// For people.
    pub(super) fn lines(&self, approve_only: bool, printer: &Printer) -> Vec<String> {
        let mut lines = Vec::new();
        for channel in &self.channels {
            let Defined { definition, outcome, .. } = &channel.defined;
            let runs = channel.peers.iter().all(|peer| peer.answer.runs());
            let word = match outcome {
                Outcome::Pending if approve_only => "approved",
                _ if !runs => "failed",
                other => other.word(),
            };
            let end = match outcome {
                Outcome::Pending => "; it is not committed".to_owned(),
                _ if !runs => format!(", {}, but it does not run", outcome.word()),
                _ => format!(", in {:.1} s", self.took.as_secs_f32()),
            };
            let padded = format!("{word:<10}");
            let good = runs && (approve_only || *outcome != Outcome::Pending);
            let word = if good { printer.good(padded) } else { printer.bad(padded) };
            let (name, version, sequence) = (printer.bold(&self.name), &definition.version, definition.sequence);
            lines.push(format!("{word} {name} {version}, sequence {sequence} on {}{end}", definition.channel));
            for peer in &channel.peers {
                let (word, rest) = peer.verdict();
                let padded = format!("{word:<5}");
                let word = if peer.answer.runs() { printer.good(padded) } else { printer.bad(padded) };
                let mut rest = rest.lines();
                let first = rest.next().unwrap_or_default();
                lines.push(format!("  {word} {} at {}{first}", peer.msp_id, peer.address));
                lines.extend(rest.map(|line| format!("        {line}")));
            }
            if *outcome == Outcome::Pending {
                lines.extend(self.who_has_to_approve(&channel.defined, approve_only));
            }
        }
        lines
    }

    fn who_has_to_approve(&self, defined: &Defined, approve_only: bool) -> Vec<String> {
        let lacking: Vec<_> = defined.approvals.iter().filter(|(_, approval)| !approval.approved).collect();
        let mut lines: Vec<_> =
            lacking.iter().map(|(organization, approval)| format!("  {organization} {}", approval.lacks())).collect();
        if !lacking.is_empty() {
            lines.push(format!(
                "  hint: more than half of the {} organizations have to approve; each installs a package and types",
                defined.approvals.len()
            ));
            lines.push(format!("    {}", self.approve_command(defined)));
        }
        match (approve_only, lacking.is_empty()) {
            (true, true) => lines.push("  hint: run this command without --approve-only, and it commits".to_owned()),
            (true, false) => {}
            (false, _) => lines.push("  hint: run this command again then, and it commits".to_owned()),
        }
        lines
    }

    /// What an organization types to approve the same.
    fn approve_command(&self, defined: &Defined) -> String {
        let definition = &defined.definition;
        let mut command = format!(
            "peer lifecycle chaincode approveformyorg -C {} -n {} --version {} --sequence {} --package-id {}",
            definition.channel, definition.name, definition.version, definition.sequence, self.package_id
        );
        if definition.init_required {
            command.push_str(" --init-required");
        }
        if !definition.validation_parameter.is_empty() {
            command.push_str(" --signature-policy or --channel-config-policy as here");
        }
        if definition.collections.is_some() {
            command.push_str(" --collections-config FILE");
        }
        command
    }
}

impl OnPeer {
    /// Whether it runs there, and what it says of itself.
    fn verdict(&self) -> (&'static str, String) {
        match &self.answer {
            Answer::Contracts(_) => match self.answer.functions().len() {
                1 => ("runs", ": 1 function".to_owned()),
                functions => ("runs", format!(": {functions} functions")),
            },
            // It has answered, and that is all that can be asked of any chaincode.
            Answer::Other(_) => ("runs", String::new()),
            Answer::BeforeInit => ("runs", ": Init has to be called first".to_owned()),
            Answer::Fails(why) => ("fails", format!(": {}", cause(why))),
        }
    }

    fn json(&self) -> Value {
        let mut value = json!({ "mspId": self.msp_id, "address": self.address, "runs": self.answer.runs() });
        match &self.answer {
            Answer::Contracts(_) => value["functions"] = self.answer.functions().into(),
            Answer::Other(said) => value["answer"] = said.as_str().into(),
            Answer::BeforeInit => value["answer"] = "Init has to be called first".into(),
            Answer::Fails(why) => value["error"] = why.as_str().into(),
        }
        value
    }
}

/// What follows the words that every failure begins with.
// Fabric: endorsement-and-gateway §2
fn cause(text: &str) -> &str {
    let after = text.split_once("failed to execute transaction ").and_then(|(_, rest)| rest.split_once(": "));
    after.map_or(text, |(_, cause)| cause)
}

/// For programs.
pub(super) fn json(deployed: &[Deployed]) -> Value {
    let chaincode = |one: &Deployed| {
        json!({
            "name": one.name,
            "packageId": one.package_id,
            "type": one.kind,
            "installed": one.installed,
            "channels": one.channels.iter().map(OnChannel::json).collect::<Vec<_>>(),
        })
    };
    json!({ "chaincodes": deployed.iter().map(chaincode).collect::<Vec<_>>() })
}

impl OnChannel {
    fn json(&self) -> Value {
        let Defined { definition, outcome, approvals, committed } = &self.defined;
        let approvals: Map<_, _> = approvals
            .iter()
            .map(|(organization, one)| {
                let value = json!({ "approved": one.approved, "mismatches": one.mismatches });
                (organization.clone(), value)
            })
            .collect();
        json!({
            "channel": definition.channel,
            "version": definition.version,
            "sequence": definition.sequence,
            "outcome": outcome.word(),
            "approvals": approvals,
            "transactionId": committed.as_ref().map(|committed| &committed.transaction_id),
            "block": committed.as_ref().map(|committed| committed.block),
            "peers": self.peers.iter().map(OnPeer::json).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{args::Color, definition::Definition, deploy::Approval};

    fn pending() -> Deployed {
        let lacks = |mismatches: &[&str]| Approval {
            approved: false,
            mismatches: mismatches.iter().map(|one| (*one).to_owned()).collect(),
        };
        let definition = Definition {
            channel: "ch".into(),
            name: "cc".into(),
            version: "2.0".into(),
            sequence: 2,
            init_required: true,
            ..Default::default()
        };
        let approvals = [
            ("Org1MSP".to_owned(), Approval::from(true)),
            ("Org2MSP".to_owned(), lacks(&["ChaincodeParameters"])),
            ("Org3MSP".to_owned(), lacks(&["ValidationInfo"])),
        ];
        let defined = Defined { definition, outcome: Outcome::Pending, approvals: approvals.into(), committed: None };
        Deployed {
            name: "cc".into(),
            package_id: "cc:ab".into(),
            kind: "golang".into(),
            installed: vec!["Org1MSP".into()],
            channels: vec![OnChannel { defined, peers: Vec::new() }],
            took: Duration::ZERO,
        }
    }

    #[test]
    fn says_who_still_has_to_approve_and_what_they_type() {
        let deployed = pending();
        assert!(!deployed.is_done(false));
        assert!(deployed.is_done(true));
        insta::assert_snapshot!(deployed.lines(false, &Printer::new(Color::Never)).join("\n"), @r"
        pending    cc 2.0, sequence 2 on ch; it is not committed
          Org2MSP has approved nothing at this sequence
          Org3MSP has approved it with other endorsement policy or validation plugin
          hint: more than half of the 3 organizations have to approve; each installs a package and types
            peer lifecycle chaincode approveformyorg -C ch -n cc --version 2.0 --sequence 2 --package-id cc:ab --init-required
          hint: run this command again then, and it commits
        ");
    }

    #[test]
    fn a_peer_that_cannot_run_it_is_a_failure() {
        let mut deployed = pending();
        let channel = &mut deployed.channels[0];
        channel.defined.outcome = Outcome::New;
        let peer = |msp_id: &str, answer| OnPeer { msp_id: msp_id.into(), address: "p:1".into(), answer };
        channel.peers = vec![
            peer("Org1MSP", Answer::Other("x".into())),
            peer("Org2MSP", Answer::Fails("error in simulation: failed to execute transaction ab: no\nGo".into())),
        ];
        assert!(!deployed.is_done(false));
        insta::assert_snapshot!(deployed.lines(false, &Printer::new(Color::Never)).join("\n"), @r"
        failed     cc 2.0, sequence 2 on ch, deployed, but it does not run
          runs  Org1MSP at p:1
          fails Org2MSP at p:1: no
                Go
        ");
        assert_eq!(json(&[deployed])["chaincodes"][0]["channels"][0]["peers"][1]["runs"], false);
    }
}
