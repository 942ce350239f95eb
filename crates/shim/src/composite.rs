//! Composite keys: `U+0000 type U+0000 (attribute U+0000)*`.
//!
//! They sort by type, then attribute by attribute, and never mix with simple keys. The peer knows nothing of them.
// Fabric: chaincode-protocol §11

use crate::Error;

const DELIMITER: char = '\0';
// The end of a prefix's range: no part of a key may hold it.
const LAST: char = char::MAX;

/// Joins a type and attributes into one key.
pub fn key(object_type: &str, attributes: &[impl AsRef<str>]) -> Result<String, Error> {
    let length = attributes.iter().map(|attribute| attribute.as_ref().len() + 1).sum::<usize>();
    let mut key = String::with_capacity(2 + object_type.len() + length);
    key.push(DELIMITER);
    push(&mut key, object_type)?;
    for attribute in attributes {
        push(&mut key, attribute.as_ref())?;
    }
    Ok(key)
}

/// Takes a composite key apart into its type and attributes.
pub fn split(key: &str) -> Result<(&str, Vec<&str>), Error> {
    let parts = key.strip_prefix(DELIMITER).and_then(|rest| rest.strip_suffix(DELIMITER));
    let mut parts = parts.ok_or_else(|| Error::NotCompositeKey(key.to_owned()))?.split(DELIMITER);
    let object_type = parts.next().unwrap_or_default();
    Ok((object_type, parts.collect()))
}

/// Start (included) and end (excluded) of the keys that have this type and begin with these attributes.
pub(crate) fn range(object_type: &str, attributes: &[impl AsRef<str>]) -> Result<(String, String), Error> {
    let start = key(object_type, attributes)?;
    let end = format!("{start}{LAST}");
    Ok((start, end))
}

fn push(key: &mut String, part: &str) -> Result<(), Error> {
    if part.contains([DELIMITER, LAST]) {
        return Err(Error::CompositeKeyPart(part.to_owned()));
    }
    key.push_str(part);
    key.push(DELIMITER);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_and_splits() {
        let joined = key("owner~asset", &["ann", "", "asset1"]).expect("a key");
        assert_eq!(joined, "\0owner~asset\0ann\0\0asset1\0");
        assert_eq!(split(&joined).expect("a composite key"), ("owner~asset", vec!["ann", "", "asset1"]));
        let bare = key("type", &[] as &[&str]).expect("a key");
        assert_eq!(split(&bare).expect("a composite key"), ("type", vec![]));
    }

    #[test]
    fn covers_a_prefix_with_a_range() {
        let (start, end) = range("t", &["a"]).expect("a range");
        assert_eq!((start.as_str(), end.as_str()), ("\0t\0a\0", "\0t\0a\0\u{10ffff}"));
        let inside = key("t", &["a", "z"]).expect("a key");
        assert!(start <= inside && inside < end);
    }

    #[test]
    fn refuses_delimiters_and_simple_keys() {
        assert!(matches!(key("a\0b", &["c"]), Err(Error::CompositeKeyPart(_))));
        assert!(matches!(key("a", &["\u{10ffff}"]), Err(Error::CompositeKeyPart(_))));
        assert!(matches!(split("simple"), Err(Error::NotCompositeKey(_))));
        assert!(matches!(split(""), Err(Error::NotCompositeKey(_))));
    }
}
