//! The command line of Fabric's `peer`, as a table.
//!
//! It is not clap's: names, help, errors and the way flags are read are those that scripts know.
//!
//! - [`flags`]: flags, and how they are read
//! - [`tree`]: every command
//! - [`usage`]: help texts
//! - [`completion`]: the same for completion in shells
//! - [`number`]: numbers and switches as Go reads them

pub(crate) mod completion;
pub(crate) mod flags;
mod number;
pub(crate) mod tree;
mod usage;

use flags::{Flag, FlagError, Values};
use tree::{Entry, ROOT, Task};

use crate::suggest::distance;

/// What was typed, understood.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) place: Place,
    pub(crate) values: Values,
    pub(crate) operands: Vec<String>,
}

/// What is to be done with a command line.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// A command.
    Run(Task, Invocation),
    /// Text for stdout, and nothing else.
    Help(String),
    /// There is no help for this: text for stderr, yet nothing failed.
    NoHelp(String),
    /// The command line is wrong: text for stderr.
    Wrong(String),
}

/// A command, and the groups that it is in.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    program: String,
    path: Vec<&'static Entry>,
}

impl Place {
    fn new(program: &str) -> Self {
        Self { program: program.to_owned(), path: vec![&ROOT] }
    }

    fn entry(&self) -> &'static Entry {
        self.path.last().copied().unwrap_or(&ROOT)
    }

    /// `peer lifecycle chaincode install`.
    pub(crate) fn full_name(&self) -> String {
        let names = self.path.iter().skip(1).map(|entry| entry.name);
        std::iter::once(self.program.as_str()).chain(names).collect::<Vec<_>>().join(" ")
    }

    /// The flags of the groups around the command.
    fn inherited(&self) -> impl Iterator<Item = &'static Flag> {
        let groups = self.path.len().saturating_sub(1);
        self.path[..groups].iter().flat_map(|entry| entry.persistent).copied()
    }

    fn own(&self) -> impl Iterator<Item = &'static Flag> {
        let entry = self.entry();
        entry.flags.iter().chain(entry.persistent).copied()
    }

    fn flags(&self) -> Vec<&'static Flag> {
        self.own().chain(self.inherited()).collect()
    }

    /// The text that follows an error in the command line.
    pub(crate) fn usage(&self) -> String {
        usage::usage(self)
    }

    /// The text of `--help`.
    pub(crate) fn help(&self) -> String {
        let entry = self.entry();
        let about = if entry.long.is_empty() { entry.short } else { entry.long };
        if about.is_empty() { self.usage() } else { format!("{}\n\n{}", about.trim_end(), self.usage()) }
    }
}

/// Reads a command line; `program` is what help texts call it.
pub(crate) fn parse(program: &str, arguments: &[String]) -> Parsed {
    let (place, arguments) = find(Place::new(program), arguments.to_vec());
    let entry = place.entry();
    if place.path.len() == 1 {
        match first_operand(&place, &arguments).map(|index| arguments[index].as_str()) {
            Some("help") => return help(program, &arguments),
            Some(unknown) => return Parsed::Wrong(unknown_command(program, unknown)),
            None => {}
        }
    }
    if let Some(Task::Refuse(why)) = entry.task
        && !arguments.iter().any(|argument| argument == "-h" || argument == "--help")
    {
        // Whatever its flags are: it is not done.
        return Parsed::Wrong(format!("Error: '{}' cannot be done: {why}\n", place.full_name()));
    }
    let mut operands = Vec::new();
    let values = match Values::parse(&place.flags(), &arguments, &mut operands) {
        Ok(values) => values,
        Err(FlagError::Help) => return Parsed::Help(place.help()),
        Err(FlagError::Wrong(text)) => return Parsed::Wrong(format!("Error: {text}\n{}\n", place.usage())),
    };
    match entry.task {
        None => Parsed::Help(place.help()),
        Some(task) => Parsed::Run(task, Invocation { place, values, operands }),
    }
}

/// Walks down the groups as far as operands name commands. Flags may stand before, between and behind the names.
fn find(mut place: Place, mut arguments: Vec<String>) -> (Place, Vec<String>) {
    while let Some(index) = first_operand(&place, &arguments) {
        let Some(entry) = place.entry().commands.iter().find(|entry| entry.name == arguments[index]) else { break };
        place.path.push(entry);
        arguments.remove(index);
    }
    (place, arguments)
}

/// The first argument that is neither a flag nor, as far as can be told here, a flag's value.
fn first_operand(place: &Place, arguments: &[String]) -> Option<usize> {
    let flags = place.flags();
    let takes_value = |found: Option<&&'static Flag>| !found.is_some_and(|flag| flag.is_switch());
    let mut index = 0;
    while index < arguments.len() {
        let argument = arguments[index].as_str();
        match argument.strip_prefix("--") {
            Some("") => return None,
            Some("help") => {}
            Some(name) => {
                let value = !name.contains('=') && takes_value(flags.iter().find(|flag| flag.name == name));
                index += usize::from(value);
            }
            None => match argument.strip_prefix('-') {
                Some("h") => {}
                Some(short) if short.len() == 1 => {
                    let letter = short.chars().next();
                    index += usize::from(takes_value(flags.iter().find(|flag| flag.short == letter)));
                }
                Some(_) => {}
                None if argument.is_empty() => {}
                None => return Some(index),
            },
        }
        index += 1;
    }
    None
}

