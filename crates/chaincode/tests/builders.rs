//! Builders: the external contract, and the buildpacks that come with Windlass.

#[path = "builders/buildpacks.rs"]
mod buildpacks;
#[path = "builders/contract.rs"]
mod contract;
#[path = "builders/gradle.rs"]
mod gradle;
#[path = "builders/shapes.rs"]
mod shapes;
#[path = "builders/support.rs"]
mod support;
