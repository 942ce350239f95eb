//! What the end-to-end tests stand on, as far as it is of use here.

// Shared files; not everything in them is needed here.
#![allow(dead_code)]

#[path = "../../tests/e2e/support/client.rs"]
pub(crate) mod client;
#[path = "../../tests/e2e/support/output.rs"]
pub(crate) mod output;
#[path = "../../tests/e2e/support/parts.rs"]
pub(crate) mod parts;
#[path = "../../tests/e2e/support/place.rs"]
pub(crate) mod place;
#[path = "../../tests/e2e/support/processes.rs"]
pub(crate) mod processes;
#[path = "../../tests/e2e/support/ready.rs"]
pub(crate) mod ready;
#[path = "../../tests/e2e/support/refusal.rs"]
pub(crate) mod refusal;
#[path = "../../tests/e2e/support/windlass.rs"]
pub(crate) mod windlass;
