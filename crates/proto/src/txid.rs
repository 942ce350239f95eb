//! How a transaction ID is made.

use crate::hash::sha256_of;

/// Lower-case hex of SHA-256 over the nonce followed by the creator, as in a signature header.
// Fabric: endorsement-and-gateway §2
pub fn transaction_id(nonce: &[u8], creator: &[u8]) -> String {
    hex::encode(sha256_of([nonce, creator]))
}
