//! Chaincode as a service: the package says where it serves, and there is nothing to build.
//!
//! Like Fabric's `ccaas_builder`, but it keeps `domain`, takes a number for `dial_timeout`, and writes a default
//! that peers accept if there is none. The texts in `connection.json` are [`template`]s.

use std::{env, fs, path::Path};

use serde_json::{Map, Value};

use crate::{
    build::buildpacks::{folders, say, template},
    package::json::{self, Fields},
};

/// A JSON object for the templates in `connection.json`.
const CONFIG: &str = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG";
const CONNECTION: &str = "connection.json";

// Fabric: external-builders §11
pub(super) fn detect(metadata: &Path) -> Result<(), String> {
    say("::Detect");
    let kind = folders::metadata(metadata).map_err(marked)?.kind;
    if !kind.eq_ignore_ascii_case("ccaas") {
        return Err(marked(format!("chaincode type not supported: {kind}")));
    }
    say("::Type detected as ccaas");
    Ok(())
}

pub(super) fn build(source: &Path, metadata: &Path, output: &Path) -> Result<(), String> {
    say("::Build");
    let work = || {
        let kind = folders::metadata(metadata)?.kind;
        if !kind.eq_ignore_ascii_case("ccaas") {
            return Err(format!("chaincode type should be ccaas, it is {kind}"));
        }
        let path = source.join(CONNECTION);
        let text = fs::read(path).map_err(|error| format!("{CONNECTION} not found in source folder: {error}"))?;
        let data = match env::var(CONFIG) {
            Ok(config) if !config.is_empty() => json::object(config.as_bytes()),
            _ => Ok(Map::new()),
        };
        let data = Value::Object(data.map_err(|error| format!("Failed to unmarshal {error}"))?);
        let connection = fill(&text, &data)?;
        folders::copy_into(metadata, output)?;
        folders::keep_meta_inf(source, output)?;
        fs::write(output.join(CONNECTION), connection).map_err(|error| format!("cannot write {CONNECTION}: {error}"))
    };
    work().map_err(marked)?;
    say("::Build phase completed");
    Ok(())
}

pub(super) fn release(output: &Path, release: &Path) -> Result<(), String> {
    say("::Release");
    let work = || {
        folders::release_indexes(output, release)?;
        let folder = release.join("chaincode").join("server");
        fs::create_dir_all(&folder).map_err(|error| format!("cannot create '{}': {error}", folder.display()))?;
        fs::copy(output.join(CONNECTION), folder.join(CONNECTION))
            .map_err(|error| format!("{CONNECTION} not found in source folder: {error}"))?;
        Ok(())
    };
    work().map_err(marked)?;
    say("::Release phase completed");
    Ok(())
}

fn marked(error: String) -> String {
    format!("::Error: {error}")
}

/// Writes the connection anew: templates filled, and without TLS nothing of TLS.
fn fill(text: &[u8], data: &Value) -> Result<String, String> {
    let unmarshal = |error| format!("Failed to unmarshal {error}");
    let fields = Fields::parse(text, "main", "connection").map_err(unmarshal)?;
    let text = |key| fields.text(key).map(Option::unwrap_or_default).map_err(unmarshal);
    let filled = |key, field| text(key).and_then(|text| template::fill(&text, field, data));
    let flag = |key| fields.flag(key).map(Option::unwrap_or_default).map_err(unmarshal);
    let tls = flag("tls_required")?;
    let secret = |key, field| if tls { filled(key, field) } else { Ok(String::new()) };
    let dial_timeout = match fields.get("dial_timeout") {
        Some(number @ Value::Number(_)) => number.clone(),
        _ => match filled("dial_timeout", "DialTimeout")? {
            none if none.is_empty() => "3s".into(),
            text => text.into(),
        },
    };
    let mut connection = Map::new();
    connection.insert("address".into(), filled("address", "Address")?.into());
    let domain = filled("domain", "Domain")?;
    if !domain.is_empty() {
        connection.insert("domain".into(), domain.into());
    }
    connection.insert("dial_timeout".into(), dial_timeout);
    connection.insert("tls_required".into(), tls.into());
    connection.insert("client_auth_required".into(), (tls && flag("client_auth_required")?).into());
    connection.insert("root_cert".into(), secret("root_cert", "RootCert")?.into());
    connection.insert("client_key".into(), secret("client_key", "ClientKey")?.into());
    connection.insert("client_cert".into(), secret("client_cert", "ClientCert")?.into());
    keep_our_own(&fields, &mut connection, tls, data)?;
    Ok(Value::Object(connection).to_string())
}

