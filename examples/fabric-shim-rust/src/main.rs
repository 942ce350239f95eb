//! The asset ledger as a contract on the published crate `fabric-shim`.
//!
//! It only runs as a service: set `CHAINCODE_SERVER_ADDRESS` to the IP address and port to listen at, and
//! `CHAINCODE_ID` to the package ID.

use fabric_shim::{ChaincodeStub, DataType, Error, Server, contract};
use serde::{Deserialize, Serialize};

/// A thing somebody owns. The fields are in alphabetical order, so that every peer writes the same bytes.
#[derive(Clone, DataType, Serialize, Deserialize)]
struct Asset {
    #[serde(rename = "AppraisedValue")]
    appraised_value: i64,
    #[serde(rename = "Color")]
    color: String,
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Owner")]
    owner: String,
    #[serde(rename = "Size")]
    size: i64,
}

#[derive(Default)]
struct AssetContract;

#[contract(name = "AssetContract")]
impl AssetContract {
    /// Creates six assets.
    #[transaction]
    async fn init_ledger(&self, stub: &ChaincodeStub) -> Result<(), Error> {
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
            put(stub, &Asset { appraised_value, color, id, owner, size }).await?;
        }
        Ok(())
    }

    /// Adds an asset.
    #[transaction]
    async fn create_asset(
        &self,
        stub: &ChaincodeStub,
        id: String,
        color: String,
        size: i64,
        owner: String,
        appraised_value: i64,
    ) -> Result<(), Error> {
        if !stub.get_state(&id).await?.is_empty() {
            return Err(Error::InvalidArgument(format!("the asset {id} already exists")));
        }
        put_with_event(stub, "CreateAsset", &Asset { appraised_value, color, id, owner, size }).await
    }

    /// Returns an asset.
    #[transaction(evaluate)]
    async fn read_asset(&self, stub: &ChaincodeStub, id: String) -> Result<Asset, Error> {
        load(stub, &id).await
    }

    /// Replaces an asset.
    #[transaction]
    async fn update_asset(
        &self,
        stub: &ChaincodeStub,
        id: String,
        color: String,
        size: i64,
        owner: String,
        appraised_value: i64,
    ) -> Result<(), Error> {
        load(stub, &id).await?;
        put_with_event(stub, "UpdateAsset", &Asset { appraised_value, color, id, owner, size }).await
    }

    /// Removes an asset.
    #[transaction]
    async fn delete_asset(&self, stub: &ChaincodeStub, id: String) -> Result<(), Error> {
        load(stub, &id).await?;
        stub.del_state(&id).await
    }

    /// Gives an asset to a new owner and returns the old one.
    #[transaction]
    async fn transfer_asset(&self, stub: &ChaincodeStub, id: String, new_owner: String) -> Result<String, Error> {
        let mut asset = load(stub, &id).await?;
        let old_owner = std::mem::replace(&mut asset.owner, new_owner);
        put_with_event(stub, "TransferAsset", &asset).await?;
        Ok(old_owner)
    }

    /// Says whether there is such an asset.
    #[transaction(evaluate)]
    async fn asset_exists(&self, stub: &ChaincodeStub, id: String) -> Result<bool, Error> {
        Ok(!stub.get_state(&id).await?.is_empty())
    }

    /// Returns all assets by ID.
    #[transaction(evaluate)]
    async fn get_all_assets(&self, stub: &ChaincodeStub) -> Result<Vec<Asset>, Error> {
        let rows = stub.get_state_by_range("", "").await?.collect_remaining().await?;
        rows.into_iter().map(|row| parse(&row.value)).collect()
    }
}

async fn load(stub: &ChaincodeStub, id: &str) -> Result<Asset, Error> {
    let value = stub.get_state(id).await?;
    if value.is_empty() {
        return Err(Error::InvalidArgument(format!("the asset {id} does not exist")));
    }
    parse(&value)
}

async fn put(stub: &ChaincodeStub, asset: &Asset) -> Result<(), Error> {
    stub.put_state(&asset.id, json(asset)?).await
}

async fn put_with_event(stub: &ChaincodeStub, event: &str, asset: &Asset) -> Result<(), Error> {
    put(stub, asset).await?;
    stub.set_event(event, json(asset)?)
}

fn parse(value: &[u8]) -> Result<Asset, Error> {
    serde_json::from_slice(value).map_err(|error| Error::InvalidArgument(error.to_string()))
}

fn json(asset: &Asset) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(asset).map_err(|error| Error::InvalidArgument(error.to_string()))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    Server::from_env()?.start(AssetContract).await
}
