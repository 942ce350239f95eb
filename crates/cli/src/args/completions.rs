//! `windlass completions`.
//!
//! - [`fish`]: what clap leaves out of that shell's script

mod fish;

use clap::{Args, Command, CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::{Arguments, plumbing::completion};

/// Print a script that completes commands and flags.
///
/// For bash: windlass completions bash > ~/.local/share/bash-completion/completions/windlass. For zsh: write it to a file
/// _windlass in a folder of $fpath. For fish: windlass completions fish > ~/.config/fish/completions/windlass.fish.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,

    /// The program to complete: windlass, or the peer that it also is.
    #[arg(long = "for", value_enum, default_value_t, value_name = "PROGRAM")]
    pub(crate) program: Program,
}

/// A name under which the program runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    #[default]
    Windlass,
    Peer,
}

impl CompletionsArgs {
    /// The script.
    pub(crate) fn script(&self) -> Vec<u8> {
        self.script_for(self.command())
    }

    /// The same without descriptions.
    pub(crate) fn terse_script(&self) -> Vec<u8> {
        self.script_for(completion::undescribed(self.command()))
    }

    fn script_for(&self, mut command: Command) -> Vec<u8> {
        let missing = if self.shell == Shell::Fish { fish::third_level(self.name(), &command) } else { String::new() };
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, self.name(), &mut script);
        script.extend(missing.into_bytes());
        script
    }

    /// The command line of the program, in full.
    fn command(&self) -> Command {
        match self.program {
            Program::Peer => completion::root(),
            // Fabric's groups are not clap's, so here they are told to it.
            Program::Windlass => completion::groups().fold(Arguments::command(), |command, group| {
                let name = group.get_name().to_owned();
                command.mut_subcommand(&name, |own| group.about(own.get_about().cloned().unwrap_or_default()))
            }),
        }
    }

    /// The program's name.
    fn name(&self) -> &'static str {
        match self.program {
            Program::Windlass => "windlass",
            Program::Peer => "peer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(shell: Shell, program: Program) -> String {
        String::from_utf8(CompletionsArgs { shell, program }.script()).expect("text")
    }

    #[test]
    fn knows_the_porcelain_and_the_plumbing() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let windlass = script(shell, Program::Windlass);
            for word in ["deploy", "endorsing-organizations", "approveformyorg", "signature-policy", "getinfo"] {
                assert!(windlass.contains(word), "{shell}: {word}");
            }
            assert!(!windlass.contains("signpackage"), "{shell}: what is hidden stays so");
            let peer = script(shell, Program::Peer);
            assert!(peer.contains("package-id"), "{shell}: a flag at the third level");
            assert!(peer.contains("approveformyorg") && !peer.contains("doctor"), "{shell}");
        }
    }
}
