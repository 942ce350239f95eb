//! Executes templates.

use std::fmt::Display;

use crate::build::buildpacks::template::{
    DEPTH_MAX,
    budget::{Budget, Spent},
    format, functions,
    node::{Branch, Call, Command, Node, Operand, OperandKind, Pipe},
    parser::Templates,
    quote,
    value::Value,
};

/// Executes the template without a name.
pub(super) fn execute(text: &str, templates: &Templates, data: Value) -> Result<Vec<u8>, String> {
    let mut run = Run { text, templates, output: Vec::new(), budget: Budget::default(), depth: 0 };
    let main = templates.get("").map_or(&[][..], Vec::as_slice);
    let mut frame = Frame { name: "", at: Place::nowhere(), variables: vec![("$", Item::plain(data.clone()))] };
    let walked = run.walk(&mut frame, &Item::plain(data), main);
    walked.map(|_| run.output)
}

/// What all templates of an execution share.
struct Run<'t> {
    text: &'t str,
    templates: &'t Templates,
    output: Vec<u8>,
    budget: Budget,
    depth: usize,
}

/// One template that is executed.
struct Frame<'t> {
    name: &'t str,
    /// What errors are about: what was looked at last.
    at: Place<'t>,
    variables: Vec<(&'t str, Item)>,
}

/// A node, and where it begins.
#[derive(Clone, Copy)]
struct Place<'t>(usize, &'t dyn Display);

impl Place<'_> {
    fn nowhere() -> Self {
        Self(0, &"")
    }
}

/// A value, and whether Go has it as an `interface {}`, whose type is another: what comes from the data does, until a
/// pipeline has looked into it.
#[derive(Clone, Debug)]
struct Item {
    value: Value,
    boxed: bool,
}

impl Item {
    fn plain(value: Value) -> Self {
        Self { value, boxed: false }
    }

    fn boxed(value: Value) -> Self {
        Self { value, boxed: true }
    }

    fn go_type(&self) -> &'static str {
        if self.boxed { "interface {}" } else { self.value.go_type() }
    }
}

