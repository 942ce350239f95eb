//! Help texts, laid out as Fabric users know them.

use std::fmt::Write;

use super::{
    Place,
    flags::{Flag, Kind},
    tree::{Entry, HELP},
};

/// The least width of the column of command names.
const NAMES: usize = 11;

/// `Usage:` and everything below it.
pub(super) fn usage(place: &Place) -> String {
    let entry = place.entry();
    let mut text = "Usage:\n".to_owned();
    if entry.task.is_some() {
        let arguments = if entry.arguments.is_empty() { String::new() } else { format!(" {}", entry.arguments) };
        let _ = writeln!(text, "  {}{arguments} [flags]", place.full_name());
    }
    if !entry.commands.is_empty() {
        let _ = writeln!(text, "  {} [command]", place.full_name());
        commands(&mut text, entry, place.path.len() == 1);
    }
    let help = format!("help for {}", if place.path.len() == 1 { &place.program } else { entry.name });
    let mut own: Vec<Line> = place.own().map(Line::new).collect();
    own.push(Line { name: "help", left: "  -h, --help".to_owned(), right: help });
    text.push_str("\nFlags:\n");
    lines(&mut text, own);
    let inherited: Vec<Line> = place.inherited().map(Line::new).collect();
    if !inherited.is_empty() {
        text.push_str("\nGlobal Flags:\n");
        lines(&mut text, inherited);
    }
    if !entry.commands.is_empty() {
        let _ =
            writeln!(text, "\nUse \"{} [command] --help\" for more information about a command.", place.full_name());
    }
    text
}

fn commands(text: &mut String, entry: &Entry, is_root: bool) {
    let mut commands: Vec<_> = entry.commands.iter().filter(|command| !command.hidden).collect();
    if is_root {
        commands.push(&HELP);
    }
    commands.sort_by_key(|command| command.name);
    let width = commands.iter().map(|command| command.name.len()).max().unwrap_or(0).max(NAMES);
    text.push_str("\nAvailable Commands:\n");
    for command in commands {
        let _ = writeln!(text, "  {:<width$} {}", command.name, command.short);
    }
}

struct Line {
    name: &'static str,
    left: String,
    right: String,
}

impl Line {
    fn new(flag: &'static Flag) -> Self {
        let mut left = match flag.short {
            Some(short) => format!("  -{short}, --{}", flag.name),
            None => format!("      --{}", flag.name),
        };
        let kind = match flag.kind {
            Kind::Text => " string",
            Kind::List => " stringArray",
            Kind::Switch => "",
            Kind::Integer => " int",
            Kind::Unsigned => " uint",
            Kind::Duration => " duration",
        };
        left.push_str(kind);
        let right = match (flag.default, flag.kind) {
            ("", _) => flag.help.to_owned(),
            (default, Kind::Text) => format!("{} (default \"{default}\")", flag.help),
            (default, _) => format!("{} (default {default})", flag.help),
        };
        Self { name: flag.name, left, right }
    }
}

fn lines(text: &mut String, mut lines: Vec<Line>) {
    lines.sort_by_key(|line| line.name);
    let width = lines.iter().map(|line| line.left.len()).max().unwrap_or(0);
    for Line { left, right, .. } in lines {
        let _ = writeln!(text, "{left:<width$}   {right}");
    }
}
