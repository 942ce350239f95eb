//! The files below `META-INF`: definitions of CouchDB indexes and nothing else.
// Fabric: lifecycle §7

use std::path::Path;

use serde_json::{Map, Value};

use crate::plumbing::golang::read_file;

/// Refuses a file that is no index, or not where indexes are. `name` is its path in the package.
pub(super) fn check(name: &str, path: &Path) -> Result<(), String> {
    let content = read_file(path)?;
    check_place(name)?;
    let file = name.rsplit('/').next().unwrap_or(name);
    let object: Map<String, Value> =
        serde_json::from_slice(&content).map_err(|_| format!("Index metadata file [{file}] is not a valid JSON"))?;
    check_definition(&object)
        .map_err(|error| format!("Index metadata file [{file}] is not a valid index definition: {error}"))
}

fn check_place(name: &str) -> Result<(), String> {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let parts: Vec<_> = folder.split('/').collect();
    if !folder.starts_with("META-INF/statedb") {
        return Err(format!("metadata file path must begin with META-INF/statedb, found: {folder}"));
    }
    match parts.as_slice() {
        [_, _] | [_, _, _] => Err(format!("metadata file path must include a database and index directory: {folder}")),
        [_, _, database, ..] if *database != "couchdb" => {
            Err(format!("database name [{database}] is not supported, valid options: [couchdb]"))
        }
        [_, _, _, "indexes", ..] => check_name(file),
        [_, _, _, "collections"] | [_, _, _, "collections", _] => {
            Err(format!("metadata file path for collections must include a collections and index directory: {folder}"))
        }
        [_, _, _, "collections", collection, "indexes", ..] => {
            let first = collection.starts_with(|first: char| first.is_ascii_alphanumeric());
            let rest = collection.chars().all(|next| next.is_ascii_alphanumeric() || next == '_' || next == '-');
            if first && rest { check_name(file) } else { Err(format!("collection name is not valid: {collection}")) }
        }
        [_, _, _, "collections", ..] => {
            Err(format!("metadata file path for collections must have a collections and indexes directory: {folder}"))
        }
        _ => Err(format!("metadata file path does not have an indexes directory: {folder}")),
    }
}

fn check_name(file: &str) -> Result<(), String> {
    if file.ends_with(".json") { Ok(()) } else { Err(format!("artifact file name is not valid: {file}")) }
}

fn check_definition(object: &Map<String, Value>) -> Result<(), String> {
    let mut has_fields = false;
    for (key, value) in object {
        match (key.as_str(), value) {
            ("index", Value::Object(index)) => {
                has_fields = index.contains_key("fields");
                check_fields(index)?;
            }
            ("index", _) => return Err("Invalid entry, \"index\" must be a JSON".to_owned()),
            ("ddoc" | "name", Value::String(_)) => {}
            ("ddoc" | "name", _) => return Err(format!("Invalid entry, \"{key}\" must be a string")),
            ("type", Value::String(kind)) if kind == "json" => {}
            ("type", _) => return Err("Index type must be json".to_owned()),
            _ => return Err(format!("Invalid Entry.  Entry {key}")),
        }
    }
    if has_fields { Ok(()) } else { Err("Index definition must include a \"fields\" definition".to_owned()) }
}

fn check_fields(index: &Map<String, Value>) -> Result<(), String> {
    for (key, value) in index {
        match (key.as_str(), value) {
            ("fields", Value::Array(fields)) => fields.iter().try_for_each(check_field)?,
            ("fields", _) => return Err("Expecting a JSON array of fields".to_owned()),
            ("partial_filter_selector", _) => {}
            _ => return Err(format!("Invalid Entry.  Entry {key}")),
        }
    }
    Ok(())
}

fn check_field(field: &Value) -> Result<(), String> {
    match field {
        Value::String(_) => Ok(()),
        Value::Object(sorted) => sorted.values().try_for_each(|direction| match direction.as_str() {
            Some(text) if text.eq_ignore_ascii_case("asc") || text.eq_ignore_ascii_case("desc") => Ok(()),
            Some(text) => Err(format!("Sort must be either \"asc\" or \"desc\".  \"{text}\" was found.")),
            None => Err("Invalid field definition, fields must be in the form \"fieldname\":\"sort\"".to_owned()),
        }),
        _ => Err("Invalid field definition, fields must be in the form \"fieldname\":\"sort\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_where_indexes_are() {
        for (name, error) in [
            ("META-INF/statedb/couchdb/indexes/a.json", None),
            ("META-INF/statedb/couchdb/collections/c/indexes/a.json", None),
            ("META-INF/x/a.json", Some("metadata file path must begin with META-INF/statedb, found: META-INF/x")),
            (
                "META-INF/statedb/a.json",
                Some("metadata file path must include a database and index directory: META-INF/statedb"),
            ),
            ("META-INF/statedb/x/indexes/a.json", Some("database name [x] is not supported, valid options: [couchdb]")),
            (
                "META-INF/statedb/couchdb/x/a.json",
                Some("metadata file path does not have an indexes directory: META-INF/statedb/couchdb/x"),
            ),
            ("META-INF/statedb/couchdb/collections/-/indexes/a.json", Some("collection name is not valid: -")),
            ("META-INF/statedb/couchdb/indexes/a.txt", Some("artifact file name is not valid: a.txt")),
        ] {
            assert_eq!(check_place(name).err().as_deref(), error, "{name}");
        }
    }

    #[test]
    fn knows_what_indexes_are() {
        for (text, error) in [
            (r#"{"index":{"fields":["a",{"b":"desc"}]},"ddoc":"d","name":"n","type":"json"}"#, None),
            (
                r#"{"index":{"fields":[{"b":"up"}]}}"#,
                Some("Sort must be either \"asc\" or \"desc\".  \"up\" was found."),
            ),
            (r#"{"index":[]}"#, Some("Invalid entry, \"index\" must be a JSON")),
            (r#"{"name":"n"}"#, Some("Index definition must include a \"fields\" definition")),
            (r#"{"x":1}"#, Some("Invalid Entry.  Entry x")),
        ] {
            let object = serde_json::from_str(text).expect("JSON");
            assert_eq!(check_definition(&object).err().as_deref(), error, "{text}");
        }
    }
}
