//! From tokens to templates.

use std::collections::BTreeMap;

use crate::build::buildpacks::template::{
    DEPTH_MAX, functions, lexer,
    lexer::{Kind, Token},
    literal,
    node::{Branch, Call, Command, List, Node, Operand, OperandKind, Pipe},
    quote,
};

/// How many variables may be known at a time; looking one up takes the longer, the more there are.
const VARIABLES_MAX: usize = 256;

/// The templates of a text by name; its own name is empty.
pub(super) type Templates = BTreeMap<String, List>;

pub(super) fn parse(text: &str) -> Result<Templates, String> {
    let (tokens, unreadable) = lexer::tokens(text);
    let mut parser = Parser {
        tokens,
        unreadable,
        position: 0,
        seen: 0,
        action_line: None,
        depth: 0,
        variables: vec!["$".to_owned()],
        ranges: 0,
        templates: Templates::new(),
    };
    parser.text()?;
    Ok(parser.templates)
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    /// Why the last token is an error.
    unreadable: String,
    /// The next token.
    position: usize,
    /// The furthest token that was looked at, whose line errors name.
    seen: usize,
    /// Where the action begins that we are in.
    action_line: Option<usize>,
    depth: usize,
    /// The variables that are known here.
    variables: Vec<String>,
    /// How many ranges we are in.
    ranges: usize,
    templates: Templates,
}

/// What ended a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    End,
    Else,
}

/// What stands between two delimiters, or outside of them.
enum Item {
    Node(Node),
    Ending(Ending),
}

impl<'a> Parser<'a> {
    fn text(&mut self) -> Result<(), String> {
        let mut list = List::new();
        while self.peek().kind != Kind::End {
            if self.peek().kind == Kind::LeftDelimiter {
                let begin = self.position;
                self.next();
                if self.next_word().is_keyword("define") {
                    self.definition()?;
                    continue;
                }
                self.position = begin;
            }
            match self.item()? {
                Item::Node(node) => list.push(node),
                Item::Ending(ending) => return Err(self.error(format!("unexpected {}", ending.shown()))),
            }
        }
        self.add(String::new(), list)
    }