/// What Fabric knows nothing of: more addresses, and files instead of PEM texts.
fn keep_our_own(fields: &Fields, connection: &mut Map<String, Value>, tls: bool, data: &Value) -> Result<(), String> {
    let unmarshal = |error| format!("Failed to unmarshal {error}");
    if let Some(Value::Array(addresses)) = fields.get("addresses") {
        let fill = |address: &Value| template::fill(address.as_str().unwrap_or_default(), "Addresses", data);
        let addresses = addresses.iter().map(fill).collect::<Result<Vec<_>, _>>()?;
        connection.insert("addresses".into(), addresses.into());
    }
    for (key, field) in [
        ("root_cert_file", "RootCertFile"),
        ("client_key_file", "ClientKeyFile"),
        ("client_cert_file", "ClientCertFile"),
    ] {
        let path = fields.text(key).map_err(unmarshal)?.unwrap_or_default();
        if tls && !path.is_empty() {
            connection.insert(key.into(), template::fill(&path, field, data)?.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_peers_accept() {
        let data = serde_json::json!({ "peername": "p0" });
        for (text, filled) in [
            (
                r#"{"address":"{{.peername}}_basic:9999","dial_timeout":"10s","tls_required":false,"root_cert":"R"}"#,
                r#"{"address":"p0_basic:9999","dial_timeout":"10s","tls_required":false,"client_auth_required":false,"root_cert":"","client_key":"","client_cert":""}"#,
            ),
            (
                r#"{"address":"a:1","domain":"d","dial_timeout":5,"tls_required":true,"client_auth_required":true,"root_cert":"R","client_key":"K","client_cert":"C"}"#,
                r#"{"address":"a:1","domain":"d","dial_timeout":5,"tls_required":true,"client_auth_required":true,"root_cert":"R","client_key":"K","client_cert":"C"}"#,
            ),
            (
                r#"{"address":"a:1","addresses":["{{.peername}}:1"],"tls_required":true,"root_cert_file":"/r/{{.peername}}"}"#,
                r#"{"address":"a:1","dial_timeout":"3s","tls_required":true,"client_auth_required":false,"root_cert":"","client_key":"","client_cert":"","addresses":["p0:1"],"root_cert_file":"/r/p0"}"#,
            ),
            (
                r#"{"address":"a:1","dial_timeout":null,"tls_required":"true","client_auth_required":"False","root_cert":"R"}"#,
                r#"{"address":"a:1","dial_timeout":"3s","tls_required":true,"client_auth_required":false,"root_cert":"R","client_key":"","client_cert":""}"#,
            ),
            (
                r#"{"address":"a:1"}"#,
                r#"{"address":"a:1","dial_timeout":"3s","tls_required":false,"client_auth_required":false,"root_cert":"","client_key":"","client_cert":""}"#,
            ),
        ] {
            assert_eq!(fill(text.as_bytes(), &data).as_deref(), Ok(filled));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, error) in [
            ("nonsense", "Failed to unmarshal invalid character 'o' in literal null (expecting 'u')"),
            (
                r#"{"address":"{{.x}}"}"#,
                "Failed to parse the Address field template: template: :1:2: executing \"\" at <.x>: map has no entry for \
                 key \"x\"",
            ),
        ] {
            assert_eq!(fill(text.as_bytes(), &serde_json::json!({})), Err(error.to_owned()));
        }
    }
}
