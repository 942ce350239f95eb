//! `metadata.json`.

use windlass_proto::ids::{IdError, Label};

use crate::package::json::Fields;

/// What `metadata.json` of a package says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The type (`golang`, `node`, `ccaas`, …), as it is written; builders compare without regard to case.
    pub kind: String,
    /// For Go: the import path of the main package. For others: informative.
    pub path: String,
    /// The label.
    pub label: Label,
}

/// [`Metadata`] before the label is checked.
pub(super) struct Unchecked {
    kind: String,
    path: String,
    label: String,
}

impl Metadata {
    /// Takes the JSON apart. The error is Go's.
    pub(super) fn fields(json: &[u8]) -> Result<Unchecked, String> {
        let fields = Fields::parse(json, "persistence", "ChaincodePackageMetadata")?;
        let text = |key| fields.text(key).map(Option::unwrap_or_default);
        Ok(Unchecked { kind: text("type")?, path: text("path")?, label: text("label")? })
    }

    /// `metadata.json` as Fabric's command line writes it.
    pub(super) fn to_json(&self) -> String {
        serde_json::json!({ "path": self.path, "type": self.kind, "label": self.label.as_str() }).to_string()
    }
}

impl Unchecked {
    pub(super) fn check(self) -> Result<Metadata, IdError> {
        Ok(Metadata { kind: self.kind, path: self.path, label: self.label.parse()? })
    }
}
