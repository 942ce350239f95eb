//! One function for each thing that the stub can do, as examples/go-shim has them. Results are JSON unless a function
//! says otherwise; every error of the stub becomes the response's message, word for word.
//!
//! The peer launches it, or, with `CHAINCODE_SERVER_ADDRESS` set, it listens for the peer.

mod query;
mod state;
mod transaction;

use serde_json::{Value, json};
use windlass_shim::{Chaincode, Error, Outcome, Response, StartError, Stub};

struct StubTour;

impl Chaincode for StubTour {
    /// Remembers its arguments under the key "init". With the argument "fail" it fails.
    async fn init(&self, stub: &Stub) -> Outcome {
        let args: Vec<_> = stub.args().iter().map(|arg| String::from_utf8_lossy(arg)).collect();
        if args.last().is_some_and(|last| last == "fail") {
            return Err("init was told to fail".into());
        }
        let value = serde_json::to_vec(&args)?;
        stub.put("init", value.clone()).await?;
        Ok(Response::ok(value))
    }

    /// Calls the function that the first argument names.
    async fn invoke(&self, stub: &Stub) -> Outcome {
        let parameters = (0..stub.parameters().len()).map(|index| stub.text(index)).collect::<Result<Vec<_>, _>>()?;
        let p = parameters.as_slice();
        match stub.function() {
            "Noop" => Ok(Response::ok("")),
            "Put" => state::put(stub, p).await,
            "Get" => state::get(stub, p).await,
            "Delete" => state::delete(stub, p).await,
            "ReadAfterWrite" => state::read_after_write(stub, p).await,
            "GetMultiple" => state::get_multiple(stub, p).await,
            "PutMany" => state::put_many(stub, p).await,
            "PutBatch" => state::put_batch(stub, p).await,
            "MixedBatch" => state::mixed_batch(stub, p).await,
            "PutBig" => state::put_big(stub, p).await,
            "BigAnswer" => Ok(Response::ok(state::big(p)?)),
            "SetKeyPolicy" => state::set_key_policy(stub, p).await,
            "GetKeyPolicy" => state::get_key_policy(stub, p).await,
            "PutWithMetadata" => state::put_with_metadata(stub, p).await,
            "Range" => query::range(stub, p).await,
            "RangeCount" => query::range_count(stub, p).await,
            "RangeFirst" => query::range_first(stub, p).await,
            "RangeLeftOpen" => query::range_left_open(stub, p).await,
            "RangePage" => query::range_page(stub, p).await,
            "PageThenPut" => query::page_then_put(stub, p).await,
            "PutComposite" => query::put_composite(stub, p).await,
            "CompositeRange" => query::composite_range(stub, p).await,
            "CompositePage" => query::composite_page(stub, p).await,
            "SplitComposite" => query::split_composite(p),
            "History" => query::history(stub, p).await,
            "Query" => query::query(stub, p).await,
            "Describe" => transaction::describe(stub, p),
            "Transient" => transaction::transient(stub),
            "EventThenErr" => transaction::event_then_error(stub, p),
            "PutWithEvent" => transaction::put_with_event(stub, p).await,
            "Call" => transaction::call(stub, p).await,
            "PutThenCall" => transaction::put_then_call(stub, p).await,
            "Fail" => Err(parameter(p, 0)?.into()),
            "Status" => transaction::status(p),
            "Panic" => panic!("told to panic"),
            "Sleep" => transaction::sleep(p).await,
            other => Err(format!("no function {other:?}").into()),
        }
    }
}

fn parameter<'a>(parameters: &[&'a str], index: usize) -> Result<&'a str, Error> {
    parameters.get(index).copied().ok_or(Error::MissingParameter { index })
}

fn number(parameters: &[&str], index: usize) -> Result<usize, Error> {
    let text = parameter(parameters, index)?;
    text.parse().map_err(|_| Error::new(format!("{text} is no number")))
}

fn answer(value: &Value) -> Outcome {
    Ok(Response::ok(serde_json::to_vec(value)?))
}

fn text(bytes: Option<&bytes::Bytes>) -> Value {
    bytes.map_or(Value::Null, |bytes| json!(String::from_utf8_lossy(bytes)))
}

#[tokio::main]
async fn main() -> Result<(), StartError> {
    windlass_shim::start(StubTour).await
}
