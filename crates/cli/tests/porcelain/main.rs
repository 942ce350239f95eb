//! The commands for people, as they type them: the built binary against a network that runs, and without one.
//!
//! - [`person`]: runs a command, and hides what no test can know in what it says
//! - [`deploy`], [`calls`], [`status`], [`uninstall`]: with a network
//! - [`profiles`]: with a network that a connection profile describes
//! - [`lost`]: with a network whose answers get lost, in a [`relay`]
//! - [`alone`]: without one

#[path = "../e2e"]
mod e2e {
    #[allow(dead_code)]
    pub(crate) mod support;
}

mod alone;
mod calls;
mod deploy;
mod lost;
mod person;
mod profiles;
mod relay;
mod status;
mod uninstall;
