//! Fabric's commands as clap knows commands, for completion alone: they are read elsewhere.

use clap::{Arg, ArgAction, Command, ValueHint};

use super::{
    flags::{Flag, Kind},
    tree::{COMPLETION, Entry, ROOT},
};

/// The program `peer`.
pub(crate) fn root() -> Command {
    command(&ROOT)
}

/// Its groups that `windlass` has too; completion it does in its own way.
pub(crate) fn groups() -> impl Iterator<Item = Command> {
    ROOT.commands.iter().filter(|group| group.name != COMPLETION.name).map(command)
}

/// A command without a word about what it and its flags do.
pub(crate) fn undescribed(command: Command) -> Command {
    command.about(None).mut_args(|flag| flag.help(None)).mut_subcommands(undescribed)
}

fn command(entry: &'static Entry) -> Command {
    Command::new(entry.name)
        .about(entry.short)
        // A chaincode has a version, and the flag is for that.
        .disable_version_flag(true)
        .args(entry.flags.iter().map(|flag| argument(flag)))
        .args(entry.persistent.iter().map(|flag| argument(flag).global(true)))
        .subcommands(entry.commands.iter().filter(|one| !one.hidden).map(command))
}

fn argument(flag: &'static Flag) -> Arg {
    let argument = Arg::new(flag.name).long(flag.name).short(flag.short).help(flag.help);
    let is_path =
        ["file", "path", "Files", "config", "Profile", "directory"].iter().any(|end| flag.name.ends_with(end));
    let hint = if is_path { ValueHint::AnyPath } else { ValueHint::Unknown };
    match flag.kind {
        Kind::Switch => argument.action(ArgAction::SetTrue),
        Kind::List => argument.action(ArgAction::Append).value_hint(hint),
        _ => argument.action(ArgAction::Set).value_hint(hint),
    }
}
