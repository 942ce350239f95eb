//! From text to tokens.

use crate::build::buildpacks::template::quote;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    LeftDelimiter,
    RightDelimiter,
    Space,
    Identifier,
    Field,
    Variable,
    Bool,
    Number,
    Character,
    QuotedText,
    RawText,
    Assign,
    Declare,
    Pipe,
    LeftParenthesis,
    RightParenthesis,
    Dot,
    Nil,
    Keyword,
    /// Anything else that can be printed.
    Other,
    End,
    /// What cannot be read; nothing follows.
    Error,
}

/// A token, and where it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) position: usize,
    pub(super) line: usize,
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];
const KEYWORDS: [&str; 10] = ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];

/// The tokens of a template, and what is wrong with the last if that is `Error`, else it is `End`.
pub(super) fn tokens(text: &str) -> (Vec<Token<'_>>, String) {
    let mut lexer = Lexer { text, start: 0, position: 0, line: 1, parentheses: 0, tokens: Vec::new() };
    let read = lexer.template();
    lexer.emit(if read.is_ok() { Kind::End } else { Kind::Error });
    (lexer.tokens, read.err().unwrap_or_default())
}

struct Lexer<'a> {
    text: &'a str,
    /// Where the token begins.
    start: usize,
    position: usize,
    /// The line of `start`.
    line: usize,
    /// How many are open.
    parentheses: usize,
    tokens: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn template(&mut self) -> Result<(), String> {
        while !self.rest().is_empty() {
            let length = self.rest().find(LEFT).unwrap_or(self.rest().len());
            let (text, action) = self.rest().split_at(length);
            let trims = action.strip_prefix(LEFT).is_some_and(begins_with_marker);
            let kept = if trims { text.trim_end_matches(SPACES).len() } else { length };
            self.position += kept;
            if kept > 0 {
                self.emit(Kind::Text);
            }
            self.position += length - kept;
            self.skip();
            if !action.is_empty() {
                self.action(if trims { 2 } else { 0 })?;
            }
        }
        Ok(())
    }

    /// An action with its delimiters, the left of which is followed by a marker of this length.
    fn action(&mut self, marker: usize) -> Result<(), String> {
        let inside = self.position + LEFT.len() + marker;
        if self.text[inside..].starts_with("/*") {
            return self.comment(inside);
        }
        self.position += LEFT.len();
        self.emit(Kind::LeftDelimiter);
        self.position = inside;
        self.skip();
        self.parentheses = 0;
        while !self.right_delimiter()? {
            self.token()?;
        }
        Ok(())
    }

    fn comment(&mut self, inside: usize) -> Result<(), String> {
        self.position = inside;
        self.skip();
        let length = self.rest().find("*/").ok_or("unclosed comment")?;
        self.position += length + 2;
        let (marker, _) = self.at_right_delimiter().ok_or("comment ends before closing delimiter")?;
        self.position += marker + RIGHT.len();
        self.end_action(marker > 0);
        Ok(())
    }

    /// The length of the marker before the right delimiter that is next, and how long both are.
    fn at_right_delimiter(&self) -> Option<(usize, usize)> {
        let rest = self.rest();
        let marker = if rest.starts_with(SPACES) && rest[1..].starts_with('-') { 2 } else { 0 };
        rest[marker..].starts_with(RIGHT).then_some((marker, marker + RIGHT.len()))
    }

    /// Takes the right delimiter if it is next.
    fn right_delimiter(&mut self) -> Result<bool, String> {
        let Some((marker, length)) = self.at_right_delimiter() else { return Ok(false) };
        if self.parentheses > 0 {
            return Err("unclosed left paren".to_owned());
        }
        self.position += marker;
        self.skip();
        self.position += length - marker;
        self.emit(Kind::RightDelimiter);
        self.end_action(marker > 0);
        Ok(true)
    }

    fn end_action(&mut self, trims: bool) {
        if trims {
            self.position += self.rest().len() - self.rest().trim_start_matches(SPACES).len();
        }
        self.skip();
    }

    fn token(&mut self) -> Result<(), String> {
        let first = self.next().ok_or("unclosed action")?;
        match first {
            ' ' | '\t' | '\r' | '\n' => self.space(),
            '=' => self.emit(Kind::Assign),
            ':' if self.accept("=") => self.emit(Kind::Declare),
            ':' => return Err("expected :=".to_owned()),
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::QuotedText, "unterminated quoted string")?,
            '\'' => self.quoted('\'', Kind::Character, "unterminated character constant")?,
            '`' => {
                let length = self.rest().find('`').ok_or("unterminated raw quoted string")?;
                self.position += length + 1;
                self.emit(Kind::RawText);
            }
            '$' => self.name(Kind::Variable, Kind::Variable)?,
            '.' if !self.rest().starts_with(|next: char| next.is_ascii_digit()) => {
                self.name(Kind::Field, Kind::Dot)?;
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.position = self.start;
                self.number()?;
            }
            '(' => {
                self.parentheses += 1;
                self.emit(Kind::LeftParenthesis);
            }
            ')' => {
                self.parentheses = self.parentheses.checked_sub(1).ok_or("unexpected right paren")?;
                self.emit(Kind::RightParenthesis);
            }
            letter if is_word(letter) => self.word()?,
            '!'..='~' => self.emit(Kind::Other),
            other => {
                return Err(format!("unrecognized character in action: {}", quote::code_point(other)));
            }
        }
        Ok(())
    }

    /// Spaces, but not the one that belongs to the right delimiter.
    fn space(&mut self) {
        self.position = self.start;
        while self.at_right_delimiter().is_none() && self.rest().starts_with(SPACES) {
            self.position += 1;
        }
        if self.position > self.start {
            self.emit(Kind::Space);
        }
    }

    /// Up to the quote; what a backslash stands before is no quote.
    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Result<(), String> {
        loop {
            match self.next() {
                Some('\\') if self.next().is_some_and(|escaped| escaped != '\n') => {}
                None | Some('\\' | '\n') => return Err(unterminated.to_owned()),
                Some(other) if other == quote => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    /// What follows a dot or a dollar: a name, or nothing.
    fn name(&mut self, kind: Kind, alone: Kind) -> Result<(), String> {
        let begin = self.position;
        self.run_of_word();
        self.expect_terminator()?;
        self.emit(if self.position == begin { alone } else { kind });
        Ok(())
    }

    fn word(&mut self) -> Result<(), String> {
        self.run_of_word();
        self.expect_terminator()?;
        let kind = match &self.text[self.start..self.position] {
            "true" | "false" => Kind::Bool,
            "nil" => Kind::Nil,
            word if KEYWORDS.contains(&word) => Kind::Keyword,
            _ => Kind::Identifier,
        };
        self.emit(kind);
        Ok(())
    }

    fn expect_terminator(&self) -> Result<(), String> {
        match self.rest().chars().next() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | '(' | ')') => Ok(()),
            Some(_) if self.rest().starts_with(RIGHT) => Ok(()),
            Some(other) => Err(format!("bad character {}", quote::code_point(other))),
        }
    }

    fn number(&mut self) -> Result<(), String> {
        let mut good = self.one_number();
        // The second part of a complex number.
        if good && self.rest().starts_with(['+', '-']) {
            good = self.one_number() && self.text[..self.position].ends_with('i');
        }
        if good {
            self.emit(Kind::Number);
            return Ok(());
        }
        let seen = &self.text[self.start..self.position];
        Err(format!("bad number syntax: {}", quote::text(seen.as_bytes(), false)))
    }

    fn one_number(&mut self) -> bool {
        const DECIMAL: &str = "0123456789_";
        self.accept("+-");
        let mut digits = DECIMAL;
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_all(digits);
        if self.accept(".") {
            self.accept_all(digits);
        }
        let exponent = if digits == DECIMAL { "eE" } else { "pP" };
        if digits.len() >= DECIMAL.len() && self.accept(exponent) {
            self.accept("+-");
            self.accept_all(DECIMAL);
        }
        self.accept("i");
        let ends = !self.rest().starts_with(is_word);
        if !ends {
            self.next();
        }
        ends
    }

    fn run_of_word(&mut self) {
        self.position += self.rest().len() - self.rest().trim_start_matches(is_word).len();
    }

    fn accept(&mut self, characters: &str) -> bool {
        let accepted = self.rest().starts_with(|next| characters.contains(next));
        self.position += usize::from(accepted);
        accepted
    }

    fn accept_all(&mut self, characters: &str) {
        while self.accept(characters) {}
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.position += next.len_utf8();
        Some(next)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn emit(&mut self, kind: Kind) {
        let text = &self.text[self.start..self.position];
        self.tokens.push(Token { kind, text, position: self.start, line: self.line });
        self.skip();
    }

    /// The next token begins here.
    fn skip(&mut self) {
        self.line += self.text[self.start..self.position].matches('\n').count();
        self.start = self.position;
    }
}

/// Whether what follows a left delimiter is a marker that trims.
fn begins_with_marker(inside: &str) -> bool {
    inside.strip_prefix('-').is_some_and(|behind| behind.starts_with(SPACES))
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}
