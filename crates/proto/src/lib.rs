//! Fabric's wire types and gRPC stubs, and what belongs to their bytes.
//!
//! The messages and services live in one module per protobuf package, under Fabric's own package
//! names ([`common`], [`protos`], [`msp`], …). They are generated from `proto/*.proto` by
//! `cargo xtask proto` and committed.
//!
//! - [`ids`]: identifiers as checked types
//! - [`txid`]: how a transaction ID is made
//! - [`envelope`]: taking envelopes and proposals apart, and putting them together
//! - [`hash`]: SHA-256, block hashes, the hash of a proposal
//! - [`duration`]: durations in Go's text form
//!
//! Start reading at [`envelope`].

pub mod duration;
pub mod envelope;
pub mod hash;
pub mod ids;
pub mod txid;

pub use bytes::Bytes;

macro_rules! generated {
    ($(#[$doc:meta])* $name:ident, $file:literal) => {
        $(#[$doc])*
        #[allow(missing_docs, missing_debug_implementations, unreachable_pub, clippy::all, clippy::pedantic)]
        #[rustfmt::skip]
        pub mod $name {
            include!(concat!("generated/", $file));
        }
    };
}

generated!(
    /// Envelopes, headers, blocks, policies and channel configuration.
    common,
    "common.rs"
);
generated!(
    /// The Discovery service.
    discovery,
    "discovery.rs"
);
generated!(
    /// The Gateway service.
    gateway,
    "gateway.rs"
);
generated!(
    /// What peers tell each other of themselves.
    gossip,
    "gossip.rs"
);
generated!(
    /// Reads and writes of one namespace.
    kvrwset,
    "kvrwset.rs"
);
generated!(
    /// The functions of `_lifecycle` and its state.
    lifecycle,
    "lifecycle.rs"
);
generated!(
    /// Identities and the configuration of an MSP.
    msp,
    "msp.rs"
);
generated!(
    /// The ordering service.
    orderer,
    "orderer.rs"
);
generated!(
    /// Proposals, transactions, the chaincode stream, and the peer's services.
    protos,
    "protos.rs"
);
generated!(
    /// Rows of queries and histories.
    queryresult,
    "queryresult.rs"
);
generated!(
    /// What a transaction read and wrote.
    rwset,
    "rwset.rs"
);
generated!(
    /// Private writes between endorsement and commit.
    transientstore,
    "transientstore.rs"
);
generated!(
    /// What Windlass adds to Fabric's own.
    windlass,
    "windlass.rs"
);