fn help(program: &str, arguments: &[String]) -> Parsed {
    let words: Vec<String> = arguments.iter().filter(|argument| !argument.starts_with('-')).skip(1).cloned().collect();
    let (place, rest) = find(Place::new(program), words);
    match rest.first() {
        None => Parsed::Help(place.help()),
        Some(_) => {
            let words: Vec<_> = arguments.iter().skip(1).map(|word| format!("`{word}`")).collect();
            let usage = Place::new(program).usage();
            // This one usage is without flags.
            let (before, after) = usage.split_once("\nFlags:").unwrap_or((&usage, ""));
            let after = after.split_once("\n\n").map_or("", |(_, after)| after);
            Parsed::NoHelp(format!("Unknown help topic [{}]\n{before}\n{after}", words.join(" ")))
        }
    }
}

fn unknown_command(program: &str, unknown: &str) -> String {
    let mut text = format!("Error: unknown command \"{unknown}\" for \"{program}\"\n");
    let near = |entry: &&Entry| {
        entry.name.to_lowercase().starts_with(&unknown.to_lowercase()) || distance(unknown, entry.name) <= 2
    };
    let suggestions: Vec<_> = ROOT.commands.iter().filter(near).collect();
    if !suggestions.is_empty() {
        text.push_str("\nDid you mean this?\n");
        for entry in suggestions {
            text.push_str(&format!("\t{}\n", entry.name));
        }
        text.push('\n');
    }
    text.push_str(&format!("Run '{program} --help' for usage.\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn run(text: &str) -> (Task, Invocation) {
        match parse("peer", &words(text)) {
            Parsed::Run(task, invocation) => (task, invocation),
            other => panic!("{text}: {other:?}"),
        }
    }

    fn wrong(text: &str) -> String {
        match parse("peer", &words(text)) {
            Parsed::Wrong(error) => error,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn takes_flags_wherever_they_stand() {
        for text in [
            "chaincode invoke -C ch -n basic --tls",
            "chaincode --tls invoke -C ch -n basic",
            "chaincode -C ch invoke --tls -n basic",
            "--name=basic chaincode --tls invoke -C=ch",
            "chaincode invoke -Cch -nbasic --tls=true",
        ] {
            let (task, invocation) = run(text);
            assert_eq!(task, Task::Invoke, "{text}");
            assert_eq!(invocation.values.text("channelID"), "ch", "{text}");
            assert_eq!(invocation.values.text("name"), "basic", "{text}");
            assert!(invocation.values.is("tls"), "{text}");
        }
    }

    #[test]
    fn gives_the_texts_that_scripts_know() {
        for (line, first) in [
            ("channel list --nosuch", "Error: unknown flag: --nosuch"),
            ("channel list -q", "Error: unknown shorthand flag: 'q' in -q"),
            ("channel list -=x", "Error: unknown shorthand flag: '=' in -=x"),
            ("channel list --=x", "Error: bad flag syntax: --=x"),
            ("channel getinfo -c", "Error: flag needs an argument: 'c' in -c"),
            ("channel getinfo --channelID", "Error: flag needs an argument: --channelID"),
            (
                "lifecycle chaincode commit --sequence x",
                "Error: invalid argument \"x\" for \"--sequence\" flag: strconv.ParseInt: parsing \"x\": invalid syntax",
            ),
            (
                "lifecycle chaincode commit --waitForEvent=maybe",
                "Error: invalid argument \"maybe\" for \"--waitForEvent\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
            ),
            (
                "lifecycle chaincode commit --waitForEventTimeout 3",
                "Error: invalid argument \"3\" for \"--waitForEventTimeout\" flag: time: missing unit in duration \"3\"",
            ),
            ("nosuch", "Error: unknown command \"nosuch\" for \"peer\""),
        ] {
            let text = wrong(line);
            assert_eq!(text.lines().next(), Some(first), "{line}");
        }
    }

    #[test]
    fn suggests_what_was_meant() {
        assert!(wrong("chnnel").contains("Did you mean this?\n\tchannel\n"));
        assert!(!wrong("nosuch").contains("Did you mean"));
    }

    #[test]
    fn shows_help_for_a_group_and_for_what_a_group_does_not_have() {
        for text in ["channel", "channel nosuch", "lifecycle chaincode comit", "help channel", "channel -h"] {
            let Parsed::Help(help) = parse("peer", &words(text)) else { panic!("{text}") };
            assert!(help.contains("Available Commands:"), "{text}: {help}");
        }
    }
}
