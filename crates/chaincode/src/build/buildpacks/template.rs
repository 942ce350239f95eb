//! Texts with `{{.name}}` in them, as Fabric's ccaas builder fills them: templates of Go's `text/template`, with the
//! option that a missing key is an error.
//!
//! Everything of the language is there but complex numbers. Templates come with packages and are not trusted, so what
//! one may cost is bounded ([`budget`]), and so is how deep it may be nested.

mod budget;
mod compare;
mod eval;
mod float;
mod format;
mod functions;
mod lexer;
mod literal;
mod node;
mod parser;
mod quote;
#[cfg(test)]
mod tests;
mod value;

use serde_json::Value as Json;
use value::Value;

/// How deep parentheses, branches, loops and calls of templates may be nested. Go stops at 100,000 calls.
const DEPTH_MAX: usize = 200;

/// Fills a text from a JSON object. The field is where the text comes from.
// Fabric: external-builders §11
pub(super) fn fill(text: &str, field: &str, data: &Json) -> Result<String, String> {
    execute(text, data).map_err(|cause| format!("Failed to parse the {field} field template: {cause}"))
}

fn execute(text: &str, data: &Json) -> Result<String, String> {
    if text.len() > budget::TEXT_MAX {
        return Err(format!("template: longer than {} KiB", budget::TEXT_MAX >> 10));
    }
    let filled = eval::execute(text, &parser::parse(text)?, Value::from_json(data))?;
    Ok(String::from_utf8_lossy(&filled).into_owned())
}
