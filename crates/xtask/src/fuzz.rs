//! Fuzzing, with nothing but the stable compiler: LLVM's instrumentation of coverage needs no more, and there is no
//! unsafe code that sanitizers could look after.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, bail};

/// What counts the edges that an input takes, and remembers what it was compared with.
const INSTRUMENTED: &str = "--cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 -Cpasses=sancov-module \
     -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
     -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Fuzzes one of `fuzz/targets` for a time. Inputs that bring something new are kept below `fuzz/target`; one that
/// fails belongs, once the fault is mended, into `fuzz/corpus`, which a test replays.
pub(crate) fn run(root: &Path, target: &str, time: Duration) -> anyhow::Result<()> {
    let folder = root.join("fuzz");
    if !folder.join("targets").join(target).with_extension("rs").is_file() {
        let known = fs::read_dir(folder.join("targets"))?.flatten().map(|entry| entry.path());
        let mut known: Vec<_> =
            known.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
        known.sort();
        bail!("there is no target {target}; there are {}", known.join(", "));
    }
    let host = host()?;
    // With a target named, build scripts and macros are left as they are.
    let build = Command::new("cargo")
        .args(["build", "--release", "--bin", target, "--target", &host])
        .env("RUSTFLAGS", INSTRUMENTED)
        .current_dir(&folder)
        .status()?;
    if !build.success() {
        bail!("the fuzzer does not build: {build}");
    }
    let (found, failed) = (folder.join("target/found").join(target), folder.join("artifacts").join(target));
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&failed)?;
    let fuzzer = folder.join("target").join(host).join("release").join(target);
    let fuzzing = Command::new(&fuzzer)
        .arg(format!("-max_total_time={}", time.as_secs()))
        .arg(format!("-artifact_prefix={}/", failed.display()))
        .args(["-max_len=16384", "-rss_limit_mb=1024", "-timeout=10", "-print_final_stats=1"])
        .arg(&found)
        .arg(folder.join("corpus").join(target))
        .status()
        .with_context(|| format!("cannot start {}", fuzzer.display()))?;
    if !fuzzing.success() {
        bail!("{target} fails on an input in {}", failed.display());
    }
    Ok(())
}

/// The triple of this machine.
fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say what machine this is")
}
