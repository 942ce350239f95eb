//! `windlass dev`.

use std::{path::PathBuf, str::FromStr};

use clap::Args;

/// Beyond this the usual ports run out.
const MOST_ORGANIZATIONS: i64 = 50;

/// Start a whole Fabric network for your chaincode: one organization or several, a peer for each, one orderer, TLS on,
/// all in this process. Nothing else is needed for the bundled sample; Go or Node must be installed for chaincode in Go or Node.
#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Chaincode to deploy: a folder of source, an executable, or a package (.tar.gz), with a name before it if it is
    /// not to be the folder's. Without any, the bundled sample is deployed as `basic`.
    #[arg(value_name = "[NAME=]PATH")]
    pub(crate) chaincode: Vec<NamedPath>,

    /// Define a chaincode of this name and leave it to you to start it, from a shell or in a debugger, as often as you
    /// like: the newest process gets the transactions. The chaincode port is without TLS then.
    #[arg(long, value_name = "NAME")]
    pub(crate) chaincode_dev: Vec<ChaincodeName>,

    /// Keep everything in this folder, and go on from what is there.
    #[arg(long, value_name = "DIR", default_value = ".windlass")]
    pub(crate) data: PathBuf,

    /// Delete what an earlier run kept, and start over.
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Keep nothing: use a temporary folder.
    #[arg(long, conflicts_with_all = ["data", "fresh"])]
    pub(crate) ephemeral: bool,

    /// How many organizations: Org1MSP, Org2MSP, …, each with a peer, identities and chaincode instances of its own.
    /// [default: as many as the network has that is kept, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=MOST_ORGANIZATIONS))]
    pub(crate) orgs: Option<u8>,

    /// The channel to create.
    #[arg(long, value_name = "NAME", default_value = "mychannel")]
    pub(crate) channel: String,

    /// The channels to create, all organizations in each, and all chaincode on each.
    #[arg(long, value_name = "A,B", value_delimiter = ',', conflicts_with = "channel")]
    pub(crate) channels: Vec<String>,

    /// Use the ports from N on: orderer, then peer, chaincode and operations of each organization.
    /// [default: 7050, 7051, 7052, 9443; for further organizations 8051, 8052, 9444 and so on]
    #[arg(long, value_name = "N")]
    pub(crate) port_base: Option<u16>,

    /// Write a JSON description of the network to this file once it is ready.
    #[arg(long, value_name = "PATH")]
    pub(crate) ready_file: Option<PathBuf>,

    /// Define the chaincode so that Init must be called first, and call it.
    #[arg(long)]
    pub(crate) init_required: bool,

    /// The arguments for Init, as JSON: ["Init","a"] or {"Args":["Init","a"]}.
    #[arg(long, value_name = "JSON", requires = "init_required")]
    pub(crate) init_args: Option<InitArguments>,

    /// The endorsement policy, such as "OR('Org1MSP.peer')". [default: the channel's, a majority of organizations]
    #[arg(long, value_name = "POLICY")]
    pub(crate) signature_policy: Option<String>,

    /// Read a core.yaml; its chaincode section may name external builders and timeouts.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Show the peer's log on stderr, at this level or by a Fabric logging spec such as info:gossip=debug.
    #[arg(long, value_name = "SPEC", env = "FABRIC_LOGGING_SPEC", default_value = "error")]
    pub(crate) log: String,
}

impl DevArgs {
    /// The channels to create, each once.
    pub(crate) fn channels(&self) -> Vec<String> {
        let mut channels: Vec<String> = Vec::new();
        let named = if self.channels.is_empty() { std::slice::from_ref(&self.channel) } else { &self.channels };
        for channel in named {
            if !channels.contains(channel) {
                channels.push(channel.clone());
            }
        }
        channels
    }
}

/// `[NAME=]PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedPath {
    pub(crate) name: Option<String>,
    pub(crate) path: PathBuf,
}

