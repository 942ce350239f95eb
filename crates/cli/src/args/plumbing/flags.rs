//! Flags, and how they are read.

use std::{collections::BTreeMap, time::Duration};

use windlass_proto::duration::{self, DurationError};

use super::number;

/// A flag.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(super) name: &'static str,
    pub(super) short: Option<char>,
    pub(super) kind: Kind,
    /// The default as help shows it, and as it is read; empty for the kind's own.
    pub(super) default: &'static str,
    pub(super) help: &'static str,
}

/// What a flag's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// A text that may be given several times.
    List,
    Switch,
    Integer,
    Unsigned,
    Duration,
}

/// Why flags cannot be read.
#[derive(Debug)]
pub(super) enum FlagError {
    /// Help is asked for.
    Help,
    Wrong(String),
}

/// The flags of a command line. Asking for a flag that the command does not have gives its kind's zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    given: BTreeMap<&'static str, Vec<String>>,
    defaults: BTreeMap<&'static str, &'static str>,
}

impl Flag {
    const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, short: None, kind, default: "", help }
    }

    pub(super) const fn text(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Text, help)
    }

    pub(super) const fn list(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::List, help)
    }

    pub(super) const fn switch(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Switch, help)
    }

    pub(super) const fn integer(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Integer, help)
    }

    pub(super) const fn unsigned(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Unsigned, help)
    }

    pub(super) const fn duration(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Duration, help)
    }

    pub(super) const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    pub(super) const fn default(mut self, text: &'static str) -> Self {
        self.default = text;
        self
    }

    /// Whether it stands alone, without a value.
    pub(super) fn is_switch(&self) -> bool {
        self.kind == Kind::Switch
    }

    /// Checks a value.
    fn check(&self, value: &str) -> Result<(), FlagError> {
        let outcome = match self.kind {
            Kind::Text | Kind::List => Ok(()),
            Kind::Switch => number::switch(value).map(|_| ()),
            Kind::Integer => number::integer(value).map(|_| ()),
            Kind::Unsigned => number::unsigned(value).map(|_| ()),
            Kind::Duration => match duration::parse(value) {
                Ok(_) | Err(DurationError::Negative(_)) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
        };
        outcome.map_err(|problem| {
            let name = match self.short {
                Some(short) => format!("-{short}, --{}", self.name),
                None => format!("--{}", self.name),
            };
            FlagError::Wrong(format!("invalid argument {value:?} for \"{name}\" flag: {problem}"))
        })
    }
}

impl Values {
    /// Takes flags and operands apart. Flags may stand behind operands; behind `--` everything is an operand.
    pub(super) fn parse(
        flags: &[&'static Flag],
        arguments: &[String],
        operands: &mut Vec<String>,
    ) -> Result<Self, FlagError> {
        let defaults = flags.iter().map(|flag| (flag.name, flag.default)).collect();
        let mut values = Self { given: BTreeMap::new(), defaults };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                operands.extend(rest.cloned());
                break;
            }
            if let Some(long) = argument.strip_prefix("--") {
                values.long(flags, argument, long, &mut rest)?;
            } else if argument.len() > 1 && argument.starts_with('-') {
                values.short(flags, &argument[1..], &mut rest)?;
            } else {
                operands.push(argument.clone());
            }
        }
        Ok(values)
    }

    fn long<'a>(
        &mut self,
        flags: &[&'static Flag],
        argument: &str,
        long: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), FlagError> {
        if long.starts_with(['-', '=']) {
            return Err(FlagError::Wrong(format!("bad flag syntax: {argument}")));
        }
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        let Some(flag) = flags.iter().find(|flag| flag.name == name) else {
            let help = name == "help";
            return Err(if help { FlagError::Help } else { FlagError::Wrong(format!("unknown flag: --{name}")) });
        };
        let value = match value {
            Some(value) => value,
            None if flag.is_switch() => "true".to_owned(),
            None => match rest.next() {
                Some(value) => value.clone(),
                None => return Err(FlagError::Wrong(format!("flag needs an argument: {argument}"))),
            },
        };
        self.set(flag, value)
    }

    /// `-C ch`, `-C=ch`, `-Cch`, and switches together as in `-xr`.
    fn short<'a>(
        &mut self,
        flags: &[&'static Flag],
        letters: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), FlagError> {
        let mut remaining = letters;
        while let Some(letter) = remaining.chars().next() {
            let group = remaining;
            remaining = &remaining[letter.len_utf8()..];
            let Some(flag) = flags.iter().find(|flag| flag.short == Some(letter)) else {
                let help = letter == 'h';
                let unknown = || FlagError::Wrong(format!("unknown shorthand flag: '{letter}' in -{group}"));
                return Err(if help { FlagError::Help } else { unknown() });
            };
            let value = match remaining.strip_prefix('=') {
                Some(value) => {
                    remaining = "";
                    value.to_owned()
                }
                None if flag.is_switch() => "true".to_owned(),
                None if !remaining.is_empty() => std::mem::take(&mut remaining).to_owned(),
                None => match rest.next() {
                    Some(value) => value.clone(),
                    None => {
                        let text = format!("flag needs an argument: '{letter}' in -{group}");
                        return Err(FlagError::Wrong(text));
                    }
                },
            };
            self.set(flag, value)?;
        }
        Ok(())
    }

    fn set(&mut self, flag: &'static Flag, value: String) -> Result<(), FlagError> {
        flag.check(&value)?;
        let values = self.given.entry(flag.name).or_default();
        if flag.kind != Kind::List {
            values.clear();
        }
        values.push(value);
        Ok(())
    }

    fn last(&self, name: &str) -> &str {
        let given = self.given.get(name).and_then(|values| values.last()).map(String::as_str);
        given.or_else(|| self.defaults.get(name).copied()).unwrap_or_default()
    }

    /// A text; empty if it was not given.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.last(name)
    }

    /// A switch.
    pub(crate) fn is(&self, name: &str) -> bool {
        number::switch(self.last(name)).unwrap_or(false)
    }

    /// A whole number.
    pub(crate) fn integer(&self, name: &str) -> i64 {
        number::integer(self.last(name)).unwrap_or(0)
    }

    /// A duration; a negative one counts as none.
    pub(crate) fn duration(&self, name: &str) -> Duration {
        duration::parse(self.last(name)).unwrap_or_default()
    }

    /// All values of a list, or None if it was not given.
    pub(crate) fn list(&self, name: &str) -> Option<&[String]> {
        self.given.get(name).map(Vec::as_slice)
    }
}
