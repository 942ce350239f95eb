//! `eq`, `lt` and the others of their kind.

use std::cmp::Ordering;

use crate::build::buildpacks::template::{budget::Budget, format, value::Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Whether one value equals any of the others.
pub(super) fn equal(one: &Value, others: &[Value], budget: &mut Budget) -> Result<bool, String> {
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        if same(one, other, budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn same(one: &Value, other: &Value, budget: &mut Budget) -> Result<bool, String> {
    if let Some(order) = order(one, other) {
        return Ok(order == Ordering::Equal);
    }
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => Ok(one == other),
        (Value::Nil, other) | (other, Value::Nil) => Ok(other.is_nil()),
        (Value::List(_), Value::List(_)) | (Value::Map(_), Value::Map(_)) => {
            Err(format!("non-comparable type {}: {}", shown(b"%s", other, budget)?, other.go_type()))
        }
        (Value::List(_), Value::Map(_)) | (Value::Map(_), Value::List(_)) => {
            let (left, right) = (shown(b"%s", one, budget)?, shown(b"%v", other, budget)?);
            let (left_type, right_type) = (one.go_type(), other.go_type());
            Err(format!("non-comparable types {left}: {left_type}, {right_type}: {right}"))
        }
        _ => Err(incompatible(one, other)),
    }
}

pub(super) fn ordered(one: &Value, other: &Value, wanted: Order) -> Result<bool, String> {
    let is_basic = |value: &Value| !matches!(value, Value::Nil | Value::List(_) | Value::Map(_));
    if !is_basic(one) || !is_basic(other) {
        return Err("invalid type for comparison".to_owned());
    }
    let found = match (one, other) {
        (Value::Bool(_), Value::Bool(_)) => return Err("invalid type for comparison".to_owned()),
        _ => order(one, other).ok_or_else(|| incompatible(one, other))?,
    };
    Ok(match wanted {
        Order::Less => found == Ordering::Less,
        Order::LessOrEqual => found != Ordering::Greater,
        Order::Greater => found == Ordering::Greater,
        Order::GreaterOrEqual => found != Ordering::Less,
    })
}

/// The order of two numbers or texts; `None` if they have none.
fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Int(one), Value::Int(other)) => Some(one.cmp(other)),
        (Value::Byte(one), Value::Byte(other)) => Some(one.cmp(other)),
        (Value::Int(one), Value::Byte(other)) => Some(one.cmp(&i64::from(*other))),
        (Value::Byte(one), Value::Int(other)) => Some(i64::from(*one).cmp(other)),
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(other),
        (Value::Text(one), Value::Text(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

fn incompatible(one: &Value, other: &Value) -> String {
    format!("incompatible types for comparison: {} and {}", one.go_type(), other.go_type())
}

fn shown(format: &[u8], value: &Value, budget: &mut Budget) -> Result<String, String> {
    let text = format::printf(format, std::slice::from_ref(value), budget)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
