//! Programs that are ready: the package holds an executable file `chaincode` and whatever it needs beside it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::build::buildpacks::{chaincode::Chaincode, folders};

const PROGRAM: &str = "chaincode";

pub(super) fn build(source: &Path, output: &Path) -> Result<(), String> {
    let below = source.join("src");
    let from = [source, &below].into_iter().find(|folder| folder.join(PROGRAM).is_file());
    let from = from.ok_or("looked for a file 'chaincode' in the package, at its root and in src/, and found none")?;
    folders::copy_into(from, output)?;
    if from != source {
        folders::keep_meta_inf(source, output)?;
    }
    let program = output.join(PROGRAM);
    let failed = |error| format!("cannot make 'chaincode' executable: {error}");
    let mut permissions = fs::metadata(&program).map_err(failed)?.permissions();
    // Archivers lose these bits.
    permissions.set_mode(permissions.mode() | 0o500);
    fs::set_permissions(&program, permissions).map_err(failed)
}

pub(super) fn run(output: &Path, metadata: &Path) -> Result<(), String> {
    let chaincode = Chaincode::read(metadata)?;
    let mut command = Command::new(output.join(PROGRAM));
    // Go's flags take two dashes as well as one.
    command.args(["--peer.address", &chaincode.peer_address]).current_dir(output);
    chaincode.become_it(command)
}
