//! The bundled sample: an asset ledger.
//!
//! | function | parameters | result |
//! |---|---|---|
//! | `InitLedger` | | six assets, `asset1` to `asset6` |
//! | `CreateAsset` | id, color, size, owner, appraised value | the asset; fails if there is one |
//! | `ReadAsset` | id | the asset |
//! | `UpdateAsset` | id, color, size, owner, appraised value | the asset; fails if there is none |
//! | `DeleteAsset` | id | |
//! | `TransferAsset` | id, new owner | the old owner |
//! | `AssetExists` | id | `true` or `false` |
//! | `GetAllAssets` | | all assets, by id |
//! | `Put` | key, value | |
//! | `Get` | key | the value |
//! | `Noop` | any | |
//!
//! `CreateAsset`, `UpdateAsset`, `DeleteAsset` and `TransferAsset` set an event of their own name with the asset.

mod asset;

use crate::{Chaincode, Error, Outcome, Response, StartError, Stub, start_with};
use asset::Asset;

/// Runs the sample as chaincode: `args` are those after the command's own name. See [`start_with`].
///
/// # Errors
/// When settings are incomplete or the peer is lost.
pub async fn main(args: impl IntoIterator<Item = String>) -> Result<(), StartError> {
    start_with(args, AssetLedger).await
}

/// The sample chaincode.
#[derive(Clone, Copy, Debug, Default)]
pub struct AssetLedger;

impl Chaincode for AssetLedger {
    async fn init(&self, stub: &Stub) -> Outcome {
        // Init may come without any argument; then there is nothing to set up.
        if stub.args().is_empty() { Ok(Response::ok("")) } else { self.invoke(stub).await }
    }

    async fn invoke(&self, stub: &Stub) -> Outcome {
        let function = FUNCTIONS.iter().find(|(name, ..)| *name == stub.function());
        let Some((name, parameters, function)) = function else { return Err(unknown(stub.function())) };
        let found = stub.parameters().len();
        if let Some(expected) = parameters.filter(|expected| *expected != found) {
            return Err(format!("{name} takes {expected} parameters, found {found}").into());
        }
        match function {
            Function::InitLedger => init_ledger(stub).await,
            Function::CreateAsset => create_asset(stub).await,
            Function::ReadAsset => read_asset(stub).await,
            Function::UpdateAsset => update_asset(stub).await,
            Function::DeleteAsset => delete_asset(stub).await,
            Function::TransferAsset => transfer_asset(stub).await,
            Function::AssetExists => asset_exists(stub).await,
            Function::GetAllAssets => get_all_assets(stub).await,
            Function::Put => put(stub).await,
            Function::Get => get(stub).await,
            Function::Noop => Ok(Response::ok("")),
        }
    }
}

#[derive(Clone, Copy)]
enum Function {
    InitLedger,
    CreateAsset,
    ReadAsset,
    UpdateAsset,
    DeleteAsset,
    TransferAsset,
    AssetExists,
    GetAllAssets,
    Put,
    Get,
    Noop,
}

/// Name, number of parameters where it is fixed, function.
const FUNCTIONS: [(&str, Option<usize>, Function); 11] = [
    ("InitLedger", Some(0), Function::InitLedger),
    ("CreateAsset", Some(5), Function::CreateAsset),
    ("ReadAsset", Some(1), Function::ReadAsset),
    ("UpdateAsset", Some(5), Function::UpdateAsset),
    ("DeleteAsset", Some(1), Function::DeleteAsset),
    ("TransferAsset", Some(2), Function::TransferAsset),
    ("AssetExists", Some(1), Function::AssetExists),
    ("GetAllAssets", Some(0), Function::GetAllAssets),
    ("Put", Some(2), Function::Put),
    ("Get", Some(1), Function::Get),
    ("Noop", None, Function::Noop),
];

fn unknown(function: &str) -> Error {
    let names: Vec<_> = FUNCTIONS.iter().map(|(name, ..)| *name).collect();
    format!("no function {function:?}: this chaincode has {}", names.join(", ")).into()
}

async fn init_ledger(stub: &Stub) -> Outcome {
    for asset in Asset::first_six() {
        stub.put(&asset.id, asset.to_json()?).await?;
    }
    Ok(Response::ok(""))
}

async fn create_asset(stub: &Stub) -> Outcome {
    let asset = Asset::from_parameters(stub)?;
    if stub.get(&asset.id).await?.is_some() {
        return Err(format!("the asset {} already exists", asset.id).into());
    }
    store(stub, &asset).await
}

async fn read_asset(stub: &Stub) -> Outcome {
    Ok(Response::ok(load(stub, stub.text(0)?).await?.to_json()?))
}

async fn update_asset(stub: &Stub) -> Outcome {
    let asset = Asset::from_parameters(stub)?;
    load(stub, &asset.id).await?;
    store(stub, &asset).await
}

async fn delete_asset(stub: &Stub) -> Outcome {
    let asset = load(stub, stub.text(0)?).await?;
    stub.delete(&asset.id).await?;
    stub.set_event(stub.function(), asset.to_json()?)?;
    Ok(Response::ok(""))
}

async fn transfer_asset(stub: &Stub) -> Outcome {
    let mut asset = load(stub, stub.text(0)?).await?;
    let old = std::mem::replace(&mut asset.owner, stub.text(1)?.to_owned());
    store(stub, &asset).await?;
    Ok(Response::ok(old))
}

async fn asset_exists(stub: &Stub) -> Outcome {
    let exists = stub.get(stub.text(0)?).await?.is_some();
    Ok(Response::ok(exists.to_string()))
}

async fn get_all_assets(stub: &Stub) -> Outcome {
    let mut assets = Vec::new();
    let mut rows = stub.range("", "").await?;
    while let Some(row) = rows.next().await? {
        // What Put wrote is no asset.
        assets.extend(Asset::from_json(&row.value).ok());
    }
    Ok(Response::ok(serde_json::to_vec(&assets)?))
}

async fn put(stub: &Stub) -> Outcome {
    stub.put(stub.text(0)?, stub.parameter(1)?.clone()).await?;
    Ok(Response::ok(""))
}

async fn get(stub: &Stub) -> Outcome {
    let key = stub.text(0)?;
    let value = stub.get(key).await?.ok_or_else(|| format!("the key {key} does not exist"))?;
    Ok(Response::ok(value))
}

async fn load(stub: &Stub, id: &str) -> Result<Asset, Error> {
    let value = stub.get(id).await?.ok_or_else(|| format!("the asset {id} does not exist"))?;
    Asset::from_json(&value).map_err(|error| format!("the value of {id} is no asset: {error}").into())
}

async fn store(stub: &Stub, asset: &Asset) -> Outcome {
    let json = asset.to_json()?;
    stub.put(&asset.id, json.clone()).await?;
    stub.set_event(stub.function(), json.clone())?;
    Ok(Response::ok(json))
}
