//! What the sample's ledger holds.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Error, Stub};

/// A thing somebody owns. In JSON the fields come in alphabetical order, so that every peer writes the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Asset {
    pub(super) appraised_value: i64,
    pub(super) color: String,
    #[serde(rename = "ID")]
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) size: i64,
}

impl Asset {
    /// The assets of a new ledger.
    pub(super) fn first_six() -> impl Iterator<Item = Self> {
        [
            ("blue", 5, "Amara", 300),
            ("red", 5, "Bjorn", 400),
            ("green", 10, "Chidi", 500),
            ("yellow", 10, "Dalia", 600),
            ("black", 15, "Emeka", 700),
            ("white", 15, "Freya", 800),
        ]
        .into_iter()
        .zip(1..)
        .map(|((color, size, owner, appraised_value), number)| Self {
            appraised_value,
            color: color.to_owned(),
            id: format!("asset{number}"),
            owner: owner.to_owned(),
            size,
        })
    }

    /// From the parameters id, color, size, owner, appraised value.
    pub(super) fn from_parameters(stub: &Stub) -> Result<Self, Error> {
        Ok(Self {
            id: stub.text(0)?.to_owned(),
            color: stub.text(1)?.to_owned(),
            size: number("size", stub.text(2)?)?,
            owner: stub.text(3)?.to_owned(),
            appraised_value: number("appraised value", stub.text(4)?)?,
        })
    }

    pub(super) fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    pub(super) fn to_json(&self) -> Result<Bytes, serde_json::Error> {
        serde_json::to_vec(self).map(Bytes::from)
    }
}

fn number(what: &str, text: &str) -> Result<i64, Error> {
    text.parse().map_err(|_| format!("{what} must be a whole number, found {text:?}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_fields_in_alphabetical_order() {
        let asset = Asset::first_six().next().expect("six assets");
        let json = asset.to_json().expect("JSON");
        assert_eq!(json, r#"{"AppraisedValue":300,"Color":"blue","ID":"asset1","Owner":"Amara","Size":5}"#);
        assert_eq!(Asset::from_json(&json).expect("an asset"), asset);
    }
}
