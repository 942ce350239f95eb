//! `windlass invoke` and `windlass query`: calls through the Gateway service of a peer.
//!
//! - [`result`]: what chaincode answered, for people and for programs
//! - [`failure`]: why a call failed, and what may have been meant

mod failure;
mod result;

use std::process::ExitCode;

use serde_json::{Value, json};
use windlass_proto::envelope::Call;

use super::{channel, within};
use crate::{
    args::call::{CallArgs, InvokeArgs, QueryArgs},
    client::{Client, gateway::CallError},
    network::Network,
    printer::Printer,
};
use failure::Failed;

/// From this status on a chaincode's answer is a refusal.
// Fabric: endorsement-and-gateway §2
const REFUSAL: i32 = 400;

/// What may take too long, and what to think then.
const SUBMITTING: &str = "the transaction, which may still be committed,";

/// Submits a transaction, and prints what came of it.
pub(super) async fn invoke(args: &InvokeArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let caller = Caller::connect(&args.call, args.init).await?;
    let submitted = caller.client.submit_by(&caller.call, &args.endorsing_organizations);
    let committed = match within(args.call.timeout, SUBMITTING, submitted).await? {
        Ok(committed) => committed,
        Err(error) => return caller.fail(error, &args.call, printer).await,
    };
    let (response, block, id) = (&committed.response, committed.block, &committed.transaction_id);
    if args.call.json {
        let mut answer = json!({ "transactionId": id, "block": block, "code": "VALID" });
        result::add_to(&mut answer, response);
        printer.line(serde_json::to_string_pretty(&answer)?);
    } else {
        result::print(printer, &response.payload);
        let text = format!("block {block}  transaction {id}");
        printer.note(format_args!("{}  {}", printer.good("VALID"), printer.dim(text)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Evaluates, and prints the answer.
pub(super) async fn query(args: &QueryArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let caller = Caller::connect(&args.call, false).await?;
    let evaluated = caller.client.evaluate(&caller.call, &args.target_organizations);
    let response = match within(args.call.timeout, "the query", evaluated).await? {
        Ok(response) => response,
        Err(error) => return caller.fail(error, &args.call, printer).await,
    };
    if response.status >= REFUSAL {
        let refused = Failed::by_chaincode(&caller.call, &response.message);
        return refused.print(&args.call, printer);
    }
    if args.call.json {
        let mut answer = json!({});
        result::add_to(&mut answer, &response);
        printer.line(serde_json::to_string_pretty(&answer)?);
    } else {
        result::print(printer, &response.payload);
    }
    Ok(ExitCode::SUCCESS)
}

/// Somebody who calls.
struct Caller {
    client: Client,
    call: Call,
}

impl Caller {
    async fn connect(args: &CallArgs, is_init: bool) -> anyhow::Result<Self> {
        let network = Network::find(&args.network)?;
        let client = network.organization(args.org.as_deref())?.connect(args.identity.as_deref()).await?;
        let channel = channel::only(&client, args.channel.as_deref()).await?;
        let call =
            Call { channel, chaincode: args.name.clone(), args: args.words(), transient: args.transient(), is_init };
        Ok(Self { client, call })
    }

    async fn fail(&self, error: CallError, args: &CallArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
        Failed::explain(&self.client, &self.call, error).await.print(args, printer)
    }
}

impl Failed {
    fn print(&self, args: &CallArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
        if args.json {
            printer.line(serde_json::to_string_pretty::<Value>(&self.json())?);
        }
        printer.failure(&self.what, self.details(), self.hint.as_deref());
        Ok(ExitCode::FAILURE)
    }
}
