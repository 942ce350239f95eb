//! Texts with `{{.name}}` in them, as Fabric's ccaas builder fills them.

use serde_json::Value;

/// Fills a text from a JSON object. Only fields are known (`{{.a}}`, `{{ .a.b }}`), which is what is used; a field
/// that is not there is an error.
// Fabric: external-builders §11
pub(super) fn fill(text: &str, field: &str, data: &Value) -> Result<String, String> {
    let failed = |cause: String| format!("Failed to parse the {field} field template: template: {field}:1: {cause}");
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let (action, after) = after.split_once("}}").ok_or_else(|| failed("unclosed action".to_owned()))?;
        filled.push_str(&evaluate(action.trim(), field, data).map_err(failed)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn evaluate(action: &str, field: &str, data: &Value) -> Result<String, String> {
    let path = action
        .strip_prefix('.')
        .filter(|path| path.split('.').all(is_identifier))
        .ok_or_else(|| format!("only fields such as {{{{.peername}}}} are known here, not {{{{{action}}}}}"))?;
    let mut value = data;
    for key in path.split('.') {
        let missing = || format!("executing \"{field}\" at <{action}>: map has no entry for key \"{key}\"");
        value = value.get(key).ok_or_else(missing)?;
    }
    Ok(match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

fn is_identifier(part: &str) -> bool {
    part.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && part.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_fields() {
        let data = serde_json::json!({ "peername": "peer0org1", "a": { "b": 7 } });
        for (text, filled) in [
            ("plain:9999", "plain:9999"),
            ("{{.peername}}_basic:9999", "peer0org1_basic:9999"),
            ("{{ .a.b }}-{{.peername}}", "7-peer0org1"),
        ] {
            assert_eq!(fill(text, "Address", &data).as_deref(), Ok(filled));
        }
    }

    #[test]
    fn refuses_what_it_cannot_fill() {
        for (text, cause) in [
            ("{{.other}}", "executing \"Address\" at <.other>: map has no entry for key \"other\""),
            ("{{.a", "unclosed action"),
            ("{{if .a}}", "only fields such as {{.peername}} are known here, not {{if .a}}"),
        ] {
            let error = fill(text, "Address", &serde_json::json!({})).expect_err(text);
            assert_eq!(error, format!("Failed to parse the Address field template: template: Address:1: {cause}"));
        }
    }
}