    /// Adds a template. One that has nothing but spaces yields to any other.
    fn add(&mut self, name: String, list: List) -> Result<(), String> {
        let is_empty = |list: &List| list.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()));
        match self.templates.get(&name) {
            Some(known) if !is_empty(known) => {
                let name = quote::text(name.as_bytes(), false);
                let twice = format!("template: multiple definition of template {name}");
                if is_empty(&list) { Ok(()) } else { Err(self.error(twice)) }
            }
            _ => {
                self.templates.insert(name, list);
                Ok(())
            }
        }
    }

    fn definition(&mut self) -> Result<(), String> {
        const CONTEXT: &str = "define clause";
        let name = self.template_name(CONTEXT)?;
        self.expect_right_delimiter(CONTEXT)?;
        self.body(name, CONTEXT)
    }

    /// A template up to its `{{end}}`. It sees nothing of what is around it.
    fn body(&mut self, name: String, context: &str) -> Result<(), String> {
        let outer = (std::mem::replace(&mut self.variables, vec!["$".to_owned()]), std::mem::take(&mut self.ranges));
        let (list, ending) = self.list()?;
        (self.variables, self.ranges) = outer;
        if ending != Ending::End {
            return Err(self.error(format!("unexpected {} in {context}", ending.shown())));
        }
        self.add(name, list)
    }

    fn list(&mut self) -> Result<(List, Ending), String> {
        let mut list = List::new();
        while self.peek_word().kind != Kind::End {
            match self.item()? {
                Item::Node(node) => list.push(node),
                Item::Ending(ending) => return Ok((list, ending)),
            }
        }
        Err(self.error("unexpected EOF"))
    }

    fn item(&mut self) -> Result<Item, String> {
        let token = self.next_word();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.text.to_owned()))),
            Kind::LeftDelimiter => {
                self.action_line = Some(token.line);
                let item = self.nested(Self::action)?;
                self.action_line = None;
                Ok(item)
            }
            _ => Err(self.unexpected(token, "input")),
        }
    }

    fn action(&mut self) -> Result<Item, String> {
        let token = self.peek_word();
        if token.kind != Kind::Keyword {
            // Its variables live on until the list ends.
            return Ok(Item::Node(Node::Action(self.pipe("command", Kind::RightDelimiter)?)));
        }
        self.next_word();
        let node = match token.text {
            "if" => Node::If(self.branch("if")?),
            "with" => Node::With(self.branch("with")?),
            "range" => Node::Range(self.branch("range")?),
            "template" => Node::Template(self.call()?),
            "block" => Node::Template(self.block()?),
            "break" => self.leave("{{break}}", Node::Break)?,
            "continue" => self.leave("{{continue}}", Node::Continue)?,
            "end" => {
                self.expect_right_delimiter("end")?;
                return Ok(Item::Ending(Ending::End));
            }
            "else" => {
                // What follows it is the business of the branch that it belongs to.
                let next = self.peek_word();
                if !next.is_keyword("if") && !next.is_keyword("with") {
                    self.expect_right_delimiter("else")?;
                }
                return Ok(Item::Ending(Ending::Else));
            }
            _ => return Err(self.unexpected(token, "command")),
        };
        Ok(Item::Node(node))
    }

    fn leave(&mut self, shown: &str, node: Node) -> Result<Node, String> {
        self.expect_right_delimiter(shown)?;
        if self.ranges == 0 { Err(self.error(format!("{shown} outside {{{{range}}}}"))) } else { Ok(node) }
    }

    fn branch(&mut self, keyword: &str) -> Result<Branch, String> {
        let known = self.variables.len();
        let pipe = self.pipe(keyword, Kind::RightDelimiter)?;
        let range = usize::from(keyword == "range");
        self.ranges += range;
        let (then, ending) = self.list()?;
        self.ranges -= range;
        let otherwise = match ending {
            Ending::End => None,
            Ending::Else => Some(self.otherwise(keyword)?),
        };
        self.variables.truncate(known);
        Ok(Branch { pipe, then, otherwise })
    }

    /// What follows `{{else`: `}}` has been taken, unless another branch of the same kind follows, which shares our
    /// `{{end}}`.
    fn otherwise(&mut self, keyword: &str) -> Result<List, String> {
        if keyword != "range" && self.peek().is_keyword(keyword) {
            self.next();
            let branch = self.nested(|parser| parser.branch(keyword))?;
            return Ok(vec![if keyword == "if" { Node::If(branch) } else { Node::With(branch) }]);
        }
        let (list, ending) = self.list()?;
        match ending {
            Ending::End => Ok(list),
            Ending::Else => Err(self.error(format!("expected end; found {}", ending.shown()))),
        }
    }

    fn call(&mut self) -> Result<Call, String> {
        const CONTEXT: &str = "template clause";
        let position = self.peek_word().position;
        let name = self.template_name(CONTEXT)?;
        let pipe = if self.peek_word().kind == Kind::RightDelimiter {
            self.next_word();
            None
        } else {
            Some(self.pipe(CONTEXT, Kind::RightDelimiter)?)
        };
        Ok(Call { position, name, pipe })
    }

    fn block(&mut self) -> Result<Call, String> {
        const CONTEXT: &str = "block clause";
        let position = self.peek_word().position;
        let name = self.template_name(CONTEXT)?;
        let pipe = self.pipe(CONTEXT, Kind::RightDelimiter)?;
        self.body(name.clone(), CONTEXT)?;
        Ok(Call { position, name, pipe: Some(pipe) })
    }

    fn template_name(&mut self, context: &str) -> Result<String, String> {
        let token = self.next_word();
        match token.kind {
            Kind::QuotedText | Kind::RawText => {
                let name = literal::text(token.text).map_err(|error| self.error(error))?;
                Ok(String::from_utf8_lossy(&name).into_owned())
            }
            _ => Err(self.unexpected(token, context)),
        }
    }

    fn pipe(&mut self, context: &str, end: Kind) -> Result<Pipe, String> {
        let position = self.peek_word().position;
        let mut pipe = Pipe { position, variables: Vec::new(), assigns: false, commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.peek_word();
            match token.kind {
                kind if kind == end => {
                    self.next_word();
                    break;
                }
                Kind::Bool
                | Kind::Character
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawText
                | Kind::QuotedText
                | Kind::Variable
                | Kind::LeftParenthesis => {
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => {
                    self.next_word();
                    return Err(self.unexpected(token, context));
                }
            }
        }
        self.check(&pipe, context)?;
        Ok(pipe)
    }

    /// `$a :=`, `$a =`, and for ranges `$a, $b :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), String> {
        loop {
            let begin = self.position;
            if self.peek_word().kind != Kind::Variable {
                return Ok(());
            }
            let variable = self.next_word();
            let next = self.peek_word();
            let is_comma = next.kind == Kind::Other && next.text == ",";
            if !is_comma && !matches!(next.kind, Kind::Assign | Kind::Declare) {
                self.position = begin;
                return Ok(());
            }
            self.next_word();
            if self.variables.len() >= VARIABLES_MAX {
                return Err(self.error(format!("more than {VARIABLES_MAX} variables at a time")));
            }
            pipe.variables.push(variable.text.to_owned());
            self.variables.push(variable.text.to_owned());
            if !is_comma {
                pipe.assigns = next.kind == Kind::Assign;
                return Ok(());
            }
            if context != "range" || pipe.variables.len() > 1 {
                return Err(self.error(format!("too many declarations in {context}")));
            }
            let follows = self.peek_word().kind;
            if !matches!(follows, Kind::Variable | Kind::RightDelimiter | Kind::RightParenthesis) {
                return Err(self.error("range can only initialize variables"));
            }
        }
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Result<(), String> {
        if pipe.commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (number, command) in pipe.commands.iter().enumerate().skip(1) {
            let value = command.operands.first().is_some_and(|first| {
                use OperandKind::{Bool, Dot, Nil, Number, Text};
                matches!(first.kind, Bool(_) | Dot | Nil | Number { .. } | Text { .. })
            });
            if value {
                return Err(self.error(format!("non executable command in pipeline stage {}", number + 1)));
            }
        }
        Ok(())
    }

    /// Operands between spaces, up to a pipe or to the end of the pipeline.
    fn command(&mut self) -> Result<Command, String> {
        let mut command = Command { position: self.peek_word().position, operands: Vec::new() };
        loop {
            self.peek_word();
            if let Some(operand) = self.operand()? {
                command.operands.push(operand);
            }
            let token = self.peek();
            match token.kind {
                Kind::RightDelimiter | Kind::RightParenthesis => break,
                Kind::Space => {
                    self.next();
                }
                Kind::Pipe => {
                    self.next();
                    break;
                }
                _ => {
                    self.next();
                    return Err(self.unexpected(token, "operand"));
                }
            }
        }
        if command.operands.is_empty() { Err(self.error("empty command")) } else { Ok(command) }
    }

    /// A term, and the fields behind it.
    fn operand(&mut self) -> Result<Option<Operand>, String> {
        let Some(mut operand) = self.term()? else { return Ok(None) };
        let position = self.peek().position;
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(self.next().text[1..].to_owned());
        }
        if fields.is_empty() {
            return Ok(Some(operand));
        }
        match &mut operand.kind {
            OperandKind::Field(own) | OperandKind::Variable(_, own) => {
                own.append(&mut fields);
                operand.position = position;
                Ok(Some(operand))
            }
            OperandKind::Function(_) | OperandKind::Pipe(_) | OperandKind::Chain(..) => {
                Ok(Some(Operand { position, kind: OperandKind::Chain(Box::new(operand), fields) }))
            }
            _ => {
                let shown = quote::text(operand.to_string().as_bytes(), false);
                Err(self.error(format!("unexpected . after term {shown}")))
            }
        }
    }

    fn term(&mut self) -> Result<Option<Operand>, String> {
        let token = self.peek_word();
        let text = token.text;
        let begin = self.position;
        self.next_word();
        let kind = match token.kind {
            Kind::Identifier if functions::NAMES.contains(&text) => OperandKind::Function(text.to_owned()),
            Kind::Identifier => {
                let name = quote::text(text.as_bytes(), false);
                return Err(self.error(format!("function {name} not defined")));
            }
            Kind::Dot => OperandKind::Dot,
            Kind::Nil => OperandKind::Nil,
            Kind::Bool => OperandKind::Bool(text == "true"),
            Kind::Field => OperandKind::Field(vec![text[1..].to_owned()]),
            Kind::Variable if self.variables.iter().any(|known| known == text) => {
                OperandKind::Variable(text.to_owned(), Vec::new())
            }
            Kind::Variable => {
                let name = quote::text(text.as_bytes(), false);
                return Err(self.error(format!("undefined variable {name}")));
            }
            Kind::Number | Kind::Character => {
                let read = if token.kind == Kind::Number { literal::number } else { literal::character };
                let number = read(text).map_err(|error| self.error(error))?;
                OperandKind::Number { text: text.to_owned(), number }
            }
            Kind::QuotedText | Kind::RawText => {
                let bytes = literal::text(text).map_err(|error| self.error(error))?;
                OperandKind::Text { quoted: text.to_owned(), text: bytes }
            }
            Kind::LeftParenthesis => {
                let pipe = self.nested(|parser| parser.pipe("parenthesized pipeline", Kind::RightParenthesis))?;
                OperandKind::Pipe(pipe)
            }
            _ => {
                self.position = begin;
                return Ok(None);
            }
        };
        Ok(Some(Operand { position: token.position, kind }))
    }

    /// Goes one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error(format!("nested deeper than {DEPTH_MAX}")));
        }
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn expect_right_delimiter(&mut self, context: &str) -> Result<(), String> {
        let token = self.next_word();
        if token.kind == Kind::RightDelimiter { Ok(()) } else { Err(self.unexpected(token, context)) }
    }

    fn unexpected(&self, token: Token<'_>, context: &str) -> String {
        let shown = match token.kind {
            Kind::Error => match self.action_line.filter(|line| *line != token.line) {
                None => return self.error(&self.unreadable),
                Some(line) => {
                    let text = &self.unreadable;
                    let action = if text.ends_with(" action") { "" } else { " in action" };
                    return self.error(format!("{text}{action} started at :{line}"));
                }
            },
            Kind::End => "EOF".to_owned(),
            Kind::Keyword | Kind::Dot | Kind::Nil => format!("<{}>", token.text),
            _ => match token.text.char_indices().nth(10) {
                Some((end, _)) if token.text.len() > 10 => {
                    format!("{}...", quote::text(&token.text.as_bytes()[..end], false))
                }
                _ => quote::text(token.text.as_bytes(), false),
            },
        };
        self.error(format!("unexpected {shown} in {context}"))
    }

    fn error(&self, message: impl AsRef<str>) -> String {
        format!("template: :{}: {}", self.tokens[self.seen].line, message.as_ref())
    }

    /// The next token, which stays the next.
    fn peek(&mut self) -> Token<'a> {
        self.seen = self.seen.max(self.position);
        self.tokens[self.position]
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        // Nothing is behind the last.
        self.position = (self.position + 1).min(self.tokens.len() - 1);
        token
    }

    /// The next token that is no space, which becomes the next.
    fn peek_word(&mut self) -> Token<'a> {
        while self.peek().kind == Kind::Space {
            self.next();
        }
        self.peek()
    }

    fn next_word(&mut self) -> Token<'a> {
        self.peek_word();
        self.next()
    }
}

impl Token<'_> {
    fn is_keyword(&self, keyword: &str) -> bool {
        self.kind == Kind::Keyword && self.text == keyword
    }
}

impl Ending {
    fn shown(self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}
