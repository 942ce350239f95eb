//! What the tests stand on.
//!
//! - [`place`]: a test's own folder and ports
//! - [`windlass`]: the built binary as a child process
//! - [`tool`]: other commands of the binary
//! - [`processes`]: who is whose child
//! - [`client`], [`refusal`]: a client over gRPC, and what it is told when it is refused
//! - [`chain`]: fetching and verifying blocks
//! - [`gateway`]: the Node client on `@hyperledger/fabric-gateway`
//! - [`parts`]: what has to be built or downloaded once
//! - [`server`]: chaincode that runs as a server
//! - [`package`]: packages, also such as no tool would make
//! - [`http`]: the operations endpoint
//! - [`stranger`]: identities that the network has not issued

pub(crate) mod chain;
pub(crate) mod client;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod output;
pub(crate) mod package;
pub(crate) mod parts;
pub(crate) mod place;
pub(crate) mod processes;
pub(crate) mod ready;
pub(crate) mod refusal;
pub(crate) mod server;
pub(crate) mod stranger;
pub(crate) mod tool;
pub(crate) mod windlass;
