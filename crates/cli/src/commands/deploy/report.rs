//! What was done.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Map, Value, json};

use crate::{
    args::deploy::DeployArgs,
    deploy::{Defined, Outcome, answer::Answer},
    printer::{Printer, clean},
};

/// A chaincode, as a deployment leaves it.
#[derive(Clone, Debug)]
pub(super) struct Deployed {
    pub(super) name: String,
    /// What it was made of, as it was typed.
    pub(super) path: PathBuf,
    pub(super) package: Option<Packaged>,
    /// The organizations at whose peers the package was missing.
    pub(super) installed: Vec<String>,
    pub(super) channels: Vec<OnChannel>,
    pub(super) took: Duration,
    /// Why it went no further.
    pub(super) error: Option<String>,
}

/// A chaincode's package.
#[derive(Clone, Debug)]
pub(super) struct Packaged {
    pub(super) id: String,
    /// Its type.
    pub(super) kind: String,
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
    /// A chaincode of which nothing is done yet.
    pub(super) fn new(name: &str, path: &Path) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            package: None,
            installed: Vec::new(),
            channels: Vec::new(),
            took: Duration::ZERO,
            error: None,
        }
    }

    /// Whether everything was done that was asked for.
    pub(super) fn is_done(&self, args: &DeployArgs) -> bool {
        let serves = |peer: &OnPeer| match peer.answer {
            Answer::BeforeInit => !args.calls_init(),
            ref answer => answer.runs(),
        };
        let agreed = |outcome: Outcome| args.approve_only || outcome.is_committed();
        self.channels.iter().all(|channel| agreed(channel.defined.outcome) && channel.peers.iter().all(serves))
    }

    /// For people.
    pub(super) fn lines(&self, args: &DeployArgs, printer: &Printer) -> Vec<String> {
        let approve_only = args.approve_only;
        let mut lines = Vec::new();
        for channel in &self.channels {
            let Defined { definition, outcome, .. } = &channel.defined;
            let runs = channel.peers.iter().all(|peer| peer.answer.runs());
            let word = match outcome {
                Outcome::Pending | Outcome::Ready if approve_only => "approved",
                _ if !runs => "failed",
                other => other.word(),
            };
            let end = match outcome {
                Outcome::Pending | Outcome::Ready => "; it is not committed".to_owned(),
                _ if !runs => format!(", {}, but it does not run", outcome.word()),
                _ => format!(", in {:.1} s", self.took.as_secs_f32()),
            };
            let padded = format!("{word:<10}");
            let good = runs && (approve_only || outcome.is_committed());
            let word = if good { printer.good(padded) } else { printer.bad(padded) };
            let (name, version, sequence) = (printer.bold(&self.name), &definition.version, definition.sequence);
            lines.push(format!("{word} {name} {version}, sequence {sequence} on {}{end}", definition.channel));
            for peer in &channel.peers {
                let (word, rest) = peer.verdict();
                let padded = format!("{word:<5}");
                let word = if peer.answer.runs() { printer.good(padded) } else { printer.bad(padded) };
                let rest = clean(&rest);
                let mut rest = rest.lines();
                let first = rest.next().unwrap_or_default();
                lines.push(format!("  {word} {} at {}{first}", peer.msp_id, peer.address));
                lines.extend(rest.map(|line| format!("        {line}")));
            }
            if !outcome.is_committed() {
                lines.extend(self.who_has_to_approve(&channel.defined, args));
            }
        }
        lines
    }

    fn who_has_to_approve(&self, defined: &Defined, args: &DeployArgs) -> Vec<String> {
        let lacking = defined.approvals.iter().filter(|(_, approval)| !approval.approved);
        let mut lines: Vec<_> =
            lacking.map(|(organization, approval)| format!("  {organization} {}", clean(&approval.lacks()))).collect();
        if defined.outcome == Outcome::Ready {
            lines.push("  hint: enough have approved; this command without --approve-only commits it".to_owned());
            return lines;
        }
        let policy = "the channel's LifecycleEndorsement policy";
        lines.push(format!("  hint: {policy} wants more organizations to approve; each of them types"));
        lines.push(format!("    {}", self.approve_command(defined, args)));
        if !args.approve_only {
            lines.push("  hint: run this command again then, and it commits".to_owned());
        }
        lines
    }

    /// What an organization types to approve the same.
    fn approve_command(&self, defined: &Defined, args: &DeployArgs) -> String {
        let definition = &defined.definition;
        let path = self.path.display();
        let mut words = vec![
            "windlass".to_owned(),
            "deploy".to_owned(),
            format!("{}={path}", self.name),
            "-C".to_owned(),
            definition.channel.clone(),
            "--version".to_owned(),
            definition.version.clone(),
            "--sequence".to_owned(),
            definition.sequence.to_string(),
        ];
        let file = args.collections_config.as_ref().map(|path| path.display().to_string());
        for (flag, value) in [
            ("--label", args.label.as_ref().map(ToString::to_string)),
            ("--signature-policy", args.signature_policy.clone()),
            ("--channel-config-policy", args.channel_config_policy.clone()),
            ("--collections-config", file),
        ] {
            words.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        }
        words.extend(args.init_required.map(|required| {
            let value = if required { "" } else { "=false" };
            format!("--init-required{value}")
        }));
        words.push("--approve-only".to_owned());
        words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

/// A word for a shell, in quotes if it needs them.
fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "-_=./:,@+".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
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
            Answer::BeforeInit => ("runs", ": Init has to be called first, which --init-required does".to_owned()),
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
        let mut value = json!({
            "name": one.name,
            "packageId": one.package.as_ref().map(|package| &package.id),
            "type": one.package.as_ref().map(|package| &package.kind),
            "installed": one.installed,
            "channels": one.channels.iter().map(OnChannel::json).collect::<Vec<_>>(),
        });
        if let Some(error) = &one.error {
            value["error"] = error.as_str().into();
        }
        value
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
            package: Some(Packaged { id: "cc:ab".into(), kind: "golang".into() }),
            installed: vec!["Org1MSP".into()],
            channels: vec![OnChannel { defined, peers: Vec::new() }],
            ..Deployed::new("cc", Path::new("my code"))
        }
    }

    fn typed(flags: &[&str]) -> DeployArgs {
        use clap::Parser;
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            deploy: DeployArgs,
        }
        Line::try_parse_from([&["deploy", "cc=my code"], flags].concat()).expect("legal flags").deploy
    }

    fn lines(deployed: &Deployed, flags: &[&str]) -> String {
        deployed.lines(&typed(flags), &Printer::new(Color::Never)).join("\n")
    }

    #[test]
    fn says_who_still_has_to_approve_and_what_they_type() {
        let deployed = pending();
        let flags = ["--init-required", "--signature-policy", "AND('Org1MSP.peer', 'Org2MSP.peer')"];
        assert!(!deployed.is_done(&typed(&flags)));
        assert!(deployed.is_done(&typed(&["--approve-only"])));
        insta::assert_snapshot!(lines(&deployed, &flags), @r"
        pending    cc 2.0, sequence 2 on ch; it is not committed
          Org2MSP has approved nothing at this sequence
          Org3MSP has approved it with other endorsement policy or validation plugin
          hint: the channel's LifecycleEndorsement policy wants more organizations to approve; each of them types
            windlass deploy 'cc=my code' -C ch --version 2.0 --sequence 2 --signature-policy 'AND('\''Org1MSP.peer'\'', '\''Org2MSP.peer'\'')' --init-required --approve-only
          hint: run this command again then, and it commits
        ");
    }

    #[test]
    fn says_when_enough_have_approved() {
        let mut deployed = pending();
        deployed.channels[0].defined.outcome = Outcome::Ready;
        deployed.channels[0].defined.approvals.insert("Org2MSP".to_owned(), Approval::from(true));
        insta::assert_snapshot!(lines(&deployed, &["--approve-only"]), @r"
        approved   cc 2.0, sequence 2 on ch; it is not committed
          Org3MSP has approved it with other endorsement policy or validation plugin
          hint: enough have approved; this command without --approve-only commits it
        ");
    }

    #[test]
    fn chaincode_that_waits_for_init_is_a_failure_if_init_was_asked_for() {
        let mut deployed = pending();
        let channel = &mut deployed.channels[0];
        channel.defined.outcome = Outcome::Unchanged;
        channel.peers = vec![OnPeer { msp_id: "Org1MSP".into(), address: "p:1".into(), answer: Answer::BeforeInit }];
        assert!(!deployed.is_done(&typed(&["--init-required"])));
        assert!(deployed.is_done(&typed(&[])));
    }

    #[test]
    fn a_peer_that_cannot_run_it_is_a_failure() {
        let mut deployed = pending();
        let channel = &mut deployed.channels[0];
        channel.defined.outcome = Outcome::New;
        let peer = |msp_id: &str, answer| OnPeer { msp_id: msp_id.into(), address: "p:1".into(), answer };
        channel.peers = vec![
            peer("Org1MSP", Answer::Other("x".into())),
            peer(
                "Org2MSP",
                Answer::Fails("error in simulation: failed to execute transaction ab: no\n\u{9b}Go".into()),
            ),
        ];
        assert!(!deployed.is_done(&typed(&[])));
        insta::assert_snapshot!(lines(&deployed, &[]), @r"
        failed     cc 2.0, sequence 2 on ch, deployed, but it does not run
          runs  Org1MSP at p:1
          fails Org2MSP at p:1: no
                �Go
        ");
        assert_eq!(json(&[deployed])["chaincodes"][0]["channels"][0]["peers"][1]["runs"], false);
    }
}