impl FromStr for NamedPath {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('=') {
            // A path may hold an equals sign behind its first separator.
            Some((name, path)) if !name.is_empty() && !name.contains('/') => {
                Self { name: Some(name.to_owned()), path: path.into() }
            }
            _ => Self { name: None, path: text.into() },
        })
    }
}

/// The name of a chaincode on its channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChaincodeName(pub(crate) String);

impl FromStr for ChaincodeName {
    type Err = &'static str;

    // Fabric: lifecycle §4
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split(['-', '_']);
        let legal = |part: &str| !part.is_empty() && part.chars().all(|character| character.is_ascii_alphanumeric());
        if parts.into_iter().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected letters and digits, with single '-' or '_' between them")
        }
    }
}

/// Arguments given as JSON, in either of the forms that Fabric users know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InitArguments(pub(crate) Vec<String>);

impl FromStr for InitArguments {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Form {
            List(Vec<String>),
            // Before the form without a function, which would accept this one too.
            Function {
                #[serde(alias = "function")]
                #[serde(rename = "Function")]
                function: String,
                #[serde(alias = "args")]
                #[serde(rename = "Args", default)]
                args: Vec<String>,
            },
            Args {
                #[serde(alias = "args")]
                #[serde(rename = "Args")]
                args: Vec<String>,
            },
        }
        match serde_json::from_str(text) {
            Ok(Form::Function { function, mut args }) => {
                args.insert(0, function);
                Ok(Self(args))
            }
            Ok(Form::List(args) | Form::Args { args }) => Ok(Self(args)),
            Err(_) => Err(r#"expected ["Init","a"] or {"Args":["Init","a"]}"#.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<DevArgs, clap::Error> {
        use clap::Parser;
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            dev: DevArgs,
        }
        Line::try_parse_from([&["dev"], line].concat()).map(|line| line.dev)
    }

    #[test]
    fn takes_one_channel_or_several() {
        for (line, channels) in
            [(&[][..], &["mychannel"][..]), (&["--channel", "a"], &["a"]), (&["--channels", "a,b,a"], &["a", "b"])]
        {
            assert_eq!(parse(line).expect("legal").channels(), channels, "{line:?}");
        }
        assert!(parse(&["--channel", "a", "--channels", "b"]).is_err());
    }

    #[test]
    fn takes_a_sensible_number_of_organizations() {
        assert_eq!(parse(&["--orgs", "3"]).expect("legal").orgs, Some(3));
        for number in ["0", "51", "many"] {
            assert!(parse(&["--orgs", number]).is_err(), "{number}");
        }
    }

    #[test]
    fn takes_names_of_chaincode_that_is_started_by_hand() {
        let names = parse(&["--chaincode-dev", "basic", "--chaincode-dev=my_cc-2"]).expect("legal").chaincode_dev;
        assert_eq!(names, ["basic", "my_cc-2"].map(|name| ChaincodeName(name.into())));
        for name in ["", "a--b", "-a", "a:1.0", "./basic"] {
            assert!(parse(&["--chaincode-dev", name]).is_err(), "{name}");
        }
    }

    #[test]
    fn takes_a_name_before_the_path() {
        let named: NamedPath = "basic=../cc".parse().expect("never fails");
        assert_eq!(named, NamedPath { name: Some("basic".into()), path: "../cc".into() });
        for bare in ["../cc", "./a=b/cc", "=x"] {
            assert_eq!(bare.parse(), Ok(NamedPath { name: None, path: bare.into() }));
        }
    }

    #[test]
    fn reads_arguments_in_the_forms_that_fabric_users_know() {
        for text in [r#"["Init","a"]"#, r#"{"Args":["Init","a"]}"#, r#"{"Function":"Init","Args":["a"]}"#] {
            assert_eq!(text.parse(), Ok(InitArguments(vec!["Init".into(), "a".into()])), "{text}");
        }
        assert!("Init".parse::<InitArguments>().is_err());
    }
}
