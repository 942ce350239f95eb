//! The asset ledger on `windlass-shim`.
//!
//! The peer launches it, or, with `CHAINCODE_SERVER_ADDRESS` set, it listens for the peer.

use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass_shim::{Chaincode, Error, Outcome, Response, StartError, Stub};

/// A thing somebody owns. The fields are in alphabetical order, so that every peer writes the same bytes.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Asset {
    appraised_value: i64,
    color: String,
    #[serde(rename = "ID")]
    id: String,
    owner: String,
    size: i64,
}

struct AssetLedger;

impl Chaincode for AssetLedger {
    async fn invoke(&self, stub: &Stub) -> Outcome {
        match stub.function() {
            "InitLedger" => init_ledger(stub).await,
            "CreateAsset" => create_asset(stub).await,
            "ReadAsset" => Ok(Response::ok(serde_json::to_vec(&load(stub, stub.text(0)?).await?)?)),
            "UpdateAsset" => update_asset(stub).await,
            "DeleteAsset" => delete_asset(stub).await,
            "TransferAsset" => transfer_asset(stub).await,
            "AssetExists" => Ok(Response::ok(stub.get(stub.text(0)?).await?.is_some().to_string())),
            "GetAllAssets" => get_all_assets(stub).await,
            "GetAssetPage" => get_asset_page(stub).await,
            "GetAssetHistory" => get_asset_history(stub).await,
            other => Err(format!("no function {other:?}").into()),
        }
    }
}

/// Creates six assets.
async fn init_ledger(stub: &Stub) -> Outcome {
    let assets = [
        ("blue", 5, "Amara", 300),
        ("red", 5, "Bjorn", 400),
        ("green", 10, "Chidi", 500),
        ("yellow", 10, "Dalia", 600),
        ("black", 15, "Emeka", 700),
        ("white", 15, "Freya", 800),
    ];
    for ((color, size, owner, appraised_value), number) in assets.into_iter().zip(1..) {
        let (color, id, owner) = (color.to_owned(), format!("asset{number}"), owner.to_owned());
        let asset = Asset { appraised_value, color, id, owner, size };
        stub.put(&asset.id, serde_json::to_vec(&asset)?).await?;
    }
    Ok(Response::ok(""))
}

/// Adds an asset.
async fn create_asset(stub: &Stub) -> Outcome {
    let asset = Asset::from_parameters(stub)?;
    if stub.get(&asset.id).await?.is_some() {
        return Err(format!("the asset {} already exists", asset.id).into());
    }
    put_with_event(stub, &asset).await
}

/// Replaces an asset.
async fn update_asset(stub: &Stub) -> Outcome {
    let asset = Asset::from_parameters(stub)?;
    load(stub, &asset.id).await?;
    put_with_event(stub, &asset).await
}

/// Removes an asset.
async fn delete_asset(stub: &Stub) -> Outcome {
    let asset = load(stub, stub.text(0)?).await?;
    stub.delete(&asset.id).await?;
    Ok(Response::ok(""))
}

/// Gives an asset to a new owner and returns the old one.
async fn transfer_asset(stub: &Stub) -> Outcome {
    let mut asset = load(stub, stub.text(0)?).await?;
    let old_owner = std::mem::replace(&mut asset.owner, stub.text(1)?.to_owned());
    put_with_event(stub, &asset).await?;
    Ok(Response::ok(old_owner))
}

/// Returns all assets by ID.
async fn get_all_assets(stub: &Stub) -> Outcome {
    let mut assets = Vec::new();
    let mut rows = stub.range("", "").await?;
    while let Some(row) = rows.next().await? {
        assets.push(parse(&row.value)?);
    }
    Ok(Response::ok(serde_json::to_vec(&assets)?))
}

/// Returns at most so many assets from a bookmark on, which is empty for the first page.
async fn get_asset_page(stub: &Stub) -> Outcome {
    let page = stub.range_page("", "", number(stub, 0)?, stub.text(1)?).await?;
    let assets = page.rows.iter().map(|row| parse(&row.value)).collect::<Result<Vec<_>, _>>()?;
    Ok(Response::ok(serde_json::to_vec(&json!({ "Assets": assets, "Bookmark": page.bookmark }))?))
}

/// Returns what became of an asset, newest first.
async fn get_asset_history(stub: &Stub) -> Outcome {
    let mut versions = Vec::new();
    let mut rows = stub.history(stub.text(0)?).await?;
    while let Some(row) = rows.next().await? {
        let asset = if row.is_delete { None } else { Some(parse(&row.value)?) };
        let seconds = row.timestamp.map(|time| time.seconds);
        versions.push(json!({ "Asset": asset, "Deleted": row.is_delete, "Timestamp": seconds, "TxID": row.tx_id }));
    }
    Ok(Response::ok(serde_json::to_vec(&versions)?))
}

impl Asset {
    fn from_parameters(stub: &Stub) -> Result<Self, Error> {
        Ok(Self {
            id: stub.text(0)?.to_owned(),
            color: stub.text(1)?.to_owned(),
            size: number(stub, 2)?,
            owner: stub.text(3)?.to_owned(),
            appraised_value: number(stub, 4)?,
        })
    }
}

fn number<N: std::str::FromStr>(stub: &Stub, index: usize) -> Result<N, Error> {
    let text = stub.text(index)?;
    text.parse().map_err(|_| Error::new(format!("parameter {index} is no number: {text}")))
}

async fn load(stub: &Stub, id: &str) -> Result<Asset, Error> {
    let value = stub.get(id).await?.ok_or_else(|| format!("the asset {id} does not exist"))?;
    parse(&value)
}

async fn put_with_event(stub: &Stub, asset: &Asset) -> Outcome {
    let value = serde_json::to_vec(asset)?;
    stub.put(&asset.id, value.clone()).await?;
    stub.set_event(stub.function(), value.clone())?;
    Ok(Response::ok(value))
}

fn parse(value: &[u8]) -> Result<Asset, Error> {
    Ok(serde_json::from_slice(value)?)
}

#[tokio::main]
async fn main() -> Result<(), StartError> {
    windlass_shim::start(AssetLedger).await
}
