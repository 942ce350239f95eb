//! Chores that run other commands, one after another.

// They report their progress to whoever started them.
#![allow(clippy::print_stderr)]

use std::{path::Path, process::Command, time::Instant};

use anyhow::{Context, bail};

use crate::{limits, protobuf, tools};

/// Everything that must hold before a change lands.
pub(crate) fn test(root: &Path) -> anyhow::Result<()> {
    step("tools", || tools::ensure(root))?;
    step("formatting", || run(root, "cargo", &["fmt", "--all", "--check"], &[]))?;
    step("generated code", || protobuf::generate(root, true))?;
    step("limits", || limits::check(root))?;
    let denied = [("RUSTDOCFLAGS", "-D warnings")];
    step("lints", || {
        run(root, "cargo", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], &[])
    })?;
    step("docs", || run(root, "cargo", &["doc", "--workspace", "--no-deps", "--locked"], &denied))?;
    step("tests", || run(root, "cargo", &["test", "--workspace", "--locked", "--no-fail-fast"], &[]))
}

/// The benchmarks, on the release build.
pub(crate) fn bench(root: &Path) -> anyhow::Result<()> {
    tools::ensure(root)?;
    run(root, "cargo", &["bench", "--package", "windlass-cli", "--locked"], &[])
}

/// The soak, on the release build.
pub(crate) fn soak(root: &Path, minutes: u32) -> anyhow::Result<()> {
    tools::ensure(root)?;
    let soak = ["test", "--release", "--package", "windlass-cli", "--test", "faults", "--locked"];
    run(root, "cargo", &soak, &[("WINDLASS_SOAK_MINUTES", &minutes.to_string())])
}

fn step(name: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let started = Instant::now();
    eprintln!("== {name}");
    work().with_context(|| format!("{name} failed"))?;
    eprintln!("== {name}: {:.0} s", started.elapsed().as_secs_f32());
    Ok(())
}

/// Runs a command that must succeed.
pub(crate) fn run(root: &Path, program: &str, args: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let status = Command::new(program)
        .args(args)
        .envs(environment.iter().copied())
        .current_dir(root)
        .status()
        .with_context(|| format!("cannot run {program}; hint: is it installed?"))?;
    if !status.success() {
        bail!("{program} {} ended with {status}", args.join(" "));
    }
    Ok(())
}