/// How a list ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl<'t> Run<'t> {
    fn walk(&mut self, frame: &mut Frame<'t>, dot: &Item, list: &'t [Node]) -> Result<Flow, String> {
        for node in list {
            self.step(frame)?;
            match node {
                Node::Text(text) => self.write(frame, text.as_bytes())?,
                Node::Action(pipe) => {
                    let value = self.pipe(frame, dot, pipe)?;
                    if pipe.variables.is_empty() {
                        let shown = if value.is_nil() { Value::text("<no value>") } else { value };
                        let text = format::print(&[shown], &mut self.budget);
                        let text = text.map_err(|spent| self.error(frame, String::from(spent)))?;
                        self.output.extend(text);
                    }
                }
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                    let known = frame.variables.len();
                    self.deeper(frame)?;
                    let flow = match node {
                        Node::Range(_) => self.range(frame, dot, branch)?,
                        _ => self.either(frame, dot, branch, matches!(node, Node::With(_)))?,
                    };
                    self.depth -= 1;
                    frame.variables.truncate(known);
                    if flow != Flow::On {
                        return Ok(flow);
                    }
                }
                Node::Template(call) => self.call_template(frame, dot, call)?,
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::On)
    }

    fn either(&mut self, frame: &mut Frame<'t>, dot: &Item, branch: &'t Branch, with: bool) -> Result<Flow, String> {
        let value = self.pipe(frame, dot, &branch.pipe)?;
        match (value.is_true(), with) {
            (true, true) => self.walk(frame, &Item::plain(value), &branch.then),
            (true, false) => self.walk(frame, dot, &branch.then),
            (false, _) => self.otherwise(frame, dot, branch),
        }
    }

    fn otherwise(&mut self, frame: &mut Frame<'t>, dot: &Item, branch: &'t Branch) -> Result<Flow, String> {
        branch.otherwise.as_ref().map_or(Ok(Flow::On), |list| self.walk(frame, dot, list))
    }

    fn range(&mut self, frame: &mut Frame<'t>, dot: &Item, branch: &'t Branch) -> Result<Flow, String> {
        let over = self.pipe(frame, dot, &branch.pipe)?;
        let turns: Box<dyn Iterator<Item = (Value, Item)>> = match &over {
            Value::Nil => Box::new(std::iter::empty()),
            Value::List(items) => Box::new(
                items.iter().enumerate().map(|(index, item)| (Value::Int(index as i64), Item::boxed(item.clone()))),
            ),
            Value::Map(entries) => {
                Box::new(entries.iter().map(|(key, value)| (Value::text(key), Item::boxed(value.clone()))))
            }
            Value::Int(_) | Value::Byte(_) if branch.pipe.variables.len() > 1 => {
                let shown = self.shown(&over);
                return Err(self.error(frame, format!("can't use {shown} to iterate over more than one variable")));
            }
            Value::Int(count) => Box::new((0..*count).map(|number| (Value::Nil, Item::plain(Value::Int(number))))),
            Value::Byte(count) => Box::new((0..*count).map(|number| (Value::Nil, Item::plain(Value::Byte(number))))),
            other => {
                let shown = self.shown(other);
                return Err(self.error(frame, format!("range can't iterate over {shown}")));
            }
        };
        let known = frame.variables.len();
        let mut turned = false;
        for (key, item) in turns {
            turned = true;
            self.step(frame)?;
            self.loop_variables(frame, &branch.pipe, key, &item)?;
            let flow = self.walk(frame, &item, &branch.then)?;
            frame.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        if turned { Ok(Flow::On) } else { self.otherwise(frame, dot, branch) }
    }

    fn loop_variables(&self, frame: &mut Frame<'t>, pipe: &'t Pipe, key: Value, item: &Item) -> Result<(), String> {
        let values = match pipe.variables.len() {
            2 => vec![Item::plain(key), item.clone()],
            _ => vec![item.clone()],
        };
        let top = frame.variables.len() - pipe.variables.len().min(frame.variables.len());
        for ((number, name), value) in pipe.variables.iter().enumerate().zip(values) {
            if pipe.assigns {
                self.assign(frame, name, value)?;
            } else if let Some((_, known)) = frame.variables.get_mut(top + number) {
                *known = value;
            }
        }
        Ok(())
    }

    fn call_template(&mut self, frame: &mut Frame<'t>, dot: &Item, call: &'t Call) -> Result<(), String> {
        frame.at = Place(call.position, call);
        let templates = self.templates;
        let Some((name, list)) = templates.get_key_value(&call.name) else {
            let name = quote::text(call.name.as_bytes(), false);
            return Err(self.error(frame, format!("template {name} not defined")));
        };
        self.deeper(frame)?;
        let value = call.pipe.as_ref().map_or(Ok(Value::Nil), |pipe| self.pipe(frame, dot, pipe))?;
        let dot = Item::plain(value);
        let mut inner = Frame { name, at: Place::nowhere(), variables: vec![("$", dot.clone())] };
        self.walk(&mut inner, &dot, list)?;
        self.depth -= 1;
        Ok(())
    }

    /// The value of the last command, which the variables get, too.
    fn pipe(&mut self, frame: &mut Frame<'t>, dot: &Item, pipe: &'t Pipe) -> Result<Value, String> {
        self.step(frame)?;
        frame.at = Place(pipe.position, pipe);
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(frame, dot, command, last)?);
        }
        let value = last.unwrap_or(Value::Nil);
        for name in &pipe.variables {
            let item = Item::plain(value.clone());
            if pipe.assigns {
                self.assign(frame, name, item)?;
            } else {
                frame.variables.push((name, item));
            }
        }
        Ok(value)
    }

    fn command(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Item,
        command: &'t Command,
        last: Option<Value>,
    ) -> Result<Value, String> {
        let Some((first, rest)) = command.operands.split_first() else { return Ok(Value::Nil) };
        if !matches!(first.kind, OperandKind::Pipe(_)) {
            frame.at = Place(first.position, first);
        }
        let has_args = !rest.is_empty() || last.is_some();
        match &first.kind {
            OperandKind::Function(name) => {
                return self.function(frame, dot, Place(command.position, command), name, rest, last);
            }
            OperandKind::Field(_) | OperandKind::Chain(..) => {}
            OperandKind::Variable(_, fields) if !fields.is_empty() => {}
            _ if has_args => {
                return Err(self.error(frame, format!("can't give argument to non-function {}", first.bare())));
            }
            OperandKind::Nil => return Err(self.error(frame, "nil is not a command")),
            _ => {}
        }
        Ok(self.operand(frame, dot, first, has_args)?.value)
    }

    /// The value of an operand; `called` if it is given arguments, which only functions take.
    fn operand(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Item,
        operand: &'t Operand,
        called: bool,
    ) -> Result<Item, String> {
        self.step(frame)?;
        let place = Place(operand.position, operand);
        frame.at = place;
        match &operand.kind {
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::Nil => Ok(Item::plain(Value::Nil)),
            OperandKind::Bool(flag) => Ok(Item::plain(Value::Bool(*flag))),
            OperandKind::Text { text, .. } => {
                self.budget.bytes(text.len()).map_err(|spent| self.error(frame, String::from(spent)))?;
                Ok(Item::plain(Value::text(text)))
            }
            OperandKind::Number { text, number } => {
                number.value().map(Item::plain).ok_or_else(|| self.error(frame, format!("{text} overflows int")))
            }
            OperandKind::Function(name) => self.function(frame, dot, place, name, &[], None).map(Item::plain),
            OperandKind::Field(fields) => self.fields(frame, dot.clone(), fields, called),
            OperandKind::Variable(name, fields) => {
                let known = frame.variables.iter().rev().find(|(known, _)| known == name);
                let value = known.map(|(_, value)| value.clone());
                let value = value.ok_or_else(|| self.error(frame, format!("undefined variable: {name}")))?;
                self.fields(frame, value, fields, called)
            }
            OperandKind::Pipe(pipe) => {
                self.deeper(frame)?;
                let value = self.pipe(frame, dot, pipe)?;
                self.depth -= 1;
                Ok(Item::plain(value))
            }
            OperandKind::Chain(operand, fields) => {
                let value = self.operand(frame, dot, operand, false)?;
                self.fields(frame, value, fields, called)
            }
        }
    }

    fn fields(
        &mut self,
        frame: &Frame<'t>,
        mut item: Item,
        fields: &'t [String],
        called: bool,
    ) -> Result<Item, String> {
        for (number, field) in fields.iter().enumerate() {
            let name = || quote::text(field.as_bytes(), false);
            item = match &item.value {
                Value::Map(_) if called && number + 1 == fields.len() => {
                    return Err(self.error(frame, format!("{field} is not a method but has arguments")));
                }
                Value::Map(entries) => match entries.get(field) {
                    Some(value) => Item::boxed(value.clone()),
                    None => return Err(self.error(frame, format!("map has no entry for key {}", name()))),
                },
                Value::Nil if item.boxed => {
                    return Err(self.error(frame, format!("nil pointer evaluating interface {{}}.{field}")));
                }
                Value::Nil => return Err(self.error(frame, format!("nil data; no entry for key {}", name()))),
                _ => {
                    let go_type = item.go_type();
                    return Err(self.error(frame, format!("can't evaluate field {field} in type {go_type}")));
                }
            };
        }
        Ok(item)
    }

    /// Calls a function. `whole` is what errors of its own are about.
    fn function(
        &mut self,
        frame: &mut Frame<'t>,
        dot: &Item,
        whole: Place<'t>,
        name: &str,
        operands: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, String> {
        let (least, more) = functions::arity(name);
        let count = operands.len() + usize::from(last.is_some());
        if count < least || count > least && !more {
            let (wanted, given) = (if more { "at least " } else { "" }, operands.len());
            let given = if more { given } else { count };
            return Err(self.error(frame, format!("wrong number of args for {name}: want {wanted}{least} got {given}")));
        }
        if name == "and" || name == "or" {
            let mut value = Value::Nil;
            for operand in operands {
                value = self.operand(frame, dot, operand, false)?.value;
                if value.is_true() == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut args = Vec::with_capacity(count);
        for operand in operands {
            let item = self.operand(frame, dot, operand, false)?;
            if name == "printf" && args.is_empty() {
                self.expect_text(frame, operand, &item)?;
            }
            args.push(item.value);
        }
        if let Some(last) = last {
            if name == "printf" && args.is_empty() && !matches!(last, Value::Text(_)) {
                return Err(self.error(frame, wrong_type(&Item::plain(last))));
            }
            args.push(last);
        }
        let shown = match (name, operands.first(), args.first()) {
            ("call", Some(operand), _) => operand.bare().to_string(),
            ("call", None, Some(Value::Text(text))) => String::from_utf8_lossy(text).into_owned(),
            ("call", None, Some(value)) => format!("<{} Value>", value.go_type()),
            _ => String::new(),
        };
        let called = functions::call(name, &args, &shown, &mut self.budget);
        called.map_err(|error| {
            frame.at = whole;
            self.error(frame, format!("error calling {name}: {error}"))
        })
    }

    fn expect_text(&self, frame: &Frame<'t>, operand: &'t Operand, item: &Item) -> Result<(), String> {
        match (&item.value, &operand.kind) {
            (Value::Text(_), _) => Ok(()),
            (_, OperandKind::Nil) => Err(self.error(frame, "cannot assign nil to string")),
            (_, OperandKind::Bool(_) | OperandKind::Number { .. }) => {
                Err(self.error(frame, format!("expected string; found {operand}")))
            }
            _ => Err(self.error(frame, wrong_type(item))),
        }
    }

    fn assign(&self, frame: &mut Frame<'t>, name: &str, value: Item) -> Result<(), String> {
        match frame.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => return Err(self.error(frame, format!("undefined variable: {name}"))),
        }
        Ok(())
    }

    fn shown(&mut self, value: &Value) -> String {
        let text = format::print(std::slice::from_ref(value), &mut self.budget).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    fn write(&mut self, frame: &Frame<'t>, text: &[u8]) -> Result<(), String> {
        self.budget.bytes(text.len()).map_err(|spent| self.error(frame, String::from(spent)))?;
        self.output.extend_from_slice(text);
        Ok(())
    }

    fn step(&mut self, frame: &Frame<'t>) -> Result<(), String> {
        self.budget.step().map_err(|spent: Spent| self.error(frame, String::from(spent)))
    }

    /// Goes one level deeper.
    fn deeper(&mut self, frame: &Frame<'t>) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error(frame, format!("exceeded maximum template depth ({DEPTH_MAX})")));
        }
        Ok(())
    }

    fn error(&self, frame: &Frame<'t>, message: impl Display) -> String {
        let Place(position, node) = frame.at;
        let before = &self.text[..position];
        let line = 1 + before.matches('\n').count();
        let column = position - before.rfind('\n').map_or(0, |end| end + 1);
        let name = quote::text(frame.name.as_bytes(), false);
        format!("template: :{line}:{column}: executing {name} at <{node}>: {message}")
    }
}

fn wrong_type(item: &Item) -> String {
    match (&item.value, item.boxed) {
        (Value::Nil, false) => "invalid value; expected string".to_owned(),
        (Value::Nil, true) => "wrong type for value; expected string; got interface {}".to_owned(),
        (value, _) => format!("wrong type for value; expected string; got {}", value.go_type()),
    }
}
