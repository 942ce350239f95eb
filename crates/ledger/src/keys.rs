//! How everything that the ledger keeps shares one ordered space of keys.
//!
//! The first byte says what it is. Variable parts carry their length in front, so that no two names can meet;
//! the last part of a state key does not, so that keys of a namespace lie in byte order.

use crate::{LedgerError, store::MAX_KEY};

const PUBLIC: u8 = b's';
const HASHED: u8 = b'h';
const PRIVATE: u8 = b'p';
const HISTORY: u8 = b'H';
const BLOCK_BY_NUMBER: u8 = b'n';
const BLOCK_BY_HASH: u8 = b'b';
const TRANSACTION: u8 = b't';
const TRANSIENT: u8 = b'T';
const TRANSIENT_BY_HEIGHT: u8 = b'U';

/// The savepoint: what the rest is applied up to.
pub(crate) const SAVEPOINT: &[u8] = b"m";

// Kind, lengths, block and transaction numbers: the most that surrounds names in a key.
const AROUND: usize = 32;

/// The longest that namespace, collection and key may be together, in bytes.
pub(crate) const MAX_NAMES: usize = MAX_KEY - AROUND;

/// A transaction ID longer than this is never looked up: real ones have 64 characters.
pub(crate) const MAX_TX_ID: usize = 1024;

/// Refuses a key that the store cannot hold.
pub(crate) fn check(namespace: &str, collection: &str, key: &str) -> Result<(), LedgerError> {
    if namespace.len() + collection.len() + key.len() > MAX_NAMES {
        return Err(LedgerError::KeyTooLong { namespace: namespace.to_owned(), length: key.len(), limit: MAX_NAMES });
    }
    Ok(())
}

/// What a state key belongs to: a public namespace, or one side of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Space<'a> {
    /// The public state of a namespace.
    Public(&'a str),
    /// Hashes of a collection, by key hash.
    Hashed(&'a str, &'a str),
    /// Values of a collection, by key.
    Private(&'a str, &'a str),
}

impl Space<'_> {
    /// The key of `key` in this space.
    pub(crate) fn key(self, key: &[u8]) -> Vec<u8> {
        let mut out = self.prefix();
        out.extend_from_slice(key);
        out
    }

    /// What all its keys begin with.
    pub(crate) fn prefix(self) -> Vec<u8> {
        let (kind, namespace, collection) = match self {
            Self::Public(namespace) => (PUBLIC, namespace, None),
            Self::Hashed(namespace, collection) => (HASHED, namespace, Some(collection)),
            Self::Private(namespace, collection) => (PRIVATE, namespace, Some(collection)),
        };
        let mut out = vec![kind];
        push_name(&mut out, namespace.as_bytes());
        if let Some(collection) = collection {
            push_name(&mut out, collection.as_bytes());
        }
        out
    }

    /// The store's bounds of the keys from `start` (inclusive) to `end` (exclusive; empty: no end).
    pub(crate) fn bounds(self, start: &[u8], end: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let prefix = self.prefix();
        let to = if end.is_empty() { after(&prefix) } else { [&prefix, end].concat() };
        ([&prefix, start].concat(), to)
    }
}

/// The key of one modification; newer ones come first.
pub(crate) fn history(namespace: &str, key: &str, block: u64, transaction: u32) -> Vec<u8> {
    let mut out = history_prefix(namespace, key);
    out.extend_from_slice(&(!block).to_be_bytes());
    out.extend_from_slice(&(!transaction).to_be_bytes());
    out
}

/// What all modifications of a key begin with.
pub(crate) fn history_prefix(namespace: &str, key: &str) -> Vec<u8> {
    let mut out = vec![HISTORY];
    push_name(&mut out, namespace.as_bytes());
    push_name(&mut out, key.as_bytes());
    out
}

/// Block and transaction number of a history key.
pub(crate) fn parse_history(key: &[u8]) -> Option<(u64, u32)> {
    let (rest, transaction) = key.split_last_chunk()?;
    let (_, block) = rest.split_last_chunk()?;
    Some((!u64::from_be_bytes(*block), !u32::from_be_bytes(*transaction)))
}

/// Where a block is.
pub(crate) fn block_by_number(number: u64) -> Vec<u8> {
    [&[BLOCK_BY_NUMBER][..], &number.to_be_bytes()].concat()
}

/// Which block has a header hash.
pub(crate) fn block_by_hash(hash: &[u8]) -> Vec<u8> {
    [&[BLOCK_BY_HASH][..], hash].concat()
}

