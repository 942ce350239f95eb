//! `windlass invoke` and `windlass query`.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use clap::Args;
use serde_json::value::RawValue;
use windlass_proto::Bytes;

use super::network::NetworkArgs;

/// Submit a transaction through the Gateway service of a peer: it is endorsed, ordered, and waited for. The chaincode's
/// answer goes to stdout; block and transaction ID to stderr.
#[derive(Debug, Args)]
pub(crate) struct InvokeArgs {
    #[command(flatten)]
    pub(crate) call: CallArgs,

    /// Let these organizations endorse, by their MSP IDs. [default: those that the policies ask for]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) endorsing_organizations: Vec<String>,

    /// Call Init, as chaincode wants that is defined with --init-required.
    #[arg(long)]
    pub(crate) init: bool,
}

/// Call chaincode without changing anything: one peer runs it, and its answer goes to stdout.
#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    pub(crate) call: CallArgs,

    /// Let a peer of one of these organizations answer, by their MSP IDs. [default: any that has the chaincode]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) target_organizations: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// The chaincode's name on the channel.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The function, such as CreateAsset, or Contract:CreateAsset where there are several contracts.
    #[arg(value_name = "FUNCTION")]
    pub(crate) function: String,

    /// Its arguments, each as it is. Put -- before any that begins with a dash.
    #[arg(value_name = "ARG", allow_negative_numbers = true, conflicts_with = "args_json")]
    pub(crate) args: Vec<String>,

    /// The arguments as a JSON list; whatever in it is not a text is passed on as it is written.
    #[arg(long, value_name = "JSON")]
    pub(crate) args_json: Option<JsonArguments>,

    /// The channel. [default: the only one that the peer is on]
    #[arg(long, short = 'C', value_name = "NAME", env = "CHANNEL_NAME")]
    pub(crate) channel: Option<String>,

    /// As whom: an organization, such as Org1MSP. [default: that of CORE_PEER_LOCALMSPID, else the first]
    #[arg(long, value_name = "MSPID")]
    pub(crate) org: Option<String>,

    /// As whom: a user of the organization, such as User1, or the folder of an MSP. [default: Admin]
    #[arg(long, value_name = "USER|DIR")]
    pub(crate) identity: Option<String>,

    /// Data that the chaincode sees and the ledger does not: a text, or @FILE for what a file holds. May be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) transient: Vec<Transient>,

    /// How long it may take.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) timeout: Duration,

    /// Print everything as JSON.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) network: NetworkArgs,
}

impl CallArgs {
    /// The function and its arguments.
    pub(crate) fn words(&self) -> Vec<Bytes> {
        let args = self.args_json.as_ref().map_or(self.args.as_slice(), |args| args.0.as_slice());
        std::iter::once(&self.function).chain(args).map(|arg| Bytes::copy_from_slice(arg.as_bytes())).collect()
    }

    pub(crate) fn transient(&self) -> BTreeMap<String, Bytes> {
        self.transient.iter().map(|one| (one.key.clone(), one.value.clone())).collect()
    }
}

/// A duration in Go's form, as everywhere in Fabric.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    windlass_proto::duration::parse(text).map_err(|_| "expected a duration such as 30s or 5m".to_owned())
}

/// Arguments as a JSON list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonArguments(Vec<String>);

impl FromStr for JsonArguments {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |error| format!(r#"expected a JSON list such as ["asset1",5,{{"color":"blue"}}]: {error}"#);
        // Raw, because numbers are signed as they are written: 1.10, and more digits than any number here has.
        let items: Vec<Box<RawValue>> = serde_json::from_str(text).map_err(wrong)?;
        let text = |item: Box<RawValue>| match item.get() {
            text if text.starts_with('"') => serde_json::from_str(text).map_err(wrong),
            other => Ok(other.to_owned()),
        };
        items.into_iter().map(text).collect::<Result<_, _>>().map(Self)
    }
}

/// One entry of the transient data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transient {
    key: String,
    value: Bytes,
}

impl FromStr for Transient {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE or KEY=@FILE")?;
        let value = match value.strip_prefix('@') {
            Some(path) => std::fs::read(path).map_err(|error| format!("cannot read {path}: {error}"))?.into(),
            None => Bytes::copy_from_slice(value.as_bytes()),
        };
        Ok(Self { key: key.to_owned(), value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        invoke: InvokeArgs,
    }

    fn parse(line: &[&str]) -> Result<InvokeArgs, clap::Error> {
        Line::try_parse_from([&["invoke"], line].concat()).map(|line| line.invoke)
    }

    #[test]
    fn takes_arguments_as_they_are() {
        let args = parse(&["basic", "Move", "-5", "a b", "--json", "--", "--not-a-flag"]).expect("legal");
        assert_eq!(args.call.words(), ["Move", "-5", "a b", "--not-a-flag"]);
        assert!(args.call.json);
    }

    #[test]
    fn takes_arguments_as_json_and_passes_on_what_is_no_text_as_it_is_written() {
        let json = r#"["a b",5,true,{"color":"blue"},["x"]]"#;
        let args = parse(&["basic", "Create", "--args-json", json]).expect("legal");
        assert_eq!(args.call.words(), ["Create", "a b", "5", "true", r#"{"color":"blue"}"#, r#"["x"]"#]);
        let json = r#"[ 100000000000000000000, 1.10, {"n": 1e2}, "\u00e9\n" ]"#;
        let args = parse(&["basic", "Pay", "--args-json", json]).expect("legal");
        assert_eq!(args.call.words(), ["Pay", "100000000000000000000", "1.10", r#"{"n": 1e2}"#, "é\n"]);
        let error = parse(&["basic", "Create", "--args-json", "{}"]).expect_err("no list").to_string();
        assert!(error.contains("expected a JSON list such as"), "{error}");
        assert!(parse(&["basic", "Create", "x", "--args-json", "[]"]).is_err(), "both at once");
    }

    #[test]
    fn takes_transient_data_as_text_and_from_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        std::fs::write(&file, [0, 255]).expect("a file");
        let from_file = format!("b=@{}", file.display());
        let args = parse(&["basic", "Create", "--transient", "a=x=y", "--transient", &from_file])
            .expect("legal")
            .call
            .transient();
        assert_eq!((&args["a"][..], &args["b"][..]), (&b"x=y"[..], &[0, 255][..]));
        assert!(parse(&["basic", "Create", "--transient", "a"]).is_err());
        assert!(parse(&["basic", "Create", "--transient", "a=@/nonexistent"]).is_err());
    }
}
