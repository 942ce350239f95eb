//! Flags at the third level, such as those of `peer lifecycle chaincode install`: clap writes none for fish.

use clap::{Arg, Command, ValueHint};

/// Lines for every command below the sub-commands of `program`'s commands.
pub(super) fn third_level(program: &str, command: &Command) -> String {
    let mut script = String::new();
    for first in command.get_subcommands() {
        for second in first.get_subcommands() {
            for third in second.get_subcommands() {
                let typed = format!(
                    "__fish_{program}_using_subcommand {}; and __fish_seen_subcommand_from {}; and \
                     __fish_seen_subcommand_from {}",
                    first.get_name(),
                    second.get_name(),
                    third.get_name()
                );
                let flags = third.get_arguments().filter(|flag| !flag.is_hide_set() && !flag.is_positional());
                for flag in flags {
                    script.push_str(&format!("complete -c {program} -n \"{typed}\"{}\n", words(flag)));
                }
            }
        }
    }
    script
}

fn words(flag: &Arg) -> String {
    let mut words = String::new();
    words.extend(flag.get_short().map(|short| format!(" -s {short}")));
    words.extend(flag.get_long().map(|long| format!(" -l {long}")));
    let quoted = |help: String| help.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', " ");
    words.extend(flag.get_help().map(|help| format!(" -d '{}'", quoted(help.to_string()))));
    if flag.get_action().takes_values() {
        words.push_str(if flag.get_value_hint() == ValueHint::AnyPath { " -r -F" } else { " -r" });
    }
    words
}