/// Where a transaction is.
pub(crate) fn transaction(tx_id: &str) -> Vec<u8> {
    [&[TRANSACTION][..], tx_id.as_bytes()].concat()
}

/// Private writes of a transaction that is not committed yet; several results of one transaction may wait.
pub(crate) fn transient(tx_id: &str, digest: &[u8]) -> Vec<u8> {
    [&transient_prefix(tx_id), digest].concat()
}

/// What all private writes of a transaction begin with.
pub(crate) fn transient_prefix(tx_id: &str) -> Vec<u8> {
    let mut out = vec![TRANSIENT];
    push_name(&mut out, tx_id.as_bytes());
    out
}

/// The same by the height at which the transaction was endorsed.
pub(crate) fn transient_by_height(height: u64, transient: &[u8]) -> Vec<u8> {
    [&[TRANSIENT_BY_HEIGHT][..], &height.to_be_bytes(), transient].concat()
}

/// The keys of private writes that were endorsed below `height`.
pub(crate) fn transient_below(height: u64) -> (Vec<u8>, Vec<u8>) {
    (vec![TRANSIENT_BY_HEIGHT], transient_by_height(height, &[]))
}

/// Height and transient key of an entry by height.
pub(crate) fn parse_transient_by_height(key: &[u8]) -> Option<(u64, &[u8])> {
    let (height, transient) = key.get(1..)?.split_first_chunk()?;
    Some((u64::from_be_bytes(*height), transient))
}

/// The bounds of everything that waits for its commit: data, and its index by height.
pub(crate) fn all_transient() -> (Vec<u8>, Vec<u8>) {
    (vec![TRANSIENT], vec![TRANSIENT_BY_HEIGHT + 1])
}

/// The bounds of all keys that begin with `prefix`.
pub(crate) fn with_prefix(prefix: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let end = after(&prefix);
    (prefix, end)
}

/// The first key beyond all that begin with `prefix`.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut out = prefix.to_vec();
    while let Some(last) = out.last_mut() {
        if *last < u8::MAX {
            *last += 1;
            return out;
        }
        out.pop();
    }
    // Never reached: every prefix here begins with an ASCII letter.
    vec![u8::MAX]
}

/// Names are checked against [`MAX_NAMES`] before they come here, so that two bytes hold every length; a
/// longer one (read from a foreign block) makes a key that is longer still, which the store then refuses.
fn push_name(out: &mut Vec<u8>, name: &[u8]) {
    out.extend_from_slice(&(name.len() as u16).to_be_bytes());
    out.extend_from_slice(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_do_not_meet() {
        let keys = [
            Space::Public("ab").key(b"c"),
            Space::Public("a").key(b"bc"),
            Space::Public("").key(b"abc"),
            Space::Hashed("a", "b").key(b"c"),
            Space::Private("a", "b").key(b"c"),
            Space::Private("ab", "").key(b"c"),
            history("a", "bc", 0, 0),
            history("ab", "c", 0, 0),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[index + 1..].contains(key));
        }
    }

    #[test]
    fn an_empty_end_is_the_end_of_the_namespace() {
        let (from, to) = Space::Public("cc").bounds(b"", b"");
        for key in [&b""[..], b"a", &[0xff; 40]] {
            let key = Space::Public("cc").key(key);
            assert!(from <= key && key < to);
        }
        assert!(Space::Public("cd").key(b"") >= to);
        let name = "x".repeat(0xffff);
        let (from, to) = Space::Public(&name).bounds(b"", b"");
        assert!(from < to);
    }

    #[test]
    fn newer_modifications_sort_first() {
        assert!(history("a", "k", 9, 0) < history("a", "k", 8, 5));
        assert!(history("a", "k", 8, 6) < history("a", "k", 8, 5));
        assert_eq!(parse_history(&history("a", "k", 8, 5)), Some((8, 5)));
    }

    #[test]
    fn the_longest_key_fits_the_store() {
        let key = "k".repeat(MAX_NAMES - 2);
        check("n", "c", &key).expect("it fits");
        assert!(Space::Private("n", "c").key(key.as_bytes()).len() <= MAX_KEY);
        assert!(history("nc", &key, 1, 1).len() <= MAX_KEY);
        let error = check("n", "cc", &key).expect_err("too long");
        assert_eq!(
            error.to_string(),
            "key of 65501 bytes in namespace [n] is too long: \
             namespace, collection and key together may have at most 65503 bytes"
        );
    }
}
