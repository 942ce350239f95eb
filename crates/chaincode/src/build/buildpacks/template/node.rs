//! What a template is made of. Everything that an error can be about knows where it begins, and shows itself as Go
//! shows it.

use std::fmt::{Display, Formatter, Result};

use crate::build::buildpacks::template::{literal::Number, quote};

/// What stands in a row.
pub(super) type List = Vec<Node>;

#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template(Call),
    Break,
    Continue,
}

/// `if`, `with` or `range`.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) then: List,
    pub(super) otherwise: Option<List>,
}

/// `{{template "name" pipe}}`.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) position: usize,
    pub(super) name: String,
    pub(super) pipe: Option<Pipe>,
}

/// Commands, each of which gets the result of the one before, and the variables that get the last.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) position: usize,
    pub(super) variables: Vec<String>,
    /// Whether the variables exist already.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
}

/// A value, or a function and its arguments.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) position: usize,
    pub(super) operands: Vec<Operand>,
}

#[derive(Debug)]
pub(super) struct Operand {
    pub(super) position: usize,
    pub(super) kind: OperandKind,
}

#[derive(Debug)]
pub(super) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Number {
        text: String,
        number: Number,
    },
    Text {
        quoted: String,
        text: Vec<u8>,
    },
    Function(String),
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Pipe(Pipe),
    /// Fields of what is not one itself.
    Chain(Box<Operand>, Vec<String>),
}

impl Operand {
    /// Without parentheses around it.
    pub(super) fn bare(&self) -> &dyn Display {
        match &self.kind {
            OperandKind::Pipe(pipe) => pipe,
            _ => self,
        }
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{{{{template {}", quote::text(self.name.as_bytes(), false))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}

impl Display for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if !self.variables.is_empty() {
            write!(f, "{} {} ", self.variables.join(", "), if self.assigns { "=" } else { ":=" })?;
        }
        separated(f, &self.commands, " | ")
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        separated(f, &self.operands, " ")
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            OperandKind::Dot => f.write_str("."),
            OperandKind::Nil => f.write_str("nil"),
            OperandKind::Bool(flag) => write!(f, "{flag}"),
            OperandKind::Number { text, .. } => f.write_str(text),
            OperandKind::Text { quoted, .. } => f.write_str(quoted),
            OperandKind::Function(name) => f.write_str(name),
            OperandKind::Field(fields) => self::fields(f, fields),
            OperandKind::Variable(name, fields) => {
                f.write_str(name)?;
                self::fields(f, fields)
            }
            OperandKind::Pipe(pipe) => write!(f, "({pipe})"),
            OperandKind::Chain(operand, fields) => {
                write!(f, "{operand}")?;
                self::fields(f, fields)
            }
        }
    }
}

fn fields(f: &mut Formatter<'_>, fields: &[String]) -> Result {
    fields.iter().try_for_each(|field| write!(f, ".{field}"))
}

fn separated(f: &mut Formatter<'_>, parts: &[impl Display], separator: &str) -> Result {
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{part}")?;
    }
    Ok(())
}
