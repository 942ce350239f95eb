//! The external builders of the configuration.

use std::path::Path;

use rustix::fs::{Access, access};
use windlass_peer::config::ExternalBuilder;

use super::{Finding, Subject};

/// Whether each builder's programs are there and can be run.
pub(super) fn check(subject: &Subject) -> Vec<Finding> {
    let Ok((config, _)) = &subject.configuration.outcome else { return Vec::new() };
    config.chaincode.external_builders.iter().map(judge).collect()
}

fn judge(builder: &ExternalBuilder) -> Finding {
    let (what, path) = (format!("builder {}", builder.name), &builder.path);
    let programs = path.join("bin");
    if !path.is_dir() {
        let found = format!("there is no folder {}", path.display());
        return Finding::fail(what, found, "see chaincode.externalBuilders in core.yaml; the path is relative to it");
    }
    // Fabric: external-builders §3. Without release and run a builder still is one.
    for (program, needed) in [("detect", true), ("build", true), ("release", false), ("run", false)] {
        let file = programs.join(program);
        match (file.is_file(), needed) {
            (false, true) => {
                let found = format!("there is no {}", file.display());
                return Finding::fail(what, found, "a builder has the programs bin/detect and bin/build at least");
            }
            (true, _) if !is_executable(&file) => {
                let hint = format!("chmod +x {}", file.display());
                return Finding::fail(what, format!("{} cannot be run", file.display()), hint);
            }
            _ => {}
        }
    }
    Finding::ok(what, path.display().to_string())
}

fn is_executable(file: &Path) -> bool {
    access(file, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;
    use crate::commands::doctor::finding::Level;

    #[test]
    fn wants_programs_that_can_be_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let builder = |path: &Path| ExternalBuilder {
            name: "mine".into(),
            path: path.to_owned(),
            propagate_environment: Vec::new(),
        };
        let here = builder(folder.path());
        assert!(judge(&builder(Path::new("/nonexistent"))).found.starts_with("there is no folder"));
        assert!(judge(&here).found.ends_with("bin/detect"), "{:?}", judge(&here));
        fs::create_dir(folder.path().join("bin")).expect("a folder");
        for program in ["detect", "build", "run"] {
            let file = folder.path().join("bin").join(program);
            fs::write(&file, "#!/bin/sh\n").expect("a file");
            let mode = if program == "run" { 0o644 } else { 0o755 };
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a file");
        }
        assert!(judge(&here).found.ends_with("bin/run cannot be run"), "{:?}", judge(&here));
        fs::remove_file(folder.path().join("bin/run")).expect("a file");
        assert_eq!(judge(&here).level, Level::Ok);
    }
}
