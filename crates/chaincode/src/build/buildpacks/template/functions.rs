//! The functions that every template knows.

use std::rc::Rc;

use crate::build::buildpacks::template::{
    budget::Budget,
    compare::{self, Order},
    format, quote,
    value::Value,
};

/// Their names. `and` and `or` look at no more arguments than they need, which is the evaluator's business.
pub(super) const NAMES: [&str; 19] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf",
    "println", "slice", "urlquery",
];

/// How many arguments a function takes: at least so many, and whether there may be more.
pub(super) fn arity(name: &str) -> (usize, bool) {
    match name {
        "len" | "not" => (1, false),
        "ne" | "lt" | "le" | "gt" | "ge" => (2, false),
        "print" | "println" | "html" | "js" | "urlquery" => (0, true),
        _ => (1, true),
    }
}

/// Calls a function with as many arguments as it takes. `shown` is how the first one is written.
pub(super) fn call(name: &str, args: &[Value], shown: &str, budget: &mut Budget) -> Result<Value, String> {
    // Whatever a function does takes time as its texts are long.
    for arg in args {
        if let Value::Text(text) = arg {
            budget.bytes(text.len())?;
        }
    }
    let (first, rest) = args.split_first().map_or((&Value::Nil, args), |(first, rest)| (first, rest));
    match name {
        "and" | "or" => Err(format!("{name} is no such function")),
        "call" if first.is_nil() => Err("call of nil".to_owned()),
        "call" => Err(format!("non-function {shown} of type {}", first.go_type())),
        "eq" => compare::equal(first, rest, budget).map(Value::Bool),
        "ne" => compare::equal(first, rest, budget).map(|equal| Value::Bool(!equal)),
        "lt" | "le" | "gt" | "ge" => {
            let order = match name {
                "lt" => Order::Less,
                "le" => Order::LessOrEqual,
                "gt" => Order::Greater,
                _ => Order::GreaterOrEqual,
            };
            compare::ordered(first, &args[1], order).map(Value::Bool)
        }
        "html" => Ok(Value::text(escape(args, budget, html)?)),
        "js" => Ok(Value::text(escape(args, budget, js)?)),
        "urlquery" => Ok(Value::text(escape(args, budget, url_query)?)),
        "index" => index(first, rest),
        "len" => len(first),
        "not" => Ok(Value::Bool(!first.is_true())),
        "print" => Ok(Value::text(format::print(args, budget)?)),
        "println" => Ok(Value::text(format::println(args, budget)?)),
        "printf" => match first {
            Value::Text(text) => Ok(Value::text(format::printf(text, rest, budget)?)),
            other => Err(format!("expected string; found {}", other.go_type())),
        },
        _ => slice(first, rest, budget),
    }
}

fn len(value: &Value) -> Result<Value, String> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        Value::Nil => return Err("len of nil pointer".to_owned()),
        other => return Err(format!("len of type {}", other.go_type())),
    };
    Ok(Value::Int(length as i64))
}

fn index(value: &Value, indexes: &[Value]) -> Result<Value, String> {
    if value.is_nil() {
        return Err("index of untyped nil".to_owned());
    }
    let mut found = value.clone();
    for index in indexes {
        found = match &found {
            Value::Text(text) => {
                let byte = text.get(position(index, text.len())?).copied();
                Value::Byte(byte.ok_or("reflect: string index out of range")?)
            }
            Value::List(items) => {
                let item = items.get(position(index, items.len())?).cloned();
                item.ok_or("reflect: slice index out of range")?
            }
            Value::Map(entries) => match index {
                Value::Text(key) => {
                    std::str::from_utf8(key).ok().and_then(|key| entries.get(key)).cloned().unwrap_or(Value::Nil)
                }
                Value::Nil => return Err("value is nil; should be of type string".to_owned()),
                other => return Err(format!("value has type {}; should be string", other.go_type())),
            },
            Value::Nil => return Err("index of nil pointer".to_owned()),
            other => return Err(format!("can't index item of type {}", other.go_type())),
        };
    }
    Ok(found)
}

fn slice(value: &Value, indexes: &[Value], budget: &mut Budget) -> Result<Value, String> {
    let length = match value {
        Value::Nil => return Err("slice of untyped nil".to_owned()),
        _ if indexes.len() > 3 => return Err(format!("too many slice indexes: {}", indexes.len())),
        Value::Text(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".to_owned()),
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        other => return Err(format!("can't slice item of type {}", other.go_type())),
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = position(index, length)?;
    }
    let [from, to, capacity] = bounds;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    if to > capacity {
        return Err(format!("invalid slice index: {to} > {capacity}"));
    }
    budget.bytes(to - from)?;
    Ok(match value {
        Value::List(items) => Value::List(Rc::from(&items[from..to])),
        Value::Text(text) => Value::text(&text[from..to]),
        other => other.clone(),
    })
}

/// An index into what has this length; the end is one, too.
fn position(index: &Value, length: usize) -> Result<usize, String> {
    let number = match index {
        Value::Int(number) => *number,
        Value::Byte(number) => i64::from(*number),
        Value::Nil => return Err("cannot index slice/array with nil".to_owned()),
        other => return Err(format!("cannot index slice/array with type {}", other.go_type())),
    };
    let position = usize::try_from(number).ok().filter(|position| *position <= length);
    position.ok_or_else(|| format!("index out of range: {number}"))
}

/// The arguments as one text, every byte of which is then written in another way.
fn escape(args: &[Value], budget: &mut Budget, write: fn(&[u8], &mut Vec<u8>)) -> Result<Vec<u8>, String> {
    let shown = |value: &Value| if value.is_nil() { Value::text("<no value>") } else { value.clone() };
    let args: Vec<Value> = args.iter().map(shown).collect();
    let text = format::print(&args, budget)?;
    // No byte becomes more than six.
    budget.bytes(6 * text.len())?;
    let mut escaped = Vec::with_capacity(text.len());
    write(&text, &mut escaped);
    Ok(escaped)
}

fn html(text: &[u8], escaped: &mut Vec<u8>) {
    for byte in text {
        match byte {
            0 => escaped.extend("\u{fffd}".bytes()),
            b'"' => escaped.extend(b"&#34;"),
            b'\'' => escaped.extend(b"&#39;"),
            b'&' => escaped.extend(b"&amp;"),
            b'<' => escaped.extend(b"&lt;"),
            b'>' => escaped.extend(b"&gt;"),
            other => escaped.push(*other),
        }
    }
}

fn js(text: &[u8], escaped: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let code = u32::from(character);
            match character {
                '\\' | '\'' | '"' => escaped.extend([b'\\', code as u8]),
                '<' | '>' | '&' | '=' => escaped.extend(format!("\\u{code:04X}").bytes()),
                other if quote::is_printable(other) => escaped.extend(other.encode_utf8(&mut [0; 4]).bytes()),
                '\u{7f}' => escaped.push(0x7f),
                _ => escaped.extend(format!("\\u{code:04X}").bytes()),
            }
        }
        escaped.extend(chunk.invalid());
    }
}

fn url_query(text: &[u8], escaped: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b' ' => escaped.push(b'+'),
            b'-' | b'_' | b'.' | b'~' => escaped.push(*byte),
            plain if plain.is_ascii_alphanumeric() => escaped.push(*plain),
            other => escaped.extend(format!("%{other:02X}").bytes()),
        }
    }
}
