//! `windlass invoke` and `windlass query`: calls through the Gateway service of a peer.
//!
//! - [`result`]: what chaincode answered, for people and for programs
//! - [`failure`]: why a call failed, and what may have been meant

mod failure;
mod result;

use std::process::ExitCode;

use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tonic::Code;
use windlass_proto::envelope::Call;

use super::{channel, within};
use crate::{
    args::call::{CallArgs, InvokeArgs, QueryArgs},
    client::{
        Client,
        gateway::{CallError, Committed, Refusal},
    },
    network::Network,
    printer::Printer,
};
use failure::Failed;
use result::{Answer, Transaction};

/// From this status on a chaincode's answer is a refusal.
// Fabric: endorsement-and-gateway §2
const REFUSAL: i32 = 400;

/// Submits a transaction, and prints what came of it.
pub(super) async fn invoke(args: &InvokeArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let caller = Caller::connect(&args.call, args.init).await?;
    let Committed { response, transaction_id: id, block } = match caller.submit(args).await? {
        Ok(committed) => committed,
        Err(error) => return caller.fail(error, &args.call, printer).await,
    };
    if args.call.json {
        let transaction = Transaction { transaction_id: &id, block, code: "VALID" };
        Answer::new(&response, Some(transaction)).print(printer)?;
    } else {
        // First, since the answer may not end its line.
        let text = format!("block {block}  transaction {id}");
        printer.note(format_args!("{}  {}", printer.good("VALID"), printer.dim(text)));
        result::print(printer, &response.payload);
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
        Answer::new(&response, None).print(printer)?;
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

    /// Has the transaction endorsed and submits it. From then on it has an ID that whoever waits must be told.
    async fn submit(&self, args: &InvokeArgs) -> anyhow::Result<Result<Committed, CallError>> {
        let limit = args.call.timeout;
        let deadline = Instant::now() + limit;
        let endorsed = self.client.prepare(&self.call, &args.endorsing_organizations);
        let prepared = match within(limit, "the endorsement", endorsed).await? {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let transaction_id = prepared.transaction_id.clone();
        Ok(timeout_at(deadline, self.client.hand_in(prepared)).await.unwrap_or_else(|_| {
            let message = format!("no answer came within the {}s of --timeout", limit.as_secs_f32());
            let refusal = Refusal { code: Code::Unknown, message, details: Vec::new() };
            Err(CallError::Unknown { transaction_id, refusal })
        }))
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
